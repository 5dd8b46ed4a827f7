"""An OpenID provider on loopback: keys served by Python's HTTP server, tokens signed by PyJWT."""

import json
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt as pyjwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

KEY_SET = "/.well-known/jwks.json"
CONFIGURATION = "/.well-known/openid-configuration"
AUDIENCE = "mfagate"
LIFETIME_SECONDS = 3600
CLIENT_ID = "1example23456789"
SCOPE = "mfagate/call"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Claims = dict[str, object]
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def new_private_key(algorithm: str) -> PrivateKey:
    """A private key for this JWS algorithm."""
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    curves = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1}
    if algorithm in curves:
        return ec.generate_private_key(curves[algorithm]())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Key:
    """A signing key of the issuer."""

    def __init__(self, algorithm: str, key_id: str) -> None:
        self.algorithm = algorithm
        self.key_id = key_id
        self.private = new_private_key(algorithm)

    def published(self) -> dict[str, object]:
        """The public key as a JWK, made by PyJWT."""
        made = get_default_algorithms()[self.algorithm].to_jwk(self.private.public_key(), as_dict=True)
        return made | {"kid": self.key_id, "alg": self.algorithm, "use": "sig"}

    def sign(self, claims: Claims, algorithm: str | None = None, /, **header: object) -> str:
        """A token with this key's id; a header of None is omitted."""
        given = {"kid": self.key_id} | header
        present = {name: value for name, value in given.items() if value is not None}
        return pyjwt.encode(claims, self.private, algorithm or self.algorithm, headers=present)


class Issuer:
    """An issuer on loopback whose keys can change, and which can be down."""

    def __init__(self, keys: list[Key]) -> None:
        self.keys = keys
        self.is_down = False
        self.requested_paths: set[str] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def key(self, algorithm: str) -> Key:
        """The first published key of an algorithm."""
        return next(key for key in self.keys if key.algorithm == algorithm)

    def claims(self, name: str, **changes: object) -> Claims:
        """Valid claims that name a caller, with these changes; None removes a claim."""
        now = int(time.time())
        good = {"iss": self.url, "aud": AUDIENCE, "sub": name, "iat": now, "exp": now + LIFETIME_SECONDS}
        return {claim: value for claim, value in (good | changes).items() if value is not None}

    def options(self) -> dict[str, str]:
        """The options of `mfagate serve` that make it trust this issuer."""
        with _OPENER.open(self.url + CONFIGURATION, timeout=10) as response:
            published = json.load(response)
        return {"--jwt-issuer": published["issuer"], "--jwt-audience": AUDIENCE, "--jwks-url": published["jwks_uri"]}

    def stop(self) -> None:
        """Stops the server."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _response(self, path: str) -> object:
        self.requested_paths.add(path)
        if path == KEY_SET:
            return {"keys": [key.published() for key in self.keys]}
        if path == CONFIGURATION:
            return {"issuer": self.url, "jwks_uri": self.url + KEY_SET}
        return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                response = issuer._response(self.path)
                if issuer.is_down:
                    self.send_error(503)
                    return
                if response is None:
                    self.send_error(404)
                    return
                body = json.dumps(response).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                """Logs nothing, to keep the output that of the tests."""

        return Handler


@contextmanager
def started(*algorithms: str) -> Iterator[Issuer]:
    """Runs an issuer with a key for each algorithm, for the length of the block."""
    issuer = Issuer([Key(algorithm, f"{algorithm.lower()}-1") for algorithm in algorithms])
    try:
        yield issuer
    finally:
        issuer.stop()


def machine_token(trusted: Issuer, **changes: object) -> str:
    """An access token of Cognito's client-credentials grant."""
    cognito_claims = {
        "aud": None,
        "sub": CLIENT_ID,
        "client_id": CLIENT_ID,
        "token_use": "access",
        "scope": SCOPE,
        "version": 2,
        "jti": str(uuid.uuid4()),
    }
    claims = trusted.claims("", **(cognito_claims | changes))
    # Cognito's header has no `typ`.
    return trusted.key("RS256").sign({**claims, "auth_time": claims["iat"]}, typ="")
