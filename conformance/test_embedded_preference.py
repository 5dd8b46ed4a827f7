"""Calls the embedded Cognito's preference operations with boto3, rule by rule."""

import pytest

from suite.account import DISABLED, ENABLED, EVERY_FACTOR, PASSKEY, PREFERRED, SMS, TOTP, Account, Make
from suite.cognito import Refused, call

OPERATIONS = ["AdminSetUserMFAPreference", "SetUserMFAPreference"]


def who(account: Account, operation: str) -> dict[str, str]:
    """The user, as the operation names it."""
    return account.user if operation.startswith("Admin") else {"AccessToken": account.access_token}


@pytest.fixture
def account(make: Make) -> Account:
    """An optional pool with every factor, and a user who has enrolled a software token and is signed in."""
    account = make()
    account.create_user()
    account.sign_in()
    account.enrol()
    return account


@pytest.fixture
def bare(make: Make) -> Account:
    """The same pool, and a user who has neither phone number, e-mail address nor software token."""
    account = make()
    account.create_user(phone=False, email=False)
    account.sign_in()
    return account


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_preference_that_is_set_is_read_back(account: Account, operation: str) -> None:
    account.must(operation, **who(account, operation), SMSMfaSettings=PREFERRED, SoftwareTokenMfaSettings=ENABLED)
    assert account.factors() == (["SMS_MFA", "SOFTWARE_TOKEN_MFA"], "SMS_MFA")
    own = account.must("GetUser", AccessToken=account.access_token)
    assert own["PreferredMfaSetting"] == "SMS_MFA"
    assert sorted(own["UserMFASettingList"]) == ["SMS_MFA", "SOFTWARE_TOKEN_MFA"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_e_mail_is_named_email_otp_when_read_back(account: Account, operation: str) -> None:
    account.must(operation, **who(account, operation), EmailMfaSettings=PREFERRED)
    assert account.factors() == (["EMAIL_OTP"], "EMAIL_OTP")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_two_preferred_factors_are_refused(account: Account, operation: str) -> None:
    account.refused(
        operation,
        "InvalidParameterException",
        **who(account, operation),
        SMSMfaSettings=PREFERRED,
        SoftwareTokenMfaSettings=PREFERRED,
    )
    assert account.factors() == ([], None)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("block", ["SMSMfaSettings", "SoftwareTokenMfaSettings", "EmailMfaSettings"])
def test_a_factor_that_is_preferred_but_disabled_is_refused(account: Account, operation: str, block: str) -> None:
    account.refused(
        operation,
        "InvalidParameterException",
        **who(account, operation),
        **{block: {"Enabled": False, "PreferredMfa": True}},
    )


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_omitted_factor_stays_as_it_is(account: Account, operation: str) -> None:
    account.prefer(SMSMfaSettings=PREFERRED)
    account.must(operation, **who(account, operation), SoftwareTokenMfaSettings=ENABLED)
    assert account.factors() == (["SMS_MFA", "SOFTWARE_TOKEN_MFA"], "SMS_MFA")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_omitted_preference_is_kept_and_false_clears_it(account: Account, operation: str) -> None:
    account.prefer(SMSMfaSettings=PREFERRED)
    account.must(operation, **who(account, operation), SMSMfaSettings={"Enabled": True})
    assert account.factors() == (["SMS_MFA"], "SMS_MFA")
    account.must(operation, **who(account, operation), SMSMfaSettings=ENABLED)
    assert account.factors() == (["SMS_MFA"], None)


def test_disabling_the_preferred_factor_clears_the_preference(account: Account) -> None:
    account.prefer(SMSMfaSettings=PREFERRED)
    account.prefer(SMSMfaSettings=DISABLED)
    assert account.factors() == ([], None)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("block", "factor"),
    [
        ("SMSMfaSettings", "SMS_MFA"),
        ("SoftwareTokenMfaSettings", "SOFTWARE_TOKEN_MFA"),
        ("EmailMfaSettings", "EMAIL_OTP"),
    ],
)
def test_a_factor_without_its_prerequisite_cannot_be_enabled(
    bare: Account, operation: str, block: str, factor: str
) -> None:
    bare.refused(
        operation,
        "InvalidParameterException",
        f"User does not have delivery config set to turn on {factor}",
        **who(bare, operation),
        **{block: ENABLED},
    )


