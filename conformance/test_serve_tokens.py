"""Calls `mfagate serve` with bearer tokens of PyJWT and joserfc, whose keys it fetches over HTTP."""

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
        with self.served.gate.as_caller(metadata) as caller:
            return caller.call(READ, READ_REQUEST)


@pytest.fixture(scope="module")
def accepting(embedded_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accepting]:
    """One server for every token."""
    directory: pathlib.Path = tmp_path_factory.mktemp("tokens")
    with issuer.started(*ALGORITHMS) as trusted:
        token = trusted.key("RS256").sign(trusted.claims("conformance"))
        metadata = bearer(token)
        with served.in_front_of(embedded_url, directory, trusted.options(), metadata) as running:
            yield Accepting(running, trusted)


def assert_admitted(accepting: Accepting, token: str) -> None:
    """Asserts that both clients are admitted with the token, and that it names the caller."""
    with accepting.served.observed() as seen:
        code, printed = accepting.grpcurl(token)
        response = accepting.grpcio(token)
    assert code == 0, printed
    assert not isinstance(response, Refusal), response
    assert seen.callers() == [(NAME, "jwt")] * 2
    assert {record["token_issuer"] for record in seen.records} == {accepting.issuer.url}
    assert seen.operations == [READ] * 2


def assert_refused(response: dict[str, object] | Refusal, kind: str) -> None:
    """Asserts that the caller is refused and told only this of its credential."""
    assert isinstance(response, Refusal)
    assert (response.code, response.reason) == ("UNAUTHENTICATED", "CALLER_UNAUTHENTICATED")
    assert response.metadata["credential"] == kind
    manual.assert_documented(response)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_of_pyjwt_is_admitted(accepting: Accepting, algorithm: str) -> None:
    assert_admitted(accepting, accepting.issuer.key(algorithm).sign(accepting.issuer.claims(NAME)))


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_of_joserfc_is_admitted(accepting: Accepting, algorithm: str) -> None:
    key = accepting.issuer.key(algorithm)
    pem = key.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    header = {"alg": algorithm, "kid": key.key_id}
    signing = JOSERFC_KEYS[algorithm].import_key(pem)
    assert_admitted(
        accepting, joserfc.jwt.encode(header, accepting.issuer.claims(NAME), signing, algorithms=[algorithm])
    )


def test_a_token_for_two_audiences_is_admitted_if_one_is_ours(accepting: Accepting) -> None:
    claims = accepting.issuer.claims(NAME, aud=["reports", issuer.AUDIENCE])
    assert_admitted(accepting, accepting.issuer.key("RS256").sign(claims))


def with_claims(**changes: object) -> Callable[[Issuer], str]:
    """A well-signed token with other claims."""
    return lambda trusted: trusted.key("RS256").sign(trusted.claims(NAME, **changes))


def with_header(signed_by: str = "RS256", **header: object) -> Callable[[Issuer], str]:
    """A well-signed token with another header."""
    return lambda trusted: trusted.key(signed_by).sign(trusted.claims(NAME), **header)


def unsigned(trusted: Issuer) -> str:
    """A token without a signature, made by PyJWT."""
    return pyjwt.encode(trusted.claims(NAME), "", "none", headers={"kid": trusted.key("RS256").key_id})


def signed_with_public_key(encoding: serialization.Encoding) -> Callable[[Issuer], str]:
    """A token signed by HMAC with the public key as the secret, which PyJWT refuses to make."""

    def token(trusted: Issuer) -> str:
        key = trusted.key("RS256")
        secret = key.private.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
        header = {"alg": "HS256", "typ": "JWT", "kid": key.key_id}
        parts = [jwt.encode(json.dumps(part).encode()) for part in (header, trusted.claims(NAME))]
        signature = hmac.digest(secret, ".".join(parts).encode(), hashlib.sha256)
        return ".".join((*parts, jwt.encode(signature)))

    return token


def with_algorithm(algorithm: str) -> Callable[[Issuer], str]:
    """A token signed with an algorithm that is not accepted, under a known key id."""
    if algorithm.startswith("RS"):
        return lambda trusted: trusted.key("RS256").sign(trusted.claims(NAME), algorithm)

    def token(trusted: Issuer) -> str:
        another = Key(algorithm, trusted.key("ES256").key_id)
        return another.sign(trusted.claims(NAME))

    return token


def forged(trusted: Issuer) -> str:
    """A token of an unknown key under the id of a known one."""
    return pyjwt.encode(
        trusted.claims(NAME), new_private_key("RS256"), "RS256", headers={"kid": trusted.key("RS256").key_id}
    )


