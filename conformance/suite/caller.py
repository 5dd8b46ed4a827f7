"""Makes what `mfagate serve` knows its one caller by: a policy, an issuer's keys, and a token."""

import dataclasses
import json
import pathlib
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from . import jwt
from .reflection import bearer

NAME = "conformance"
ISSUER = "https://issuer.example"
AUDIENCE = "mfagate"
KEY_ID = "conformance-1"
TOKEN_LASTS_SECONDS = 3600
# What the caller may do is not what these suites are about.
POLICY = '@id("everything")\npermit (principal, action, resource);\n'


@dataclasses.dataclass(frozen=True)
class Caller:
    """A caller who may do everything."""

    options: list[str]
    """The options of `mfagate serve` that make the caller known to it."""
    metadata: tuple[tuple[str, str], ...]
    """What each of the caller's calls carries."""
    _key: rsa.RSAPrivateKey

    def token_of(self, name: str, lasts_seconds: int = TOKEN_LASTS_SECONDS) -> str:
        """A token of the same issuer for another caller; a negative length makes one that has expired."""
        return _token(self._key, name, lasts_seconds)


def new_caller(directory: pathlib.Path, policy: str = POLICY) -> Caller:
    """Makes a caller with a key of its own; the files go into an empty directory."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    policies = directory / "policies"
    policies.mkdir()
    (policies / "all.cedar").write_text(policy)
    keys = directory / "jwks.json"
    keys.write_text(json.dumps({"keys": [_published(key.public_key())]}))
    options = {
        "--policies": policies,
        "--jwt-issuer": ISSUER,
        "--jwt-audience": AUDIENCE,
        "--jwks-file": keys,
        "--audit-log": directory / "audit.log",
        "--audit-username": "none",
    }
    return Caller(
        [str(part) for option in options.items() for part in option],
        bearer(_token(key, NAME, TOKEN_LASTS_SECONDS)),
        key,
    )


def _published(key: rsa.RSAPublicKey) -> dict[str, str]:
    """A public key as a JWK."""
    numbers = key.public_numbers()
    return {"kty": "RSA", "kid": KEY_ID, "alg": "RS256", "use": "sig", "n": _number(numbers.n), "e": _number(numbers.e)}


def _number(value: int) -> str:
    return jwt.encode(value.to_bytes((value.bit_length() + 7) // 8))


def _token(key: rsa.RSAPrivateKey, name: str, lasts_seconds: int) -> str:
    header = {"alg": "RS256", "typ": "JWT", "kid": KEY_ID}
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": name, "exp": int(time.time()) + lasts_seconds}
    signed = ".".join(jwt.encode(json.dumps(part).encode()) for part in (header, claims))
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{jwt.encode(signature)}"
