"""Changes and withholds the keys of the issuer while `mfagate serve` runs."""

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
    with served.before(embedded_url, tmp_path, trusted.options(), metadata) as running:
        yield running


def lets_in(accepting: Served, trusted: Issuer, key: Key) -> bool:
    """Whether a good token of this key lets in; one that does not is refused as a token."""
    metadata = bearer(key.sign(trusted.claims("payments")))
    with accepting.gate.known_to(metadata) as caller:
        answer = caller.call(READ, READ_REQUEST)
    if isinstance(answer, Refusal):
        assert (answer.reason, answer.metadata["credential"]) == ("CALLER_UNAUTHENTICATED", "not accepted")
        return False
    return True


def test_a_key_counts_from_its_publication_to_its_withdrawal(accepting: Served, trusted: Issuer) -> None:
    old, new = trusted.keys[0], Key("RS256", "rotated-2")
    assert lets_in(accepting, trusted, old)
    assert not lets_in(accepting, trusted, new)
    # An unknown key is worth a fetch only 30 s after the last one; a signal is worth one at once.
    trusted.keys = [old, new]
    assert "the key set was read" in accepting.reload()
    assert lets_in(accepting, trusted, old)
    assert lets_in(accepting, trusted, new)
    trusted.keys = [new]
    accepting.reload()
    assert not lets_in(accepting, trusted, old)
    assert lets_in(accepting, trusted, new)


def test_known_keys_work_while_the_issuer_answers_with_errors(accepting: Served, trusted: Issuer) -> None:
    old, new = trusted.keys[0], Key("EdDSA", "rotated-2")
    trusted.keys = [old, new]
    trusted.is_down = True
    assert "the last good keys stay in use" in accepting.reload()
    assert lets_in(accepting, trusted, old)
    assert not lets_in(accepting, trusted, new)
    trusted.is_down = False
    assert "the key set is readable again" in accepting.reload()
    assert lets_in(accepting, trusted, new)


def test_known_keys_work_while_nobody_answers_for_the_issuer(accepting: Served, trusted: Issuer) -> None:
    trusted.stop()
    assert "the last good keys stay in use" in accepting.reload()
    assert lets_in(accepting, trusted, trusted.keys[0])
