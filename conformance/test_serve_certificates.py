"""Calls `mfagate serve` over TLS with certificates that openssl made, by grpcurl and by grpcio."""

import dataclasses
import pathlib
from collections.abc import Iterator

import pytest

from suite import certificates, grpcurl, served
from suite.certificates import DAY, Authority, Identity
from suite.gate import Refusal
from suite.served import READ, READ_PATH, READ_REQUEST, Served

SPIFFE_ID = "spiffe://example.org/payments"
GOOD = {"SPIFFE ID": SPIFFE_ID, "DNS name": "billing.example.org", "SPIFFE ID beside a DNS name": SPIFFE_ID}
NEVER_CONNECTED = ["expired", "not yet valid", "of another authority", "for servers only", "none"]
# After a refused handshake, grpcurl retries for this long; test_serve_tls.py checks that each was refused.
CONNECT_TIMEOUT_SECONDS = "1"


@dataclasses.dataclass(frozen=True)
class Callers:
    """A `mfagate serve` that requests certificates, and callers with good and bad ones."""

    served: Served
    authority: Authority
    identities: dict[str, Identity | None]

    def grpcurl(self, name: str, *options: str) -> tuple[int, str]:
        """Makes the call with grpcurl and the certificate of that name."""
        own = certificates.options(self.identities[name])
        return grpcurl.called(
            *("-cacert", self.authority.certificate, *own, *options),
            address=self.served.gate.address,
            rpc=READ_PATH,
            request=READ_REQUEST,
        )

    def grpcio(self, name: str) -> dict[str, object] | Refusal:
        """Makes the call with grpcio and the certificate of that name."""
        with self.served.gate.as_caller(credentials=self.authority.credentials(self.identities[name])) as caller:
            return caller.call(READ, READ_REQUEST)


@pytest.fixture(scope="module")
def callers(embedded_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    """Every caller of this suite."""
    directory: pathlib.Path = tmp_path_factory.mktemp("certificates")
    authority, another = Authority(directory, "ours"), Authority(directory, "another")
    server = authority.issue("server", "DNS:localhost,IP:127.0.0.1", usage=certificates.SERVER)
    uri = f"URI:{SPIFFE_ID}"
    identities = {
        "SPIFFE ID": authority.issue("spiffe", uri),
        "DNS name": authority.issue("dns", "DNS:Billing.example.org,DNS:other.example.org"),
        "SPIFFE ID beside a DNS name": authority.issue("two", f"DNS:billing.example.org,{uri}"),
        "expired": authority.issue("expired", uri, starts=-2 * DAY, ends=-DAY),
        "not yet valid": authority.issue("early", uri, starts=DAY, ends=2 * DAY),
        "of another authority": another.issue("stranger", uri),
        "for servers only": authority.issue("wrong-usage", uri, usage=certificates.SERVER),
        "without a name": authority.issue("nameless"),
        "none": None,
    }
    options = served.tls_options(server, authority)
    credentials = authority.credentials(identities["SPIFFE ID"])
    with served.in_front_of(embedded_url, directory, options, credentials=credentials) as running:
        yield Callers(running, authority, identities)


@pytest.mark.parametrize("name", GOOD)
def test_grpcurl_is_admitted_and_the_record_names_the_caller(callers: Callers, name: str) -> None:
    with callers.served.observed() as seen:
        code, printed = callers.grpcurl(name)
    assert code == 0, printed
    assert '"mfaConfiguration"' in printed
    assert seen.callers() == [(GOOD[name], "mtls")]
    assert seen.operations == [READ]


@pytest.mark.parametrize("name", GOOD)
def test_grpcio_is_admitted_and_the_record_names_the_caller(callers: Callers, name: str) -> None:
    with callers.served.observed() as seen:
        response = callers.grpcio(name)
    assert not isinstance(response, Refusal), response
    assert seen.callers() == [(GOOD[name], "mtls")]
    assert seen.operations == [READ]


@pytest.mark.parametrize("name", NEVER_CONNECTED)
def test_grpcurl_with_a_bad_certificate_never_connects(callers: Callers, name: str) -> None:
    with callers.served.observed() as seen:
        code, printed = callers.grpcurl(name, "-connect-timeout", CONNECT_TIMEOUT_SECONDS)
    assert code != 0
    assert "mfaConfiguration" not in printed
    assert "ErrorInfo" not in printed, "that is a response to a call"
    assert (seen.records, seen.operations) == ([], [])


@pytest.mark.parametrize("name", NEVER_CONNECTED)
def test_grpcio_with_a_bad_certificate_never_connects(callers: Callers, name: str) -> None:
    with callers.served.observed() as seen:
        response = callers.grpcio(name)
    assert isinstance(response, Refusal)
    assert (response.code, response.details) == ("UNAVAILABLE", {})
    assert (seen.records, seen.operations) == ([], [])


def test_a_good_certificate_without_a_name_is_refused(callers: Callers) -> None:
    with callers.served.observed() as seen:
        response = callers.grpcio("without a name")
        code, printed = callers.grpcurl("without a name")
    assert isinstance(response, Refusal)
    assert (response.code, response.reason, response.metadata["credential"]) == (
        "UNAUTHENTICATED",
        "CALLER_UNAUTHENTICATED",
        "missing",
    )
    assert code != 0
    # grpcurl never makes its call: reading the descriptors is refused first.
    assert "Unauthenticated" in printed, printed
    assert seen.callers() == [(None, "none")]
    assert seen.operations == []


def test_plaintext_to_the_tls_port_fails(callers: Callers) -> None:
    with callers.served.observed() as seen:
        code, printed = grpcurl.called(
            *("-plaintext", "-connect-timeout", CONNECT_TIMEOUT_SECONDS),
            address=callers.served.gate.address,
            rpc=READ_PATH,
            request=READ_REQUEST,
        )
        with callers.served.gate.as_caller() as caller:
            response = caller.call(READ, READ_REQUEST)
    assert code != 0, printed
    assert "ErrorInfo" not in printed
    assert isinstance(response, Refusal)
    assert (response.code, response.details) == ("UNAVAILABLE", {})
    assert (seen.records, seen.operations) == ([], [])


def test_callers_reject_a_server_of_another_authority(callers: Callers, tmp_path: pathlib.Path) -> None:
    elsewhere = Authority(tmp_path, "elsewhere")
    credentials = elsewhere.credentials(callers.identities["SPIFFE ID"])
    with callers.served.gate.as_caller(credentials=credentials) as caller:
        response = caller.call(READ, READ_REQUEST)
    assert isinstance(response, Refusal)
    assert response.code == "UNAVAILABLE"
