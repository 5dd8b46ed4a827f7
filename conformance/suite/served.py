"""A running `mfagate serve`, with its audit records and the operations that the embedded Cognito got."""

import dataclasses
import json
import os
import pathlib
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import grpc

from . import gate
from .caller import POLICY
from .certificates import Authority, Identity
from .control import Control
from .gate import Gate
from .reflection import Metadata

POOL = "us-west-2_EXAMPLE"
USER = "testuser"
READ = "GetUserPoolMfaConfig"
READ_PATH = f"mfagate.v1.PoolConfigService/{READ}"
READ_REQUEST: dict[str, object] = {"user_pool_id": POOL}
"""A read that every authenticated caller may make."""

Options = Mapping[str, str | pathlib.Path]


@dataclasses.dataclass
class Observations:
    """The effects of the calls in a block; complete after the block."""

    records: list[dict[str, object]] = dataclasses.field(default_factory=list)
    """The audit records of mfagate's own RPCs. grpcurl reads descriptors first, which is recorded as well."""
    operations: list[str] = dataclasses.field(default_factory=list)
    """The operations that Cognito was called with."""

    def callers(self) -> list[tuple[object, object]]:
        """The caller of each call, and how it was authenticated."""
        return [(record.get("caller"), record["authenticated"]) for record in self.records]


@dataclasses.dataclass(frozen=True)
class Served:
    """A running `mfagate serve`."""

    gate: Gate
    control: Control
    audit_log: pathlib.Path

    @contextmanager
    def observed(self) -> Iterator[Observations]:
        """What mfagate records and Cognito is called with in the block. A record is written before its call returns."""
        written = self.audit_log.stat().st_size
        self.control.clear_requests()
        seen = Observations()
        yield seen
        with self.audit_log.open("rb") as log:
            log.seek(written)
            records = [json.loads(line) for line in log]
        seen.records += [record for record in records if record.get("rpc") != "ServerReflection"]
        seen.operations += [str(request["Operation"]) for request in self.control.requests()]

    def reload(self) -> str:
        """Sends SIGHUP, waits until the reload is done, and returns what was logged meanwhile."""
        logged = len(self.gate.process.output())
        os.kill(self.gate.process.pid, signal.SIGHUP)
        self.gate.process.wait_for_output(r"(?m)serve: (reloaded|reload incomplete)\b", logged)
        return self.gate.process.output()[logged:]


def tls_options(server: Identity, authority: Authority) -> Options:
    """The options to serve TLS as `server` to callers with certificates of the authority."""
    return {
        "--tls-certificate": server.certificate,
        "--tls-key": server.key,
        "--tls-client-ca": authority.certificate,
    }


@contextmanager
def in_front_of(
    cognito: str,
    directory: pathlib.Path,
    options: Options,
    metadata: Metadata = (),
    credentials: grpc.ChannelCredentials | None = None,
    key: tuple[str, str] = ("test", "test"),
) -> Iterator[Served]:
    """Runs `mfagate serve` in front of a Cognito, with an AWS key and with callers that have every permission.

    Its own calls, reflection included, carry the metadata and use TLS with the credentials.
    """
    policies = directory / "policies"
    policies.mkdir()
    (policies / "all.cedar").write_text(POLICY)
    audit_log = directory / "audit.jsonl"
    own: Options = {
        "--cognito-endpoint": cognito,
        "--policies": policies,
        "--audit-log": audit_log,
        "--audit-username": "none",
    }
    arguments = [str(part) for option in {**own, **options}.items() for part in option]
    environment = gate.aws_keys(*key)
    running = gate.running("serve", *arguments, environment=environment, metadata=metadata, credentials=credentials)
    with running as started:
        yield Served(started, Control(cognito), audit_log)
