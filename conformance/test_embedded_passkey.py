"""Registers passkeys in the embedded Cognito with boto3 and a software authenticator."""

import pytest

from suite.account import ENABLED, FLOWS, PASSKEY, PASSWORD, TOTP, USERNAME, Account, Make
from suite.authenticator import CREDENTIAL_INCLUDED, ED25519, USER_PRESENT, USER_VERIFIED, Authenticator

CHALLENGE_SECONDS = 180
MOST = 20


@pytest.fixture
def account(make: Make) -> Account:
    """An optional pool with passkeys for localhost, and a signed-in user."""
    account = make()
    account.create_user()
    account.sign_in()
    return account


def start(account: Account) -> dict[str, object]:
    """Starts a registration and returns its options."""
    return account.must("StartWebAuthnRegistration", AccessToken=account.access_token)["CredentialCreationOptions"]


def completion(account: Account, credential: object) -> dict[str, object]:
    """The request that completes a registration."""
    return {"AccessToken": account.access_token, "Credential": credential}


def register(account: Account) -> str:
    """Registers another passkey and returns its id."""
    credential = Authenticator().create(start(account))
    assert account.must("CompleteWebAuthnRegistration", **completion(account, credential)) == {}
    return str(credential["id"])


def listed(account: Account, **page: object) -> dict:
    """A page of the user's passkeys."""
    return account.must("ListWebAuthnCredentials", AccessToken=account.access_token, **page)


def test_the_options_are_for_the_pools_relying_party_and_fresh(account: Account) -> None:
    options = start(account)
    assert options["rp"]["id"] == "localhost"
    assert options["user"]["name"] == USERNAME
    assert {entry["alg"] for entry in options["pubKeyCredParams"]} >= {-7, -257}
    assert options["authenticatorSelection"]["userVerification"] == "preferred"
    assert options["challenge"] != start(account)["challenge"]


def test_a_registered_passkey_is_listed_excluded_and_deleted(account: Account) -> None:
    identifier = register(account)
    (credential,) = listed(account)["Credentials"]
    assert credential["CredentialId"] == identifier
    assert credential["RelyingPartyId"] == "localhost"
    assert credential["AuthenticatorAttachment"] == "platform"
    assert credential["AuthenticatorTransports"] == ["internal"]
    assert credential["FriendlyCredentialName"]
    assert credential["CreatedAt"].timestamp() == pytest.approx(account.control.advance(0), abs=60)
    assert [entry["id"] for entry in start(account)["excludeCredentials"]] == [identifier]
    request = {"AccessToken": account.access_token, "CredentialId": identifier}
    account.must("DeleteWebAuthnCredential", **request)
    assert listed(account)["Credentials"] == []
    account.refused("DeleteWebAuthnCredential", "ResourceNotFoundException", **request)


def test_passkeys_are_listed_page_by_page(account: Account) -> None:
    registered = [register(account) for _ in range(5)]
    pages, token = [], {}
    while True:
        page = listed(account, MaxResults=2, **token)
        pages.append([credential["CredentialId"] for credential in page["Credentials"]])
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert [len(page) for page in pages] == [2, 2, 1]
    assert sorted(identifier for page in pages for identifier in page) == sorted(registered)
    account.refused(
        "ListWebAuthnCredentials",
        "InvalidParameterException",
        AccessToken=account.access_token,
        NextToken="no-such-page",
    )


def test_a_user_has_at_most_twenty_passkeys(account: Account) -> None:
    for _ in range(MOST):
        register(account)
    account.refused("StartWebAuthnRegistration", "LimitExceededException", AccessToken=account.access_token)


@pytest.mark.parametrize(
    ("authenticator", "code"),
    [
        (Authenticator(origin="https://evil.example"), "WebAuthnOriginNotAllowedException"),
        (Authenticator(origin="http://localhost.example"), "WebAuthnOriginNotAllowedException"),
        (Authenticator(relying_party_id="example.com"), "WebAuthnRelyingPartyMismatchException"),
        (Authenticator(algorithm=ED25519), "WebAuthnCredentialNotSupportedException"),
        (Authenticator(attestation_format="packed"), "WebAuthnCredentialNotSupportedException"),
        (Authenticator(challenge="AAAAAAAAAAAAAAAAAAAAAA"), "WebAuthnChallengeNotFoundException"),
        (Authenticator(client_data_type="webauthn.get"), "InvalidParameterException"),
        (Authenticator(flags=USER_VERIFIED | CREDENTIAL_INCLUDED), "InvalidParameterException"),
        (Authenticator(flags=USER_PRESENT | USER_VERIFIED), "InvalidParameterException"),
    ],
    ids=[
        "origin",
        "origin-suffix",
        "relying-party",
        "algorithm",
        "attestation",
        "challenge",
        "type",
        "absent",
        "empty",
    ],
)
def test_a_bad_credential_is_refused_for_what_is_bad(account: Account, authenticator: Authenticator, code: str) -> None:
    credential = authenticator.create(start(account))
    account.refused("CompleteWebAuthnRegistration", code, **completion(account, credential))
    assert listed(account)["Credentials"] == []


