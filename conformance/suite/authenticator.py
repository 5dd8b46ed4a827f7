"""A software authenticator for WebAuthn registrations (Level 3, section 6.3.2), with attestation none."""

import dataclasses
import hashlib
import json
import os
import struct

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec

from .jwt import encode

USER_PRESENT = 0x01
USER_VERIFIED = 0x04
CREDENTIAL_INCLUDED = 0x40
ES256 = -7
ED25519 = -8


@dataclasses.dataclass
class Authenticator:
    """An authenticator on one page. Every field can be set to what a faulty one would send."""

    origin: str = "http://localhost"
    relying_party_id: str | None = None
    """None uses the one in the options, as a browser does."""
    flags: int = USER_PRESENT | USER_VERIFIED | CREDENTIAL_INCLUDED
    algorithm: int = ES256
    attestation_format: str = "none"
    client_data_type: str = "webauthn.create"
    challenge: str | None = None
    """None uses the one in the options."""
    credential_id: bytes = dataclasses.field(default_factory=lambda: os.urandom(32))
    attachment: str = "platform"

    def create(self, options: dict[str, object]) -> dict[str, object]:
        """The credential for CredentialCreationOptions, as `RegistrationResponseJSON`."""
        client_data = {
            "type": self.client_data_type,
            "challenge": self.challenge or options["challenge"],
            "origin": self.origin,
            "crossOrigin": False,
        }
        data = self._data(self.relying_party_id or options["rp"]["id"])
        attestation = {"fmt": self.attestation_format, "attStmt": {}, "authData": data}
        identifier = encode(self.credential_id)
        return {
            "id": identifier,
            "rawId": identifier,
            "type": "public-key",
            "authenticatorAttachment": self.attachment,
            "response": {
                "clientDataJSON": encode(json.dumps(client_data).encode()),
                "attestationObject": encode(cbor2.dumps(attestation)),
                "authenticatorData": encode(data),
                "publicKeyAlgorithm": self.algorithm,
                "transports": ["internal"],
            },
            "clientExtensionResults": {},
        }

    def _data(self, relying_party_id: str) -> bytes:
        head = hashlib.sha256(relying_party_id.encode()).digest() + struct.pack(">BI", self.flags, 0)
        model = bytes(16)
        return head + model + struct.pack(">H", len(self.credential_id)) + self.credential_id + self._key()

    def _key(self) -> bytes:
        """A new P-256 key in COSE form (RFC 9053), with the algorithm that this authenticator claims."""
        point = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
        return cbor2.dumps({1: 2, 3: self.algorithm, -1: 1, -2: point.x.to_bytes(32), -3: point.y.to_bytes(32)})
