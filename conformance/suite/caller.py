"""The one caller of `mfagate serve`: a policy, an issuer's keys, and a token."""

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
TOKEN_LIFETIME_SECONDS = 3600
# These suites do not test authorization.
POLICY = '@id("everything")\npermit (principal, action, resource);\n'


@dataclasses.dataclass(frozen=True)
class Caller:
    """A caller who may do everything."""

    options: list[str]
    """The options of `mfagate serve` that let it authenticate the caller."""
    metadata: tuple[tuple[str, str], ...]
    """The metadata of each of the caller's calls."""
    _key: rsa.RSAPrivateKey

    def token_of(self, name: str, lifetime_seconds: int = TOKEN_LIFETIME_SECONDS) -> str:
        """A token of the same issuer for another caller; a negative lifetime makes an expired one."""
        return _token(self._key, name, lifetime_seconds)


def new_caller(directory: pathlib.Path, policy: str = POLICY) -> Caller:
    """Creates a caller with its own key; the files go into an empty directory."""
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
        bearer(_token(key, NAME, TOKEN_LIFETIME_SECONDS)),
        key,
    )


def _published(key: rsa.RSAPublicKey) -> dict[str, str]:
    """A public key as a JWK."""
    numbers = key.public_numbers()
    return {"kty": "RSA", "kid": KEY_ID, "alg": "RS256", "use": "sig", "n": _number(numbers.n), "e": _number(numbers.e)}


def _number(value: int) -> str:
    return jwt.encode(value.to_bytes((value.bit_length() + 7) // 8))


def _token(key: rsa.RSAPrivateKey, name: str, lifetime_seconds: int) -> str:
    header = {"alg": "RS256", "typ": "JWT", "kid": KEY_ID}
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": name, "exp": int(time.time()) + lifetime_seconds}
    signed = ".".join(jwt.encode(json.dumps(part).encode()) for part in (header, claims))
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{jwt.encode(signature)}"