NOW = int(time.time())
# Each token, with what the caller is told about it.
REFUSED: dict[str, tuple[Callable[[Issuer], str], str]] = {
    "alg none": (unsigned, "not accepted"),
    "HS256 with the public key in PEM": (signed_with_public_key(serialization.Encoding.PEM), "not accepted"),
    "HS256 with the public key in DER": (signed_with_public_key(serialization.Encoding.DER), "not accepted"),
    "RS512": (with_algorithm("RS512"), "not accepted"),
    "RS384": (with_algorithm("RS384"), "not accepted"),
    "ES384": (with_algorithm("ES384"), "not accepted"),
    "PS256 by a key for RS256": (
        lambda trusted: trusted.key("RS256").sign(trusted.claims(NAME), "PS256"),
        "not accepted",
    ),
    "another's key under a known id": (forged, "not accepted"),
    "other claims under a good signature": (
        lambda trusted: jwt.changed(with_claims()(trusted), sub="administrator"),
        "not accepted",
    ),
    "no signature under a good header": (
        lambda trusted: with_claims()(trusted).rpartition(".")[0] + ".",
        "not accepted",
    ),
    "wrong issuer": (with_claims(iss="https://issuer.example"), "not accepted"),
    "issuer with a slash at its end": (lambda trusted: with_claims(iss=f"{trusted.url}/")(trusted), "not accepted"),
    "no issuer": (with_claims(iss=None), "not accepted"),
    "wrong audience": (with_claims(aud="reports"), "not accepted"),
    "two audiences, neither ours": (with_claims(aud=["reports", "mfagate2"]), "not accepted"),
    "no audience": (with_claims(aud=None), "not accepted"),
    "expired": (with_claims(exp=NOW - HOUR), "expired"),
    "no end": (with_claims(exp=None), "not accepted"),
    "not valid yet": (with_claims(nbf=NOW + HOUR), "not accepted"),
    "no name": (with_claims(sub=None), "not accepted"),
    "a name that only a certificate proves": (with_claims(sub="spiffe://example.org/payments"), "not accepted"),
    "a token for something else": (with_header(typ="logout+jwt"), "not accepted"),
    "critical extension": (with_header(crit=["b64"], b64=True), "not accepted"),
    "two parts": (lambda trusted: with_claims()(trusted).rpartition(".")[0], "malformed"),
    "no token in the header": (lambda _: "", "malformed"),
}
KEY_IDS = {"unknown": "nobody", "path": "../../etc/passwd", "SQL": "x' UNION SELECT 'key' --", "empty": "", "no": None}
# For every key: one used as a fallback for unknown key ids would admit its own tokens.
REFUSED |= {
    f"{kind} key id by {algorithm}": (with_header(algorithm, kid=kid), "not accepted")
    for kind, kid in KEY_IDS.items()
    for algorithm in ALGORITHMS
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_token_is_refused_and_the_caller_learns_only_its_kind(accepting: Accepting, name: str) -> None:
    make, kind = REFUSED[name]
    token = make(accepting.issuer)
    with accepting.served.observed() as seen:
        response = accepting.grpcio(token)
        code, printed = accepting.grpcurl(token)
    assert_refused(response, kind)
    assert code != 0
    assert "Unauthenticated" in printed, printed
    # grpcurl never makes its call: reading the descriptors is refused first.
    assert seen.callers() == [(None, "none")]
    assert seen.operations == []
    # Keys are looked up only in the published set, wherever the key id points to.
    assert accepting.issuer.requested_paths <= {issuer.KEY_SET, issuer.CONFIGURATION}
    if token:
        assert token not in accepting.served.gate.process.output()


def test_no_token_or_another_scheme_is_refused(accepting: Accepting) -> None:
    with accepting.served.observed() as seen:
        assert_refused(accepting.with_metadata(()), "missing")
        assert_refused(accepting.with_metadata((("authorization", "Basic cGF5bWVudHM6"),)), "malformed")
    assert seen.callers() == [(None, "none")] * 2
    assert seen.operations == []


def test_two_tokens_are_refused_though_both_are_good(accepting: Accepting) -> None:
    token = with_claims()(accepting.issuer)
    with accepting.served.observed() as seen:
        assert_refused(accepting.grpcio(token, token), "malformed")
    assert seen.operations == []


def test_a_token_may_have_some_kilobytes_and_no_more(accepting: Accepting) -> None:
    assert_admitted(accepting, with_claims(padding="x" * 1024 * 11)(accepting.issuer))
    with accepting.served.observed() as seen:
        assert_refused(accepting.grpcio(with_claims(padding="x" * 1024 * 13)(accepting.issuer)), "malformed")
    assert seen.callers() == [(None, "none")]
    assert seen.operations == []


@pytest.mark.parametrize("kilobytes", [32, 128, 1024])
def test_a_token_that_is_too_large_is_rejected(accepting: Accepting, kilobytes: int) -> None:
    token = with_claims(padding="x" * 1024 * kilobytes)(accepting.issuer)
    with accepting.served.observed() as seen:
        response = accepting.grpcio(token)
    # HTTP/2 rejects headers of that size, with status 431 or by closing the connection, before there is a call.
    assert isinstance(response, Refusal)
    assert response.code in {"UNKNOWN", "UNAVAILABLE"}, response
    assert (seen.records, seen.operations) == ([], [])
    assert_admitted(accepting, with_claims()(accepting.issuer))
