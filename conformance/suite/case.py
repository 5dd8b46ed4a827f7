"""Lists the cases of the differential comparison: an operation, a situation, and what AWS answers there."""

import dataclasses
from collections.abc import Callable

from .situation import SMS_BLOCK, TOTP_ON, USERNAME, Needs, World

Members = dict[str, object]

SMS = "SMS_MFA"
TOTP = "SOFTWARE_TOKEN_MFA"
EMAIL_OTP = "EMAIL_OTP"
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
    """What AWS answers, in the form of an outcome of `differential`."""
    needs: Needs = dataclasses.field(default_factory=Needs)
    gate_only: Members = dataclasses.field(default_factory=dict)
    """Fields of the gRPC request that Cognito's request has no member for."""
    read_back: str = "user"
    """What is read after the call: `user`, `pool` or `nothing`."""


def admin(world: World) -> Members:
    """Names the user as an administrator does."""
    return {"UserPoolId": world.pool_id, "Username": USERNAME}


def token(world: World) -> Members:
    """Names the user by the access token."""
    return {"AccessToken": world.access_token}


def pool(world: World) -> Members:
    """Names the pool."""
    return {"UserPoolId": world.pool_id}


def answered(answer: Members | None = None, **after: object) -> Members:
    """AWS answers."""
    return {"answer": answer or {}, "after": after}


def refused(code: str, **after: object) -> Members:
    """AWS refuses with an exception."""
    return {"refused": code, "after": after}


def factors(*enabled: str, preferred: str | None = None) -> Members:
    """The user's factors as they are read back."""
    read: Members = {"user_mfa_setting_list": sorted(enabled)} if enabled else {}
    return read | ({"preferred_mfa_setting": preferred} if preferred else {})


