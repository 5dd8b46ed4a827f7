"""Translation between Cognito's members, as boto3 has them, and mfagate's messages, driven by descriptors."""

import re
from collections.abc import Mapping

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from .gate import Gate

RPC_BY_OPERATION = {
    "AdminSetUserMFAPreference": "AdminSetUserMfaPreference",
    "SetUserMFAPreference": "SetUserMfaPreference",
}
"""RPCs whose names differ from the operation's: acronyms are words in mfagate."""

MFA_FACTORS = {
    "SMS_MFA": "MFA_FACTOR_SMS",
    "SOFTWARE_TOKEN_MFA": "MFA_FACTOR_SOFTWARE_TOKEN",
    "EMAIL_OTP": "MFA_FACTOR_EMAIL",
    "WEB_AUTHN": "MFA_FACTOR_WEB_AUTHN",
}
"""The enum values for Cognito's names of MFA factors. The values of other enums are Cognito's with a prefix."""

FACTOR_BY_BLOCK = {
    "SmsMfaConfiguration": "MFA_FACTOR_SMS",
    "SoftwareTokenMfaConfiguration": "MFA_FACTOR_SOFTWARE_TOKEN",
    "EmailMfaConfiguration": "MFA_FACTOR_EMAIL",
    "WebAuthnConfiguration": "MFA_FACTOR_WEB_AUTHN",
}
"""The factor that each block of a pool's configuration is of."""

VOLATILE = {"secret_code", "session", "next_token", "credential_creation_options", "credentials"}
"""Fields that differ from call to call; only their presence can be compared."""

ONLY_IN_GATE = {"otpauth_uri", "unconfigured_factors"}
"""Fields that mfagate adds to Cognito's response."""


def rpc(operation: str) -> str:
    """The RPC for a Cognito operation."""
    return RPC_BY_OPERATION.get(operation, operation)


def request(gate: Gate, operation: str, members: Mapping[str, object]) -> dict[str, object]:
    """The gRPC request, as JSON, that is equivalent to a Cognito request."""
    descriptor = gate.methods[rpc(operation)].input_type
    return _to_proto(descriptor, members) | _stated_omissions(descriptor, members)


def _stated_omissions(descriptor: Descriptor, members: Mapping[str, object]) -> dict[str, object]:
    """What mfagate requires to be stated where Cognito acts on an omission."""
    stated: dict[str, object] = {}
    if "clear_mfa_options" in descriptor.fields_by_name and members.get("MFAOptions") == []:
        stated["clear_mfa_options"] = True
    if "unconfigured_factors" in descriptor.fields_by_name:
        stated["unconfigured_factors"] = [
            factor for block, factor in FACTOR_BY_BLOCK.items() if block not in members
        ]
    return stated


def response(gate: Gate, operation: str, members: Mapping[str, object]) -> dict[str, object]:
    """The gRPC response expected for a response of Cognito, in canonical form."""
    descriptor = gate.methods[rpc(operation)].output_type
    members = dict(members)
    if "UserAttributes" in members:
        attributes = {entry["Name"]: entry.get("Value") for entry in members.pop("UserAttributes")}
        members["PhoneNumber"] = _contact(attributes, "phone_number")
        members["Email"] = _contact(attributes, "email")
    if members.get("PreferredMfaSetting") == "":
        # Some peers return an empty string where Cognito omits the member.
        del members["PreferredMfaSetting"]
    translated = _to_proto(descriptor, members)
    # Passing through the message drops defaults exactly as the gRPC response does.
    message = json_format.ParseDict(translated, gate.reflection.message(descriptor.full_name)())
    return canonical(json_format.MessageToDict(message, preserving_proto_field_name=True))


def canonical(response: Mapping[str, object]) -> dict[str, object]:
    """A response, as JSON, without what differs from call to call."""
    return {name: _canonical(name, value) for name, value in response.items() if name not in ONLY_IN_GATE}


def _canonical(name: str, value: object) -> object:
    if name in VOLATILE:
        return f"<{name}>"
    if name == "user_mfa_setting_list":
        return sorted(value)
    if isinstance(value, dict):
        return canonical(value)
    if isinstance(value, list):
        return [canonical(entry) if isinstance(entry, dict) else entry for entry in value]
    return value


def _contact(attributes: Mapping[str, str | None], name: str) -> dict[str, bool]:
    return {"Present": name in attributes, "Verified": attributes.get(f"{name}_verified") == "true"}


def _to_proto(descriptor: Descriptor, members: Mapping[str, object]) -> dict[str, object]:
    translated: dict[str, object] = {}
    for member, value in members.items():
        field = descriptor.fields_by_name.get(_snake_case(member))
        if field is not None:
            translated[field.name] = _value(field, value)
    return translated


def _value(field: FieldDescriptor, value: object) -> object:
    if isinstance(value, list):
        return [_value(field, entry) for entry in value]
    if field.message_type is not None and not field.message_type.full_name.startswith("google.protobuf."):
        assert isinstance(value, Mapping)
        return _to_proto(field.message_type, value)
    if field.enum_type is not None:
        return _enum_value(field, str(value))
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value


def _enum_value(field: FieldDescriptor, value: str) -> str:
    prefix = field.enum_type.values[0].name.removesuffix("UNSPECIFIED")
    if field.enum_type.name == "MfaFactor":
        return MFA_FACTORS.get(value, prefix + "UNRECOGNIZED")
    name = prefix + value.upper()
    return name if name in field.enum_type.values_by_name else prefix + "UNRECOGNIZED"


def _snake_case(member: str) -> str:
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z][a-z]*|[A-Z]+|\d+", member)
    return "_".join(words).lower()
