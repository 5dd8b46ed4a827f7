"""Runs the real grpcurl."""

import json
import os
import pathlib
import subprocess
import sys

from .process import bare_environment

RUN_WITHIN_SECONDS = 30
PROGRAMS = pathlib.Path(sys.executable).parent
"""Where this environment's programs are, grpcurl among them."""


def environment() -> dict[str, str]:
    """A bare environment with grpcurl on its path."""
    return bare_environment() | {"PATH": f"{PROGRAMS}:{os.environ['PATH']}"}


def called(*options: str | pathlib.Path, address: str, rpc: str, request: dict[str, object]) -> tuple[int, str]:
    """Calls an RPC, and answers the exit code and all that was printed."""
    done = subprocess.run(
        ["grpcurl", *map(str, options), "-d", json.dumps(request), address, rpc],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_WITHIN_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout
