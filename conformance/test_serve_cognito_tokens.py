"""Calls `mfagate serve` with tokens of Cognito's client-credentials grant: no `aud`, but scopes and a client."""

import pathlib
from collections.abc import Iterator

import pytest

from suite import grpcurl, issuer, served
from suite.gate import Refusal
from suite.issuer import CLIENT_ID, SCOPE, Issuer, machine_token
from suite.reflection import bearer
from suite.served import READ, READ_PATH, READ_REQUEST, Served


@pytest.fixture(scope="module")
def trusted() -> Iterator[Issuer]:
    """An issuer in place of a user pool; signs with RS256 only."""
    with issuer.started("RS256") as running:
        yield running


@pytest.fixture(scope="module")
def accepting(embedded_url: str, trusted: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A `mfagate serve` configured for these tokens as in `docs/deploy.md`."""
    directory: pathlib.Path = tmp_path_factory.mktemp("cognito-tokens")
    options = trusted.options() | {"--jwt-audience": f"scope={SCOPE}", "--jwt-caller-claim": "client_id"}
    metadata = bearer(machine_token(trusted))
    with served.in_front_of(embedded_url, directory, options, metadata) as running:
        yield running


@pytest.mark.parametrize("scope", [SCOPE, f"reports/read {SCOPE}", f"{SCOPE} openid"])
def test_a_token_with_the_scope_is_admitted_and_the_client_is_the_caller(
    accepting: Served, trusted: Issuer, scope: str
) -> None:
    token = machine_token(trusted, scope=scope)
    with accepting.observed() as seen:
        with accepting.gate.as_caller(bearer(token)) as caller:
            assert not isinstance(caller.call(READ, READ_REQUEST), Refusal)
        header = f"authorization: Bearer {token}"
        address = accepting.gate.address
        code, printed = grpcurl.called("-plaintext", "-H", header, address=address, rpc=READ_PATH, request=READ_REQUEST)
    assert code == 0, printed
    assert seen.callers() == [(CLIENT_ID, "jwt")] * 2
    assert seen.operations == [READ] * 2


OTHERS: dict[str, dict[str, object]] = {
    "no scope": {"scope": None},
    "scopes that look like it": {"scope": "mfagate/call2 mfagate/cal"},
    "the scope in capitals": {"scope": "MFAGATE/CALL"},
    "the scope as audience": {"scope": None, "aud": SCOPE},
    "no client": {"client_id": None},
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_token_without_the_scope_or_the_client_is_refused(accepting: Served, trusted: Issuer, what: str) -> None:
    metadata = bearer(machine_token(trusted, **OTHERS[what]))
    with accepting.observed() as seen, accepting.gate.as_caller(metadata) as caller:
        response = caller.call(READ, READ_REQUEST)
    assert isinstance(response, Refusal)
    assert (response.reason, response.metadata["credential"]) == ("CALLER_UNAUTHENTICATED", "not accepted")
    assert seen.callers() == [(None, "none")]
    assert seen.operations == []
