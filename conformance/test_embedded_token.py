"""Sends valid and invalid access tokens to every operation of the embedded Cognito that takes one."""

import pytest

from suite import jwt
from suite.account import USERNAME, Account, Make
from suite.cognito import Refused, call

REQUESTS: dict[str, dict[str, object]] = {
    "GetUser": {},
    "GetUserAuthFactors": {},
    "SetUserMFAPreference": {},
    "SetUserSettings": {"MFAOptions": []},
    "AssociateSoftwareToken": {},
    "VerifySoftwareToken": {"UserCode": "123456"},
    "StartWebAuthnRegistration": {},
    "CompleteWebAuthnRegistration": {"Credential": {}},
    "ListWebAuthnCredentials": {},
    "DeleteWebAuthnCredential": {"CredentialId": "dW5rbm93bg"},
    "GlobalSignOut": {},
}
KNOW_A_MISSING_USER = {
    "GetUser",
    "GetUserAuthFactors",
    "SetUserMFAPreference",
    "SetUserSettings",
    "VerifySoftwareToken",
}

pytestmark = pytest.mark.parametrize("operation", REQUESTS)


@pytest.fixture
def account(make: Make) -> Account:
    """An optional pool with every factor, and a signed-in user."""
    account = make()
    account.create_user()
    account.sign_in()
    return account


def assert_rejected(account: Account, operation: str, token: str, text: str) -> None:
    """Asserts that the operation rejects the token with this text."""
    account.refused(operation, "NotAuthorizedException", text, AccessToken=token, **REQUESTS[operation])


def test_what_is_not_a_token_is_refused(account: Account, operation: str) -> None:
    for token in ("not-a-token", "a.b.c", "e30.e30.e30", account.access_token[:-20]):
        assert_rejected(account, operation, token, "Invalid Access Token")


def test_a_token_with_changed_claims_is_refused(account: Account, operation: str) -> None:
    assert_rejected(account, operation, jwt.changed(account.access_token, username="pia"), "Invalid Access Token")


def test_an_unsigned_token_is_refused(account: Account, operation: str) -> None:
    assert_rejected(account, operation, jwt.unsigned(account.access_token), "Invalid Access Token")


def test_an_id_token_is_not_an_access_token(account: Account, operation: str) -> None:
    token = account.start()["AuthenticationResult"]["IdToken"]
    assert_rejected(account, operation, token, "Invalid Access Token")


def test_an_expired_token_is_refused(account: Account, operation: str) -> None:
    token = account.control.mint(account.pool_id, USERNAME, ExpiresIn=-1)
    assert_rejected(account, operation, token, "Access Token has expired")


def test_a_token_expires_by_the_clock(account: Account, operation: str) -> None:
    token = account.control.mint(account.pool_id, USERNAME, ExpiresIn=300)
    account.control.advance(301)
    assert_rejected(account, operation, token, "Access Token has expired")


def test_a_token_without_the_scope_is_refused(account: Account, operation: str) -> None:
    token = account.control.mint(account.pool_id, USERNAME, Scope="openid profile")
    assert_rejected(account, operation, token, "Access Token does not have required scopes")


@pytest.mark.parametrize("by", ["user", "administrator"])
def test_a_signed_out_token_is_refused(account: Account, operation: str, by: str) -> None:
    if by == "user":
        account.must("GlobalSignOut", AccessToken=account.access_token)
    else:
        account.must("AdminUserGlobalSignOut", **account.user)
    assert_rejected(account, operation, account.access_token, "Access Token has been revoked")


def test_a_token_made_after_a_sign_out_is_accepted(account: Account, operation: str) -> None:
    old = account.access_token
    account.must("GlobalSignOut", AccessToken=old)
    new = account.sign_in()
    assert account.must("GetUser", AccessToken=new)["Username"] == USERNAME
    assert_rejected(account, operation, old, "Access Token has been revoked")


def test_the_token_of_a_disabled_user_is_refused(account: Account, operation: str) -> None:
    account.must("AdminDisableUser", **account.user)
    token = account.control.mint(account.pool_id, USERNAME)
    assert_rejected(account, operation, token, "User is disabled")


def test_disabling_a_user_revokes_the_tokens_for_good(account: Account, operation: str) -> None:
    account.must("AdminDisableUser", **account.user)
    account.refused(operation, "NotAuthorizedException", AccessToken=account.access_token, **REQUESTS[operation])
    account.must("AdminEnableUser", **account.user)
    assert_rejected(account, operation, account.access_token, "Access Token has been revoked")


def test_the_token_of_a_deleted_user_is_refused(account: Account, operation: str) -> None:
    account.must("AdminDeleteUser", **account.user)
    code = "UserNotFoundException" if operation in KNOW_A_MISSING_USER else "NotAuthorizedException"
    account.refused(operation, code, AccessToken=account.access_token, **REQUESTS[operation])


def test_the_token_of_a_deleted_pool_is_refused(account: Account, operation: str) -> None:
    account.must("DeleteUserPool", UserPoolId=account.pool_id)
    account.refused("GetUserPoolMfaConfig", "ResourceNotFoundException", UserPoolId=account.pool_id)
    response = call(account.cognito, operation, AccessToken=account.access_token, **REQUESTS[operation])
    assert isinstance(response, Refused)
    assert response.code in {"NotAuthorizedException", "ResourceNotFoundException"}
