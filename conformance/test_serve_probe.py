"""Compares `mfagate probe` with the real grpc_health_probe, against the same servers."""

import pathlib
import socket
from collections.abc import Iterator

import pytest

from suite import certificates, health_probe, served
from suite.certificates import Authority
from suite.process import free_port

pytestmark = pytest.mark.skipif(
    not health_probe.PROGRAM.exists(),
    reason="grpc_health_probe is missing: conformance/run builds it where Go and its modules can be had",
)

SERVING, ARGUMENTS, CONNECTION, RPC, UNHEALTHY = range(5)
"""The exit codes."""

# Placeholders name a server or a file: see `places`.
CASES = {
    # The server that is mfagate, over TLS, with a client certificate.
    "serving": ("{mutual}", SERVING),
    "two dashes": ("{mutual} --addr={tls} --tls --tls-ca-cert={ca} --tls-client-cert={certificate}", SERVING),
    "values apart": ("{mutual} -addr {tls} -tls -tls-ca-cert {ca} -tls-client-key {key}", SERVING),
    "a service": ("{mutual} -service=mfagate.v1.PoolConfigService", SERVING),
    "an unknown service": ("{mutual} -service=unknown", RPC),
    "a server name": ("{mutual} -addr={ip} -tls-server-name=localhost", SERVING),
    "no verification": ("-addr={ip} -tls -tls-no-verify -tls-client-cert={certificate} -tls-client-key={key}", SERVING),
    "another server name": ("{mutual} -tls-server-name=example.org", CONNECTION),
    "another authority": ("{mutual} -tls-ca-cert={other}", CONNECTION),
    "no client certificate": ("-addr={tls} -tls -tls-ca-cert={ca}", CONNECTION),
    "a stranger's certificate": ("{mutual} -tls-client-cert={stranger} -tls-client-key={stranger_key}", CONNECTION),
    "plaintext to TLS": ("-addr={tls}", CONNECTION),
    # A server of gRPC's own library.
    "plaintext": ("-addr={plain} -service=1", SERVING),
    "TLS off": ("-addr={plain} -service=1 -tls=false", SERVING),
    "TLS to plaintext": ("-addr={plain} -tls -tls-no-verify", CONNECTION),
    "no host": ("-addr=:{port} -service=1", SERVING),
    "headers": ("-addr={plain} -service=1 -rpc-header=a:b -rpc-header=c:d -user-agent=prober", SERVING),
    "the last flag wins": ("-addr=127.0.0.1:1 -addr={plain} -service=2 -service=1", SERVING),
    "Go's durations": ("-addr={plain} -service=1 -connect-timeout=1m30s -rpc-timeout=1.5s", SERVING),
    "no status": ("-addr={plain}", UNHEALTHY),
    "not serving": ("-addr={plain} -service=2", UNHEALTHY),
    "service unknown": ("-addr={plain} -service=3", UNHEALTHY),
    "not found": ("-addr={plain} -service=NOT_FOUND", RPC),
    "unavailable": ("-addr={plain} -service=UNAVAILABLE", RPC),
    "deadline exceeded": ("-addr={plain} -service=DEADLINE_EXCEEDED", RPC),
    "unimplemented": ("-addr={plain} -service=UNIMPLEMENTED", RPC),
    "no health service": ("-addr={empty}", RPC),
    "no response": ("-addr={plain} -service=held -rpc-timeout=300ms", RPC),
    "no listener": ("-addr={unused} -connect-timeout=300ms", CONNECTION),
    "a listener that never speaks": ("-addr={silent} -connect-timeout=300ms", CONNECTION),
    "a listener that never speaks TLS": ("-addr={silent} -tls -tls-no-verify -connect-timeout=300ms", CONNECTION),
    # Arguments that are wrong.
    "an unknown flag": ("-addr={plain} -unknown", ARGUMENTS),
    "an empty address": ("-addr=", ARGUMENTS),
    "no value": ("-addr", ARGUMENTS),
    "no time to connect": ("-addr={plain} -connect-timeout=0s", ARGUMENTS),
    "no time for the call": ("-addr={plain} -rpc-timeout=-1s", ARGUMENTS),
    "no unit": ("-addr={plain} -rpc-timeout=1", ARGUMENTS),
    "neither on nor off": ("-addr={plain} -tls=maybe", ARGUMENTS),
    "no verification without TLS": ("-addr={plain} -tls-no-verify", ARGUMENTS),
    "an authority without TLS": ("-addr={plain} -tls-ca-cert={ca}", ARGUMENTS),
    "a server name without TLS": ("-addr={plain} -tls-server-name=localhost", ARGUMENTS),
    "a certificate without TLS": ("-addr={plain} -tls-client-cert={certificate} -tls-client-key={key}", ARGUMENTS),
    "a certificate without a key": ("-addr={tls} -tls -tls-client-cert={certificate}", ARGUMENTS),
    "a key without a certificate": ("-addr={tls} -tls -tls-client-key={key}", ARGUMENTS),
    "an authority that is not used": ("-addr={tls} -tls -tls-no-verify -tls-ca-cert={ca}", ARGUMENTS),
    "a name that is not used": ("-addr={tls} -tls -tls-no-verify -tls-server-name=localhost", ARGUMENTS),
    "a missing authority": ("-addr={tls} -tls -tls-ca-cert=missing.pem", ARGUMENTS),
    "an authority that is a key": ("-addr={tls} -tls -tls-ca-cert={key}", ARGUMENTS),
    "a key of another certificate": ("{mutual} -tls-client-key={stranger_key}", ARGUMENTS),
    "a header without a value": ("-addr={plain} -rpc-header=name", ARGUMENTS),
}

