"""Makes `mfagate serve` assume a role per caller, at the STS of a moto that checks signatures and policies."""

import dataclasses
import pathlib
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from suite import cognito, iam, issuer, manual, peer, process, relay, served
from suite.gate import Gate, Refusal
from suite.issuer import Issuer
from suite.reflection import Metadata, bearer
from suite.served import READ, Served

COGNITO_ONLY = ["cognito-idp:*"]
STS_ONLY = ["sts:AssumeRole"]
CALLERS = ["payments", "reports:desk/zoë"]
SESSION_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{2,64}")


@dataclasses.dataclass(frozen=True)
class Account:
    """An AWS account of moto, with IAM users of one permission each and roles."""

    url: str
    cognito_url: str
    """The same, with refusals in Cognito's form."""
    sts_url: str
    """The same, with refusals in STS's form."""
    pool_id: str
    base: tuple[str, str]
    """The key of a user who may only assume roles."""
    unprivileged: tuple[str, str]
    """The key of a user whom the role trusts but whose policy does not allow assuming it."""
    role: str
    other_role: str
    """A role with every permission that trusts only the unprivileged user."""
    role_without_cognito: str
    """A role that the base user may assume and that has no Cognito permissions."""


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """The account; moto checks permissions once it is set up."""
    with (
        peer.started("moto_with_iam") as running,
        relay.started(running.url) as cognito_url,
        relay.started(running.url, relay.query_form) as sts_url,
    ):
        user_pools = cognito.client(running.url)
        pool_id = cognito.must(user_pools, "CreateUserPool", PoolName="conformance")["UserPool"]["Id"]
        base = iam.user(running.url, "base", STS_ONLY)
        unprivileged = iam.user(running.url, "unprivileged", ["cognito-idp:ListUserPools"])
        role = iam.role(running.url, "mfagate", "base", COGNITO_ONLY)
        other_role = iam.role(running.url, "another", "unprivileged", COGNITO_ONLY)
        role_without_cognito = iam.role(running.url, "idle", "base", ["sts:GetSessionToken"])
        iam.enforce_authentication(running.url)
        yield Account(
            running.url, cognito_url, sts_url, pool_id, base, unprivileged, role, other_role, role_without_cognito
        )


@pytest.fixture(scope="module")
def trusted() -> Iterator[Issuer]:
    """The issuer of the callers' tokens."""
    with issuer.started("ES256") as running:
        yield running


def metadata(trusted: Issuer, caller: str) -> Metadata:
    """The metadata of this caller's calls."""
    return bearer(trusted.keys[0].sign(trusted.claims(caller)))


class Serving:
    """Starts `mfagate serve` in front of the account, and calls it."""

    def __init__(self, account: Account, trusted: Issuer, directory: pathlib.Path) -> None:
        self._account = account
        self._trusted = trusted
        self._directory = directory

    @contextmanager
    def with_role(
        self, role: str | None, key: tuple[str, str] | None = None, sts: str | None = None
    ) -> Iterator[Served]:
        """Runs it with the base user's key or another one; without a role, that key signs requests to Cognito."""
        options = self._trusted.options()
        if role is not None:
            options |= {"--assume-role": role, "--sts-endpoint": sts or self._account.url}
        cognito_url, key = self._account.cognito_url, key or self._account.base
        own = metadata(self._trusted, CALLERS[0])
        with served.in_front_of(cognito_url, self._directory, options, own, key=key) as running:
            yield running

    def read(self, running: Gate, caller: str) -> dict[str, object] | Refusal:
        """Reads the pool's configuration as this caller."""
        with running.as_caller(metadata(self._trusted, caller)) as known:
            return known.call(READ, {"user_pool_id": self._account.pool_id})


@pytest.fixture
def serving(account: Account, trusted: Issuer, tmp_path: pathlib.Path) -> Serving:
    """Each test starts its own: mfagate caches sessions as long as it runs."""
    return Serving(account, trusted, tmp_path)


def assert_mfagates_failure(response: dict[str, object] | Refusal, reason: str) -> None:
    """Asserts a refusal that the caller cannot fix, and that names neither account nor role nor key."""
    assert isinstance(response, Refusal)
    manual.assert_documented(response)
    assert (response.code, response.reason, response.metadata["fault"]) == ("INTERNAL", reason, "MFAGATE")
    said = f"{response.message} {response.details}"
    assert not re.search(r"arn:|123456789012|AKIA|ASIA|unprivileged|AssumeRole", said), said


