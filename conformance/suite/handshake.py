"""TLS handshakes with `openssl s_client`."""

import dataclasses
import pathlib
import re
import subprocess

from . import certificates
from .certificates import Identity

OPENSSL_TIMEOUT_SECONDS = 30
# A complete HTTP/2 connection: preface, empty SETTINGS, and GOAWAY, after which the server closes it.
CONNECTION = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
    + bytes((0, 0, 8, 7, 0, 0, 0, 0, 0))
    + bytes(8)
)
SERVER_SETTINGS = re.compile(rb"\x00\x00.\x04\x00\x00\x00\x00\x00", re.S)


@dataclasses.dataclass(frozen=True)
class Handshake:
    """The outcome of a handshake."""

    protocol: str | None
    """The negotiated version of TLS."""
    application: str | None
    """The protocol negotiated by ALPN."""
    serial: str | None
    """The serial number of the server's certificate."""
    alert: str | None
    """The alert that the server sent."""
    speaks_http2: bool
    """Whether the server then spoke HTTP/2: in TLS 1.3 the client finishes before its certificate is verified."""


def handshake(address: str, authority: pathlib.Path, identity: Identity | None, *options: str) -> Handshake:
    """Connects to a server whose certificate this authority must have signed, and presents the identity."""
    own = certificates.options(identity)
    command = ["openssl", "s_client", "-connect", address, "-alpn", "h2", "-CAfile", authority, *own, *options]
    done = subprocess.run(
        [*map(str, command), "-verify_return_error", "-verify_hostname", "localhost", "-ign_eof"],
        input=CONNECTION,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=OPENSSL_TIMEOUT_SECONDS,
        check=False,
    )

    def said(pattern: bytes) -> str | None:
        found = re.search(pattern, done.stdout, re.M)
        return found.group(1).decode() if found else None

    pem = said(rb"(-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----)")
    return Handshake(
        protocol=said(rb"^New, (TLSv[\d.]+), "),
        application=said(rb"^ALPN protocol: (\S+)"),
        serial=_serial(pem) if pem else None,
        alert=said(rb":(?:sslv3|tlsv1|tlsv13) alert ([\w ]+):"),
        speaks_http2=SERVER_SETTINGS.search(done.stdout) is not None,
    )


def _serial(pem: str) -> str:
    command = ["openssl", "x509", "-noout", "-serial"]
    return subprocess.run(command, input=pem, capture_output=True, text=True, check=True).stdout.strip()
