"""Commands in the sections of a document, run as printed."""

import dataclasses
import os
import pathlib
import re
import subprocess

from . import grpcurl
from .gate import REPOSITORY, binary
from .process import ANSI_COLOUR

RUN_TIMEOUT_SECONDS = 60
TIME = re.compile(r"^\S+Z +", re.M)
VOLATILE = re.compile(
    r'(?P<value>"(?:requestId|request_id|aws_request_id|time|peer|prev)":")[^"]*'
    r'|(?P<number>"duration_ms":)[\d.]+'
    # The documents omit the hash: it changes with the schema and the examples.
    r"|(?P<hash>policy_set_hash=|policy set +)(?:[0-9a-f]{64}|…)"
    r'|(?P<expiry>certificate_expires=)"[^"]*"'
    r"|(?P<workers>workers=)\d+"
    r"|(?P<port>127\.0\.0\.1:)\d+"
)


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block."""

    language: str
    text: str

    def steps(self) -> list["Step"]:
        """The commands after a prompt, each with its documented output."""
        assert self.text.startswith("$ "), f"the block begins without a prompt: {self.text}"
        return [_step(text) for text in re.split(r"^\$ ", self.text, flags=re.M)[1:]]

    def commands(self) -> list[str]:
        """The groups of commands of a block without prompts, separated by empty lines."""
        assert not self.text.startswith("$ "), f"the block has prompts: {self.text}"
        return self.text.strip().split("\n\n")


@dataclasses.dataclass(frozen=True)
class Step:
    """A command with its documented output."""

    command: str
    output: str


def _step(text: str) -> Step:
    found = re.fullmatch(r"(?P<command>(?:[^\n]*\\\n)*[^\n]*\n)(?P<output>.*)", text, re.S)
    assert found, f"no command: {text}"
    return Step(found["command"], found["output"])


def blocks(document: str, heading: str) -> list[Block]:
    """The fenced blocks under a heading of a document, without those under its subheadings."""
    text = (REPOSITORY / document).read_text()
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^##|\Z)", text, re.M | re.S)
    assert section, f"{document} has no section {heading}"
    return [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", section[1], re.M | re.S)]


def prepare(directory: pathlib.Path) -> dict[str, str]:
    """Prepares a directory as the documents assume it, and returns the environment of its commands.

    Programs are on the path, and the repository's examples are in the directory.
    """
    programs = directory / "bin"
    programs.mkdir()
    (programs / "mfagate").symlink_to(binary())
    (directory / "examples").symlink_to(REPOSITORY / "examples")
    environment = grpcurl.environment()
    return environment | {"PATH": f"{programs}:{environment['PATH']}"}


def run(script: str, directory: pathlib.Path, environment: dict[str, str]) -> tuple[int, str]:
    """Runs a script to completion; standard error is merged into standard output."""
    done = subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_TIMEOUT_SECONDS,
        check=False,
    )
    return done.returncode, ANSI_COLOUR.sub("", done.stdout)


def server(script: str) -> list[str]:
    """The command line that runs a script of one command, so that the shell is replaced by it and signals reach it."""
    return ["bash", "-c", script.split("  #")[0].strip()]


def is_running(pid: int, name: str) -> bool:
    """Whether a process runs this program."""
    return os.path.basename(os.readlink(f"/proc/{pid}/exe")) == name


def normalized(text: str) -> list[str]:
    """The lines of an output without what differs from run to run."""
    without_times = TIME.sub("", text).strip()
    return VOLATILE.sub(lambda match: f"{match[match.lastgroup or 0]}...", without_times).splitlines()
