"""Runs the documents' commands for `mfagate serve` and policies as printed.

Only ports differ, and the embedded Cognito and an issuer on loopback replace AWS.
"""

import dataclasses
import json
import pathlib
import re
from collections.abc import Iterator

import pytest

from suite import document, gate, issuer
from suite.caller import POLICY
from suite.gate import REPOSITORY
from suite.process import Process

PORT = ":50051"
DEPLOY = "docs/deploy.md"
POLICIES = "docs/policies.md"


@dataclasses.dataclass(frozen=True)
class Deployed:
    """A shell that follows the document, with a `mfagate serve` in the background."""

    directory: pathlib.Path
    environment: dict[str, str]
    command: str
    server: Process
    port: str

    def run(self, script: str) -> tuple[int, str]:
        """Runs a command of the document against the server's port."""
        return document.run(script.replace(PORT, self.port), self.directory, self.environment)


def serve(directory: pathlib.Path, environment: dict[str, str], command: str) -> Iterator[Deployed]:
    """Runs a command that serves, on a free port."""
    assert "mfagate serve" in command
    process = Process("mfagate serve", document.server(command), environment, directory)
    try:
        address = process.wait_for_output(gate.GATE_ADDRESS).group(1)
        assert document.is_running(process.pid, gate.binary().name)
        yield Deployed(directory, environment, command, process, f":{address.rpartition(':')[2]}")
    finally:
        process.stop()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, dict[str, str]]:
    """A directory with the files that the openssl commands create, and the environment of all commands."""
    directory: pathlib.Path = tmp_path_factory.mktemp("documents")
    environment = document.prepare(directory)
    for commands in document.blocks(DEPLOY, "Callers with certificates")[0].commands():
        code, printed = document.run(commands, directory, environment)
        assert code == 0, printed
    return directory, environment


@pytest.fixture(scope="module")
def with_certificates(files: tuple[pathlib.Path, dict[str, str]]) -> Iterator[Deployed]:
    """The server of "Callers with certificates", in front of the `mfagate dev` that the document starts."""
    directory, environment = files
    start_dev, start_serve = document.blocks(DEPLOY, "Callers with certificates")[1].commands()
    dev_command = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:0", start_dev, count=1)
    dev = Process("mfagate dev", document.server(dev_command), environment, directory)
    try:
        cognito = dev.wait_for_output(r"(?m)^export COGNITO=(\S+)$").group(1)
        own = environment | {"COGNITO": cognito, "MFAGATE_LISTEN": "127.0.0.1:0"}
        yield from serve(directory, own, start_serve)
    finally:
        dev.stop()


@pytest.fixture(scope="module")
def with_tokens(embedded_url: str, files: tuple[pathlib.Path, dict[str, str]]) -> Iterator[Deployed]:
    """The server of "Callers with tokens from Cognito", with an issuer in place of the pool."""
    directory, environment = files
    (directory / "policies").mkdir()
    (directory / "policies" / "all.cedar").write_text(POLICY)
    (directory / "entities.json").write_text("[]")
    prepare, start_serve, _ = document.blocks(DEPLOY, "Callers with tokens from Cognito")[0].commands()
    with issuer.started("RS256") as trusted:
        pool = "https://cognito-idp.REGION.amazonaws.com/POOL"
        assert start_serve.count(pool) == 2
        command = start_serve.replace(pool, trusted.url).replace("0.0.0.0:50051", "127.0.0.1:0")
        own = environment | gate.aws_keys("test", "test") | {"MFAGATE_COGNITO_ENDPOINT": embedded_url}
        code, printed = document.run(prepare, directory, own)
        assert code == 0, printed
        own["CALLER_TOKEN"] = issuer.machine_token(trusted)
        yield from serve(directory, own, command)


