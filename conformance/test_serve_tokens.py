"""Calls `mfagate serve` with bearer tokens of PyJWT and joserfc, whose keys it fetched over HTTP."""

import dataclasses
import hashlib
import hmac
import json
import pathlib
import time
from collections.abc import Callable, Iterator

import joserfc.jwt
import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives import serialization
from joserfc.jwk import ECKey, OKPKey, RSAKey

from suite import grpcurl, issuer, jwt, manual, served
from suite.gate import Refusal
from suite.issuer import Issuer, Key, new_private_key
from suite.reflection import Metadata, bearer
from suite.served import READ, READ_PATH, READ_REQUEST, Served

JOSERFC_KEYS: dict[str, type[RSAKey] | type[ECKey] | type[OKPKey]] = {
    "RS256": RSAKey,
    "PS256": RSAKey,
    "ES256": ECKey,
    "EdDSA": OKPKey,
}
ALGORITHMS = list(JOSERFC_KEYS)
NAME = "payments"
HOUR = 3600


@dataclasses.dataclass(frozen=True)
class Accepting:
    """A `mfagate serve` and the issuer that it trusts."""

    served: Served
    issuer: Issuer

    def grpcurl(self, token: str) -> tuple[int, str]:
        """Makes the call with grpcurl and this token."""
        header = f"authorization: Bearer {token}"
        address = self.served.gate.address
        return grpcurl.called("-plaintext", "-H", header, address=address, rpc=READ_PATH, request=READ_REQUEST)

    def grpcio(self, *tokens: str) -> dict[str, object] | Refusal:
        """Makes the call with grpcio and these tokens, usually one."""
        return self.with_metadata(tuple(("authorization", f"Bearer {token}") for token in tokens))

    def with_metadata(self, metadata: Metadata) -> dict[str, object] | Refusal:
        """Makes the call with grpcio and this metadata."""
        with self.served.gate.known_to(metadata) as caller:
            return caller.call(READ, READ_REQUEST)


@pytest.fixture(scope="module")
def accepting(embedded_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accepting]:
    """One server for every token."""
    directory: pathlib.Path = tmp_path_factory.mktemp("tokens")
    with issuer.started(*ALGORITHMS) as trusted:
        token = trusted.key("RS256").sign(trusted.claims("conformance"))
        metadata = bearer(token)
        with served.before(embedded_url, directory, trusted.options(), metadata) as running:
            yield Accepting(running, trusted)


def got_in(accepting: Accepting, token: str) -> None:
    """Asserts that the token lets in, both ways, and that it names the caller."""
    with accepting.served.watched() as seen:
        code, printed = accepting.grpcurl(token)
        answer = accepting.grpcio(token)
    assert code == 0, printed
    assert not isinstance(answer, Refusal), answer
    assert seen.callers() == [(NAME, "jwt")] * 2
    assert {record["token_issuer"] for record in seen.records} == {accepting.issuer.url}
    assert seen.asked == [READ] * 2


def is_refused(answer: dict[str, object] | Refusal, kind: str) -> None:
    """Asserts a refusal of the caller that says no more of its credential than this."""
    assert isinstance(answer, Refusal)
    assert (answer.code, answer.reason) == ("UNAUTHENTICATED", "CALLER_UNAUTHENTICATED")
    assert answer.metadata["credential"] == kind
    manual.is_followed(answer)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_of_pyjwt_lets_in(accepting: Accepting, algorithm: str) -> None:
    got_in(accepting, accepting.issuer.key(algorithm).sign(accepting.issuer.claims(NAME)))


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_of_joserfc_lets_in(accepting: Accepting, algorithm: str) -> None:
    key = accepting.issuer.key(algorithm)
    pem = key.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    header = {"alg": algorithm, "kid": key.key_id}
    signing = JOSERFC_KEYS[algorithm].import_key(pem)
    got_in(accepting, joserfc.jwt.encode(header, accepting.issuer.claims(NAME), signing, algorithms=[algorithm]))


