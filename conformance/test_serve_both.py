"""Calls `mfagate serve` with a certificate and a token in one call: both are verified where presented."""

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
    """A `mfagate serve` that knows callers by certificates and by tokens."""

    served: Served
    authority: Authority
    trusted: Issuer
    identities: dict[str, Identity | None]
    tokens: dict[str, str | None]

    def metadata(self, token: str) -> Metadata:
        """What a call with this token carries."""
        text = self.tokens[token]
        return bearer(text) if text else ()

    def grpcio(self, certificate: str, token: str) -> dict[str, object] | Refusal:
        """Makes the call with grpcio."""
        credentials = self.authority.credentials(self.identities[certificate])
        with self.served.gate.known_to(self.metadata(token), credentials) as caller:
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
        options: served.Options = {**served.over_tls(server, authority), **trusted.options()}
        credentials = authority.credentials(identities["good"])
        with served.before(embedded_url, directory, options, credentials=credentials) as running:
            yield Both(running, authority, trusted, identities, tokens)


ADMITTED = {
    ("good", "good"): {"caller": SPIFFE_ID, "authenticated": "both", "token_caller": NAME},
    ("good", "none"): {"caller": SPIFFE_ID, "authenticated": "mtls"},
    ("none", "good"): {"caller": NAME, "authenticated": "jwt"},
    ("without a name", "good"): {"caller": NAME, "authenticated": "jwt"},
}


@pytest.mark.parametrize(("certificate", "token"), ADMITTED)
def test_the_record_says_what_was_proved_and_how(both: Both, certificate: str, token: str) -> None:
    with both.served.watched() as seen:
        answer = both.grpcio(certificate, token)
        code, printed = both.grpcurl(certificate, token)
    assert not isinstance(answer, Refusal), answer
    assert code == 0, printed
    expected = dict(ADMITTED[certificate, token])
    if token != "none":
        expected["token_issuer"] = both.trusted.url
    names = ("caller", "authenticated", "token_caller", "token_issuer")
    said = [{name: record[name] for name in names if name in record} for record in seen.records]
    assert said == [expected] * 2
    assert seen.asked == [READ] * 2


@pytest.mark.parametrize("certificate", ["good", "without a name", "none"])
@pytest.mark.parametrize("token", ["expired", "not accepted", "malformed"])
def test_a_bad_token_is_refused_whatever_certificate_is_beside_it(both: Both, certificate: str, token: str) -> None:
    with both.served.watched() as seen:
        answer = both.grpcio(certificate, token)
        code, printed = both.grpcurl(certificate, token)
    assert isinstance(answer, Refusal)
    assert (answer.code, answer.reason) == ("UNAUTHENTICATED", "CALLER_UNAUTHENTICATED")
    assert answer.metadata["credential"] == token
    assert code != 0
    assert "Unauthenticated" in printed, printed
    assert seen.callers() == [(None, "none")]
    assert seen.asked == []


@pytest.mark.parametrize("certificate", ["expired", "of another authority"])
def test_a_good_token_with_a_bad_certificate_never_connects(both: Both, certificate: str) -> None:
    process = both.served.gate.process
    logged = len(process.output())
    with both.served.watched() as seen:
        answer = both.grpcio(certificate, "good")
    assert isinstance(answer, Refusal)
    assert (answer.code, answer.details) == ("UNAVAILABLE", {})
    process.wait_for_output("a handshake failed .*invalid peer certificate", logged)
    assert (seen.records, seen.asked) == ([], [])


def test_grpcurl_with_a_good_token_and_an_expired_certificate_never_connects(both: Both) -> None:
    with both.served.watched() as seen:
        code, printed = both.grpcurl("expired", "good", "-connect-timeout", "1")
    assert code != 0
    assert "mfaConfiguration" not in printed
    assert (seen.records, seen.asked) == ([], [])


def test_grpcurl_keeps_back_a_certificate_that_no_authority_of_the_server_signed(both: Both) -> None:
    # Go reads the authorities in the server's request. What it does not present is not verified, and proves nothing.
    with both.served.watched() as seen:
        code, printed = both.grpcurl("of another authority", "good")
    assert code == 0, printed
    assert seen.callers() == [(NAME, "jwt")]


def test_neither_is_no_caller(both: Both) -> None:
    with both.served.watched() as seen:
        answer = both.grpcio("none", "none")
    assert isinstance(answer, Refusal)
    assert (answer.reason, answer.metadata["credential"]) == ("CALLER_UNAUTHENTICATED", "missing")
    assert seen.asked == []
