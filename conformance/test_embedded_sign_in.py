"""Signs users of the embedded Cognito in with boto3, through every challenge and every refusal."""

import botocore.client
import pytest

from suite import cognito, jwt
from suite.account import (
    EMAIL_CODE,
    ENABLED,
    LOCKOUT_SECONDS,
    PASSWORD,
    PHONE,
    PREFERRED,
    SMS,
    TOTP,
    USERNAME,
    Account,
    Make,
)

SESSION_SECONDS = 180
STEP_SECONDS = 30


@pytest.fixture
def account(make: Make) -> Account:
    """An optional pool with every factor, and a user who has enrolled a software token and is signed in."""
    account = make()
    account.create_user()
    account.sign_in()
    account.enrol()
    # The enrolment consumed the code of this step.
    account.control.advance(STEP_SECONDS)
    return account


def test_the_tokens_are_signed_with_the_published_key_and_have_cognitos_claims(
    account: Account, embedded_url: str
) -> None:
    result = account.start()["AuthenticationResult"]
    assert result["TokenType"] == "Bearer"
    assert result["ExpiresIn"] == 3600
    access = jwt.verified_claims(embedded_url, account.pool_id, result["AccessToken"])
    assert access["iss"] == f"https://cognito-idp.us-west-2.amazonaws.com/{account.pool_id}"
    assert access["token_use"] == "access"
    assert access["client_id"] == account.client_id
    assert access["username"] == USERNAME
    assert access["sub"] == account.attributes()["sub"]
    assert access["scope"] == "aws.cognito.signin.user.admin"
    assert access["exp"] - access["iat"] == 3600
    identity = jwt.verified_claims(embedded_url, account.pool_id, result["IdToken"])
    assert identity["token_use"] == "id"
    assert identity["aud"] == account.client_id
    assert identity["cognito:username"] == USERNAME


def test_an_sms_code_is_sent_and_proves_possession_of_the_phone(account: Account) -> None:
    account.prefer(SMSMfaSettings=PREFERRED)
    challenge = account.start()
    assert challenge["ChallengeName"] == "SMS_MFA"
    assert "AuthenticationResult" not in challenge
    assert challenge["ChallengeParameters"]["CODE_DELIVERY_DELIVERY_MEDIUM"] == "SMS"
    assert challenge["ChallengeParameters"]["CODE_DELIVERY_DESTINATION"].endswith(PHONE[-4:])
    assert account.attributes().get("phone_number_verified") != "true"
    code = account.newest_code()
    wrong = f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}"
    account.refused(
        "RespondToAuthChallenge", "CodeMismatchException", **account.challenge_response(challenge, SMS_MFA_CODE=wrong)
    )
    assert "AccessToken" in account.respond(challenge, SMS_MFA_CODE=code)["AuthenticationResult"]
    assert account.attributes()["phone_number_verified"] == "true"


def test_an_e_mail_code_is_sent(account: Account) -> None:
    account.prefer(EmailMfaSettings=PREFERRED)
    challenge = account.start()
    assert challenge["ChallengeName"] == "EMAIL_OTP"
    response = account.respond(challenge, EMAIL_OTP_CODE=account.newest_code())
    assert "AccessToken" in response["AuthenticationResult"]
    assert account.attributes()["email_verified"] == "true"


def test_a_software_token_code_is_accepted_once(account: Account) -> None:
    account.prefer(SoftwareTokenMfaSettings=PREFERRED)
    challenge = account.start()
    assert challenge["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    account.refused(
        "RespondToAuthChallenge",
        "CodeMismatchException",
        **account.challenge_response(challenge, SOFTWARE_TOKEN_MFA_CODE=account.wrong_code()),
    )
    code = account.code()
    assert "AccessToken" in account.respond(challenge, SOFTWARE_TOKEN_MFA_CODE=code)["AuthenticationResult"]
    again = account.start()
    account.refused(
        "RespondToAuthChallenge",
        "ExpiredCodeException",
        "already been used once",
        **account.challenge_response(again, SOFTWARE_TOKEN_MFA_CODE=code),
    )


@pytest.mark.parametrize(("steps", "accepted"), [(1, True), (3, False)])
def test_a_software_token_may_be_one_step_behind(account: Account, steps: int, accepted: bool) -> None:
    account.prefer(SoftwareTokenMfaSettings=PREFERRED)
    challenge = account.start()
    code = account.code()
    account.control.advance(steps * STEP_SECONDS)
    request = account.challenge_response(challenge, SOFTWARE_TOKEN_MFA_CODE=code)
    if accepted:
        account.must("RespondToAuthChallenge", **request)
    else:
        account.refused("RespondToAuthChallenge", "CodeMismatchException", **request)


