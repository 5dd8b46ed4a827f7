"""The cases of reads of a user and of the legacy settings."""

from .case import ON, ON_PREFERRED, SMS, SMS_OPTION, TOTP, Case, admin, factors, refused, returned, token
from .situation import USERNAME, Needs

CONTACTS = {"phone_number": {"present": True}, "email": {"present": True}}
PROFILE = {"username": USERNAME} | CONTACTS


def reads() -> list[Case]:
    preferred = Needs(enrolled=True, preference={"SMSMfaSettings": ON_PREFERRED, "SoftwareTokenMfaSettings": ON})
    both = factors(SMS, TOTP, preferred=SMS)
    token_user = Needs(enrolled=True, preference={"SoftwareTokenMfaSettings": ON_PREFERRED})
    with_token = (
        {"username": USERNAME}
        | factors(TOTP, preferred=TOTP)
        | {"configured_user_auth_factors": ["AUTH_FACTOR_PASSWORD", "AUTH_FACTOR_SOFTWARE_TOKEN"]}
    )
    admin_profile = PROFILE | {"enabled": True, "user_status": "USER_STATUS_CONFIRMED"}
    seen_by_admin = {"read_back": "nothing"}
    return [
        Case(
            "an administrator reads a user without factors",
            "AdminGetUser",
            admin,
            returned(admin_profile),
            **seen_by_admin,
        ),
        Case(
            "an administrator reads a user with two factors",
            "AdminGetUser",
            admin,
            returned(admin_profile | both),
            preferred,
            **seen_by_admin,
        ),
        Case(
            "an administrator reads a disabled user",
            "AdminGetUser",
            admin,
            returned(PROFILE | {"user_status": "USER_STATUS_CONFIRMED"}),
            Needs(disabled=True),
            **seen_by_admin,
        ),
        Case(
            "an administrator reads an unconfirmed user",
            "AdminGetUser",
            admin,
            returned(PROFILE | {"enabled": True, "user_status": "USER_STATUS_UNCONFIRMED"}),
            Needs(unconfirmed=True),
            **seen_by_admin,
        ),
        Case(
            "an administrator reads an unknown user",
            "AdminGetUser",
            admin,
            refused("UserNotFoundException"),
            Needs(user=False),
            **seen_by_admin,
        ),
        Case(
            "an administrator reads a user of an unknown pool",
            "AdminGetUser",
            lambda world: {"UserPoolId": "us-west-2_Absent000", "Username": USERNAME},
            refused("ResourceNotFoundException"),
            Needs(user=False),
            **seen_by_admin,
        ),
        Case("a user without factors reads itself", "GetUser", token, returned(PROFILE), **seen_by_admin),
        Case(
            "a user with two factors reads itself",
            "GetUser",
            token,
            returned(PROFILE | both),
            preferred,
            **seen_by_admin,
        ),
        Case(
            "a forged token reads its user",
            "GetUser",
            lambda world: {"AccessToken": world.forged_token()},
            refused("NotAuthorizedException"),
            **seen_by_admin,
        ),
        Case(
            "a token that is not a JWT reads its user",
            "GetUser",
            lambda world: {"AccessToken": "not-a-token"},
            refused("NotAuthorizedException"),
            **seen_by_admin,
        ),
        Case(
            "a user reads itself after a global sign-out",
            "GetUser",
            token,
            refused("NotAuthorizedException"),
            Needs(signed_out=True),
            **seen_by_admin,
        ),
        Case(
            "a disabled user reads itself",
            "GetUser",
            token,
            refused("NotAuthorizedException"),
            Needs(disabled=True),
            **seen_by_admin,
        ),
        Case(
            "a deleted user reads itself",
            "GetUser",
            token,
            refused("UserNotFoundException"),
            Needs(deleted=True),
            **seen_by_admin,
        ),
        Case(
            "an administrator reads the authentication factors of a user with a software token",
            "AdminGetUserAuthFactors",
            admin,
            returned(with_token),
            token_user,
            **seen_by_admin,
        ),
        Case(
            "a user with a software token reads its authentication factors",
            "GetUserAuthFactors",
            token,
            returned(with_token),
            token_user,
            **seen_by_admin,
        ),
    ]


def legacy_settings() -> list[Case]:
    sms = {"MFAOptions": [SMS_OPTION]}
    kept = {"mfa_options": [{"delivery_medium": "DELIVERY_MEDIUM_SMS", "attribute_name": "phone_number"}]}
    return [
        Case(
            "an administrator sets the legacy SMS option",
            "AdminSetUserSettings",
            lambda world: admin(world) | sms,
            returned(**kept),
        ),
        Case(
            "a user sets the legacy SMS option", "SetUserSettings", lambda world: token(world) | sms, returned(**kept)
        ),
    ]
