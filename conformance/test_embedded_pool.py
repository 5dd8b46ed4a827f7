"""Configures pools of the embedded Cognito with boto3, rule by rule."""

import pytest

from suite.account import (
    DEVELOPER_EMAIL,
    EMAIL_CODE,
    PASSKEY,
    SMS,
    SMS_CONFIGURATION,
    TOTP,
    Account,
    Make,
)
from suite.cognito import Refused, call, client, must

MULTI_FACTOR = {"FactorConfiguration": "MULTI_FACTOR_WITH_USER_VERIFICATION"}


def read(account: Account) -> dict:
    """The pool's MFA configuration."""
    return account.must("GetUserPoolMfaConfig", UserPoolId=account.pool_id)


def assert_refused(account: Account, text: str, mode: str | None, *blocks: dict[str, object]) -> None:
    """Asserts that a configuration is refused with this text and changes nothing."""
    before = read(account)
    account.refused("SetUserPoolMfaConfig", "InvalidParameterException", text, **account.configuration(mode, *blocks))
    assert read(account) == before


@pytest.fixture
def account(make: Make) -> Account:
    """A new pool with its own e-mail sender."""
    return make(mode="OFF")


def test_a_new_pool_is_off_and_has_no_blocks(account: Account) -> None:
    assert read(account) == {"MfaConfiguration": "OFF"}


def test_a_configuration_is_returned_and_read_back(account: Account) -> None:
    response = account.configure("OPTIONAL", SMS, TOTP, EMAIL_CODE, PASSKEY)
    assert response == {"MfaConfiguration": "OPTIONAL", **SMS, **TOTP, **EMAIL_CODE, **PASSKEY}
    assert read(account) == response
    described = account.must("DescribeUserPool", UserPoolId=account.pool_id)["UserPool"]
    assert described["MfaConfiguration"] == "OPTIONAL"
    assert described["SmsConfiguration"] == SMS_CONFIGURATION
    assert "SoftwareTokenMfaConfiguration" not in described


def test_a_request_with_only_the_pool_switches_mfa_off(account: Account) -> None:
    account.configure("ON", TOTP)
    assert account.must("SetUserPoolMfaConfig", UserPoolId=account.pool_id) == {"MfaConfiguration": "OFF"}
    assert read(account) == {"MfaConfiguration": "OFF"}


@pytest.mark.parametrize("mode", ["OFF", None])
@pytest.mark.parametrize("block", [TOTP, {"SoftwareTokenMfaConfiguration": {"Enabled": False}}, SMS, EMAIL_CODE])
def test_a_pool_that_is_off_rejects_factors(account: Account, mode: str | None, block: dict[str, object]) -> None:
    assert_refused(
        account, "Invalid MFA configuration given, can't turn off MFA and configure an MFA together.", mode, block
    )


def test_a_pool_that_is_off_accepts_a_passkey_configuration(account: Account) -> None:
    assert account.configure("OFF", PASSKEY) == {"MfaConfiguration": "OFF", **PASSKEY}


@pytest.mark.parametrize("mode", ["ON", "OPTIONAL"])
@pytest.mark.parametrize("blocks", [[], [{"SoftwareTokenMfaConfiguration": {"Enabled": False}}], [PASSKEY]])
def test_a_pool_with_mfa_needs_a_factor(account: Account, mode: str, blocks: list[dict[str, object]]) -> None:
    assert_refused(account, "SMS MFA, Email MFA, or Software Token MFA must be enabled", mode, *blocks)


def test_an_omitted_factor_is_dropped(account: Account) -> None:
    account.configure("OPTIONAL", TOTP, EMAIL_CODE, PASSKEY)
    assert account.configure("OPTIONAL", TOTP) == {"MfaConfiguration": "OPTIONAL", **TOTP}
    assert read(account) == {"MfaConfiguration": "OPTIONAL", **TOTP}


def test_sms_can_be_omitted(account: Account) -> None:
    account.configure("OPTIONAL", TOTP, SMS)
    assert account.configure("OPTIONAL", TOTP) == {"MfaConfiguration": "OPTIONAL", **TOTP}


