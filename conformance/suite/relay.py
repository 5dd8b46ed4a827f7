"""Stands before a moto that checks signatures, and turns its XML refusals into AWS's JSON."""

import http.client
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "content-length", "date", "server", "transfer-encoding"}


@contextmanager
def started(url: str) -> Iterator[str]:
    """Runs a relay before `url` for the length of the block, and answers where it listens."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(urlsplit(url).netloc))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(address: str) -> type[BaseHTTPRequestHandler]:
    class Relay(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # noqa: N802, the name that http.server calls
            body = self.rfile.read(int(self.headers["Content-Length"]))
            peer = http.client.HTTPConnection(address, timeout=30)
            # The Host header passes as it came: the signature covers it.
            peer.request("POST", self.path, body, dict(self.headers))
            answer = peer.getresponse()
            content = answer.read()
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP}
            peer.close()
            content = _as_json(content)
            self.send_response(answer.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Says nothing: what passes holds credentials."""

    return Relay


def _as_json(content: bytes) -> bytes:
    refusal = re.search(rb"<Code>(.*?)</Code><Message>(.*?)</Message>", content, re.S)
    if refusal is None:
        return content
    code = refusal[1].decode()
    code = {"AccessDenied": "AccessDeniedException"}.get(code, code)
    return json.dumps({"__type": code, "Message": refusal[2].decode()}).encode()
