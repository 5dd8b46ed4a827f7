"""The programs under test: start, output, stop."""

import os
import pathlib
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable

READY_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 5
POLL_SECONDS = 0.02
ANSI_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class ProcessFailed(Exception):
    """A program exited, or was not ready in time; the message has its output."""


class Process:
    """A program that runs until `stop`; its output is kept in a file."""

    def __init__(
        self,
        name: str,
        command: list[str],
        environment: dict[str, str],
        directory: pathlib.Path | None = None,
    ) -> None:
        self.name = name
        self._output = tempfile.TemporaryFile()
        # The program stays in the tests' process group, so that `conformance/run` can stop them all at once.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=directory,
        )

    @property
    def pid(self) -> int:
        """The program's process id."""
        return self._process.pid

    def output(self) -> str:
        """Everything printed so far, without colours."""
        size = os.fstat(self._output.fileno()).st_size
        text = os.pread(self._output.fileno(), size, 0).decode(errors="replace")
        return ANSI_COLOUR.sub("", text)

    def wait_for(self, what: str, found: Callable[[], object]) -> object:
        """The first truthy result of `found`, called again until the program is ready."""
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            response = found()
            if response:
                return response
            if self._process.poll() is not None:
                raise ProcessFailed(
                    f"{self.name} exited with {self._process.returncode} before {what}:\n{self.output()}"
                )
            time.sleep(POLL_SECONDS)
        raise ProcessFailed(f"{self.name} did not reach {what} in {READY_TIMEOUT_SECONDS} s:\n{self.output()}")

    def wait_for_output(self, pattern: str, since: int = 0) -> re.Match[str]:
        """The first match of `pattern` in the program's output, after this many characters."""
        match = self.wait_for(f"printing /{pattern}/", lambda: re.search(pattern, self.output()[since:]))
        assert isinstance(match, re.Match)
        return match

    def wait_for_port(self, port: int) -> None:
        """Returns once the program accepts connections on a loopback port."""

        def accepts() -> bool:
            with socket.socket() as probe:
                probe.settimeout(1)
                return probe.connect_ex(("127.0.0.1", port)) == 0

        self.wait_for(f"listening on port {port}", accepts)

    def stop(self) -> int:
        """Stops the program and returns its exit code."""
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()
        return self._process.returncode


def free_port() -> int:
    """A loopback port that was just free, for programs that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def clean_environment() -> dict[str, str]:
    """The environment without proxy and AWS variables, so that no stray setting redirects a call."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_") and not name.lower().endswith("_proxy")
    }
