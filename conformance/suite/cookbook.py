"""Takes the calls that people paste out of the documents and out of what `mfagate dev` prints, and runs them."""

import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys

from .gate import REPOSITORY, Gate, embedded_url
from .process import bare_environment

PASTED_ADDRESS = "127.0.0.1:50051"
RUN_WITHIN_SECONDS = 60
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
    """A call of the cookbook, with what the document says it prints."""

    title: str
    script: str
    output: str

    def rpc(self) -> str | None:
        """The service and method called; None where grpcurl asks for something else."""
        called = re.search(r"\s([a-z][\w.]*\.[A-Z]\w*/\w+)\s*$", self.script)
        return called.group(1) if called else None


def recipes(document: str) -> list[Recipe]:
    """Every call with grpcurl in a document, in order: later ones build on earlier ones."""
    text = (REPOSITORY / document).read_text()
    found = [Recipe(match["title"], match["script"], match["output"] or "") for match in BLOCKS.finditer(text)]
    calls = text.count("grpcurl -plaintext")
    assert found, f"{document} has no calls"
    assert len(found) == calls, f"{calls} calls in {document}, {len(found)} of them in blocks with a title"
    return found


def introduction(gate: Gate) -> str:
    """Everything that `mfagate dev` prints at its start."""
    gate.process.wait_for_output("Ctrl-C ends it")
    return gate.process.output()


def environment(gate: Gate) -> dict[str, str]:
    """The environment in which the lines work: grpcurl on the path, and what `mfagate dev` prints to export."""
    exports = dict(re.findall(r"^export (\w+)=(\S+)$", introduction(gate), re.M))
    assert set(exports) == {"COGNITO", "TOKEN"}
    assert exports["COGNITO"] == embedded_url(gate)
    programs = pathlib.Path(sys.executable).parent
    return bare_environment() | exports | {"PATH": f"{programs}:{os.environ['PATH']}"}


def printed(gate: Gate, script: str) -> str:
    """What a script prints, standard error included, with the address of this mfagate in it."""
    return printed_with(environment(gate), script, gate.address)


def printed_with(
    variables: dict[str, str], script: str, address: str, directory: pathlib.Path | None = None
) -> str:
    """What a script prints in this environment, with this address in it."""
    done = subprocess.run(
        ["sh", "-c", script.replace(PASTED_ADDRESS, address)],
        env=variables,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=RUN_WITHIN_SECONDS,
        check=False,
    )
    return done.stdout.decode()


def arguments(gate: Gate, recipe: Recipe, programs: pathlib.Path) -> list[str]:
    """What the shell passes to grpcurl, learned with a program of that name that prints its arguments."""
    shim = programs / "grpcurl"
    shim.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    shim.chmod(0o755)
    return json.loads(printed(gate, f'PATH="{programs}:$PATH"\n{recipe.script}'))


def comparable(output: str) -> object:
    """Printed output without what differs from run to run, and as values where it is JSON."""
    steady = VOLATILE.sub(lambda match: f"{match['kept'] or match['user'] or match['secret']}...", output).strip()
    if steady.startswith("{"):
        return json.loads(steady)
    head, separator, details = steady.partition("Details:\n")
    if not separator:
        return steady.splitlines()
    return head, sorted(
        detail(line)["@type"] + json.dumps(detail(line), sort_keys=True) for line in details.splitlines()
    )


def detail(line: str) -> dict[str, object]:
    """One error detail as grpcurl prints it; undecoded details are no JSON and fail here."""
    return json.loads(re.sub(r"^\s*\d+\)\s*", "", line))


def error(output: str) -> tuple[str, str, list[dict[str, object]]]:
    """The code, the message and the details of an error that grpcurl printed."""
    match = re.match(r"ERROR:\n  Code: (\w+)\n  Message: (.*)\n  Details:\n(.*)", output, re.S)
    assert match, output
    return match[1], match[2], [detail(line) for line in match[3].strip().splitlines()]