# Where ours differs on purpose: the exit codes of theirs and ours. Also, ours has a default address, where mfagate listens.
DEVIATIONS = {
    # An address that can't be one is an argument that is wrong, and is told at once.
    "-addr=localhost -connect-timeout=300ms": (CONNECTION, ARGUMENTS),
    # What is not read is more likely a mistake.
    "-addr={plain} -service=1 extra": (SERVING, ARGUMENTS),
    # Help that was asked for is no error.
    "-h": (ARGUMENTS, SERVING),
    # Not offered: compression, and names of gRPC's own resolvers.
    "-addr={plain} -service=1 -gzip": (SERVING, ARGUMENTS),
    "-addr=dns:///{plain} -service=1": (SERVING, ARGUMENTS),
}


@pytest.fixture(scope="module")
def places(embedded_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What the placeholders of the cases stand for."""
    directory: pathlib.Path = tmp_path_factory.mktemp("probe")
    ours, other = Authority(directory, "ours"), Authority(directory, "other")
    server = ours.issue("server", "DNS:localhost,IP:127.0.0.1", usage=certificates.SERVER)
    client, stranger = (authority.issue("client", "URI:spiffe://example.org/probe") for authority in (ours, other))
    options = served.tls_options(server, ours)
    with (
        served.in_front_of(embedded_url, directory, options, credentials=ours.credentials(client)) as running,
        health_probe.health_server() as plain,
        health_probe.health_server(has_health=False) as empty,
        socket.create_server(("127.0.0.1", 0)) as silent,
    ):
        port = running.gate.address.rpartition(":")[2]
        found = {
            "tls": f"localhost:{port}",
            "ip": running.gate.address,
            "plain": plain,
            "port": plain.rpartition(":")[2],
            "empty": empty,
            "silent": f"127.0.0.1:{silent.getsockname()[1]}",
            "unused": f"127.0.0.1:{free_port()}",
            "ca": str(ours.certificate),
            "other": str(other.certificate),
            "certificate": str(client.certificate),
            "key": str(client.key),
            "stranger": str(stranger.certificate),
            "stranger_key": str(stranger.key),
        }
        mutual = "-addr={tls} -tls -tls-ca-cert={ca} -tls-client-cert={certificate} -tls-client-key={key}"
        yield found | {"mutual": mutual.format(**found)}


@pytest.mark.parametrize("name", CASES)
def test_the_probes_have_the_same_exit_code_and_say_the_same(places: dict[str, str], name: str) -> None:
    line, code = CASES[name]
    arguments = line.format(**places).split()
    theirs, ours = health_probe.theirs(*arguments), health_probe.ours(*arguments)
    assert (theirs.code, ours.code) == (code, code), f"{theirs.errors}\n{ours.errors}"
    if code == ARGUMENTS:
        # Each in the words of its library.
        assert ours.errors
    else:
        # Ours also says why no connection was made.
        assert ours.first_line.startswith(theirs.first_line), f"{theirs.errors}\n{ours.errors}"


@pytest.mark.parametrize("line", DEVIATIONS)
def test_the_probes_differ_where_it_is_meant(places: dict[str, str], line: str) -> None:
    arguments = line.format(**places).split()
    theirs, ours = health_probe.theirs(*arguments), health_probe.ours(*arguments)
    assert (theirs.code, ours.code) == DEVIATIONS[line], f"{theirs.errors}\n{ours.errors}"
