"""Cognito's tokens, verified with the keys that the server publishes."""

import base64
import json
import urllib.request

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def decode(text: str) -> bytes:
    """The bytes of base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode(data: bytes) -> str:
    """Bytes as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(token: str) -> dict[str, object]:
    """The claims of a token, unverified."""
    return json.loads(decode(token.split(".")[1]))


def verified_claims(url: str, pool_id: str, token: str) -> dict[str, object]:
    """The claims of a token, after its RS256 signature is verified with the pool's published key."""
    with _OPENER.open(f"{url}/{pool_id}/.well-known/jwks.json", timeout=10) as response:
        keys = {key["kid"]: key for key in json.load(response)["keys"]}
    header = json.loads(decode(token.split(".")[0]))
    assert header["alg"] == "RS256"
    key = keys[header["kid"]]
    number = {name: int.from_bytes(decode(key[name])) for name in ("n", "e")}
    signed, _, signature = token.rpartition(".")
    rsa.RSAPublicNumbers(number["e"], number["n"]).public_key().verify(
        decode(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256()
    )
    return claims(token)


def changed(token: str, **claims_to_change: object) -> str:
    """The token with other claims and the old signature."""
    head, _, signature = token.split(".")
    payload = json.dumps(claims(token) | claims_to_change).encode()
    return ".".join((head, encode(payload), signature))


def unsigned(token: str) -> str:
    """The token as `alg: none`."""
    header = {"alg": "none", "typ": "JWT"}
    return ".".join((encode(json.dumps(header).encode()), token.split(".")[1], ""))