def test_several_factors_without_a_preference_are_offered_for_choice(account: Account) -> None:
    account.prefer(SMSMfaSettings=ENABLED, SoftwareTokenMfaSettings=ENABLED)
    challenge = account.start()
    assert challenge["ChallengeName"] == "SELECT_MFA_TYPE"
    for factor in ("SMS_MFA", "SOFTWARE_TOKEN_MFA"):
        assert factor in challenge["ChallengeParameters"]["MFAS_CAN_CHOOSE"]
    account.refused(
        "RespondToAuthChallenge",
        "MFAMethodNotFoundException",
        **account.challenge_response(challenge, ANSWER="EMAIL_OTP"),
    )
    chosen = account.respond(challenge, ANSWER="SOFTWARE_TOKEN_MFA")
    assert chosen["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    response = account.respond(chosen, SOFTWARE_TOKEN_MFA_CODE=account.code())
    assert "AccessToken" in response["AuthenticationResult"]


def test_the_preferred_of_several_factors_is_challenged(account: Account) -> None:
    account.prefer(SMSMfaSettings=PREFERRED, SoftwareTokenMfaSettings=ENABLED)
    assert account.start()["ChallengeName"] == "SMS_MFA"
    account.prefer(SMSMfaSettings=ENABLED, SoftwareTokenMfaSettings=PREFERRED)
    assert account.start()["ChallengeName"] == "SOFTWARE_TOKEN_MFA"


def test_a_pool_that_is_switched_off_challenges_nobody(account: Account) -> None:
    account.prefer(SMSMfaSettings=PREFERRED)
    account.configure("OFF")
    assert "AuthenticationResult" in account.start()


def test_a_pool_that_requires_mfa_challenges_by_sms_if_there_is_a_phone_number(make: Make) -> None:
    account = make(mode="ON", factors=SMS)
    account.create_user()
    assert account.start()["ChallengeName"] == "SMS_MFA"
    assert account.factors() == ([], None)


@pytest.fixture
def unenrolled(make: Make) -> Account:
    """A pool that requires a software token, and a user who has none."""
    account = make(mode="ON", factors=TOTP)
    account.create_user(phone=False, email=False)
    return account


def test_a_user_without_a_factor_sets_one_up_during_sign_in(unenrolled: Account) -> None:
    challenge = unenrolled.start()
    assert challenge["ChallengeName"] == "MFA_SETUP"
    assert "SOFTWARE_TOKEN_MFA" in challenge["ChallengeParameters"]["MFAS_CAN_SETUP"]
    associated = unenrolled.must("AssociateSoftwareToken", Session=challenge["Session"])
    assert associated["Session"] != challenge["Session"]
    verified = unenrolled.must(
        "VerifySoftwareToken", Session=associated["Session"], UserCode=unenrolled.code(), FriendlyDeviceName="phone"
    )
    assert verified["Status"] == "SUCCESS"
    assert verified["Session"] not in {associated["Session"], challenge["Session"]}
    response = unenrolled.respond(challenge | {"Session": verified["Session"]})
    assert "AccessToken" in response["AuthenticationResult"]
    assert unenrolled.factors()[0] == ["SOFTWARE_TOKEN_MFA"]
    unenrolled.control.advance(STEP_SECONDS)
    assert unenrolled.start()["ChallengeName"] == "SOFTWARE_TOKEN_MFA"


def test_a_wrong_code_during_set_up_is_a_mismatch(unenrolled: Account) -> None:
    associated = unenrolled.must("AssociateSoftwareToken", Session=unenrolled.start()["Session"])
    unenrolled.refused(
        "VerifySoftwareToken", "CodeMismatchException", Session=associated["Session"], UserCode=unenrolled.wrong_code()
    )


def test_a_session_can_be_used_once(unenrolled: Account) -> None:
    challenge = unenrolled.start()
    associated = unenrolled.must("AssociateSoftwareToken", Session=challenge["Session"])
    unenrolled.refused(
        "AssociateSoftwareToken",
        "NotAuthorizedException",
        "session can only be used once",
        Session=challenge["Session"],
    )
    unenrolled.must("VerifySoftwareToken", Session=associated["Session"], UserCode=unenrolled.code())
    unenrolled.refused(
        "VerifySoftwareToken",
        "NotAuthorizedException",
        "session can only be used once",
        Session=associated["Session"],
        UserCode=unenrolled.code(),
    )


def test_a_session_expires(unenrolled: Account) -> None:
    challenge = unenrolled.start()
    unenrolled.control.advance(SESSION_SECONDS + 1)
    unenrolled.refused(
        "AssociateSoftwareToken", "NotAuthorizedException", "session is expired", Session=challenge["Session"]
    )


def test_a_set_up_cannot_be_completed_before_the_code_is_verified(unenrolled: Account) -> None:
    challenge = unenrolled.start()
    unenrolled.refused(
        "RespondToAuthChallenge",
        "NotAuthorizedException",
        "Invalid session",
        **unenrolled.challenge_response(challenge),
    )
    associated = unenrolled.must("AssociateSoftwareToken", Session=challenge["Session"])
    unenrolled.refused(
        "RespondToAuthChallenge",
        "NotAuthorizedException",
        "Invalid session",
        **unenrolled.challenge_response(challenge | {"Session": associated["Session"]}),
    )


def test_an_unknown_session_is_refused(unenrolled: Account) -> None:
    for operation, more in (("AssociateSoftwareToken", {}), ("VerifySoftwareToken", {"UserCode": "123456"})):
        unenrolled.refused(operation, "NotAuthorizedException", "Invalid session", Session="s" * 64, **more)


def test_a_session_of_another_user_is_refused(account: Account) -> None:
    account.prefer(SMSMfaSettings=PREFERRED)
    challenge = account.start()
    account.must("AdminCreateUser", UserPoolId=account.pool_id, Username="pia", MessageAction="SUPPRESS")
    request = account.challenge_response(challenge, SMS_MFA_CODE=account.newest_code(), USERNAME="pia")
    account.refused("RespondToAuthChallenge", "NotAuthorizedException", "Invalid session", **request)


def test_a_challenge_cannot_be_answered_under_another_username(account: Account) -> None:
    account.prefer(SMSMfaSettings=PREFERRED, SoftwareTokenMfaSettings=ENABLED)
    challenge = account.start() | {"ChallengeName": "SOFTWARE_TOKEN_MFA"}
    account.refused(
        "RespondToAuthChallenge",
        "NotAuthorizedException",
        "Invalid session",
        **account.challenge_response(challenge, SOFTWARE_TOKEN_MFA_CODE=account.code()),
    )


def test_a_self_registered_user_enrols_at_the_first_sign_in(make: Make) -> None:
    account = make(mode="ON", factors=TOTP)
    account.must("SignUp", ClientId=account.client_id, Username=USERNAME, Password=PASSWORD)
    account.must("AdminConfirmSignUp", **account.user)
    answer = account.start()
    assert answer["ChallengeName"] == "MFA_SETUP"
    assert "AuthenticationResult" not in answer


def test_a_temporary_password_has_to_be_changed(make: Make) -> None:
    account = make()
    account.must("AdminCreateUser", **account.user, TemporaryPassword=PASSWORD, MessageAction="SUPPRESS")
    challenge = account.start()
    assert challenge["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    account.refused(
        "RespondToAuthChallenge",
        "InvalidPasswordException",
        **account.challenge_response(challenge, NEW_PASSWORD="short"),
    )
    response = account.respond(challenge, NEW_PASSWORD="Another-Horse-8")
    assert "AccessToken" in response["AuthenticationResult"]
    assert account.must("AdminGetUser", **account.user)["UserStatus"] == "CONFIRMED"


def test_an_administrator_signs_a_user_in_and_answers_the_challenge(account: Account) -> None:
    account.prefer(SMSMfaSettings=PREFERRED)
    for flow in ("ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"):
        challenge = account.must(
            "AdminInitiateAuth",
            UserPoolId=account.pool_id,
            ClientId=account.client_id,
            AuthFlow=flow,
            AuthParameters={"USERNAME": USERNAME, "PASSWORD": PASSWORD},
        )
        assert challenge["ChallengeName"] == "SMS_MFA"
        request = account.challenge_response(challenge, SMS_MFA_CODE=account.newest_code())
        response = account.must("AdminRespondToAuthChallenge", UserPoolId=account.pool_id, **request)
        assert "AccessToken" in response["AuthenticationResult"]


def test_a_refresh_token_gives_new_tokens_until_the_user_is_signed_out(account: Account) -> None:
    account.sign_in()
    request = {
        "ClientId": account.client_id,
        "AuthFlow": "REFRESH_TOKEN_AUTH",
        "AuthParameters": {"REFRESH_TOKEN": account.refresh_token},
    }
    refreshed = account.must("InitiateAuth", **request)["AuthenticationResult"]["AccessToken"]
    assert account.must("GetUser", AccessToken=refreshed)["Username"] == USERNAME
    account.must("AdminUserGlobalSignOut", **account.user)
    account.refused("InitiateAuth", "NotAuthorizedException", **request)
    account.refused("GetUser", "NotAuthorizedException", "Access Token has been revoked", AccessToken=refreshed)


def test_wrong_codes_lock_the_user_for_longer_and_longer(account: Account) -> None:
    account.prefer(SoftwareTokenMfaSettings=PREFERRED)
    challenge = account.start()
    for lock in LOCKOUT_SECONDS:
        account.control.advance(lock)
        account.refused(
            "RespondToAuthChallenge",
            "CodeMismatchException",
            **account.challenge_response(challenge, SOFTWARE_TOKEN_MFA_CODE=account.wrong_code()),
        )
    right = account.challenge_response(challenge, SOFTWARE_TOKEN_MFA_CODE=account.code())
    account.refused("RespondToAuthChallenge", "NotAuthorizedException", "locked", **right)
    account.control.advance(64)
    right = account.challenge_response(challenge, SOFTWARE_TOKEN_MFA_CODE=account.code())
    assert "AccessToken" in account.must("RespondToAuthChallenge", **right)["AuthenticationResult"]


def password_request(account: Account, username: str = USERNAME, password: str = PASSWORD) -> dict[str, object]:
    """The request of a password sign-in."""
    return {
        "ClientId": account.client_id,
        "AuthFlow": "USER_PASSWORD_AUTH",
        "AuthParameters": {"USERNAME": username, "PASSWORD": password},
    }


def test_a_wrong_password_is_refused(account: Account) -> None:
    account.refused(
        "InitiateAuth",
        "NotAuthorizedException",
        "Incorrect username or password",
        **password_request(account, password="Wrong-Horse-7"),
    )


def test_an_unknown_user_is_refused(account: Account) -> None:
    account.refused("InitiateAuth", "UserNotFoundException", **password_request(account, username="nobody"))


def test_a_client_that_hides_users_responds_as_if_the_password_were_wrong(account: Account) -> None:
    client = account.must(
        "CreateUserPoolClient",
        UserPoolId=account.pool_id,
        ClientName="hiding",
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        PreventUserExistenceErrors="ENABLED",
    )["UserPoolClient"]["ClientId"]
    account.refused(
        "InitiateAuth",
        "NotAuthorizedException",
        "Incorrect username or password",
        **password_request(account, username="nobody") | {"ClientId": client},
    )


def test_an_unknown_client_is_refused(account: Account) -> None:
    account.refused("InitiateAuth", "ResourceNotFoundException", **password_request(account) | {"ClientId": "absent"})


def test_a_disabled_user_is_refused(account: Account) -> None:
    account.must("AdminDisableUser", **account.user)
    account.refused("InitiateAuth", "NotAuthorizedException", "User is disabled", **password_request(account))


def test_an_unconfirmed_user_is_refused_until_confirmed(make: Make) -> None:
    account = make()
    account.must("SignUp", ClientId=account.client_id, Username=USERNAME, Password=PASSWORD)
    account.refused("InitiateAuth", "UserNotConfirmedException", **password_request(account))
    account.refused("AdminSetUserMFAPreference", "UserNotConfirmedException", **account.user)
    account.must("AdminConfirmSignUp", **account.user)
    assert "AuthenticationResult" in account.start()


def test_a_user_who_must_reset_the_password_is_refused(account: Account) -> None:
    token = account.sign_in()
    account.must(
        "AdminUpdateUserAttributes", **account.user, UserAttributes=[{"Name": "email_verified", "Value": "true"}]
    )
    account.must("AdminResetUserPassword", **account.user)
    account.refused("InitiateAuth", "PasswordResetRequiredException", **password_request(account))
    account.refused("AdminSetUserMFAPreference", "PasswordResetRequiredException", **account.user)
    account.refused("GetUser", "PasswordResetRequiredException", AccessToken=token)
    assert account.must("AdminGetUser", **account.user)["UserStatus"] == "RESET_REQUIRED"


@pytest.mark.parametrize("flow", ["USER_PASSWORD_AUTH", "REFRESH_TOKEN_AUTH"])
def test_a_flow_that_the_client_does_not_allow_is_refused(
    account: Account, embedded: botocore.client.BaseClient, flow: str
) -> None:
    client = account.must(
        "CreateUserPoolClient",
        UserPoolId=account.pool_id,
        ClientName="strict",
        ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"],
    )["UserPoolClient"]["ClientId"]
    request = password_request(account) | {"ClientId": client, "AuthFlow": flow}
    cognito.refused(embedded, "InitiateAuth", "InvalidParameterException", "not enabled for this client", **request)


def test_an_e_mail_factor_can_be_set_up_during_sign_in(make: Make) -> None:
    account = make(mode="ON", factors=EMAIL_CODE)
    account.create_user(phone=False, email=False)
    challenge = account.start()
    assert challenge["ChallengeName"] == "MFA_SETUP"
    sent = account.respond(challenge, EMAIL="pia@example.com")
    assert sent["ChallengeName"] == "EMAIL_OTP"
    response = account.respond(sent, EMAIL_OTP_CODE=account.newest_code())
    assert "AccessToken" in response["AuthenticationResult"]