def test_a_token_for_two_audiences_lets_in_where_one_is_ours(accepting: Accepting) -> None:
    claims = accepting.issuer.claims(NAME, aud=["reports", issuer.AUDIENCE])
    got_in(accepting, accepting.issuer.key("RS256").sign(claims))


def claiming(**changes: object) -> Callable[[Issuer], str]:
    """A well-signed token with other claims."""
    return lambda trusted: trusted.key("RS256").sign(trusted.claims(NAME, **changes))


def headed(signed_by: str = "RS256", **header: object) -> Callable[[Issuer], str]:
    """A well-signed token with another header."""
    return lambda trusted: trusted.key(signed_by).sign(trusted.claims(NAME), **header)


def unsigned(trusted: Issuer) -> str:
    """A token that needs no key, of which PyJWT makes one as well."""
    return pyjwt.encode(trusted.claims(NAME), "", "none", headers={"kid": trusted.key("RS256").key_id})


def signed_with_what_is_public(encoding: serialization.Encoding) -> Callable[[Issuer], str]:
    """A token signed by HMAC with the public key as the secret. PyJWT refuses to make that one."""

    def token(trusted: Issuer) -> str:
        key = trusted.key("RS256")
        secret = key.private.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
        header = {"alg": "HS256", "typ": "JWT", "kid": key.key_id}
        parts = [jwt.encode(json.dumps(part).encode()) for part in (header, trusted.claims(NAME))]
        signature = hmac.digest(secret, ".".join(parts).encode(), hashlib.sha256)
        return ".".join((*parts, jwt.encode(signature)))

    return token


def of_another_algorithm(algorithm: str) -> Callable[[Issuer], str]:
    """A token that is signed by an algorithm that is not accepted, with a key that is known."""
    if algorithm.startswith("RS"):
        return lambda trusted: trusted.key("RS256").sign(trusted.claims(NAME), algorithm)

    def token(trusted: Issuer) -> str:
        another = Key(algorithm, trusted.key("ES256").key_id)
        return another.sign(trusted.claims(NAME))

    return token


def forged(trusted: Issuer) -> str:
    """A token of somebody else's key under the id of a known one."""
    return pyjwt.encode(
        trusted.claims(NAME), new_private_key("RS256"), "RS256", headers={"kid": trusted.key("RS256").key_id}
    )


