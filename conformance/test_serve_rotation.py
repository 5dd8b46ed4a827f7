"""Rotates and withholds the issuer's keys while `mfagate serve` runs."""

import pathlib
from collections.abc import Iterator

import pytest

from suite import issuer, served
from suite.gate import Refusal
from suite.issuer import Issuer, Key
from suite.reflection import bearer
from suite.served import READ, READ_REQUEST, Served


@pytest.fixture
def trusted() -> Iterator[Issuer]:
    """An issuer with one key."""
    with issuer.started("ES256") as running:
        yield running


@pytest.fixture
def accepting(embedded_url: str, trusted: Issuer, tmp_path: pathlib.Path) -> Iterator[Served]:
    """A `mfagate serve` that has fetched that key."""
    metadata = bearer(trusted.keys[0].sign(trusted.claims("conformance")))
    with served.in_front_of(embedded_url, tmp_path, trusted.options(), metadata) as running:
        yield running


def is_admitted(accepting: Served, trusted: Issuer, key: Key) -> bool:
    """Whether a good token of this key is admitted; otherwise it must be refused as not accepted."""
    metadata = bearer(key.sign(trusted.claims("payments")))
    with accepting.gate.as_caller(metadata) as caller:
        response = caller.call(READ, READ_REQUEST)
    if isinstance(response, Refusal):
        assert (response.reason, response.metadata["credential"]) == ("CALLER_UNAUTHENTICATED", "not accepted")
        return False
    return True


def test_a_key_is_valid_from_its_publication_to_its_removal(accepting: Served, trusted: Issuer) -> None:
    old, new = trusted.keys[0], Key("RS256", "rotated-2")
    assert is_admitted(accepting, trusted, old)
    assert not is_admitted(accepting, trusted, new)
    # An unknown key id triggers a fetch only 30 s after the last one; a signal triggers one at once.
    trusted.keys = [old, new]
    assert "key set loaded" in accepting.reload()
    assert is_admitted(accepting, trusted, old)
    assert is_admitted(accepting, trusted, new)
    trusted.keys = [new]
    accepting.reload()
    assert not is_admitted(accepting, trusted, old)
    assert is_admitted(accepting, trusted, new)


def test_known_keys_work_while_the_issuer_returns_errors(accepting: Served, trusted: Issuer) -> None:
    old, new = trusted.keys[0], Key("EdDSA", "rotated-2")
    trusted.keys = [old, new]
    trusted.is_down = True
    assert "key set not loaded, the last valid keys stay active" in accepting.reload()
    assert is_admitted(accepting, trusted, old)
    assert not is_admitted(accepting, trusted, new)
    trusted.is_down = False
    assert "key set loaded" in accepting.reload()
    assert is_admitted(accepting, trusted, new)


def test_known_keys_work_while_the_issuer_is_unreachable(accepting: Served, trusted: Issuer) -> None:
    trusted.stop()
    assert "key set not loaded, the last valid keys stay active" in accepting.reload()
    assert is_admitted(accepting, trusted, trusted.keys[0])