def test_a_software_token_that_is_not_verified_cannot_be_enabled(bare: Account) -> None:
    bare.associate()
    bare.refused(
        "AdminSetUserMFAPreference",
        "InvalidParameterException",
        "turn on SOFTWARE_TOKEN_MFA",
        **bare.user,
        SoftwareTokenMfaSettings=ENABLED,
    )


@pytest.mark.parametrize("block", ["SMSMfaSettings", "SoftwareTokenMfaSettings", "EmailMfaSettings"])
def test_disabling_what_the_user_never_had_is_accepted(bare: Account, block: str) -> None:
    for operation in OPERATIONS:
        bare.must(operation, **who(bare, operation), **{block: DISABLED})
    assert bare.factors() == ([], None)


def test_a_refused_block_leaves_the_others_unapplied(bare: Account) -> None:
    bare.must(
        "AdminUpdateUserAttributes", **bare.user, UserAttributes=[{"Name": "phone_number", "Value": "+12065550111"}]
    )
    bare.refused(
        "AdminSetUserMFAPreference",
        "InvalidParameterException",
        **bare.user,
        SMSMfaSettings=PREFERRED,
        SoftwareTokenMfaSettings=ENABLED,
    )
    assert bare.factors() == ([], None)


def test_verifying_a_software_token_does_not_enable_it(account: Account) -> None:
    assert account.factors() == ([], None)


def test_a_passkey_factor_needs_another_factor(account: Account) -> None:
    account.refused(
        "AdminSetUserMFAPreference", "InvalidParameterException", **account.user, WebAuthnMfaSettings={"Enabled": True}
    )
    account.prefer(SMSMfaSettings=ENABLED, WebAuthnMfaSettings={"Enabled": True})
    assert "SMS_MFA" in account.factors()[0]


def test_a_passkey_factor_needs_a_pool_whose_passkeys_verify_the_user(make: Make) -> None:
    single = {"WebAuthnConfiguration": PASSKEY["WebAuthnConfiguration"] | {"FactorConfiguration": "SINGLE_FACTOR"}}
    account = make(factors=EVERY_FACTOR | single)
    account.create_user()
    account.refused(
        "AdminSetUserMFAPreference",
        "InvalidParameterException",
        **account.user,
        SMSMfaSettings=ENABLED,
        WebAuthnMfaSettings={"Enabled": True},
    )


def test_in_a_pool_that_requires_mfa_only_the_preference_can_be_chosen(make: Make) -> None:
    account = make()
    account.create_user()
    account.sign_in()
    account.enrol()
    account.prefer(SMSMfaSettings=ENABLED, SoftwareTokenMfaSettings=PREFERRED)
    account.configure("ON", SMS, TOTP)
    before = account.factors()[0]
    account.prefer(SMSMfaSettings=DISABLED, SoftwareTokenMfaSettings=DISABLED)
    assert account.factors()[0] == before
    account.prefer(SMSMfaSettings=PREFERRED)
    assert account.factors() == (before, "SMS_MFA")


def test_a_factor_that_the_pool_does_not_offer_is_accepted_and_read_back(make: Make) -> None:
    account = make(factors=TOTP)
    account.create_user()
    account.prefer(SMSMfaSettings=PREFERRED)
    assert account.factors() == (["SMS_MFA"], "SMS_MFA")


def test_preferences_survive_a_pool_that_is_switched_off(account: Account) -> None:
    account.prefer(SMSMfaSettings=PREFERRED)
    account.configure("OFF")
    assert account.factors() == (["SMS_MFA"], "SMS_MFA")
    account.configure("OPTIONAL", SMS)
    assert account.start()["ChallengeName"] == "SMS_MFA"