def test_a_pool_that_requires_user_verification_refuses_presence_alone(make: Make) -> None:
    strict = {"WebAuthnConfiguration": PASSKEY["WebAuthnConfiguration"] | {"UserVerification": "required"}}
    account = make(factors=TOTP | strict)
    account.create_user()
    account.sign_in()
    options = start(account)
    assert options["authenticatorSelection"]["userVerification"] == "required"
    credential = Authenticator(flags=USER_PRESENT | CREDENTIAL_INCLUDED).create(options)
    account.refused("CompleteWebAuthnRegistration", "InvalidParameterException", **completion(account, credential))


def test_presence_alone_passes_where_verification_is_only_preferred(account: Account) -> None:
    credential = Authenticator(flags=USER_PRESENT | CREDENTIAL_INCLUDED).create(start(account))
    account.must("CompleteWebAuthnRegistration", **completion(account, credential))


@pytest.mark.parametrize("part", ["id", "type", "response"])
def test_a_credential_without_a_part_is_refused(account: Account, part: str) -> None:
    credential = Authenticator().create(start(account))
    del credential[part]
    account.refused("CompleteWebAuthnRegistration", "InvalidParameterException", **completion(account, credential))


def test_a_credential_with_garbage_for_an_attestation_is_refused(account: Account) -> None:
    credential = Authenticator().create(start(account))
    credential["response"] |= {"attestationObject": "AAAA"}
    account.refused("CompleteWebAuthnRegistration", "InvalidParameterException", **completion(account, credential))


def test_a_challenge_can_be_used_once(account: Account) -> None:
    credential = Authenticator().create(start(account))
    account.must("CompleteWebAuthnRegistration", **completion(account, credential))
    account.refused(
        "CompleteWebAuthnRegistration", "WebAuthnChallengeNotFoundException", **completion(account, credential)
    )


def test_a_challenge_expires(account: Account) -> None:
    credential = Authenticator().create(start(account))
    account.control.advance(CHALLENGE_SECONDS + 1)
    account.refused(
        "CompleteWebAuthnRegistration", "WebAuthnChallengeNotFoundException", **completion(account, credential)
    )


def test_a_registration_that_was_not_started_cannot_be_completed(account: Account) -> None:
    credential = Authenticator().create({"challenge": "AAAA", "rp": {"id": "localhost"}})
    account.refused(
        "CompleteWebAuthnRegistration", "WebAuthnChallengeNotFoundException", **completion(account, credential)
    )


def test_another_client_cannot_complete_the_registration(account: Account) -> None:
    credential = Authenticator().create(start(account))
    client = account.must(
        "CreateUserPoolClient", UserPoolId=account.pool_id, ClientName="other", ExplicitAuthFlows=FLOWS
    )["UserPoolClient"]["ClientId"]
    token = account.must(
        "InitiateAuth",
        ClientId=client,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": USERNAME, "PASSWORD": PASSWORD},
    )["AuthenticationResult"]["AccessToken"]
    account.refused(
        "CompleteWebAuthnRegistration", "WebAuthnClientMismatchException", AccessToken=token, Credential=credential
    )


def test_a_pool_without_passkeys_refuses_to_register(make: Make) -> None:
    account = make(factors=TOTP)
    account.create_user()
    account.sign_in()
    account.refused("StartWebAuthnRegistration", "WebAuthnNotEnabledException", AccessToken=account.access_token)


def test_a_pool_without_a_relying_party_refuses_to_register(make: Make) -> None:
    first = {"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "WEB_AUTHN"]}}
    account = make(mode="OFF", Policies=first)
    account.create_user()
    account.sign_in()
    account.refused(
        "StartWebAuthnRegistration", "WebAuthnConfigurationMissingException", AccessToken=account.access_token
    )


def test_a_registered_passkey_is_an_authentication_factor(account: Account) -> None:
    assert "WEB_AUTHN" not in account.must("AdminGetUserAuthFactors", **account.user)["ConfiguredUserAuthFactors"]
    register(account)
    assert "WEB_AUTHN" in account.must("AdminGetUserAuthFactors", **account.user)["ConfiguredUserAuthFactors"]
    account.prefer(SMSMfaSettings=ENABLED, WebAuthnMfaSettings={"Enabled": True})
