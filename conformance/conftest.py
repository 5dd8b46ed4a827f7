"""Gives the tests running servers, each started once and ended with the run."""

import functools
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import botocore.client
import pytest

from suite import cognito, deviation, gate, peer
from suite.account import Make, new_account
from suite.control import Control


def pytest_configure() -> None:
    """Makes a termination end the run as an interrupt does, with every server stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option that rewrites the record of deviations."""
    parser.addoption(
        "--record",
        action="store_true",
        help="rewrite deviations.json with what is observed; the reasons in it are kept, new ones are written by hand",
    )


@pytest.fixture(scope="session")
def dev() -> Iterator[gate.Gate]:
    """`mfagate dev` with its embedded Cognito."""
    with gate.running("dev", "--embedded-listen", "127.0.0.1:0") as running:
        yield running


@pytest.fixture(scope="session")
def embedded_url() -> Iterator[str]:
    """The embedded Cognito of a `mfagate dev` whose clock the tests may move on."""
    with gate.running("dev", "--embedded-listen", "127.0.0.1:0") as running:
        yield gate.embedded_url(running)


@pytest.fixture(scope="session")
def embedded(embedded_url: str) -> botocore.client.BaseClient:
    """A boto3 client for the embedded Cognito."""
    return cognito.client(embedded_url)


@pytest.fixture(scope="session")
def control(embedded_url: str) -> Control:
    """The control endpoints of the embedded Cognito."""
    return Control(embedded_url)


@pytest.fixture(scope="session")
def make(embedded: botocore.client.BaseClient, control: Control) -> Make:
    """Makes pools of the embedded Cognito."""
    return functools.partial(new_account, embedded, control)


@pytest.fixture(scope="session")
def pair(dev: gate.Gate) -> Iterator[Callable[[str], tuple[gate.Gate, str]]]:
    """Answers a peer by name, with an mfagate in front of it; each pair is started when first asked for."""
    with ExitStack() as stack:
        pairs = {"embedded": (dev, gate.embedded_url(dev))}

        def started(name: str) -> tuple[gate.Gate, str]:
            if name not in pairs:
                running = stack.enter_context(peer.started(name))
                front = stack.enter_context(_in_front_of(running))
                pairs[name] = (front, running.url)
            return pairs[name]

        yield started


def _in_front_of(running: peer.Peer) -> AbstractContextManager[gate.Gate]:
    """An mfagate before a peer: `serve` where the peer knows its callers by their keys, else `dev`."""
    if running.name in peer.CHECK_KEYS:
        return gate.serving(running.url, cognito.KEY, cognito.SECRET)
    return gate.running("dev", "--cognito-endpoint", running.url)


@pytest.fixture(scope="session")
def recorder(request: pytest.FixtureRequest) -> Iterator[deviation.Recorder | None]:
    """Where observed deviations go in a run with `--record`; None in any other run."""
    if not request.config.getoption("--record"):
        yield None
        return
    recorder = deviation.Recorder()
    yield recorder
    recorder.write()
