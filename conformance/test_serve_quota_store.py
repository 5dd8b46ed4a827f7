"""Replicas of `mfagate serve` that share a quota in a real Redis: together they use it all and no more, whatever becomes of the store."""

import itertools
import pathlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from suite import gate, redis
from suite.caller import new_caller
from suite.gate import Gate, Refusal
from suite.redis import Redis
from suite.served import READ

RATE = 25
BURST = 5
WINDOW_SECONDS = 6.0
THREADS = 8

AWAY = "quota store away, each replica has its part"
BACK = "quota store back, quota shared again"


@pytest.fixture
def store(tmp_path: pathlib.Path) -> Iterator[Redis]:
    """A Redis of the test's own."""
    directory = tmp_path / "redis"
    directory.mkdir()
    with redis.started(directory) as running:
        yield running


@contextmanager
def replicas(number: int, embedded_url: str, directory: pathlib.Path, url: str) -> Iterator[list[Gate]]:
    """So many replicas with one store."""
    with ExitStack() as stack:
        started = []
        for index in range(number):
            own = directory / f"replica-{index}"
            own.mkdir()
            caller = new_caller(own)
            quota = f"ALL=unlimited,USER_POOL_RESOURCE_READ={RATE}/{BURST}"
            options = ["--quota", quota, "--quota-store", url, "--replicas", str(number)]
            arguments = ["--cognito-endpoint", embedded_url, *caller.options, *options]
            environment = gate.aws_keys("test", "test")
            running = gate.running("serve", *arguments, environment=environment, metadata=caller.metadata)
            started.append(stack.enter_context(running))
        yield started


class Load:
    """Calls on every replica, as many as each lets through; counts those that succeed, and keeps what is unexpected."""

    def __init__(self, targets: list[Gate], threads: int = THREADS) -> None:
        self.times: list[float] = []
        self.by_replica = [0] * len(targets)
        self.unexpected: list[object] = []
        self._targets = targets
        self._ends = threading.Event()
        self._numbers = itertools.count()
        self._threads = [
            threading.Thread(target=self._call, args=(index, target))
            for index, target in enumerate(targets)
            for _ in range(threads)
        ]

    def __enter__(self) -> "Load":
        for target in self._targets:
            # The types of a refusal's details are loaded once, which threads must not do together.
            target.call(READ, {"user_pool_id": "us-west-2_none"})
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()

    def _call(self, index: int, target: Gate) -> None:
        while not self._ends.is_set():
            # Each of another pool, since reads of one pool at the same time are one request. None is there, and that takes a turn.
            response = target.call(READ, {"user_pool_id": f"us-west-2_pool{next(self._numbers)}"})
            if isinstance(response, Refusal) and response.reason == "RESOURCE_NOT_FOUND":
                self.times.append(time.monotonic())
                self.by_replica[index] += 1
            elif not isinstance(response, Refusal) or response.reason != "QUOTA_WAIT_TOO_LONG":
                self.unexpected.append(response)

    def served(self, seconds: float) -> int:
        """How many calls succeed from now on in this time."""
        begin = time.monotonic()
        time.sleep(seconds)
        return sum(begin <= moment < begin + seconds for moment in list(self.times))


def logged(replica: Gate, text: str) -> int:
    """How often a replica has logged this."""
    return replica.process.output().count(text)


def within(served: int, seconds: float, rate: float = RATE, below: float = 0.02, above: float = 0.02) -> bool:
    """Whether so many calls are what a quota allows, but for one token at each end of the time."""
    expected = rate * seconds
    return expected * (1 - below) - 1 <= served <= expected * (1 + above) + 1


@pytest.mark.parametrize("number", [2, 5])
def test_replicas_use_one_quota_together(
    number: int, embedded_url: str, tmp_path: pathlib.Path, store: Redis
) -> None:
    with replicas(number, embedded_url, tmp_path, store.url) as started, Load(started, 32 // number) as load:
        load.served(1.0)
        before = store.command("INFO", "commandstats")
        served = load.served(WINDOW_SECONDS)
        after = store.command("INFO", "commandstats")
    assert within(served, WINDOW_SECONDS), served
    assert not load.unexpected
    assert min(load.by_replica) > 0, load.by_replica
    requests = evaluations(after) - evaluations(before)
    # A request brings several tokens; five that all have more demand than there is come for single ones at this low a rate.
    assert requests < served * (1 if number == 2 else 1.5), (requests, served)


def evaluations(stats: bytes) -> int:
    found = re.search(rb"cmdstat_evalsha:calls=(\d+)", stats)
    assert found, stats
    return int(found.group(1))


@pytest.mark.parametrize("fault", ["killed", "paused"])
def test_without_the_store_each_replica_has_its_part_and_with_it_they_share_again(
    fault: str, embedded_url: str, tmp_path: pathlib.Path, store: Redis
) -> None:
    with replicas(2, embedded_url, tmp_path, store.url) as started:
        with Load(started) as load:
            load.served(0.5)
            store.kill() if fault == "killed" else store.pause()
            for replica in started:
                replica.process.wait_for_output(AWAY)
            load.served(0.5)
            served = load.served(4.0)
            assert within(served, 4.0), served
            store.start() if fault == "killed" else store.resume()
            for replica in started:
                replica.process.wait_for_output(BACK)
            load.served(1.0)
            served = load.served(4.0)
            assert within(served, 4.0), served
        # The store decides about time only: no call fails because of it.
        assert not load.unexpected
        for replica in started:
            assert logged(replica, AWAY) == logged(replica, BACK) == 1


def test_a_replica_starts_without_the_store_and_with_one_that_is_slow_it_uses_its_part_or_more(
    embedded_url: str, tmp_path: pathlib.Path, store: Redis
) -> None:
    with redis.delayed(store.port, 0.1) as url, replicas(2, embedded_url, tmp_path, url) as started:
        with Load(started) as load:
            load.served(1.0)
            served = load.served(4.0)
        # And one burst, if a replica had to do without the store in between.
        assert within(served, 4.0, below=0.5, above=0.02 + BURST / (RATE * 4.0)), served
        assert not load.unexpected
    store.kill()
    (tmp_path / "alone").mkdir()
    with replicas(1, embedded_url, tmp_path / "alone", store.url) as started, Load(started, 32) as load:
        started[0].process.wait_for_output(AWAY)
        load.served(0.5)
        served = load.served(3.0)
    assert within(served, 3.0), served


@pytest.mark.parametrize("hours", [-24, 24])
def test_a_clock_of_the_store_that_jumps_stops_nobody(
    hours: int, embedded_url: str, tmp_path: pathlib.Path, store: Redis
) -> None:
    with replicas(2, embedded_url, tmp_path, store.url) as started:
        with Load(started) as load:
            load.served(0.5)
            # The server's clock was set back by a day: what it has stored is a day ahead. Or forward: it is long ago.
            then = int((time.time() + hours * 3600) * 1_000_000)
            key = "mfagate:quota:us-west-2:USER_POOL_RESOURCE_READ"
            assert store.command("EXISTS", key) == b":1\r\n"
            assert store.command("SET", key, str(then)) == b"+OK\r\n"
            load.served(0.5)
            served = load.served(3.0)
            assert within(served, 3.0), served
        assert not load.unexpected
        assert not any(logged(replica, AWAY) for replica in started)
