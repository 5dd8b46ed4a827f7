"""Calls `mfagate serve` with a certificate and a token in one call: each is verified if present."""

import dataclasses
import pathlib
from collections.abc import Iterator

import pytest

from suite import certificates, grpcurl, issuer, served
from suite.certificates import DAY, Authority, Identity
from suite.gate import Refusal
from suite.issuer import Issuer
from suite.reflection import Metadata, bearer
from suite.served import READ, READ_PATH, READ_REQUEST, Served

SPIFFE_ID = "spiffe://example.org/payments"
NAME = "payments-job"


@dataclasses.dataclass(frozen=True)
class Both:
    """A `mfagate serve` that authenticates callers by certificates and tokens."""

    served: Served
    authority: Authority
    trusted: Issuer
    identities: dict[str, Identity | None]
    tokens: dict[str, str | None]

    def metadata(self, token: str) -> Metadata:
        """The metadata of a call with this token."""
        text = self.tokens[token]
        return bearer(text) if text else ()

    def grpcio(self, certificate: str, token: str) -> dict[str, object] | Refusal:
        """Makes the call with grpcio."""
        credentials = self.authority.credentials(self.identities[certificate])
        with self.served.gate.as_caller(self.metadata(token), credentials) as caller:
            return caller.call(READ, READ_REQUEST)

    def grpcurl(self, certificate: str, token: str, *options: str) -> tuple[int, str]:
        """Makes the call with grpcurl."""
        own = certificates.options(self.identities[certificate])
        headers = [part for name, value in self.metadata(token) for part in ("-H", f"{name}: {value}")]
        arguments = ("-cacert", self.authority.certificate, *own, *headers, *options)
        return grpcurl.called(*arguments, address=self.served.gate.address, rpc=READ_PATH, request=READ_REQUEST)


@pytest.fixture(scope="module")
def both(embedded_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """One server for every combination."""
    directory: pathlib.Path = tmp_path_factory.mktemp("both")
    authority, another = Authority(directory, "ours"), Authority(directory, "another")
    server = authority.issue("server", "DNS:localhost,IP:127.0.0.1", usage=certificates.SERVER)
    uri = f"URI:{SPIFFE_ID}"
    identities = {
        "good": authority.issue("good", uri),
        "expired": authority.issue("expired", uri, starts=-2 * DAY, ends=-DAY),
        "of another authority": another.issue("stranger", uri),
        "without a name": authority.issue("nameless"),
        "none": None,
    }
    with issuer.started("ES256") as trusted:
        key = trusted.keys[0]
        tokens = {
            "good": key.sign(trusted.claims(NAME)),
            "expired": key.sign(trusted.claims(NAME, exp=1_000_000_000)),
            "not accepted": key.sign(trusted.claims(NAME, aud="reports")),
            "malformed": "a.b.c",
            "none": None,
        }
        options: served.Options = {**served.tls_options(server, authority), **trusted.options()}
        credentials = authority.credentials(identities["good"])
        with served.in_front_of(embedded_url, directory, options, credentials=credentials) as running:
            yield Both(running, authority, trusted, identities, tokens)


ADMITTED = {
    ("good", "good"): {"caller": SPIFFE_ID, "authenticated": "both", "token_caller": NAME},
    ("good", "none"): {"caller": SPIFFE_ID, "authenticated": "mtls"},
    ("none", "good"): {"caller": NAME, "authenticated": "jwt"},
    ("without a name", "good"): {"caller": NAME, "authenticated": "jwt"},
}


@pytest.mark.parametrize(("certificate", "token"), ADMITTED)
def test_the_record_names_the_caller_and_how_it_was_authenticated(both: Both, certificate: str, token: str) -> None:
    with both.served.observed() as seen:
        response = both.grpcio(certificate, token)
        code, printed = both.grpcurl(certificate, token)
    assert not isinstance(response, Refusal), response
    assert code == 0, printed
    expected = dict(ADMITTED[certificate, token])
    if token != "none":
        expected["token_issuer"] = both.trusted.url
    names = ("caller", "authenticated", "token_caller", "token_issuer")
    said = [{name: record[name] for name in names if name in record} for record in seen.records]
    assert said == [expected] * 2
    assert seen.operations == [READ] * 2


@pytest.mark.parametrize("certificate", ["good", "without a name", "none"])
@pytest.mark.parametrize("token", ["expired", "not accepted", "malformed"])
def test_a_bad_token_is_refused_whatever_the_certificate(both: Both, certificate: str, token: str) -> None:
    with both.served.observed() as seen:
        response = both.grpcio(certificate, token)
        code, printed = both.grpcurl(certificate, token)
    assert isinstance(response, Refusal)
    assert (response.code, response.reason) == ("UNAUTHENTICATED", "CALLER_UNAUTHENTICATED")
    assert response.metadata["credential"] == token
    assert code != 0
    assert "Unauthenticated" in printed, printed
    assert seen.callers() == [(None, "none")]
    assert seen.operations == []


@pytest.mark.parametrize("certificate", ["expired", "of another authority"])
def test_a_good_token_with_a_bad_certificate_never_connects(both: Both, certificate: str) -> None:
    process = both.served.gate.process
    logged = len(process.output())
    with both.served.observed() as seen:
        response = both.grpcio(certificate, "good")
    assert isinstance(response, Refusal)
    assert (response.code, response.details) == ("UNAVAILABLE", {})
    process.wait_for_output("handshake failed .*invalid peer certificate", logged)
    assert (seen.records, seen.operations) == ([], [])


def test_grpcurl_with_a_good_token_and_an_expired_certificate_never_connects(both: Both) -> None:
    with both.served.observed() as seen:
        code, printed = both.grpcurl("expired", "good", "-connect-timeout", "1")
    assert code != 0
    assert "mfaConfiguration" not in printed
    assert (seen.records, seen.operations) == ([], [])


def test_grpcurl_does_not_present_a_certificate_of_an_untrusted_authority(both: Both) -> None:
    # Go reads the authorities in the server's request. It does not present this certificate, so only the token counts.
    with both.served.observed() as seen:
        code, printed = both.grpcurl("of another authority", "good")
    assert code == 0, printed
    assert seen.callers() == [(NAME, "jwt")]


def test_a_call_without_certificate_and_token_is_refused(both: Both) -> None:
    with both.served.observed() as seen:
        response = both.grpcio("none", "none")
    assert isinstance(response, Refusal)
    assert (response.reason, response.metadata["credential"]) == ("CALLER_UNAUTHENTICATED", "missing")
    assert seen.operations == []
