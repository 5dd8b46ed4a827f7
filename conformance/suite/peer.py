"""The Cognito implementations that stand in for AWS: starts them and returns their addresses."""

import dataclasses
import json
import pathlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .process import Process, clean_environment, free_port

FOLDER = pathlib.Path(__file__).resolve().parent.parent


@dataclasses.dataclass(frozen=True)
class Peer:
    """A running Cognito implementation."""

    name: str
    url: str
    process: Process


@contextmanager
def started(name: str) -> Iterator[Peer]:
    """Runs the peer of this name for the length of the block."""
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as directory:
        peer = START[name](pathlib.Path(directory))
        try:
            yield peer
        finally:
            peer.process.stop()


def _moto(directory: pathlib.Path) -> Peer:
    return _moto_server("moto", directory, {"MOTO_COGNITO_IDP_USER_POOL_ENABLE_TOTP": "true"})


def _moto_with_iam(directory: pathlib.Path) -> Peer:
    # Requests are unauthenticated at first; the tests enable signatures and policies once the IAM entities exist.
    return _moto_server("moto_with_iam", directory, {"INITIAL_NO_AUTH_ACTION_COUNT": "1000000"})


def _moto_server(name: str, directory: pathlib.Path, settings: dict[str, str]) -> Peer:
    process = Process(
        name,
        [str(pathlib.Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", "0"],
        clean_environment() | settings,
        directory,
    )
    port = process.wait_for_output(r"Running on http://127\.0\.0\.1:(\d+)").group(1)
    return Peer(name, f"http://127.0.0.1:{port}", process)


def _ministack(directory: pathlib.Path) -> Peer:
    port = free_port()
    process = Process(
        "ministack",
        [str(FOLDER / ".venv" / "ministack" / "bin" / "ministack")],
        clean_environment()
        | {
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "TMPDIR": str(directory),
            "SERVICES": "cognito-idp",
            "AUTH": "true",
        },
        directory,
    )
    process.wait_for_port(port)
    return Peer("ministack", f"http://127.0.0.1:{port}", process)


def _cognito_local(directory: pathlib.Path) -> Peer:
    # By default usernames are e-mail addresses, which the other peers do not accept.
    settings = directory / ".cognito" / "config.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"UserPoolDefaults": {"UsernameAttributes": []}}))
    process = Process(
        "cognito_local",
        [
            "node",
            "--require",
            str(FOLDER / "suite" / "cognito_local_region.js"),
            str(FOLDER / "node_modules" / "cognito-local" / "lib" / "bin" / "start.js"),
        ],
        # Port 0 lets the system choose; the token's issuer then names port 0, which nothing here resolves.
        clean_environment() | {"HOST": "127.0.0.1", "PORT": "0"},
        directory,
    )
    port = process.wait_for_output(r"running on http://127\.0\.0\.1:(\d+)").group(1)
    return Peer("cognito_local", f"http://127.0.0.1:{port}", process)


CHECK_KEYS = {"ministack"}
"""The peers that reject an unknown access key."""

START: dict[str, Callable[[pathlib.Path], Peer]] = {
    "moto": _moto,
    "moto_with_iam": _moto_with_iam,
    "ministack": _ministack,
    "cognito_local": _cognito_local,
}
