"""A running mfagate, called with messages obtained over reflection."""

import copy
import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from google.protobuf import json_format, message
from google.rpc import status_pb2

from .caller import new_caller
from .process import Process, clean_environment
from .reflection import Metadata, Reflection

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
CALL_TIMEOUT_SECONDS = 30
DETAIL_TYPE = "type.googleapis.com/"


@dataclasses.dataclass(frozen=True)
class Refusal:
    """An RPC that did not return OK."""

    code: str
    message: str
    details: dict[str, dict[str, object]]
    """The details as JSON, by the last part of their type's name."""

    @property
    def reason(self) -> str:
        """The reason of the one `ErrorInfo`."""
        return str(self.details["ErrorInfo"]["reason"])

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata of the one `ErrorInfo`."""
        found = self.details["ErrorInfo"].get("metadata", {})
        assert isinstance(found, dict)
        return found

    def violated_fields(self) -> list[str]:
        """The field paths that `BadRequest` names."""
        violations = self.details.get("BadRequest", {}).get("fieldViolations", [])
        assert isinstance(violations, list)
        return [violation["field"] for violation in violations]


class Gate:
    """A running mfagate."""

    def __init__(
        self,
        process: Process,
        address: str,
        metadata: Metadata = (),
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        self.process = process
        self.address = address
        self._metadata = metadata
        self._channel = _channel(address, credentials)
        self.reflection = Reflection(self._channel, metadata)
        self.methods = {
            method.name: method
            for service in self.reflection.services()
            if service.startswith("mfagate.v1.")
            for method in self.reflection.methods(service)
        }

    def call(self, rpc: str, request: dict[str, object]) -> dict[str, object] | Refusal:
        """Calls an RPC of mfagate by its bare name. Request and response are JSON with the protos' field names."""
        response = self._invoke(f"{self.methods[rpc].containing_service.full_name}/{rpc}", request)
        if isinstance(response, Refusal):
            return response
        return json_format.MessageToDict(response, preserving_proto_field_name=True)

    def call_json(self, path: str, request: dict[str, object]) -> dict[str, object] | Refusal:
        """Calls an RPC of any service by `package.Service/Method`. The response is JSON with JSON's field names."""
        response = self._invoke(path, request)
        return response if isinstance(response, Refusal) else json_format.MessageToDict(response)

    def _invoke(self, path: str, request: dict[str, object]) -> message.Message | Refusal:
        service, _, name = path.partition("/")
        method = next(method for method in self.reflection.methods(service) if method.name == name)
        request_type = self.reflection.message(method.input_type.full_name)
        response_type = self.reflection.message(method.output_type.full_name)
        call = self._channel.unary_unary(
            f"/{path}",
            request_serializer=request_type.SerializeToString,
            response_deserializer=response_type.FromString,
        )
        try:
            return call(
                json_format.ParseDict(request, request_type()), timeout=CALL_TIMEOUT_SECONDS, metadata=self._metadata
            )
        except grpc.RpcError as error:
            return self.refusal(error)

    def refusal(self, error: grpc.RpcError) -> Refusal:
        """What an RPC returned instead of OK, with its details decoded."""
        assert isinstance(error, grpc.Call)
        metadata = dict(error.trailing_metadata() or ())
        status = status_pb2.Status.FromString(metadata.get("grpc-status-details-bin", b""))
        details: dict[str, dict[str, object]] = {}
        for packed in status.details:
            # The type comes from the server's own reflection: a detail that it does not describe fails here.
            name = packed.type_url.removeprefix(DETAIL_TYPE)
            detail = self.reflection.message(name)()
            assert isinstance(detail, message.Message)
            detail.ParseFromString(packed.value)
            short = name.rsplit(".", 1)[-1]
            assert short not in details, f"two details of the type {short}"
            details[short] = json_format.MessageToDict(detail)
        return Refusal(error.code().name, error.details() or "", details)

    @contextmanager
    def as_caller(
        self, metadata: Metadata = (), credentials: grpc.ChannelCredentials | None = None
    ) -> Iterator["Gate"]:
        """The same mfagate over another caller's connection, which reads no descriptors and may be refused."""
        other = copy.copy(self)
        other._metadata = metadata
        other._channel = _channel(self.address, credentials)
        try:
            yield other
        finally:
            other._channel.close()

    def close(self) -> None:
        """Closes the connection and stops the process."""
        self._channel.close()
        self.process.stop()


def _channel(address: str, credentials: grpc.ChannelCredentials | None) -> grpc.Channel:
    """A separate connection, plaintext without credentials. grpcio shares connections of equal channels."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    if credentials is None:
        return grpc.insecure_channel(address, options)
    return grpc.secure_channel(address, credentials, options)


def binary() -> pathlib.Path:
    """The mfagate program: `$MFAGATE`, or the debug build of this repository."""
    given = os.environ.get("MFAGATE")
    if given:
        return pathlib.Path(given).resolve()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    return target / "debug" / "mfagate"


@contextmanager
def running(
    command: str,
    *arguments: str,
    environment: dict[str, str] | None = None,
    metadata: Metadata = (),
    credentials: grpc.ChannelCredentials | None = None,
) -> Iterator[Gate]:
    """Runs `mfagate COMMAND` on a free port for the length of the block.

    Every call carries the metadata, and uses TLS if there are credentials.
    """
    process = Process(
        f"mfagate {command}",
        [str(binary()), command, "--listen", "127.0.0.1:0", *arguments],
        # Nothing balances load here.
        clean_environment() | {"MFAGATE_DRAIN_DELAY": "0s"} | (environment or {}),
    )
    try:
        address = process.wait_for_output(GATE_ADDRESS).group(1)
        gate = Gate(process, address, metadata, credentials)
    except BaseException:
        process.stop()
        raise
    try:
        yield gate
    finally:
        gate.close()


def aws_keys(key: str, secret: str) -> dict[str, str]:
    """The environment with AWS credentials for mfagate."""
    return {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        # Without it, the SDK asks the EC2 metadata service for a Region.
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def serving(endpoint: str, key: str, secret: str) -> Iterator[Gate]:
    """Runs `mfagate serve` with AWS credentials in its environment and a caller with every permission."""
    with tempfile.TemporaryDirectory() as directory:
        caller = new_caller(pathlib.Path(directory))
        options = ["--cognito-endpoint", endpoint, *caller.options]
        with running("serve", *options, environment=aws_keys(key, secret), metadata=caller.metadata) as gate:
            yield gate


# `dev` prints the address for people; `serve` logs it.
GATE_ADDRESS = r"(?m)(?:^gRPC +|serving address=)(127\.0\.0\.1:\d+)"
EMBEDDED_ADDRESS = r"(?m)^embedded Cognito +(http://127\.0\.0\.1:\d+)"


def embedded_url(gate: Gate) -> str:
    """The URL of the embedded Cognito of a running `mfagate dev`."""
    return gate.process.wait_for_output(EMBEDDED_ADDRESS).group(1)
