"""Makes one call twice, by boto3 straight to a Cognito and by gRPC through mfagate in front of it, and compares."""

import dataclasses
import time

import botocore.client

from . import cognito, mapping, totp, translation
from .case import Case
from .cognito import Refused
from .gate import Gate, Refusal
from .situation import USERNAME, Unprepared, World, prepare

Outcome = dict[str, object]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What both paths answered."""

    direct: Outcome
    gate: Outcome
    due: str
    """The gRPC code that is due for what the peer answered."""
    refusal: Refusal | None
    """What mfagate answered, if it was no success."""
    secrets: list[str]
    """The tokens, sessions and codes that mfagate was given."""

    def agree(self) -> bool:
        """Whether both paths gave the same result, or the same exception as the status that it is due."""
        if self.direct["after"] != self.gate["after"]:
            return False
        if "answer" in self.direct:
            return self.direct.get("answer") == self.gate.get("answer")
        same_code = self.direct.get("refused") == self.gate.get("refused")
        return "answer" not in self.gate and same_code and self.gate["grpc"] == self.due


def compare(gate: Gate, peer: botocore.client.BaseClient, case: Case) -> Comparison:
    """Runs a case on two pools prepared alike; repeats it where a TOTP step ended in the middle."""
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
    except Unprepared as unprepared:
        observed = unprepared.observed
        return Comparison(observed | {"after": {}}, observed | {"after": {}}, "", None, [])
    direct, due = _direct(gate, here, case)
    through, refusal, secrets = _through(gate, there, case)
    return Comparison(direct, through, due, refusal, secrets)


def _direct(gate: Gate, world: World, case: Case) -> tuple[Outcome, str]:
    answer = cognito.call(world.cognito, case.operation, **case.request(world))
    after = _read_back(gate, world, case)
    if isinstance(answer, Refused):
        due = mapping.grpc_code(case.operation, answer)
        refused: Outcome = {"refused": answer.code}
        if answer.code is None:
            refused["http"] = answer.http_status
        return refused | {"after": after}, due
    return {"answer": translation.answer(gate, case.operation, answer), "after": after}, "OK"


def _through(gate: Gate, world: World, case: Case) -> tuple[Outcome, Refusal | None, list[str]]:
    members = case.request(world)
    request = translation.request(gate, case.operation, members) | case.gate_only
    if "session" in request:
        request["user_pool_id"] = world.pool_id
    answer = gate.call(translation.rpc(case.operation), request)
    after = _read_back(gate, world, case)
    secrets = [str(members[name]) for name in ("AccessToken", "Session", "UserCode") if name in members]
    if isinstance(answer, Refusal):
        outcome = {
            "refused": answer.metadata.get("cognito_code"),
            "grpc": answer.code,
            "reason": answer.reason,
            "after": after,
        }
        return outcome, answer, secrets
    return {"answer": translation.canonical(answer), "after": after}, None, secrets


def _read_back(gate: Gate, world: World, case: Case) -> Outcome:
    if case.read_back == "user":
        return _read(gate, world, "AdminGetUser", {"UserPoolId": world.pool_id, "Username": USERNAME}, USER_FIELDS)
    if case.read_back == "pool":
        return _read(gate, world, "GetUserPoolMfaConfig", {"UserPoolId": world.pool_id}, None)
    return {}


USER_FIELDS = {"preferred_mfa_setting", "user_mfa_setting_list", "mfa_options"}


def _read(gate: Gate, world: World, operation: str, members: Outcome, fields: set[str] | None) -> Outcome:
    answer = cognito.call(world.cognito, operation, **members)
    if isinstance(answer, Refused):
        return {"refused": answer.code}
    read = translation.answer(gate, operation, answer)
    return {name: value for name, value in read.items() if fields is None or name in fields}