def _preference() -> list[Case]:
    cases = []
    for operation, who in (("AdminSetUserMFAPreference", admin), ("SetUserMFAPreference", token)):
        by = "an administrator" if who is admin else "a user"

        def add(
            what: str,
            blocks: Members,
            aws: Members,
            needs: Needs | None = None,
            request: Callable[[World], Members] | None = None,
            operation: str = operation,
            who: Callable[[World], Members] = who,
            by: str = by,
            read_back: str = "user",
        ) -> None:
            given = request or who
            cases.append(
                Case(
                    f"{by} {what}",
                    operation,
                    lambda world: given(world) | blocks,
                    aws,
                    needs or Needs(),
                    read_back=read_back,
                )
            )

        enrolled = Needs(enrolled=True)
        both = {"SMSMfaSettings": ON_PREFERRED, "SoftwareTokenMfaSettings": ON}
        had_sms = Needs(preference={"SMSMfaSettings": ON_PREFERRED})
        kept = factors(SMS, preferred=SMS)

        add("prefers SMS", {"SMSMfaSettings": ON_PREFERRED}, answered(**kept))
        add("enables SMS without preferring it", {"SMSMfaSettings": ON}, answered(**factors(SMS)))
        add("prefers SMS without a phone number", {"SMSMfaSettings": ON_PREFERRED},
            refused("InvalidParameterException"), Needs(phone=False))
        add("prefers a software token that was never set up", {"SoftwareTokenMfaSettings": ON_PREFERRED},
            refused("InvalidParameterException"))
        add("prefers a software token that was not verified", {"SoftwareTokenMfaSettings": ON_PREFERRED},
            refused("InvalidParameterException"), Needs(associated=True))
        add("prefers a verified software token", {"SoftwareTokenMfaSettings": ON_PREFERRED},
            answered(**factors(TOTP, preferred=TOTP)), enrolled)
        add("enables both and prefers SMS", both, answered(**factors(SMS, TOTP, preferred=SMS)), enrolled)
        add("enables SMS again and leaves the preference out", {"SMSMfaSettings": {"Enabled": True}},
            answered(**kept), had_sms)
        add("takes the preference from SMS", {"SMSMfaSettings": ON}, answered(**factors(SMS)), had_sms)
        add("disables SMS", {"SMSMfaSettings": OFF}, answered(), had_sms)
        add("leaves SMS out", {"SoftwareTokenMfaSettings": ON}, answered(**factors(SMS, TOTP, preferred=SMS)),
            Needs(enrolled=True, preference={"SMSMfaSettings": ON_PREFERRED}))
        add("disables a software token that was never set up", {"SoftwareTokenMfaSettings": OFF},
            refused("InvalidParameterException"))
        add("prefers what is disabled", {"SMSMfaSettings": {"Enabled": False, "PreferredMfa": True}},
            refused("InvalidParameterException"))
        add("prefers two factors", {"SMSMfaSettings": ON_PREFERRED, "SoftwareTokenMfaSettings": ON_PREFERRED},
            refused("InvalidParameterException"), enrolled)
        add("prefers e-mail", {"EmailMfaSettings": ON_PREFERRED}, answered(**factors(EMAIL_OTP, preferred=EMAIL_OTP)))
        add("enables a passkey beside no other factor", {"WebAuthnMfaSettings": {"Enabled": True}},
            refused("InvalidParameterException"))
        if who is admin:
            add("prefers SMS for an unknown user", {"SMSMfaSettings": ON_PREFERRED},
                refused("UserNotFoundException"), Needs(user=False), read_back="nothing")
            add("prefers SMS in an unknown pool", {"SMSMfaSettings": ON_PREFERRED},
                refused("ResourceNotFoundException"), Needs(user=False), read_back="nothing",
                request=lambda world: {"UserPoolId": "us-west-2_Absent000", "Username": USERNAME})
            add("prefers SMS for a disabled user", {"SMSMfaSettings": ON_PREFERRED},
                refused("NotAuthorizedException"), Needs(disabled=True))
            add("prefers SMS for an unconfirmed user", {"SMSMfaSettings": ON_PREFERRED},
                refused("UserNotConfirmedException"), Needs(unconfirmed=True))
        else:
            add("prefers SMS with a forged token", {"SMSMfaSettings": ON_PREFERRED},
                refused("NotAuthorizedException"), request=lambda world: {"AccessToken": world.forged_token()})
            add("prefers SMS with a token that is no JWT", {"SMSMfaSettings": ON_PREFERRED},
                refused("NotAuthorizedException"), request=lambda world: {"AccessToken": "not-a-token"})
            add("prefers SMS after a global sign-out", {"SMSMfaSettings": ON_PREFERRED},
                refused("NotAuthorizedException"), Needs(signed_out=True))
            add("prefers SMS while disabled", {"SMSMfaSettings": ON_PREFERRED},
                refused("NotAuthorizedException"), Needs(disabled=True))
            add("prefers SMS after being deleted", {"SMSMfaSettings": ON_PREFERRED},
                refused("UserNotFoundException"), Needs(deleted=True), read_back="nothing")
    return cases


CONTACTS = {"phone_number": {"present": True}, "email": {"present": True}}
PROFILE = {"username": USERNAME} | CONTACTS


def _reads() -> list[Case]:
    preferred = Needs(enrolled=True, preference={"SMSMfaSettings": ON_PREFERRED, "SoftwareTokenMfaSettings": ON})
    both = factors(SMS, TOTP, preferred=SMS)
    token_user = Needs(enrolled=True, preference={"SoftwareTokenMfaSettings": ON_PREFERRED})
    with_token = {"username": USERNAME} | factors(TOTP, preferred=TOTP) | {
        "configured_user_auth_factors": ["AUTH_FACTOR_PASSWORD", "AUTH_FACTOR_SOFTWARE_TOKEN"]}
    admin_profile = PROFILE | {"enabled": True, "user_status": "USER_STATUS_CONFIRMED"}
    seen_by_admin = {"read_back": "nothing"}
    return [
        Case("an administrator reads a user without factors", "AdminGetUser", admin, answered(admin_profile),
             **seen_by_admin),
        Case("an administrator reads a user with two factors", "AdminGetUser", admin,
             answered(admin_profile | both), preferred, **seen_by_admin),
        Case("an administrator reads a disabled user", "AdminGetUser", admin,
             answered(PROFILE | {"user_status": "USER_STATUS_CONFIRMED"}), Needs(disabled=True), **seen_by_admin),
        Case("an administrator reads an unconfirmed user", "AdminGetUser", admin,
             answered(PROFILE | {"enabled": True, "user_status": "USER_STATUS_UNCONFIRMED"}),
             Needs(unconfirmed=True), **seen_by_admin),
        Case("an administrator reads an unknown user", "AdminGetUser", admin, refused("UserNotFoundException"),
             Needs(user=False), **seen_by_admin),
        Case("an administrator reads a user of an unknown pool", "AdminGetUser",
             lambda world: {"UserPoolId": "us-west-2_Absent000", "Username": USERNAME},
             refused("ResourceNotFoundException"), Needs(user=False), **seen_by_admin),
        Case("a user without factors reads itself", "GetUser", token, answered(PROFILE), **seen_by_admin),
        Case("a user with two factors reads itself", "GetUser", token, answered(PROFILE | both), preferred,
             **seen_by_admin),
        Case("a forged token reads its user", "GetUser", lambda world: {"AccessToken": world.forged_token()},
             refused("NotAuthorizedException"), **seen_by_admin),
        Case("a token that is no JWT reads its user", "GetUser", lambda world: {"AccessToken": "not-a-token"},
             refused("NotAuthorizedException"), **seen_by_admin),
        Case("a user reads itself after a global sign-out", "GetUser", token, refused("NotAuthorizedException"),
             Needs(signed_out=True), **seen_by_admin),
        Case("a disabled user reads itself", "GetUser", token, refused("NotAuthorizedException"),
             Needs(disabled=True), **seen_by_admin),
        Case("a deleted user reads itself", "GetUser", token, refused("UserNotFoundException"),
             Needs(deleted=True), **seen_by_admin),
        Case("an administrator reads the authentication factors of a user with a software token",
             "AdminGetUserAuthFactors", admin, answered(with_token), token_user, **seen_by_admin),
        Case("a user with a software token reads its authentication factors", "GetUserAuthFactors", token,
             answered(with_token), token_user, **seen_by_admin),
    ]


def _legacy_settings() -> list[Case]:
    sms = {"MFAOptions": [SMS_OPTION]}
    kept = {"mfa_options": [{"delivery_medium": "DELIVERY_MEDIUM_SMS", "attribute_name": "phone_number"}]}
    return [
        Case("an administrator sets the legacy SMS option", "AdminSetUserSettings",
             lambda world: admin(world) | sms, answered(**kept)),
        Case("a user sets the legacy SMS option", "SetUserSettings", lambda world: token(world) | sms,
             answered(**kept)),
    ]


