"""The calls that people paste, made with the real grpcurl (reflection v1alpha) and with grpcio (reflection v1)."""

import dataclasses
import json
import pathlib
import re
from collections.abc import Iterator

import grpc
import pytest

from suite import cookbook, gate, manual
from suite.caller import new_caller
from suite.control import Control
from suite.cookbook import Recipe
from suite.gate import Gate, Refusal

RECIPES = cookbook.recipes("docs/cookbook.md")
INTRODUCTION = cookbook.recipes("README.md")
MISTAKES = cookbook.recipes("docs/troubleshooting.md")
READER = """
@id("everything")
permit (principal == Mfagate::Caller::"conformance", action, resource);
@id("support-reads")
permit (principal == Mfagate::Caller::"support", action == Mfagate::Action::"AdminGetUser",
        resource == Mfagate::UserPool::"us-west-2_EXAMPLE");
"""
"""The caller of the document reads users of one pool; the suite's own caller reads the descriptors."""
RPCS = 17


@pytest.fixture(scope="module")
def cookbook_dev() -> Iterator[Gate]:
    """The `mfagate dev` on which the cookbook's calls run, from top to bottom."""
    with gate.running("dev") as running:
        yield running


@pytest.fixture(scope="module")
def readme_dev() -> Iterator[Gate]:
    """The `mfagate dev` on which the README's calls run."""
    with gate.running("dev") as running:
        yield running


@pytest.fixture(scope="module")
def grpcio_dev() -> Iterator[Gate]:
    """The `mfagate dev` on which grpcio makes the same calls."""
    with gate.running("dev") as running:
        yield running


@dataclasses.dataclass(frozen=True)
class Mistaken:
    """Where newcomers make their mistakes: `mfagate dev`, and `mfagate serve` before its Cognito."""

    dev: Gate
    serve: Gate
    variables: dict[str, str]
    directory: pathlib.Path

    def printed(self, script: str) -> str:
        """What a command of the document prints, without the details of the error."""
        serves = "CALLER_TOKEN" in script or "-protoset" in script
        address = (self.serve if serves else self.dev).address
        return cookbook.output_with(self.variables, script, address, self.directory).partition("  Details:\n")[0]


@pytest.fixture(scope="module")
def mistaken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mistaken]:
    """The servers of the document, the tokens of its callers, and the file of descriptors that it makes."""
    directory: pathlib.Path = tmp_path_factory.mktemp("mistaken")
    caller = new_caller(directory, READER)
    with gate.running("dev") as dev:
        own = {"CALLER_TOKEN": caller.token_of("support"), "EXPIRED_TOKEN": caller.token_of("support", -60)}
        variables = cookbook.environment(dev) | own
        described = f"grpcurl -plaintext -protoset-out mfagate.binpb {dev.address} describe"
        printed = cookbook.output_with(variables, described, dev.address, directory)
        assert (directory / "mfagate.binpb").exists(), printed
        options = ["--cognito-endpoint", gate.embedded_url(dev), *caller.options]
        aws = gate.aws_keys("test", "test")
        with gate.running("serve", *options, environment=aws, metadata=caller.metadata) as serve:
            yield Mistaken(dev, serve, variables, directory)


def recipe_id(value: object) -> str:
    """The test id of a recipe."""
    assert isinstance(value, Recipe)
    return re.sub(r"\W+", "-", value.title)


def test_grpcurl_is_the_release_that_speaks_reflection_v1alpha_only(cookbook_dev: Gate) -> None:
    assert cookbook.output_of(cookbook_dev, "grpcurl -version").strip() == "grpcurl v1.8.6"


def test_the_cookbook_has_every_rpc(cookbook_dev: Gate) -> None:
    served = {f"{method.containing_service.full_name}/{name}" for name, method in cookbook_dev.methods.items()}
    assert len(served) == RPCS
    assert served <= {recipe.rpc() for recipe in RECIPES}


@pytest.mark.parametrize("recipe", RECIPES, ids=recipe_id)
def test_grpcurl_prints_what_the_cookbook_says(cookbook_dev: Gate, recipe: Recipe) -> None:
    output = cookbook.output_of(cookbook_dev, recipe.script)
    assert recipe.output, "the cookbook has no output for it"
    assert cookbook.normalized(output) == cookbook.normalized(recipe.output), output


