"""The calls that people paste from the documents and from the output of `mfagate dev`."""

import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys

from .gate import REPOSITORY, Gate, embedded_url
from .process import clean_environment

PASTED_ADDRESS = "127.0.0.1:50051"
RUN_TIMEOUT_SECONDS = 60
BLOCKS = re.compile(
    r"^\*\*(?P<title>[^*\n]+?)\.?\*\*.*?^```sh\n(?P<script>.*?)^```\n(?:```text\n(?P<output>.*?)^```\n)?", re.M | re.S
)
VOLATILE = re.compile(
    r'(?P<kept>"(?:requestId|aws_request_id|secretCode|challenge|createdAt|nextToken|session)":\s*")[^"]*(?=")'
    r'|(?P<user>"id":\s*")[A-Za-z0-9_-]{48}(?=")'
    r"|(?P<secret>secret=)[A-Z2-7]+"
)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A call in the cookbook, with its documented output."""

    title: str
    script: str
    output: str

    def rpc(self) -> str | None:
        """The service and method called; None if grpcurl calls something else."""
        called = re.search(r"\s([a-z][\w.]*\.[A-Z]\w*/\w+)\s*$", self.script)
        return called.group(1) if called else None


def recipes(document: str) -> list[Recipe]:
    """Every grpcurl call in a document, in order: later calls build on earlier ones."""
    text = (REPOSITORY / document).read_text()
    found = [Recipe(match["title"], match["script"], match["output"] or "") for match in BLOCKS.finditer(text)]
    calls = text.count("grpcurl -plaintext")
    assert found, f"{document} has no calls"
    assert len(found) == calls, f"{calls} calls in {document}, {len(found)} of them in blocks with a title"
    return found


def introduction(gate: Gate) -> str:
    """Everything that `mfagate dev` prints at start."""
    gate.process.wait_for_output("Ctrl-C")
    return gate.process.output()


def environment(gate: Gate) -> dict[str, str]:
    """The environment of the calls: grpcurl on the path, and the exports that `mfagate dev` prints."""
    exports = dict(re.findall(r"^export (\w+)=(\S+)$", introduction(gate), re.M))
    assert set(exports) == {"COGNITO", "TOKEN"}
    assert exports["COGNITO"] == embedded_url(gate)
    programs = pathlib.Path(sys.executable).parent
    return clean_environment() | exports | {"PATH": f"{programs}:{os.environ['PATH']}"}


def output_of(gate: Gate, script: str) -> str:
    """The output of a script run against this mfagate, standard error included."""
    return output_with(environment(gate), script, gate.address)


def output_with(
    variables: dict[str, str], script: str, address: str, directory: pathlib.Path | None = None
) -> str:
    """The output of a script run in this environment, with this address in it."""
    done = subprocess.run(
        ["sh", "-c", script.replace(PASTED_ADDRESS, address)],
        env=variables,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=RUN_TIMEOUT_SECONDS,
        check=False,
    )
    return done.stdout.decode()


def arguments(gate: Gate, recipe: Recipe, programs: pathlib.Path) -> list[str]:
    """What the shell passes to grpcurl, captured by a program of that name that prints its arguments."""
    shim = programs / "grpcurl"
    shim.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    shim.chmod(0o755)
    return json.loads(output_of(gate, f'PATH="{programs}:$PATH"\n{recipe.script}'))


def normalized(output: str) -> object:
    """Output without what differs from run to run; parsed if it is JSON."""
    stable = VOLATILE.sub(lambda match: f"{match['kept'] or match['user'] or match['secret']}...", output).strip()
    if stable.startswith("{"):
        return json.loads(stable)
    head, separator, details = stable.partition("Details:\n")
    if not separator:
        return stable.splitlines()
    return head, sorted(
        detail(line)["@type"] + json.dumps(detail(line), sort_keys=True) for line in details.splitlines()
    )


def detail(line: str) -> dict[str, object]:
    """One error detail as grpcurl prints it; undecoded details are not JSON and fail here."""
    return json.loads(re.sub(r"^\s*\d+\)\s*", "", line))


def error(output: str) -> tuple[str, str, list[dict[str, object]]]:
    """The code, message and details of an error that grpcurl printed."""
    match = re.match(r"ERROR:\n  Code: (\w+)\n  Message: (.*)\n  Details:\n(.*)", output, re.S)
    assert match, output
    return match[1], match[2], [detail(line) for line in match[3].strip().splitlines()]
