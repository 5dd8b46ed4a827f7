"""A case of the differential comparison, and the vocabulary to write one."""

import dataclasses
from collections.abc import Callable

from .situation import USERNAME, Needs, World

Members = dict[str, object]

SMS = "MFA_FACTOR_SMS"
TOTP = "MFA_FACTOR_SOFTWARE_TOKEN"
EMAIL_OTP = "MFA_FACTOR_EMAIL"
ON_PREFERRED = {"Enabled": True, "PreferredMfa": True}
ON = {"Enabled": True, "PreferredMfa": False}
OFF = {"Enabled": False, "PreferredMfa": False}
SMS_OPTION = {"DeliveryMedium": "SMS", "AttributeName": "phone_number"}
UNKNOWN_SESSION = "s" * 64


@dataclasses.dataclass(frozen=True)
class Case:
    """One call in one situation."""

    name: str
    operation: str
    request: Callable[[World], Members]
    aws: Members
    """What AWS returns, in the form of an outcome of `differential`."""
    needs: Needs = dataclasses.field(default_factory=Needs)
    gate_only: Members = dataclasses.field(default_factory=dict)
    """Fields of the gRPC request that Cognito's request has no member for."""
    read_back: str = "user"
    """What is read after the call: `user`, `pool` or `nothing`."""


def admin(world: World) -> Members:
    """The user, as an administrator names it."""
    return {"UserPoolId": world.pool_id, "Username": USERNAME}


def token(world: World) -> Members:
    """The user, by its access token."""
    return {"AccessToken": world.access_token}


def pool(world: World) -> Members:
    """The pool."""
    return {"UserPoolId": world.pool_id}


def returned(response: Members | None = None, **after: object) -> Members:
    """AWS returns a response."""
    return {"response": response or {}, "after": after}


def refused(code: str, **after: object) -> Members:
    """AWS returns an exception."""
    return {"refused": code, "after": after}


def factors(*enabled: str, preferred: str | None = None) -> Members:
    """The user's factors as read back."""
    read: Members = {"user_mfa_setting_list": sorted(enabled)} if enabled else {}
    return read | ({"preferred_mfa_setting": preferred} if preferred else {})
