"""Counts what the stock retry policies of grpcio and grpc-js send to Cognito through mfagate."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf import json_format

from suite import gate
from suite.control import Control
from suite.process import clean_environment

SUITE = Path(__file__).parent / "suite"
POOL = "us-west-2_EXAMPLE"
USER = "testuser"
# Every code that mfagate answers to a failure of Cognito, so that only the trailer can end the retries.
CODES = ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "INTERNAL", "DEADLINE_EXCEEDED", "UNKNOWN", "FAILED_PRECONDITION"]
ATTEMPTS = 4
RETRY_POLICY = {
    "maxAttempts": ATTEMPTS,
    "initialBackoff": "0.01s",
    "maxBackoff": "0.02s",
    "backoffMultiplier": 1,
    "retryableStatusCodes": CODES,
}
SERVICE_CONFIG = json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": RETRY_POLICY}]})
# What mfagate sends of one call by itself, the first request included.
TRIES_OF_MFAGATE = 3
SHORTEST_PAUSE_SECONDS = 1

Caller = Callable[[str, str, bytes], str]
"""Calls a path at an address with a message, and answers the name of the code."""


def _grpcio(address: str, path: str, request: bytes) -> str:
    options = [("grpc.enable_retries", 1), ("grpc.service_config", SERVICE_CONFIG)]
    with grpc.insecure_channel(address, options) as channel:
        try:
            channel.unary_unary(path)(request, timeout=60)
        except grpc.RpcError as error:
            return error.code().name
    return "OK"


def _grpc_js(address: str, path: str, request: bytes) -> str:
    command = ["node", str(SUITE / "retry_client.js"), address, path, request.hex(), SERVICE_CONFIG]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.strip()


CALLERS: dict[str, Caller] = {"grpcio": _grpcio, "grpc-js": _grpc_js}


@pytest.fixture
def mfagate() -> Iterator[gate.Gate]:
    """An mfagate whose faults and requests are those of one test."""
    with gate.running("dev", "--embedded-listen", "127.0.0.1:0") as running:
        yield running


def _call(mfagate: gate.Gate, caller: str, rpc: str, request: dict[str, object]) -> tuple[str, int, float]:
    """The code of a call, the requests that Cognito got, and the seconds that it took."""
    control = Control(gate.embedded_url(mfagate))
    method = mfagate.methods[rpc]
    message = json_format.ParseDict(request, mfagate.reflection.message(method.input_type.full_name)())
    control.clear_requests()
    started = time.monotonic()
    path = f"/{method.containing_service.full_name}/{rpc}"
    code = CALLERS[caller](mfagate.address, path, message.SerializeToString())
    took = time.monotonic() - started
    return code, len(control.requests()), took


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "reset"}, "UNAVAILABLE"),
        ({"kind": "html"}, "UNAVAILABLE"),
        ({"kind": "error", "code": "InternalErrorException", "status": 500}, "INTERNAL"),
        ({"kind": "error", "code": "LimitExceededException"}, "RESOURCE_EXHAUSTED"),
    ],
)
def test_what_must_not_be_repeated_is_sent_once(
    mfagate: gate.Gate, caller: str, fault: dict[str, object], code: str
) -> None:
    control = Control(gate.embedded_url(mfagate))
    token = control.mint(POOL, USER)
    control.inject_fault(fault)
    request = {"access_token": token, "account_name": "account", "allow_reenrolment": True}
    answered, requests, _ = _call(mfagate, caller, "AssociateSoftwareToken", request)
    assert (answered, requests) == (code, 1)


@pytest.mark.parametrize("caller", CALLERS)
def test_what_no_retry_helps_is_sent_once(mfagate: gate.Gate, caller: str) -> None:
    Control(gate.embedded_url(mfagate)).inject_fault({"kind": "error", "code": "NotAuthorizedException"})
    request = {"user_pool_id": POOL, "username": USER}
    assert _call(mfagate, caller, "AdminGetUser", request)[:2] == ("FAILED_PRECONDITION", 1)


@pytest.mark.parametrize("caller", CALLERS)
def test_a_throttled_call_is_retried_after_the_delay_that_it_was_given(mfagate: gate.Gate, caller: str) -> None:
    # One call of mfagate is throttled; the next finds Cognito willing.
    Control(gate.embedded_url(mfagate)).inject_fault({"kind": "throttling", "count": TRIES_OF_MFAGATE})
    request = {"user_pool_id": POOL, "username": USER}
    code, requests, took = _call(mfagate, caller, "AdminGetUser", request)
    assert (code, requests) == ("OK", TRIES_OF_MFAGATE + 1)
    assert took >= SHORTEST_PAUSE_SECONDS, f"the client's own pause of milliseconds was taken: {took} s"
