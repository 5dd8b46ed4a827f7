"""Runs grpc_health_probe and `mfagate probe` with the same arguments, and servers that only gRPC's own library can be."""

import concurrent.futures
import dataclasses
import pathlib
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from .gate import binary
from .process import clean_environment

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / ".venv" / "go" / "grpc-health-probe"
"""The real grpc_health_probe, if conformance/run could build it."""
RUN_TIMEOUT_SECONDS = 30
HELD_SECONDS = 5
CHECK = "/grpc.health.v1.Health/Check"


@dataclasses.dataclass(frozen=True)
class Probed:
    """The result of a probe."""

    code: int
    errors: str
    """What it printed to standard error."""

    @property
    def first_line(self) -> str:
        """What it says happened."""
        return self.errors.partition("\n")[0]


def theirs(*arguments: str) -> Probed:
    """Runs grpc_health_probe."""
    return _run([str(PROGRAM), *arguments])


def ours(*arguments: str) -> Probed:
    """Runs `mfagate probe`."""
    return _run([str(binary()), "probe", *arguments])


def _run(command: list[str]) -> Probed:
    done = subprocess.run(
        command,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_SECONDS,
        check=False,
    )
    return Probed(done.returncode, done.stderr)


class _Health(grpc.GenericRpcHandler):
    """A health service whose answer is the name that it is asked about."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if handler_call_details.method != CHECK:
            return None
        return grpc.unary_unary_rpc_method_handler(self._check)

    def _check(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        # The one field, a string: its tag and its length precede it.
        name = request[2:].decode()
        if name == "held":
            time.sleep(HELD_SECONDS)
        if name in grpc.StatusCode.__members__:
            context.abort(grpc.StatusCode[name], f"the name is {name}")
        return bytes((8, int(name))) if name.isdigit() else b""


@contextmanager
def health_server(*, has_health: bool = True) -> Iterator[str]:
    """The address of a server whose health is what it is asked about: the number of a status, or the name of a code."""
    with concurrent.futures.ThreadPoolExecutor() as threads:
        server = grpc.server(threads, handlers=[_Health()] if has_health else [])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(grace=None).wait()
