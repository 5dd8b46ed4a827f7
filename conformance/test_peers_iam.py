"""Calls a moto with IAM, which checks mfagate's signatures and permissions, key by key."""

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from suite import cognito, gate, iam, manual, peer, relay
from suite.gate import Gate, Refusal

POOL = {"MfaConfiguration": "OPTIONAL", "SoftwareTokenMfaConfiguration": {"Enabled": True}}
EVERYTHING = ["cognito-idp:*"]
READ_ONLY = ["cognito-idp:GetUserPoolMfaConfig"]
Serve = Callable[[str, tuple[str, str]], Gate]


@dataclasses.dataclass(frozen=True)
class Account:
    """An AWS account of moto: a pool with a user, and two IAM users' keys."""

    url: str
    relayed_url: str
    pool_id: str
    administrator: tuple[str, str]
    reader: tuple[str, str]


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """A moto that checks signatures and policies once its account is set up."""
    with peer.started("moto_with_iam") as running, relay.started(running.url) as relayed:
        user_pools = cognito.client(running.url)
        pool_id = cognito.must(user_pools, "CreateUserPool", PoolName="conformance")["UserPool"]["Id"]
        cognito.must(user_pools, "SetUserPoolMfaConfig", UserPoolId=pool_id, **POOL)
        cognito.must(user_pools, "AdminCreateUser", UserPoolId=pool_id, Username="maria", MessageAction="SUPPRESS")
        administrator = iam.user(running.url, "administrator", EVERYTHING)
        reader = iam.user(running.url, "reader", READ_ONLY)
        iam.enforce_authentication(running.url)
        yield Account(running.url, relayed, pool_id, administrator, reader)


@pytest.fixture(scope="module")
def serve(account: Account) -> Iterator[Serve]:
    """Runs `mfagate serve` with a key, in front of moto or the relay; each is started once."""
    with ExitStack() as stack:
        running: dict[tuple[str, str, str], Gate] = {}

        def started(url: str, key: tuple[str, str]) -> Gate:
            if (url, *key) not in running:
                running[url, *key] = stack.enter_context(gate.serving(url, *key))
            return running[url, *key]

        yield started


WRONG_SECRET = "A" * 40
UNKNOWN_KEY = ("AKIAIOSFODNN7EXAMPLE", WRONG_SECRET)


def get(running: Gate, account: Account) -> dict[str, object] | Refusal:
    """Reads the pool's configuration through mfagate."""
    return running.call("GetUserPoolMfaConfig", {"user_pool_id": account.pool_id})


def prefer(running: Gate, account: Account) -> dict[str, object] | Refusal:
    """Sets a preference through mfagate."""
    sms = {"enabled": True, "preferred_mfa": True}
    return running.call(
        "AdminSetUserMfaPreference",
        {"user_pool_id": account.pool_id, "username": "maria", "sms_mfa_settings": sms},
    )


def test_a_good_signature_with_the_right_policy_passes(account: Account, serve: Serve) -> None:
    running = serve(account.url, account.administrator)
    assert get(running, account) == {
        "mfa_configuration": "USER_POOL_MFA_TYPE_OPTIONAL",
        "software_token_mfa_configuration": {"enabled": True},
        "unconfigured_factors": ["MFA_FACTOR_SMS", "MFA_FACTOR_EMAIL", "MFA_FACTOR_WEB_AUTHN"],
    }
    assert prefer(running, account) == {}
    user = running.call("AdminGetUser", {"user_pool_id": account.pool_id, "username": "maria"})
    assert not isinstance(user, Refusal)
    assert user["preferred_mfa_setting"] == "MFA_FACTOR_SMS"


def test_every_admin_rpc_that_moto_knows_is_signed_so_that_it_passes(account: Account, serve: Serve) -> None:
    running = serve(account.url, account.administrator)
    configuration = {
        "user_pool_id": account.pool_id,
        "mfa_configuration": "USER_POOL_MFA_TYPE_OPTIONAL",
        "software_token_mfa_configuration": {"enabled": True},
        "unconfigured_factors": ["MFA_FACTOR_SMS", "MFA_FACTOR_EMAIL", "MFA_FACTOR_WEB_AUTHN"],
    }
    assert not isinstance(running.call("SetUserPoolMfaConfig", configuration), Refusal)
    unknown = running.call("AdminGetUser", {"user_pool_id": account.pool_id, "username": "nobody"})
    assert isinstance(unknown, Refusal)
    assert unknown.reason == "USER_NOT_FOUND"


def assert_mfagates_failure(refusal: dict[str, object] | Refusal, reason: str, code: str | None) -> None:
    """Asserts a refusal that does not blame the caller's credential, and that names neither account nor role."""
    assert isinstance(refusal, Refusal)
    manual.assert_documented(refusal)
    assert refusal.code == "INTERNAL"
    assert refusal.reason == reason
    assert refusal.metadata.get("cognito_code") == code
    said = json.dumps([refusal.message, refusal.details])
    assert not re.search(r"arn:|123456789012|AKIA|reader", said), said


def test_a_policy_without_the_action_is_access_denied(account: Account, serve: Serve) -> None:
    running = serve(account.relayed_url, account.reader)
    assert not isinstance(get(running, account), Refusal)
    assert_mfagates_failure(prefer(running, account), "MFAGATE_ACCESS_DENIED", "AccessDeniedException")


def test_a_wrong_secret_is_credentials_rejected(account: Account, serve: Serve) -> None:
    running = serve(account.relayed_url, (account.administrator[0], WRONG_SECRET))
    for response in (get(running, account), prefer(running, account)):
        assert_mfagates_failure(response, "MFAGATE_CREDENTIALS_REJECTED", "SignatureDoesNotMatch")


def test_an_unknown_key_is_credentials_rejected(account: Account, serve: Serve) -> None:
    running = serve(account.relayed_url, UNKNOWN_KEY)
    assert_mfagates_failure(get(running, account), "MFAGATE_CREDENTIALS_REJECTED", "InvalidClientTokenId")


@pytest.mark.parametrize("key", ["reader", "wrong secret", "unknown"])
def test_a_refusal_without_a_code_is_internal_too(account: Account, serve: Serve, key: str) -> None:
    keys = {
        "reader": account.reader,
        "wrong secret": (account.administrator[0], WRONG_SECRET),
        "unknown": UNKNOWN_KEY,
    }
    # moto itself refuses in XML, which Cognito never returns.
    response = prefer(serve(account.url, keys[key]), account)
    assert_mfagates_failure(response, "COGNITO_ANSWER_UNREADABLE", None)
    assert isinstance(response, Refusal)
    assert response.metadata["http_status"] == "403"


def test_a_token_rpc_needs_no_key(account: Account, serve: Serve) -> None:
    token = "e30.eyJpc3MiOiAiaHR0cHM6Ly9leGFtcGxlLmNvbS91cy13ZXN0LTJfQWJzZW50MDAwIn0.AAAA"
    response = serve(account.url, UNKNOWN_KEY).call("GetUser", {"access_token": token})
    assert isinstance(response, Refusal)
    assert (response.code, response.reason) == ("UNAUTHENTICATED", "USER_TOKEN_REJECTED")
    assert response.metadata["cognito_code"] == "NotAuthorizedException"
