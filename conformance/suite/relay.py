"""A relay in front of a moto that checks signatures; converts its refusals to AWS's form."""

import html
import http.client
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "content-length", "date", "server", "transfer-encoding"}


Form = Callable[[str, str], bytes]
"""Builds a response body from a code and a message."""


def json_form(code: str, message: str) -> bytes:
    """A refusal in Cognito's form."""
    code = {"AccessDenied": "AccessDeniedException"}.get(code, code)
    return json.dumps({"__type": code, "Message": message}).encode()


def query_form(code: str, message: str) -> bytes:
    """A refusal in STS's form. moto's has an extra element around it, which STS clients do not expect."""
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{html.escape(message)}</Message></Error>"
    return f"<ErrorResponse>{error}<RequestId>moto</RequestId></ErrorResponse>".encode()


@contextmanager
def started(url: str, form: Form = json_form) -> Iterator[str]:
    """Runs a relay in front of `url` for the length of the block; yields its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(urlsplit(url).netloc, form))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(address: str, form: Form) -> type[BaseHTTPRequestHandler]:
    class Relay(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # noqa: N802, the name that http.server calls
            body = self.rfile.read(int(self.headers["Content-Length"]))
            peer = http.client.HTTPConnection(address, timeout=30)
            # The Host header is passed unchanged: the signature covers it.
            peer.request("POST", self.path, body, dict(self.headers))
            response = peer.getresponse()
            content = response.read()
            headers = {name: value for name, value in response.getheaders() if name.lower() not in HOP_BY_HOP}
            peer.close()
            content = _formed(content, form)
            self.send_response(response.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Logs nothing: requests hold credentials."""

    return Relay


def _formed(content: bytes, form: Form) -> bytes:
    refusal = re.search(rb"<Code>(.*?)</Code><Message>(.*?)</Message>", content, re.S)
    return content if refusal is None else form(refusal[1].decode(), html.unescape(refusal[2].decode()))
