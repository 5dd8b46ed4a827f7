"""The cases of users' preferences."""

from collections.abc import Callable

from .case import (
    EMAIL_OTP,
    OFF,
    ON,
    ON_PREFERRED,
    SMS,
    TOTP,
    Case,
    Members,
    admin,
    factors,
    refused,
    returned,
    token,
)
from .situation import USERNAME, Needs, World


def preference() -> list[Case]:
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

        add("prefers SMS", {"SMSMfaSettings": ON_PREFERRED}, returned(**kept))
        add("enables SMS without preferring it", {"SMSMfaSettings": ON}, returned(**factors(SMS)))
        add(
            "prefers SMS without a phone number",
            {"SMSMfaSettings": ON_PREFERRED},
            refused("InvalidParameterException"),
            Needs(phone=False),
        )
        add(
            "prefers a software token that was never set up",
            {"SoftwareTokenMfaSettings": ON_PREFERRED},
            refused("InvalidParameterException"),
        )
        add(
            "prefers a software token that was not verified",
            {"SoftwareTokenMfaSettings": ON_PREFERRED},
            refused("InvalidParameterException"),
            Needs(associated=True),
        )
        add(
            "prefers a verified software token",
            {"SoftwareTokenMfaSettings": ON_PREFERRED},
            returned(**factors(TOTP, preferred=TOTP)),
            enrolled,
        )
        add("enables both and prefers SMS", both, returned(**factors(SMS, TOTP, preferred=SMS)), enrolled)
        add(
            "enables SMS again and omits the preference",
            {"SMSMfaSettings": {"Enabled": True}},
            returned(**kept),
            had_sms,
        )
        add("clears the preference for SMS", {"SMSMfaSettings": ON}, returned(**factors(SMS)), had_sms)
        add("disables SMS", {"SMSMfaSettings": OFF}, returned(), had_sms)
        add(
            "omits SMS",
            {"SoftwareTokenMfaSettings": ON},
            returned(**factors(SMS, TOTP, preferred=SMS)),
            Needs(enrolled=True, preference={"SMSMfaSettings": ON_PREFERRED}),
        )
        add(
            "disables a software token that was never set up",
            {"SoftwareTokenMfaSettings": OFF},
            returned(),
        )
        add(
            "prefers what is disabled",
            {"SMSMfaSettings": {"Enabled": False, "PreferredMfa": True}},
            refused("InvalidParameterException"),
        )
        add(
            "prefers two factors",
            {"SMSMfaSettings": ON_PREFERRED, "SoftwareTokenMfaSettings": ON_PREFERRED},
            refused("InvalidParameterException"),
            enrolled,
        )
        add("prefers e-mail", {"EmailMfaSettings": ON_PREFERRED}, returned(**factors(EMAIL_OTP, preferred=EMAIL_OTP)))
        add(
            "enables a passkey without another factor",
            {"WebAuthnMfaSettings": {"Enabled": True}},
            refused("InvalidParameterException"),
        )
        if who is admin:
            add(
                "prefers SMS for an unknown user",
                {"SMSMfaSettings": ON_PREFERRED},
                refused("UserNotFoundException"),
                Needs(user=False),
                read_back="nothing",
            )
            add(
                "prefers SMS in an unknown pool",
                {"SMSMfaSettings": ON_PREFERRED},
                refused("ResourceNotFoundException"),
                Needs(user=False),
                read_back="nothing",
                request=lambda world: {"UserPoolId": "us-west-2_Absent000", "Username": USERNAME},
            )
            add(
                "prefers SMS for a disabled user",
                {"SMSMfaSettings": ON_PREFERRED},
                refused("NotAuthorizedException"),
                Needs(disabled=True),
            )
            add(
                "prefers SMS for an unconfirmed user",
                {"SMSMfaSettings": ON_PREFERRED},
                refused("UserNotConfirmedException"),
                Needs(unconfirmed=True),
            )
        else:
            add(
                "prefers SMS with a forged token",
                {"SMSMfaSettings": ON_PREFERRED},
                refused("NotAuthorizedException"),
                request=lambda world: {"AccessToken": world.forged_token()},
            )
            add(
                "prefers SMS with a token that is not a JWT",
                {"SMSMfaSettings": ON_PREFERRED},
                refused("NotAuthorizedException"),
                request=lambda world: {"AccessToken": "not-a-token"},
            )
            add(
                "prefers SMS after a global sign-out",
                {"SMSMfaSettings": ON_PREFERRED},
                refused("NotAuthorizedException"),
                Needs(signed_out=True),
            )
            add(
                "prefers SMS while disabled",
                {"SMSMfaSettings": ON_PREFERRED},
                refused("NotAuthorizedException"),
                Needs(disabled=True),
            )
            add(
                "prefers SMS after being deleted",
                {"SMSMfaSettings": ON_PREFERRED},
                refused("UserNotFoundException"),
                Needs(deleted=True),
                read_back="nothing",
            )
    return cases
