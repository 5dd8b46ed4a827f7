"""Runs the real grpcurl."""

import json
import os
import pathlib
import subprocess
import sys

from .process import clean_environment

RUN_TIMEOUT_SECONDS = 30
PROGRAMS = pathlib.Path(sys.executable).parent
"""The directory of this environment's programs, grpcurl among them."""


def environment() -> dict[str, str]:
    """A clean environment with grpcurl on its path."""
    return clean_environment() | {"PATH": f"{PROGRAMS}:{os.environ['PATH']}"}


def called(*options: str | pathlib.Path, address: str, rpc: str, request: dict[str, object]) -> tuple[int, str]:
    """Calls an RPC; returns the exit code and everything printed."""
    done = subprocess.run(
        ["grpcurl", *map(str, options), "-d", json.dumps(request), address, rpc],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_TIMEOUT_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout
