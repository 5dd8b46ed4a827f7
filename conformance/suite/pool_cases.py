"""The cases of pools' MFA configurations."""

from .case import Case, Members, pool, refused
from .situation import SMS_BLOCK, Needs


def pool_config() -> list[Case]:
    def read(name: str, configuration: Members, aws: Members) -> Case:
        return Case(name, "GetUserPoolMfaConfig", pool, aws, Needs(pool=configuration, user=False), read_back="nothing")

    def write(name: str, before: Members, members: Members, aws: Members) -> Case:
        return Case(
            name,
            "SetUserPoolMfaConfig",
            lambda world: pool(world) | members,
            aws,
            Needs(pool=before, user=False),
            read_back="pool",
        )

    def kind(value: str) -> Members:
        return {"mfa_configuration": f"USER_POOL_MFA_TYPE_{value}"}

    totp_on = {"SoftwareTokenMfaConfiguration": {"Enabled": True}}
    totp_read = {"software_token_mfa_configuration": {"enabled": True}}
    optional = {"MfaConfiguration": "OPTIONAL"} | totp_on
    sms_on = {"SmsMfaConfiguration": SMS_BLOCK | {"SmsAuthenticationMessage": "Your code is {####}"}}
    sms_read = {
        "sms_mfa_configuration": {
            "sms_authentication_message": "Your code is {####}",
            "sms_configuration": {
                "sns_caller_arn": "arn:aws:iam::123456789012:role/sms",
                "external_id": "mfagate",
            },
        }
    }
    email_on = {"EmailMfaConfiguration": {"Message": "Your code is {####}", "Subject": "Your code"}}
    email_read = {"email_mfa_configuration": {"message": "Your code is {####}", "subject": "Your code"}}
    web_authn_on = {
        "WebAuthnConfiguration": {
            "RelyingPartyId": "example.com",
            "UserVerification": "required",
            "FactorConfiguration": "SINGLE_FACTOR",
        }
    }
    web_authn_read = {
        "web_authn_configuration": {
            "relying_party_id": "example.com",
            "user_verification": "USER_VERIFICATION_REQUIRED",
            "factor_configuration": "WEB_AUTHN_FACTOR_CONFIGURATION_SINGLE_FACTOR",
        }
    }

    def same(*parts: Members) -> Members:
        whole: Members = {}
        for part in parts:
            whole |= part
        return {"response": whole, "after": whole}

    def unchanged(code: str, *parts: Members) -> Members:
        return {"refused": code, "after": same(*parts)["after"]}

    return [
        read("a new pool is read", {}, {"response": kind("OFF"), "after": {}}),
        read("a pool with software tokens is read", optional, {"response": kind("OPTIONAL") | totp_read, "after": {}}),
        Case(
            "an unknown pool is read",
            "GetUserPoolMfaConfig",
            lambda world: {"UserPoolId": "us-west-2_Absent000"},
            refused("ResourceNotFoundException"),
            Needs(user=False),
            read_back="nothing",
        ),
        Case(
            "a malformed pool id is read",
            "GetUserPoolMfaConfig",
            lambda world: {"UserPoolId": "no pool id"},
            refused("InvalidParameterException"),
            Needs(user=False),
            read_back="nothing",
        ),
        write("software tokens are offered", {}, optional, same(kind("OPTIONAL"), totp_read)),
        write("software tokens are required", {}, {"MfaConfiguration": "ON"} | totp_on, same(kind("ON"), totp_read)),
        write("SMS is offered", {}, {"MfaConfiguration": "OPTIONAL"} | sms_on, same(kind("OPTIONAL"), sms_read)),
        write("e-mail is offered", {}, {"MfaConfiguration": "OPTIONAL"} | email_on, same(kind("OPTIONAL"), email_read)),
        write(
            "passkeys are configured while MFA is off",
            {},
            {"MfaConfiguration": "OFF"} | web_authn_on,
            same(kind("OFF"), web_authn_read),
        ),
        write("MFA is switched off", optional, {"MfaConfiguration": "OFF"}, same(kind("OFF"))),
        write(
            "SMS is omitted for a pool that had both",
            optional | sms_on,
            optional,
            same(kind("OPTIONAL"), totp_read),
        ),
        write(
            "software tokens are omitted for a pool that had both",
            optional | sms_on,
            {"MfaConfiguration": "OPTIONAL"} | sms_on,
            same(kind("OPTIONAL"), sms_read),
        ),
        write("only the pool is sent", optional, {}, same(kind("OFF"))),
        write(
            "MFA is switched off together with a factor",
            {},
            {"MfaConfiguration": "OFF"} | totp_on,
            unchanged("InvalidParameterException", kind("OFF")),
        ),
        write(
            "MFA is offered without a factor",
            {},
            {"MfaConfiguration": "OPTIONAL"},
            unchanged("InvalidParameterException", kind("OFF")),
        ),
        write(
            "an SMS message lacks the code placeholder",
            {},
            {
                "MfaConfiguration": "OPTIONAL",
                "SmsMfaConfiguration": SMS_BLOCK | {"SmsAuthenticationMessage": "Your code"},
            },
            unchanged("InvalidParameterException", kind("OFF")),
        ),
        Case(
            "an unknown pool is configured",
            "SetUserPoolMfaConfig",
            lambda world: {"UserPoolId": "us-west-2_Absent000"} | optional,
            refused("ResourceNotFoundException"),
            Needs(user=False),
            read_back="nothing",
        ),
    ]