@pytest.mark.parametrize("order", ["backwards", "in strides"])
def test_the_cookbook_runs_in_any_order_and_again(order: str) -> None:
    stride = -1 if order == "backwards" else 7
    assert len(RECIPES) % abs(stride) or abs(stride) == 1
    with gate.running("dev") as fresh:
        for step in range(2 * len(RECIPES)):
            recipe = RECIPES[step * stride % len(RECIPES)]
            output = cookbook.output_of(fresh, recipe.script)
            if output.startswith("ERROR:"):
                assert recipe.output.startswith("ERROR:"), f"{recipe.title}: {output}"
                assert cookbook.error(output)[0] == cookbook.error(recipe.output)[0], output


def test_the_cookbook_has_a_fresh_token_and_a_reset() -> None:
    document = (gate.REPOSITORY / "docs/cookbook.md").read_text()
    lines = [line for line in document.splitlines() if "_embedded/token" in line or "_embedded/reset" in line]
    assert len(lines) == 2
    with gate.running("dev") as fresh:
        for line in lines:
            call = line.removeprefix("export TOKEN=$(").removesuffix(")")
            output = cookbook.output_of(fresh, call)
            assert output.count(".") == 2 if "token" in line else json.loads(output) == {}


def test_the_readme_has_a_call_and_a_refusal() -> None:
    refused = [recipe.output.startswith("ERROR:") for recipe in INTRODUCTION]
    assert refused == [False, True]


@pytest.mark.parametrize("recipe", INTRODUCTION, ids=recipe_id)
def test_grpcurl_prints_what_the_readme_says(readme_dev: Gate, recipe: Recipe) -> None:
    output = cookbook.output_of(readme_dev, recipe.script)
    assert cookbook.normalized(output) == cookbook.normalized(recipe.output), output


@pytest.mark.parametrize("recipe", MISTAKES, ids=recipe_id)
def test_grpcurl_prints_what_the_document_says_of_a_mistake(mistaken: Mistaken, recipe: Recipe) -> None:
    assert mistaken.printed(recipe.script) == recipe.output


@pytest.mark.parametrize("recipe", [recipe for recipe in RECIPES if recipe.rpc()], ids=recipe_id)
def test_grpcio_gets_what_the_cookbook_says(grpcio_dev: Gate, recipe: Recipe, tmp_path: pathlib.Path) -> None:
    given = cookbook.arguments(grpcio_dev, recipe, tmp_path)
    request = json.loads(given[given.index("-d") + 1])
    called = recipe.rpc()
    assert called is not None
    assert given[-1] == called
    response = grpcio_dev.call_json(called, request)
    expected = recipe.output
    if isinstance(response, Refusal):
        manual.assert_documented(response)
        code, message, details = cookbook.error(expected)
        assert response.code.replace("_", "").lower() == code.lower()
        assert response.message == message
        said = {str(detail.pop("@type")).rsplit(".", 1)[-1]: detail for detail in details}
        assert normalized(response.details) == normalized(said)
        return
    assert normalized(response) == cookbook.normalized(expected)


def normalized(value: object) -> object:
    """A JSON value without what differs from run to run."""
    return cookbook.normalized(json.dumps(value))


def test_reflection_v1_lists_the_services(grpcio_dev: Gate) -> None:
    services = grpcio_dev.reflection.services()
    assert {"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"} <= set(services)
    assert sorted(name for name in services if name.startswith("mfagate.v1.")) == [
        "mfagate.v1.MfaPreferenceService",
        "mfagate.v1.PasskeyService",
        "mfagate.v1.PoolConfigService",
        "mfagate.v1.SoftwareTokenService",
    ]


def test_the_lines_that_dev_prints_can_be_pasted_as_they_are() -> None:
    with gate.running("dev") as fresh:
        lines = re.findall(r"^grpcurl .*$", cookbook.introduction(fresh), re.M)
        assert len(lines) >= 4
        outputs = [cookbook.output_of(fresh, line) for line in lines]
    assert "AdminSetUserMfaPreference" in lines[0]
    assert json.loads(outputs[0]) == {}
    read = json.loads(outputs[1])
    assert read["preferredMfaSetting"] == "MFA_FACTOR_SMS"
    assert sorted(read["userMfaSettingList"]) == ["MFA_FACTOR_SMS", "MFA_FACTOR_SOFTWARE_TOKEN"]
    assert json.loads(outputs[2])["username"] == "testuser"
    assert "mfagate.v1.MfaPreferenceService" in outputs[3].splitlines()