def test_a_pool_that_is_set_off_keeps_its_channel(account: Account) -> None:
    account.configure("OPTIONAL", TOTP, SMS)
    assert account.configure("OFF") == {"MfaConfiguration": "OFF", **SMS}
    described = account.must("DescribeUserPool", UserPoolId=account.pool_id)["UserPool"]
    assert described["SmsConfiguration"] == SMS_CONFIGURATION


def test_a_verified_phone_number_needs_sms(make: Make) -> None:
    account = make(mode="OFF", AutoVerifiedAttributes=["phone_number"], SmsConfiguration=SMS_CONFIGURATION)
    assert_refused(account, "Can't turn off SMS_MFA when SMS configuration is set for the user pool", "OPTIONAL", TOTP)
    assert_refused(account, "SMS configuration is required when phone_number is selected for auto verification", "OFF")


def test_e_mail_needs_the_pools_own_sender(make: Make) -> None:
    account = make(mode="OFF", EmailConfiguration={"EmailSendingAccount": "COGNITO_DEFAULT"})
    assert_refused(account, "EmailSendingAccount of COGNITO_DEFAULT", "OPTIONAL", EMAIL_CODE)


@pytest.mark.parametrize("recovery", [None, [{"Name": "verified_email", "Priority": 1}]])
def test_e_mail_cannot_be_both_a_factor_and_the_only_recovery(
    make: Make, recovery: list[dict[str, object]] | None
) -> None:
    setting = {"RecoveryMechanisms": recovery} if recovery else {}
    account = make(mode="OFF", AccountRecoverySetting=setting)
    assert_refused(account, "AccountRecoverySetting is not set or contains only verified_email", "OPTIONAL", EMAIL_CODE)


def test_sms_cannot_be_both_a_factor_and_a_recovery(make: Make) -> None:
    recovery = {"RecoveryMechanisms": [{"Name": "verified_phone_number", "Priority": 1}]}
    account = make(mode="OFF", AccountRecoverySetting=recovery)
    assert_refused(account, "Account Recovery Setting cannot use verified_phone_number", "OPTIONAL", SMS)


def first_factors(*factors: str) -> dict[str, object]:
    """The member of CreateUserPool that names the first factors."""
    return {"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", *factors]}}


@pytest.mark.parametrize("factor", ["EMAIL_OTP", "SMS_OTP"])
def test_one_time_codes_cannot_be_first_factors_where_mfa_is_required(make: Make, factor: str) -> None:
    account = make(mode="OFF", Policies=first_factors(factor))
    assert_refused(account, "Only PASSWORD and WEB_AUTHN (if configured) can be enabled as an auth factor", "ON", TOTP)
    assert account.configure("OPTIONAL", TOTP)["MfaConfiguration"] == "OPTIONAL"


def test_passkeys_as_first_factor_must_verify_the_user_where_mfa_is_required(make: Make) -> None:
    account = make(mode="OFF", Policies=first_factors("WEB_AUTHN"))
    single = {"WebAuthnConfiguration": {"RelyingPartyId": "localhost", "FactorConfiguration": "SINGLE_FACTOR"}}
    assert_refused(account, "Cannot set WebAuthn factor configuration to SINGLE_FACTOR", "ON", TOTP, single)
    assert_refused(account, "Cannot set WebAuthn factor configuration to SINGLE_FACTOR", "ON", TOTP)
    assert account.configure("ON", TOTP, PASSKEY)["MfaConfiguration"] == "ON"


def test_mfa_can_be_required_after_creation(make: Make) -> None:
    account = make(mode="OPTIONAL", factors=TOTP)
    assert account.configure("ON", TOTP)["MfaConfiguration"] == "ON"


@pytest.mark.parametrize("block", [EMAIL_CODE, PASSKEY])
def test_a_tier_without_the_feature_refuses_it(make: Make, block: dict[str, object]) -> None:
    account = make(mode="OFF", UserPoolTier="LITE")
    account.refused(
        "SetUserPoolMfaConfig", "FeatureUnavailableInTierException", **account.configuration("OPTIONAL", TOTP, block)
    )
    assert read(account) == {"MfaConfiguration": "OFF"}


def test_the_region_of_end_user_messaging_is_the_pools(account: Account) -> None:
    channel = {"CallerArn": "arn:aws:iam::123456789012:role/sms", "Region": "eu-west-1"}
    assert_refused(account, "Region", "OPTIONAL", {"SmsMfaConfiguration": {"SmsConfiguration": {"EumsSms": channel}}})
    right = {"SmsMfaConfiguration": {"SmsConfiguration": {"EumsSms": channel | {"Region": "us-west-2"}}}}
    assert account.configure("OPTIONAL", right)["SmsMfaConfiguration"] == right["SmsMfaConfiguration"]


