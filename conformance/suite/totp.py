"""Codes of software tokens (RFC 6238: SHA-1, 30 seconds, 6 digits)."""

import base64

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_SECONDS = 30
DIGITS = 6


def code(secret: str, at: float) -> str:
    """The code of a base32 secret at a time in seconds of the Unix epoch."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8), casefold=True)
    # Some peers issue secrets shorter than the RFC requires.
    token = TOTP(key, DIGITS, SHA1(), STEP_SECONDS, enforce_key_length=False)
    return token.generate(int(at)).decode()