NOW = int(time.time())
# Each token with what the caller is told of it.
REFUSED: dict[str, tuple[Callable[[Issuer], str], str]] = {
    "alg none": (unsigned, "not accepted"),
    "HS256 with the public key in PEM": (signed_with_what_is_public(serialization.Encoding.PEM), "not accepted"),
    "HS256 with the public key in DER": (signed_with_what_is_public(serialization.Encoding.DER), "not accepted"),
    "RS512": (of_another_algorithm("RS512"), "not accepted"),
    "RS384": (of_another_algorithm("RS384"), "not accepted"),
    "ES384": (of_another_algorithm("ES384"), "not accepted"),
    "PS256 by a key for RS256": (
        lambda trusted: trusted.key("RS256").sign(trusted.claims(NAME), "PS256"),
        "not accepted",
    ),
    "another's key under a known id": (forged, "not accepted"),
    "other claims under a good signature": (
        lambda trusted: jwt.changed(claiming()(trusted), sub="administrator"),
        "not accepted",
    ),
    "no signature under a good header": (lambda trusted: claiming()(trusted).rpartition(".")[0] + ".", "not accepted"),
    "wrong issuer": (claiming(iss="https://issuer.example"), "not accepted"),
    "issuer with a slash at its end": (lambda trusted: claiming(iss=f"{trusted.url}/")(trusted), "not accepted"),
    "no issuer": (claiming(iss=None), "not accepted"),
    "wrong audience": (claiming(aud="reports"), "not accepted"),
    "two audiences, neither ours": (claiming(aud=["reports", "mfagate2"]), "not accepted"),
    "no audience": (claiming(aud=None), "not accepted"),
    "expired": (claiming(exp=NOW - HOUR), "expired"),
    "no end": (claiming(exp=None), "not accepted"),
    "not valid yet": (claiming(nbf=NOW + HOUR), "not accepted"),
    "no name": (claiming(sub=None), "not accepted"),
    "a name that only a certificate proves": (claiming(sub="spiffe://example.org/payments"), "not accepted"),
    "a token for something else": (headed(typ="logout+jwt"), "not accepted"),
    "critical extension": (headed(crit=["b64"], b64=True), "not accepted"),
    "two parts": (lambda trusted: claiming()(trusted).rpartition(".")[0], "malformed"),
    "no token in the header": (lambda _: "", "malformed"),
}
KEY_IDS = {"unknown": "nobody", "path": "../../etc/passwd", "SQL": "x' UNION SELECT 'key' --", "empty": "", "no": None}
# By every key: one that stands in for keys that are not found would let in its own tokens.
REFUSED |= {
    f"{kind} key id by {algorithm}": (headed(algorithm, kid=kid), "not accepted")
    for kind, kid in KEY_IDS.items()
    for algorithm in ALGORITHMS
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_token_is_refused_and_the_caller_learns_only_its_kind(accepting: Accepting, name: str) -> None:
    make, kind = REFUSED[name]
    token = make(accepting.issuer)
    with accepting.served.watched() as seen:
        answer = accepting.grpcio(token)
        code, printed = accepting.grpcurl(token)
    is_refused(answer, kind)
    assert code != 0
    assert "Unauthenticated" in printed, printed
    # grpcurl's own call is never made: its question for descriptors is refused.
    assert seen.callers() == [(None, "none")]
    assert seen.asked == []
    # A key is looked up in what was published, wherever its id points to.
    assert accepting.issuer.asked_for <= {issuer.KEY_SET, issuer.CONFIGURATION}
    if token:
        assert token not in accepting.served.gate.process.output()


def test_no_token_or_another_scheme_is_no_caller(accepting: Accepting) -> None:
    with accepting.served.watched() as seen:
        is_refused(accepting.with_metadata(()), "missing")
        is_refused(accepting.with_metadata((("authorization", "Basic cGF5bWVudHM6"),)), "malformed")
    assert seen.callers() == [(None, "none")] * 2
    assert seen.asked == []


def test_two_tokens_are_refused_though_both_are_good(accepting: Accepting) -> None:
    token = claiming()(accepting.issuer)
    with accepting.served.watched() as seen:
        is_refused(accepting.grpcio(token, token), "malformed")
    assert seen.asked == []


def test_a_token_may_be_of_some_kilobytes_and_no_more(accepting: Accepting) -> None:
    got_in(accepting, claiming(padding="x" * 1024 * 11)(accepting.issuer))
    with accepting.served.watched() as seen:
        is_refused(accepting.grpcio(claiming(padding="x" * 1024 * 13)(accepting.issuer)), "malformed")
    assert seen.callers() == [(None, "none")]
    assert seen.asked == []


@pytest.mark.parametrize("kilobytes", [32, 128, 1024])
def test_a_token_that_is_too_large_gets_nowhere(accepting: Accepting, kilobytes: int) -> None:
    token = claiming(padding="x" * 1024 * kilobytes)(accepting.issuer)
    with accepting.served.watched() as seen:
        answer = accepting.grpcio(token)
    # HTTP/2 refuses headers of that size, by status 431 or by the end of the connection, before they are a call.
    assert isinstance(answer, Refusal)
    assert answer.code in {"UNKNOWN", "UNAVAILABLE"}, answer
    assert (seen.records, seen.asked) == ([], [])
    got_in(accepting, claiming()(accepting.issuer))