REFUSED = {
    "BadRequest": (
        "mfagate.v1.MfaPreferenceService/AdminSetUserMfaPreference",
        {"username": "", "sms_mfa_settings": {"preferred_mfa": True}},
        "REQUEST_INVALID",
    ),
    "PreconditionFailure": (
        "mfagate.v1.MfaPreferenceService/AdminSetUserMfaPreference",
        {"user_pool_id": "us-west-2_EXAMPLE", "username": "newuser", "sms_mfa_settings": {"enabled": True}},
        "FACTOR_NOT_ENROLLED",
    ),
    "ResourceInfo": (
        "mfagate.v1.MfaPreferenceService/AdminGetUser",
        {"user_pool_id": "us-west-2_EXAMPLE", "username": "nobody"},
        "USER_NOT_FOUND",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_grpcurl_decodes_the_details_of_a_refusal_by_name(cookbook_dev: Gate, kind: str) -> None:
    called, request, reason = REFUSED[kind]
    output = cookbook.output_of(
        cookbook_dev, f"grpcurl -plaintext -d '{json.dumps(request)}' {cookbook_dev.address} {called}"
    )
    _, _, details = cookbook.error(output)
    by_type = {str(detail["@type"]).removeprefix("type.googleapis.com/google.rpc."): detail for detail in details}
    assert {"ErrorInfo", "RequestInfo", kind} <= set(by_type)
    assert by_type["ErrorInfo"]["reason"] == reason
    # grpcurl prints what it cannot decode as bytes under this name.
    assert "@value" not in output
    assert "@error" not in output


def test_throttling_carries_retry_info_that_grpcurl_decodes(cookbook_dev: Gate) -> None:
    Control(gate.embedded_url(cookbook_dev)).inject_fault(
        {"kind": "throttling", "operation": "AdminGetUser", "match": {"Username": "throttled"}}
    )
    request = {"user_pool_id": "us-west-2_EXAMPLE", "username": "throttled"}
    output = cookbook.output_of(
        cookbook_dev,
        f"grpcurl -plaintext -d '{json.dumps(request)}' {cookbook_dev.address}"
        " mfagate.v1.MfaPreferenceService/AdminGetUser",
    )
    code, _, details = cookbook.error(output)
    assert code == "ResourceExhausted"
    retry = next(detail for detail in details if str(detail["@type"]).endswith("RetryInfo"))
    assert re.fullmatch(r"\d+(\.\d+)?s", str(retry["retryDelay"]))


def test_all_violations_come_at_once_with_field_paths(grpcio_dev: Gate) -> None:
    called, request, _ = REFUSED["BadRequest"]
    response = grpcio_dev.call_json(called, request)
    assert isinstance(response, Refusal)
    assert {"user_pool_id", "username"} <= set(response.violated_fields())
    assert any(field.startswith("sms_mfa_settings") for field in response.violated_fields())


def test_an_unknown_method_is_unimplemented_with_a_reason(grpcio_dev: Gate) -> None:
    with grpc.insecure_channel(grpcio_dev.address) as channel:
        call = channel.unary_unary("/mfagate.v1.MfaPreferenceService/NoSuchMethod")
        with pytest.raises(grpc.RpcError) as raised:
            call(b"", timeout=10)
    refusal = grpcio_dev.refusal(raised.value)
    assert refusal.code == "UNIMPLEMENTED"
    assert refusal.reason == "RPC_UNKNOWN"
    manual.assert_documented(refusal)


def test_bytes_that_are_not_a_message_are_refused_with_a_reason(grpcio_dev: Gate) -> None:
    with grpc.insecure_channel(grpcio_dev.address) as channel:
        call = channel.unary_unary("/mfagate.v1.MfaPreferenceService/AdminGetUser")
        with pytest.raises(grpc.RpcError) as raised:
            call(b"\xff\xff\xff\xff", timeout=10)
    refusal = grpcio_dev.refusal(raised.value)
    assert refusal.code == "INVALID_ARGUMENT"
    assert refusal.reason == "REQUEST_MALFORMED"
    manual.assert_documented(refusal)
