"""The same call made twice, with boto3 directly to a Cognito and with gRPC through mfagate, and compared."""

import dataclasses
import time

import botocore.client

from . import cognito, mapping, totp, translation
from .case import Case
from .cognito import Refused
from .gate import Gate, Refusal
from .situation import USERNAME, SetupRefused, World, prepare

Outcome = dict[str, object]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What both paths returned."""

    direct: Outcome
    gate: Outcome
    expected_code: str
    """The gRPC code expected for what the peer returned."""
    refusal: Refusal | None
    """What mfagate returned, if it was not a success."""
    secrets: list[str]
    """The tokens, sessions and codes in the request."""

    def agree(self) -> bool:
        """Whether both paths gave the same result, or the same exception and the expected status."""
        if self.direct["after"] != self.gate["after"]:
            return False
        if "response" in self.direct:
            return self.direct.get("response") == self.gate.get("response")
        same_code = self.direct.get("refused") == self.gate.get("refused")
        return "response" not in self.gate and same_code and self.gate["grpc"] == self.expected_code


def compare(gate: Gate, peer: botocore.client.BaseClient, case: Case) -> Comparison:
    """Runs a case on two identically prepared pools; repeats it if a TOTP step ended meanwhile."""
    while True:
        step = _totp_step()
        comparison = _compare(gate, peer, case)
        if _totp_step() == step:
            return comparison


def _totp_step() -> int:
    return int(time.time()) // totp.STEP_SECONDS


def _compare(gate: Gate, peer: botocore.client.BaseClient, case: Case) -> Comparison:
    try:
        here, there = prepare(peer, case.needs), prepare(peer, case.needs)
    except SetupRefused as refusal:
        observed = refusal.observed
        return Comparison(observed | {"after": {}}, observed | {"after": {}}, "", None, [])
    direct, expected_code = _direct(gate, here, case)
    through, refusal, secrets = _through(gate, there, case)
    return Comparison(direct, through, expected_code, refusal, secrets)


def _direct(gate: Gate, world: World, case: Case) -> tuple[Outcome, str]:
    response = cognito.call(world.cognito, case.operation, **case.request(world))
    after = _read_back(gate, world, case)
    if isinstance(response, Refused):
        expected_code = mapping.grpc_code(case.operation, response)
        refused: Outcome = {"refused": response.code}
        if response.code is None:
            refused["http"] = response.http_status
        return refused | {"after": after}, expected_code
    return {"response": translation.response(gate, case.operation, response), "after": after}, "OK"


def _through(gate: Gate, world: World, case: Case) -> tuple[Outcome, Refusal | None, list[str]]:
    members = case.request(world)
    request = translation.request(gate, case.operation, members) | case.gate_only
    if "session" in request:
        request["user_pool_id"] = world.pool_id
    response = gate.call(translation.rpc(case.operation), request)
    after = _read_back(gate, world, case)
    secrets = [str(members[name]) for name in ("AccessToken", "Session", "UserCode") if name in members]
    if isinstance(response, Refusal):
        outcome = {
            "refused": response.metadata.get("cognito_code"),
            "grpc": response.code,
            "reason": response.reason,
            "after": after,
        }
        return outcome, response, secrets
    return {"response": translation.canonical(response), "after": after}, None, secrets


def _read_back(gate: Gate, world: World, case: Case) -> Outcome:
    if case.read_back == "user":
        return _read(gate, world, "AdminGetUser", {"UserPoolId": world.pool_id, "Username": USERNAME}, USER_FIELDS)
    if case.read_back == "pool":
        return _read(gate, world, "GetUserPoolMfaConfig", {"UserPoolId": world.pool_id}, None)
    return {}


USER_FIELDS = {"preferred_mfa_setting", "user_mfa_setting_list", "mfa_options"}


def _read(gate: Gate, world: World, operation: str, members: Outcome, fields: set[str] | None) -> Outcome:
    response = cognito.call(world.cognito, operation, **members)
    if isinstance(response, Refused):
        return {"refused": response.code}
    read = translation.response(gate, operation, response)
    return {name: value for name, value in read.items() if fields is None or name in fields}