def test_legacy_settings_and_preferences_are_separate(account: Account) -> None:
    option = [{"DeliveryMedium": "SMS", "AttributeName": "phone_number"}]
    account.must("AdminSetUserSettings", **account.user, MFAOptions=option)
    read = account.must("AdminGetUser", **account.user)
    assert read["MFAOptions"] == option
    assert "UserMFASettingList" not in read
    account.prefer(SMSMfaSettings=PREFERRED)
    account.must("SetUserSettings", AccessToken=account.access_token, MFAOptions=[])
    read = account.must("GetUser", AccessToken=account.access_token)
    assert not read.get("MFAOptions")
    assert read["UserMFASettingList"] == ["SMS_MFA"]


@pytest.mark.parametrize(
    "option",
    [
        {"DeliveryMedium": "EMAIL", "AttributeName": "email"},
        {"DeliveryMedium": "SMS", "AttributeName": "email"},
        {"DeliveryMedium": "SMS"},
        {"AttributeName": "phone_number"},
    ],
)
def test_legacy_settings_support_only_sms_to_the_phone_number(account: Account, option: dict[str, str]) -> None:
    account.refused("AdminSetUserSettings", "InvalidParameterException", **account.user, MFAOptions=[option])
    account.refused(
        "SetUserSettings", "InvalidParameterException", AccessToken=account.access_token, MFAOptions=[option]
    )


def test_the_authentication_factors_include_an_enrolled_token_before_it_is_enabled(account: Account) -> None:
    response = account.must("AdminGetUserAuthFactors", **account.user)
    assert response["Username"] == "maria"
    assert {"PASSWORD", "SOFTWARE_TOKEN"} <= set(response["ConfiguredUserAuthFactors"])
    assert "UserMFASettingList" not in response
    assert response == account.must("GetUserAuthFactors", AccessToken=account.access_token)


def test_a_preference_sent_twice_gives_the_same_state(account: Account) -> None:
    for _ in range(2):
        account.prefer(SMSMfaSettings=PREFERRED, SoftwareTokenMfaSettings=ENABLED)
        assert account.factors() == (["SMS_MFA", "SOFTWARE_TOKEN_MFA"], "SMS_MFA")


ADMIN_TARGETS = [
    "AdminSetUserMFAPreference",
    "AdminGetUser",
    "AdminGetUserAuthFactors",
    "AdminSetUserSettings",
    "AdminDeleteSoftwareToken",
]


@pytest.mark.parametrize("operation", ADMIN_TARGETS)
def test_an_absent_pool_is_reported_before_an_absent_user(account: Account, operation: str) -> None:
    more = {"MFAOptions": []} if operation == "AdminSetUserSettings" else {}
    account.refused(
        operation,
        "UserNotFoundException",
        "User does not exist.",
        UserPoolId=account.pool_id,
        Username="nobody",
        **more,
    )
    account.refused(
        operation,
        "ResourceNotFoundException",
        "does not exist",
        UserPoolId="us-west-2_Absent000",
        Username="nobody",
        **more,
    )


@pytest.mark.parametrize("operation", ["AdminSetUserMFAPreference", "AdminDeleteSoftwareToken"])
def test_an_administrator_cannot_change_the_factors_of_a_disabled_user(account: Account, operation: str) -> None:
    account.must("AdminDisableUser", **account.user)
    account.refused(operation, "NotAuthorizedException", "User is disabled", **account.user)
    account.must("AdminEnableUser", **account.user)
    account.must(operation, **account.user)


def test_an_administrator_can_read_a_disabled_user(account: Account) -> None:
    account.must("AdminDisableUser", **account.user)
    assert account.must("AdminGetUser", **account.user)["Enabled"] is False


def test_a_user_is_found_by_alias_and_by_sub(make: Make) -> None:
    account = make(AliasAttributes=["email", "phone_number"])
    account.create_user()
    account.must(
        "AdminUpdateUserAttributes", **account.user, UserAttributes=[{"Name": "email_verified", "Value": "true"}]
    )
    for name in (account.attributes()["sub"], "maria@example.com"):
        response = account.must("AdminGetUser", UserPoolId=account.pool_id, Username=name)
        assert response["Username"] == "maria"
    # The phone number is not verified, so it is not an alias yet.
    response = call(account.cognito, "AdminGetUser", UserPoolId=account.pool_id, Username="+12065550100")
    assert isinstance(response, Refused)
    assert response.code == "UserNotFoundException"