def test_calls_succeed_through_the_role_in_a_session_named_after_each_caller(
    account: Account, serving: Serving
) -> None:
    before = iam.sessions(account.url)
    with serving.with_role(account.role) as running:
        for caller in (*CALLERS, *CALLERS):
            response = serving.read(running.gate, caller)
            assert not isinstance(response, Refusal), response
        log = running.gate.process.output()
    # moto lists sessions in any order. Each caller has one, however often it calls.
    opened = sorted(set(iam.sessions(account.url)) - set(before))
    assert [role for role, _ in opened] == [account.role] * 2
    names = [name for _, name in opened]
    assert names[0] == CALLERS[0]
    assert re.fullmatch(r"reports-desk-zo--[0-9a-f]{20}", names[1])
    assert all(SESSION_NAME.fullmatch(name) for name in names)
    assert re.findall(r"role assumed session=\"?([^\s\"]+)", log) == names


def test_each_admin_rpc_goes_through_the_role(account: Account, serving: Serving) -> None:
    with serving.with_role(account.role) as running:
        response = running.gate.call("AdminGetUser", {"user_pool_id": account.pool_id, "username": "nobody"})
        assert isinstance(response, Refusal)
        assert response.reason == "USER_NOT_FOUND"
        configuration: dict[str, object] = {
            "user_pool_id": account.pool_id,
            "mfa_configuration": "USER_POOL_MFA_TYPE_OPTIONAL",
            "software_token_mfa_configuration": {"enabled": True},
            "unconfigured_factors": ["MFA_FACTOR_SMS", "MFA_FACTOR_EMAIL", "MFA_FACTOR_WEB_AUTHN"],
        }
        assert not isinstance(running.gate.call("SetUserPoolMfaConfig", configuration), Refusal)


def test_without_the_role_the_same_key_is_denied(serving: Serving) -> None:
    with serving.with_role(None) as running:
        assert_mfagates_failure(serving.read(running.gate, CALLERS[0]), "MFAGATE_ACCESS_DENIED")


def test_a_role_without_the_permission_is_denied(account: Account, serving: Serving) -> None:
    with serving.with_role(account.role_without_cognito) as running:
        assert_mfagates_failure(serving.read(running.gate, CALLERS[0]), "MFAGATE_ACCESS_DENIED")
        assert "role assumed session=" in running.gate.process.output()


@pytest.mark.parametrize("why", ["the role does not trust the key", "the key may not assume", "the key is unknown"])
def test_the_log_names_the_cause_when_sts_refuses(account: Account, serving: Serving, why: str) -> None:
    role, key, code = {
        "the role does not trust the key": (account.other_role, account.base, "AccessDenied"),
        "the key may not assume": (account.other_role, account.unprivileged, "AccessDenied"),
        "the key is unknown": (account.role, ("AKIAIOSFODNN7EXAMPLE", "A" * 40), "InvalidClientTokenId"),
    }[why]
    before = iam.sessions(account.url)
    with serving.with_role(role, key, account.sts_url) as running:
        assert_mfagates_failure(serving.read(running.gate, CALLERS[0]), "MFAGATE_DISPATCH_FAILED")
        log = running.gate.process.output()
    assert re.search(rf"role not assumed session=\"?{CALLERS[0]}\"? .* cause=sts refused .*: {code}\b", log), log
    assert sorted(iam.sessions(account.url)) == sorted(before)


def test_the_log_says_so_when_a_refusal_does_not_have_the_form_of_sts(account: Account, serving: Serving) -> None:
    # moto's own XML is not that of STS.
    with serving.with_role(account.other_role) as running:
        assert_mfagates_failure(serving.read(running.gate, CALLERS[0]), "MFAGATE_DISPATCH_FAILED")
        assert re.search("role not assumed .*sts refused .*: no code, HTTP status 403", running.gate.process.output())


def test_the_log_names_the_cause_when_sts_is_unreachable(account: Account, serving: Serving) -> None:
    with serving.with_role(account.role, sts=f"http://127.0.0.1:{process.free_port()}") as running:
        assert_mfagates_failure(serving.read(running.gate, CALLERS[0]), "MFAGATE_DISPATCH_FAILED")
        assert re.search(r"role not assumed .*sts is unreachable", running.gate.process.output())