def test_check_finds_every_option_that_is_missing(tmp_path: pathlib.Path) -> None:
    (block,) = document.blocks(DEPLOY, "Deploy")
    (step,) = block.steps()
    code, printed = document.run(step.command, tmp_path, document.prepare(tmp_path))
    assert code == 2
    assert document.normalized(printed) == document.normalized(step.output)


def test_serve_with_certificates_logs_what_the_document_says(with_certificates: Deployed) -> None:
    said = document.blocks(DEPLOY, "Callers with certificates")[2]
    assert said.language == "text"
    logged = document.normalized(with_certificates.server.output())
    assert logged[: len(said.text.splitlines())] == document.normalized(said.text)


def test_calls_with_certificates_print_what_the_document_says(with_certificates: Deployed) -> None:
    calls, record = document.blocks(DEPLOY, "Callers with certificates")[3:]
    steps = calls.steps()
    assert len(steps) == 2
    for step in steps:
        code, printed = with_certificates.run(step.command)
        assert (code == 0) == (not step.output.startswith("ERROR"))
        assert document.normalized(printed) == document.normalized(step.output)
    assert record.language == "json"
    lines = (with_certificates.directory / "audit.jsonl").read_text().splitlines()
    (mutation,) = [line for line in lines if json.loads(line)["kind"] == "mutation"]
    assert document.normalized(mutation) == document.normalized(record.text)
    # The decision on the same call has the same request id.
    ids = [json.loads(line)["request_id"] for line in lines if json.loads(line)["kind"] == "decision"]
    assert json.loads(mutation)["request_id"] in ids


def test_check_with_the_options_of_serve_finds_no_problem(with_certificates: Deployed) -> None:
    code, printed = with_certificates.run(with_certificates.command.replace("mfagate serve", "mfagate check"))
    assert code == 0, printed
    assert "configuration is valid" in printed


def test_a_call_with_a_token_of_cognitos_form_succeeds(with_tokens: Deployed) -> None:
    call = document.blocks(DEPLOY, "Callers with tokens from Cognito")[0].commands()[-1]
    code, printed = with_tokens.run(call)
    assert code == 0, printed
    assert json.loads(printed)["mfaConfiguration"].startswith("USER_POOL_MFA_TYPE_")


@pytest.mark.parametrize("command", ["explain", "test"])
def test_the_commands_on_policies_print_what_the_document_says(tmp_path: pathlib.Path, command: str) -> None:
    steps = [
        step
        for block in document.blocks(POLICIES, "Policies")
        if block.language == "console"
        for step in block.steps()
        if step.command.startswith(f"mfagate policy {command} ")
    ]
    assert len(steps) == 1
    code, printed = document.run(steps[0].command, tmp_path, document.prepare(tmp_path))
    assert code == 0, printed
    assert document.normalized(printed) == document.normalized(steps[0].output)


def test_the_schema_is_printed_as_it_is_in_the_repository(tmp_path: pathlib.Path) -> None:
    code, printed = document.run("mfagate policy schema", tmp_path, document.prepare(tmp_path))
    assert code == 0, printed
    (schema,) = (REPOSITORY / "src").rglob("mfagate.cedarschema")
    assert printed == schema.read_text()


@pytest.mark.parametrize(("language", "files"), [("text", "*.cedar"), ("json", "entities.json"), ("toml", "*.toml")])
def test_what_the_document_shows_of_policies_is_in_the_examples(language: str, files: str) -> None:
    (shown,) = [block.text for block in document.blocks(POLICIES, "Policies") if block.language == language]
    examples = (REPOSITORY / "examples" / "policies").glob(files)
    assert any(shown in file.read_text() for file in examples)


def test_the_log_events_that_the_manual_names_are_logged() -> None:
    named = re.findall(r"^\| `([^`]+)` \|", (REPOSITORY / "docs" / "operate.md").read_text(), re.M)
    assert named
    source = "".join(file.read_text() for file in (REPOSITORY / "src").rglob("*.rs"))
    assert [event for event in named if f'"{event}"' not in source] == []
