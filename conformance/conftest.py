"""Fixtures: running servers, each started once and stopped with the run."""

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
    """Makes SIGTERM end the run as an interrupt does, with every server stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option that rewrites the record of deviations."""
    parser.addoption(
        "--record",
        action="store_true",
        help="rewrite deviations.json with the observed outcomes; keeps existing reasons, new ones are written by hand",
    )


@pytest.fixture(scope="session")
def dev() -> Iterator[gate.Gate]:
    """`mfagate dev` with its embedded Cognito."""
    with gate.running("dev", "--embedded-listen", "127.0.0.1:0") as running:
        yield running


@pytest.fixture(scope="session")
def embedded_url() -> Iterator[str]:
    """The embedded Cognito of a `mfagate dev` whose clock the tests may advance."""
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
    """Creates pools of the embedded Cognito."""
    return functools.partial(new_account, embedded, control)


@pytest.fixture(scope="session")
def pair(dev: gate.Gate) -> Iterator[Callable[[str], tuple[gate.Gate, str]]]:
    """Returns a peer by name, with an mfagate in front of it. Each pair is started on first use."""
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
    """An mfagate in front of a peer: `serve` if the peer checks access keys, `dev` otherwise."""
    if running.name in peer.CHECK_KEYS:
        return gate.serving(running.url, cognito.KEY, cognito.SECRET)
    return gate.running("dev", "--cognito-endpoint", running.url)


@pytest.fixture(scope="session")
def recorder(request: pytest.FixtureRequest) -> Iterator[deviation.Recorder | None]:
    """The recorder of observed deviations in a run with `--record`; None in any other run."""
    if not request.config.getoption("--record"):
        yield None
        return
    recorder = deviation.Recorder()
    yield recorder
    recorder.write()