def test_an_sms_channel_is_required(account: Account) -> None:
    assert_refused(
        account, "SnsCallerArn", "OPTIONAL", {"SmsMfaConfiguration": {"SmsConfiguration": {"ExternalId": "x"}}}
    )


@pytest.mark.parametrize("operation", ["GetUserPoolMfaConfig", "SetUserPoolMfaConfig", "DescribeUserPool"])
def test_an_absent_pool_is_not_found(account: Account, operation: str) -> None:
    account.refused(operation, "ResourceNotFoundException", "us-west-2_Absent000", UserPoolId="us-west-2_Absent000")


def test_a_pool_lives_in_the_region_of_the_call_that_made_it(embedded_url: str) -> None:
    europe = client(embedded_url, region="eu-central-1")
    pool_id = must(europe, "CreateUserPool", PoolName="there")["UserPool"]["Id"]
    assert pool_id.startswith("eu-central-1_")
    response = call(client(embedded_url), "DescribeUserPool", UserPoolId=pool_id)
    assert isinstance(response, Refused)
    assert response.code == "ResourceNotFoundException"


def test_pools_are_listed_page_by_page_without_their_mfa(embedded_url: str) -> None:
    there = client(embedded_url, region="ap-south-1")
    made = {must(there, "CreateUserPool", PoolName=f"pool {number}")["UserPool"]["Id"] for number in range(5)}
    pages, token = [], {}
    while True:
        page = must(there, "ListUserPools", MaxResults=2, **token)
        pages.append([pool["Id"] for pool in page["UserPools"]])
        assert all("MfaConfiguration" not in pool for pool in page["UserPools"])
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert [len(page) for page in pages] == [2, 2, 1]
    assert {pool_id for page in pages for pool_id in page} == made


def test_a_deleted_pool_is_gone(account: Account) -> None:
    account.must("DeleteUserPool", UserPoolId=account.pool_id)
    account.refused("DescribeUserPool", "ResourceNotFoundException", UserPoolId=account.pool_id)


def users(account: Account, **query: object) -> list[str]:
    """The usernames that ListUsers returns on all pages."""
    found, token = [], {}
    while True:
        page = account.must("ListUsers", UserPoolId=account.pool_id, **query, **token)
        for user in page["Users"]:
            assert "UserMFASettingList" not in user
            assert "PreferredMfaSetting" not in user
            found.append(user["Username"])
        if "PaginationToken" not in page:
            return found
        token = {"PaginationToken": page["PaginationToken"]}


def test_users_are_listed_filtered_and_paged(account: Account) -> None:
    for name in ("anna", "bert", "berta"):
        account.must(
            "AdminCreateUser",
            UserPoolId=account.pool_id,
            Username=name,
            MessageAction="SUPPRESS",
            UserAttributes=[{"Name": "email", "Value": f"{name}@example.com"}],
        )
    account.must("AdminDisableUser", UserPoolId=account.pool_id, Username="bert")
    assert sorted(users(account)) == ["anna", "bert", "berta"]
    assert sorted(users(account, Limit=2)) == ["anna", "bert", "berta"]
    assert users(account, Filter='email = "anna@example.com"') == ["anna"]
    assert sorted(users(account, Filter='username ^= "bert"')) == ["bert", "berta"]
    assert users(account, Filter='status = "Disabled"') == ["bert"]
    assert users(account, Filter='email = "nobody@example.com"') == []
    account.refused("ListUsers", "InvalidParameterException", UserPoolId=account.pool_id, Filter="no filter")


def test_a_user_that_exists_is_refused(account: Account) -> None:
    account.create_user()
    account.refused("AdminCreateUser", "UsernameExistsException", **account.user)


def test_a_pool_cannot_be_created_against_its_own_rules(account: Account) -> None:
    account.refused(
        "CreateUserPool", "InvalidParameterException", PoolName="bad", AutoVerifiedAttributes=["phone_number"]
    )
    account.must("CreateUserPool", PoolName="good", **DEVELOPER_EMAIL)
