"""Makes TLS handshakes with `mfagate serve` using `openssl s_client`, and replaces its certificate while it serves."""

import pathlib
from collections.abc import Iterator

import pytest

from suite import certificates, served
from suite.certificates import DAY, Authority, Identity
from suite.gate import Refusal
from suite.handshake import handshake
from suite.served import READ, READ_REQUEST, Served

URI = "URI:spiffe://example.org/payments"
VERSIONS = {"TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3"}
# Each bad certificate with the alert that the client gets and the cause in the log.
REFUSED = {
    "expired": ("certificate expired", "certificate expired"),
    "not yet valid": ("certificate expired", "certificate not valid yet"),
    "of another authority": ("unknown ca", "UnknownIssuer"),
    "for servers only": ("unsupported certificate", "does not allow extended key usage"),
    "none": ("certificate required", "peer sent no certificates"),
}


class Server:
    """A `mfagate serve` with its own certificate authority."""

    def __init__(self, running: Served, authority: Authority, client: Identity, server: Identity) -> None:
        self.served = running
        self.authority = authority
        self.client = client
        self.server = server

    def serial(self) -> str | None:
        """The serial number that a new connection sees; the connection must succeed."""
        made = handshake(self.served.gate.address, self.authority.certificate, self.client)
        assert made.speaks_http2, made
        return made.serial


def new_server(authority: Authority, name: str) -> Identity:
    """An identity for the server."""
    return authority.issue(name, "DNS:localhost,IP:127.0.0.1", usage=certificates.SERVER)


@pytest.fixture(scope="module")
def server(embedded_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for every handshake; the reload tests restore a good pair."""
    directory: pathlib.Path = tmp_path_factory.mktemp("tls")
    authority = Authority(directory, "ours")
    client = authority.issue("client", URI)
    own = new_server(authority, "server")
    options = served.tls_options(own, authority)
    with served.in_front_of(embedded_url, directory, options, credentials=authority.credentials(client)) as running:
        yield Server(running, authority, client, own)


@pytest.fixture(scope="module")
def strangers(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Identity | None]:
    """Clients whose handshakes fail."""
    another = Authority(tmp_path_factory.mktemp("strangers"), "another")
    return {
        "expired": server.authority.issue("expired", URI, starts=-2 * DAY, ends=-DAY),
        "not yet valid": server.authority.issue("early", URI, starts=DAY, ends=2 * DAY),
        "of another authority": another.issue("stranger", URI),
        "for servers only": server.authority.issue("wrong-usage", URI, usage=certificates.SERVER),
        "none": None,
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_a_good_client_is_served_http2_over_this_version(server: Server, version: str) -> None:
    made = handshake(server.served.gate.address, server.authority.certificate, server.client, VERSIONS[version])
    assert (made.protocol, made.application, made.alert, made.speaks_http2) == (version, "h2", None, True)
    assert made.serial == server.server.serial


def test_tls_1_1_is_refused(server: Server) -> None:
    # openssl offers it only below its default security level.
    options = ("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
    made = handshake(server.served.gate.address, server.authority.certificate, server.client, *options)
    assert made.alert in {"handshake failure", "protocol version"}
    assert (made.protocol, made.serial, made.speaks_http2) == (None, None, False)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_client_is_refused_for_what_is_bad(
    server: Server, strangers: dict[str, Identity | None], name: str, version: str
) -> None:
    alert, cause = REFUSED[name]
    process = server.served.gate.process
    logged = len(process.output())
    made = handshake(server.served.gate.address, server.authority.certificate, strangers[name], VERSIONS[version])
    assert not made.speaks_http2
    # In TLS 1.3 the alert may arrive after the client has written to the closed connection, and be lost.
    assert made.alert == alert or (version == "TLSv1.3" and made.alert is None)
    process.wait_for_output(rf"handshake failed .*{cause}", logged)


def test_a_new_pair_applies_to_new_connections_and_open_ones_continue(server: Server) -> None:
    old = server.serial()
    with server.served.observed() as first:
        assert not isinstance(server.served.gate.call(READ, READ_REQUEST), Refusal)
    new = new_server(server.authority, "second")
    server.server.replace(new)
    assert "reload incomplete" not in server.served.reload()
    assert server.serial() == new.serial != old
    with server.served.observed() as second:
        assert not isinstance(server.served.gate.call(READ, READ_REQUEST), Refusal)
    # The same client port: grpcio did not reconnect.
    assert first.records[0]["peer"] == second.records[0]["peer"]


def test_a_pair_that_does_not_match_is_refused_and_the_old_one_kept(server: Server) -> None:
    old = server.serial()
    good_key = server.server.key.read_bytes()
    certificates.new_key(server.server.key)
    logged = len(server.served.gate.process.output())
    try:
        assert "reload incomplete" in server.served.reload()
        # The poll may have seen the files first, and an error is logged once.
        log = server.served.gate.process.output()[logged:]
        assert "changed TLS files rejected, the last valid ones stay active" in log
        assert "the key is not that of the certificate" in log
        assert server.serial() == old
        assert not isinstance(server.served.gate.call(READ, READ_REQUEST), Refusal)
    finally:
        server.server.key.write_bytes(good_key)
        server.served.reload()
    assert server.serial() == old


def test_an_expired_pair_is_refused_and_the_old_one_kept(server: Server) -> None:
    old = server.serial()
    kept = Identity(server.server.certificate.with_suffix(".kept"), server.server.key.with_suffix(".kept-key"))
    kept.replace(server.server)
    names = "DNS:localhost,IP:127.0.0.1"
    expired = server.authority.issue("expired-server", names, certificates.SERVER, starts=-2 * DAY, ends=-DAY)
    server.server.replace(expired)
    try:
        assert "reload incomplete" in server.served.reload()
        assert server.serial() == old
    finally:
        server.server.replace(kept)
        server.served.reload()


def test_callers_of_a_new_authority_are_admitted_after_a_reload(server: Server, tmp_path: pathlib.Path) -> None:
    newer = Authority(tmp_path, "newer")
    client = newer.issue("client", "URI:spiffe://example.org/readme_dev")
    old = server.authority.certificate.read_bytes()
    credentials = server.authority.credentials(client)
    with server.served.gate.as_caller(credentials=credentials) as caller:
        assert isinstance(caller.call(READ, READ_REQUEST), Refusal)
    server.authority.certificate.write_bytes(old + newer.certificate.read_bytes())
    try:
        server.served.reload()
        with server.served.gate.as_caller(credentials=credentials) as caller, server.served.observed() as seen:
            assert not isinstance(caller.call(READ, READ_REQUEST), Refusal)
        assert seen.callers() == [("spiffe://example.org/readme_dev", "mtls")]
    finally:
        server.authority.certificate.write_bytes(old)
        server.served.reload()
