"""Enrols and removes software tokens in the embedded Cognito with boto3."""

import pytest

from suite import totp
from suite.account import EMAIL_CODE, ENABLED, LOCKOUT_SECONDS, PREFERRED, SMS, TOTP, Account, Make


@pytest.fixture
def account(make: Make) -> Account:
    """An optional pool with software tokens and SMS, and a signed-in user."""
    account = make(factors=SMS | TOTP)
    account.create_user()
    account.sign_in()
    return account


def verify(account: Account, code: str) -> dict[str, object]:
    """The request that verifies a code with the access token."""
    return {"AccessToken": account.access_token, "UserCode": code}


def test_the_secret_is_base32_and_its_codes_are_those_of_rfc_6238(account: Account) -> None:
    secret = account.associate()
    assert len(secret) >= 16
    code = totp.code(secret, account.control.advance(0))
    account.must("VerifySoftwareToken", **verify(account, code))


def test_every_enrolment_has_its_own_secret_and_no_session(account: Account) -> None:
    first = account.must("AssociateSoftwareToken", AccessToken=account.access_token)
    second = account.must("AssociateSoftwareToken", AccessToken=account.access_token)
    assert first["SecretCode"] != second["SecretCode"]
    assert set(first) == {"SecretCode"}


def test_a_wrong_code_is_refused_and_a_correct_one_is_still_accepted(account: Account) -> None:
    account.associate()
    account.refused(
        "VerifySoftwareToken",
        "EnableSoftwareTokenMFAException",
        "Code mismatch and fail enable Software Token MFA",
        **verify(account, account.wrong_code()),
    )
    assert account.must("VerifySoftwareToken", **verify(account, account.code())) == {"Status": "SUCCESS"}


def test_a_used_code_is_not_accepted_again(account: Account) -> None:
    account.associate()
    code = account.code()
    account.must("VerifySoftwareToken", **verify(account, code))
    account.refused("VerifySoftwareToken", "EnableSoftwareTokenMFAException", **verify(account, code))


def test_a_code_two_steps_old_is_refused_and_one_step_old_accepted(account: Account) -> None:
    account.associate()
    old = account.code()
    account.control.advance(60)
    account.refused("VerifySoftwareToken", "EnableSoftwareTokenMFAException", **verify(account, old))
    recent = account.code()
    account.control.advance(30)
    account.must("VerifySoftwareToken", **verify(account, recent))


def test_a_user_who_did_not_associate_has_no_software_token(account: Account) -> None:
    account.refused(
        "VerifySoftwareToken",
        "SoftwareTokenMFANotFoundException",
        "Software Token MFA does not exist for the user",
        **verify(account, "123456"),
    )


def test_a_pool_without_software_tokens_refuses_to_enrol(make: Make) -> None:
    account = make(factors=SMS)
    account.create_user()
    account.sign_in()
    account.refused(
        "AssociateSoftwareToken",
        "SoftwareTokenMFANotFoundException",
        "Software Token MFA has not been enabled by the userPool",
        AccessToken=account.access_token,
    )


@pytest.mark.parametrize("operation", ["AssociateSoftwareToken", "VerifySoftwareToken"])
def test_exactly_one_of_token_and_session_is_required(account: Account, operation: str) -> None:
    code = {"UserCode": "123456"} if operation == "VerifySoftwareToken" else {}
    account.refused(operation, "InvalidParameterException", **code)
    account.refused(operation, "InvalidParameterException", AccessToken=account.access_token, Session="s" * 64, **code)


def test_a_second_enrolment_stops_the_working_device_at_once(account: Account) -> None:
    account.enrol()
    account.prefer(SoftwareTokenMfaSettings=PREFERRED)
    account.control.advance(30)
    old = account.code()
    account.associate()
    challenge = account.start()
    assert challenge["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    account.refused(
        "RespondToAuthChallenge",
        "CodeMismatchException",
        **account.challenge_response(challenge, SOFTWARE_TOKEN_MFA_CODE=old),
    )
    # The list still shows the token that no longer works.
    assert account.factors() == (["SOFTWARE_TOKEN_MFA"], "SOFTWARE_TOKEN_MFA")


def test_too_many_wrong_codes_lock_the_user(account: Account) -> None:
    account.associate()
    for lock in LOCKOUT_SECONDS:
        account.control.advance(lock)
        account.refused(
            "VerifySoftwareToken", "EnableSoftwareTokenMFAException", **verify(account, account.wrong_code())
        )
    right = verify(account, account.code())
    account.refused("VerifySoftwareToken", "NotAuthorizedException", "User temporarily locked", **right)


def test_an_enrolled_user_keeps_the_token_when_the_pool_stops_offering_it(account: Account) -> None:
    account.enrol()
    account.prefer(SoftwareTokenMfaSettings=PREFERRED)
    account.configure("OPTIONAL", SMS)
    account.control.advance(30)
    challenge = account.start()
    assert challenge["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    account.respond(challenge, SOFTWARE_TOKEN_MFA_CODE=account.code())


def test_a_deleted_software_token_is_no_longer_challenged(account: Account) -> None:
    account.enrol()
    account.prefer(SMSMfaSettings=ENABLED, SoftwareTokenMfaSettings=PREFERRED)
    account.must("AdminDeleteSoftwareToken", **account.user)
    assert account.factors() == (["SMS_MFA"], None)
    assert account.start()["ChallengeName"] == "SMS_MFA"
    account.refused(
        "AdminSetUserMFAPreference",
        "InvalidParameterException",
        "SOFTWARE_TOKEN_MFA",
        **account.user,
        SoftwareTokenMfaSettings=ENABLED,
    )


def test_deleting_a_software_token_twice_has_no_further_effect(account: Account) -> None:
    account.enrol()
    account.must("AdminDeleteSoftwareToken", **account.user)
    account.must("AdminDeleteSoftwareToken", **account.user)
    assert account.factors() == ([], None)


def test_after_deletion_a_pool_that_requires_mfa_makes_the_user_enrol_again(make: Make) -> None:
    account = make(factors=TOTP)
    account.create_user(phone=False, email=False)
    account.sign_in()
    account.enrol()
    account.configure("ON", TOTP)
    account.must("AdminDeleteSoftwareToken", **account.user)
    assert account.start()["ChallengeName"] == "MFA_SETUP"


def test_after_deletion_another_factor_is_challenged(make: Make) -> None:
    account = make(mode="OPTIONAL", factors=TOTP | EMAIL_CODE)
    account.create_user(phone=False)
    account.sign_in()
    account.enrol()
    account.configure("ON", TOTP, EMAIL_CODE)
    account.must("AdminDeleteSoftwareToken", **account.user)
    assert account.start()["ChallengeName"] == "EMAIL_OTP"