def _software_token() -> list[Case]:
    regardless = {"allow_reenrolment": True}
    unverified = {"answer": {"secret_code": "<secret_code>"}, "after": {}}
    return [
        Case("a user starts to enrol a software token", "AssociateSoftwareToken", token, unverified,
             gate_only=regardless),
        Case("a user starts to enrol a software token behind the guard", "AssociateSoftwareToken", token, unverified),
        Case("a user with a software token starts to enrol another", "AssociateSoftwareToken", token, unverified,
             Needs(enrolled=True), gate_only=regardless),
        Case("a user with a software token starts to enrol another behind the guard", "AssociateSoftwareToken", token,
             unverified, Needs(enrolled=True)),
        Case("a user starts to enrol in a pool without software tokens", "AssociateSoftwareToken", token,
             refused("SoftwareTokenMFANotFoundException"), Needs(pool={}), gate_only=regardless),
        Case("a forged token starts to enrol a software token", "AssociateSoftwareToken",
             lambda world: {"AccessToken": world.forged_token()}, refused("NotAuthorizedException"),
             gate_only=regardless),
        Case("an unknown session starts to enrol a software token", "AssociateSoftwareToken",
             lambda world: {"Session": UNKNOWN_SESSION}, refused("NotAuthorizedException")),
        Case("a user verifies a software token", "VerifySoftwareToken",
             lambda world: token(world) | {"UserCode": world.code(), "FriendlyDeviceName": "phone"}, answered(
                 {"status": "VERIFY_SOFTWARE_TOKEN_STATUS_SUCCESS"}), Needs(associated=True)),
        Case("a user sends a wrong code", "VerifySoftwareToken",
             lambda world: token(world) | {"UserCode": world.wrong_code()},
             refused("EnableSoftwareTokenMFAException"), Needs(associated=True)),
        Case("a user verifies a software token that was never set up", "VerifySoftwareToken",
             lambda world: token(world) | {"UserCode": "123456"}, refused("SoftwareTokenMFANotFoundException")),
        Case("a user sends five digits", "VerifySoftwareToken", lambda world: token(world) | {"UserCode": "12345"},
             refused("InvalidParameterException"), Needs(associated=True)),
        Case("a forged token verifies a software token", "VerifySoftwareToken",
             lambda world: {"AccessToken": world.forged_token(), "UserCode": "123456"},
             refused("NotAuthorizedException"), Needs(associated=True)),
        Case("an unknown session verifies a software token", "VerifySoftwareToken",
             lambda world: {"Session": UNKNOWN_SESSION, "UserCode": "123456"}, refused("NotAuthorizedException")),
        Case("an administrator deletes a software token", "AdminDeleteSoftwareToken", admin, answered(),
             Needs(enrolled=True)),
    ]


def _passkeys() -> list[Case]:
    web_authn = Needs(pool={
        **TOTP_ON,
        "WebAuthnConfiguration": {
            "RelyingPartyId": "localhost",
            "UserVerification": "preferred",
            "FactorConfiguration": "MULTI_FACTOR_WITH_USER_VERIFICATION",
        },
    })
    return [
        Case("a user starts to register a passkey", "StartWebAuthnRegistration", token,
             answered({"credential_creation_options": "<credential_creation_options>"}), web_authn),
        Case("a user completes a registration that was not started", "CompleteWebAuthnRegistration",
             lambda world: token(world) | {"Credential": PASSKEY}, refused("WebAuthnChallengeNotFoundException"),
             web_authn),
        Case("a user without passkeys lists them", "ListWebAuthnCredentials", token, answered(), web_authn),
        Case("a user deletes an unknown passkey", "DeleteWebAuthnCredential",
             lambda world: token(world) | {"CredentialId": "dW5rbm93bg"}, refused("ResourceNotFoundException"),
             web_authn),
    ]


PASSKEY = {
    "id": "dW5rbm93bg",
    "rawId": "dW5rbm93bg",
    "type": "public-key",
    "response": {"clientDataJSON": "e30", "attestationObject": "oA", "transports": ["internal"]},
    "clientExtensionResults": {},
}


