"""Compares calls through mfagate to other Cognito implementations with direct boto3 calls."""

import json
from collections.abc import Callable

import pytest

from suite import cognito, deviation, differential, manual
from suite.case import Case
from suite.cases import CASES
from suite.gate import Gate

PEERS = ("embedded", "moto", "ministack", "cognito_local")
KNOWN = deviation.known()


def _unsupported(peer: str) -> dict[str, object] | None:
    return KNOWN.get(peer, {}).get("lacks")


def _pairs() -> list[tuple[str, str]]:
    """Every case with every peer; one case per operation that the peer lacks."""
    pairs = []
    for peer in PEERS:
        unsupported = _unsupported(peer)
        seen: set[str] = set()
        for name, case in CASES.items():
            if unsupported is not None and case.operation in unsupported["operations"]:
                if case.operation in seen:
                    continue
                seen.add(case.operation)
            pairs.append((peer, name))
    return pairs


Pair = Callable[[str], tuple[Gate, str]]


@pytest.mark.parametrize(("peer", "name"), _pairs(), ids=lambda value: value.replace(" ", "-"))
def test_the_call_through_mfagate_gives_what_the_peer_gives(
    pair: Pair, recorder: deviation.Recorder | None, peer: str, name: str
) -> None:
    case = CASES[name]
    gate, url = pair(peer)
    comparison = differential.compare(gate, cognito.client(url), case)
    _assert_refusal_is_clean(comparison)
    unsupported = _unsupported(peer)
    if unsupported is not None and case.operation in unsupported["operations"]:
        _assert_unsupported(comparison, unsupported["observed"])
        return
    found = deviation.found(comparison, case.aws)
    for who in ("peer", "gate"):
        if recorder is not None:
            recorder.put(peer, who, name, found.get(who))
            continue
        expected = KNOWN.get(peer, {}).get(who, {}).get(name)
        _assert_as_recorded(who, found.get(who), expected, comparison, case)


def _assert_refusal_is_clean(comparison: differential.Comparison) -> None:
    """Asserts that the refusal is as the error manual documents and repeats no secret."""
    refusal = comparison.refusal
    if refusal is None:
        return
    manual.assert_documented(refusal)
    said = json.dumps([refusal.message, refusal.details])
    for secret in comparison.secrets:
        assert secret not in said, f"the refusal repeats a secret of the request: {said}"


def _assert_unsupported(comparison: differential.Comparison, observed: dict[str, object]) -> None:
    assert comparison.direct | {"after": {}} == observed | {"after": {}}, "the peer now has the operation"
    assert comparison.agree(), (
        f"the expected code is {comparison.expected_code}, but mfagate returned {comparison.gate}"
    )


def _assert_as_recorded(
    who: str,
    observed: dict[str, object] | None,
    expected: dict[str, object] | None,
    comparison: differential.Comparison,
    case: Case,
) -> None:
    seen = (
        f"\n  AWS      {case.aws}\n  peer     {comparison.direct}\n  mfagate  {comparison.gate}"
        f"\n  expected {comparison.expected_code}"
    )
    if expected is None:
        assert observed is None, f"a new deviation of the {who}:{seen}"
        return
    assert observed is not None, f"a known deviation of the {who} is gone; remove it from deviations.json:{seen}"
    assert observed == expected["observed"], f"a known deviation of the {who} has changed:{seen}"


def test_every_recorded_deviation_belongs_to_a_case_and_has_a_reason() -> None:
    assert set(KNOWN) <= set(PEERS)
    operations = {case.operation for case in CASES.values()}
    for peer, record in KNOWN.items():
        assert set(record) <= {"peer", "gate", "lacks"}
        unsupported = record.get("lacks", {"operations": [], "why": "none"})
        assert set(unsupported["operations"]) <= operations
        assert unsupported["why"]
        for who in ("peer", "gate"):
            for name, entry in record.get(who, {}).items():
                assert name in CASES, f"{peer}: no case is named {name!r}"
                assert CASES[name].operation not in unsupported["operations"], f"{peer} lacks the operation of {name!r}"
                assert entry["why"], f"{peer}, {who}: {name!r} has no reason"


def test_the_embedded_cognito_responds_as_aws_does() -> None:
    assert not KNOWN.get("embedded", {}).get("peer")


def test_every_operation_has_a_case() -> None:
    assert len({case.operation for case in CASES.values()}) == 17