def _pool_config() -> list[Case]:
    def read(name: str, configuration: Members, aws: Members) -> Case:
        return Case(name, "GetUserPoolMfaConfig", pool, aws, Needs(pool=configuration, user=False),
                    read_back="nothing")

    def write(name: str, before: Members, members: Members, aws: Members) -> Case:
        return Case(name, "SetUserPoolMfaConfig", lambda world: pool(world) | members, aws,
                    Needs(pool=before, user=False), read_back="pool")

    def kind(value: str) -> Members:
        return {"mfa_configuration": f"USER_POOL_MFA_TYPE_{value}"}

    totp_on = {"SoftwareTokenMfaConfiguration": {"Enabled": True}}
    totp_read = {"software_token_mfa_configuration": {"enabled": True}}
    optional = {"MfaConfiguration": "OPTIONAL"} | totp_on
    sms_on = {"SmsMfaConfiguration": SMS_BLOCK | {"SmsAuthenticationMessage": "Your code is {####}"}}
    sms_read = {"sms_mfa_configuration": {
        "sms_authentication_message": "Your code is {####}",
        "sms_configuration": {
            "sns_caller_arn": "arn:aws:iam::123456789012:role/sms",
            "external_id": "mfagate",
        },
    }}
    email_on = {"EmailMfaConfiguration": {"Message": "Your code is {####}", "Subject": "Your code"}}
    email_read = {"email_mfa_configuration": {"message": "Your code is {####}", "subject": "Your code"}}
    web_authn_on = {"WebAuthnConfiguration": {"RelyingPartyId": "example.com", "UserVerification": "required"}}
    web_authn_read = {"web_authn_configuration": {
        "relying_party_id": "example.com", "user_verification": "USER_VERIFICATION_REQUIRED"}}

    def same(*parts: Members) -> Members:
        whole: Members = {}
        for part in parts:
            whole |= part
        return {"answer": whole, "after": whole}

    def unchanged(code: str, *parts: Members) -> Members:
        return {"refused": code, "after": same(*parts)["after"]}

    return [
        read("a pool just created is read", {}, {"answer": kind("OFF"), "after": {}}),
        read("a pool with software tokens is read", optional,
             {"answer": kind("OPTIONAL") | totp_read, "after": {}}),
        Case("an unknown pool is read", "GetUserPoolMfaConfig",
             lambda world: {"UserPoolId": "us-west-2_Absent000"}, refused("ResourceNotFoundException"),
             Needs(user=False), read_back="nothing"),
        Case("a malformed pool id is read", "GetUserPoolMfaConfig", lambda world: {"UserPoolId": "no pool id"},
             refused("InvalidParameterException"), Needs(user=False), read_back="nothing"),
        write("software tokens are offered", {}, optional, same(kind("OPTIONAL"), totp_read)),
        write("software tokens are required", {}, {"MfaConfiguration": "ON"} | totp_on,
              same(kind("ON"), totp_read)),
        write("SMS is offered", {}, {"MfaConfiguration": "OPTIONAL"} | sms_on, same(kind("OPTIONAL"), sms_read)),
        write("e-mail is offered", {}, {"MfaConfiguration": "OPTIONAL"} | email_on,
              same(kind("OPTIONAL"), email_read)),
        write("passkeys are configured while MFA is off", {}, {"MfaConfiguration": "OFF"} | web_authn_on,
              same(kind("OFF"), web_authn_read)),
        write("MFA is switched off", optional, {"MfaConfiguration": "OFF"}, same(kind("OFF"))),
        write("SMS is left out of a pool that had both", optional | sms_on, optional,
              unchanged("InvalidParameterException", kind("OPTIONAL"), totp_read, sms_read)),
        write("software tokens are left out of a pool that had both", optional | sms_on,
              {"MfaConfiguration": "OPTIONAL"} | sms_on, same(kind("OPTIONAL"), sms_read)),
        write("nothing but the pool is sent", optional, {}, same(kind("OFF"))),
        write("MFA is switched off together with a factor", {}, {"MfaConfiguration": "OFF"} | totp_on,
              unchanged("InvalidParameterException", kind("OFF"))),
        write("MFA is offered without a factor", {}, {"MfaConfiguration": "OPTIONAL"},
              unchanged("InvalidParameterException", kind("OFF"))),
        write("an SMS message lacks the place of the code", {},
              {"MfaConfiguration": "OPTIONAL", "SmsMfaConfiguration": SMS_BLOCK | {
                  "SmsAuthenticationMessage": "Your code"}},
              unchanged("InvalidParameterException", kind("OFF"))),
        Case("an unknown pool is configured", "SetUserPoolMfaConfig",
             lambda world: {"UserPoolId": "us-west-2_Absent000"} | optional, refused("ResourceNotFoundException"),
             Needs(user=False), read_back="nothing"),
    ]


CASES = {
    case.name: case
    for case in _preference() + _reads() + _legacy_settings() + _software_token() + _passkeys() + _pool_config()
}
