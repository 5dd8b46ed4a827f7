"""Compares mfagate in front of other Cognito implementations with boto3 straight to them."""

import json
from collections.abc import Callable

import pytest

from suite import cognito, deviation, differential, manual
from suite.case import Case
from suite.cases import CASES
from suite.gate import Gate

PEERS = ("embedded", "moto", "ministack", "cognito_local")
KNOWN = deviation.known()


def _lacked(peer: str) -> dict[str, object] | None:
    return KNOWN.get(peer, {}).get("lacks")


def _pairs() -> list[tuple[str, str]]:
    """Every case with every peer; one case is enough for an operation that the peer lacks."""
    pairs = []
    for peer in PEERS:
        lacked = _lacked(peer)
        seen: set[str] = set()
        for name, case in CASES.items():
            if lacked is not None and case.operation in lacked["operations"]:
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
    _is_clean(comparison)
    lacked = _lacked(peer)
    if lacked is not None and case.operation in lacked["operations"]:
        _is_lacking(comparison, lacked["observed"])
        return
    found = deviation.found(comparison, case.aws)
    for who in ("peer", "gate"):
        if recorder is not None:
            recorder.put(peer, who, name, found.get(who))
            continue
        expected = KNOWN.get(peer, {}).get(who, {}).get(name)
        _is_as_known(who, found.get(who), expected, comparison, case)


def _is_clean(comparison: differential.Comparison) -> None:
    """The refusal follows the manual of errors and repeats nothing that the caller must keep secret."""
    refusal = comparison.refusal
    if refusal is None:
        return
    manual.is_followed(refusal)
    said = json.dumps([refusal.message, refusal.details])
    for secret in comparison.secrets:
        assert secret not in said, f"mfagate repeats what it was given in its refusal: {said}"


def _is_lacking(comparison: differential.Comparison, observed: dict[str, object]) -> None:
    assert comparison.direct | {"after": {}} == observed | {"after": {}}, "the peer has the operation now"
    assert comparison.agree(), f"the refusal is due as {comparison.due}, but mfagate answered {comparison.gate}"


def _is_as_known(
    who: str,
    observed: dict[str, object] | None,
    expected: dict[str, object] | None,
    comparison: differential.Comparison,
    case: Case,
) -> None:
    seen = (
        f"\n  AWS      {case.aws}\n  peer     {comparison.direct}\n  mfagate  {comparison.gate}"
        f"\n  due      {comparison.due}"
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
        lacked = record.get("lacks", {"operations": [], "why": "none"})
        assert set(lacked["operations"]) <= operations
        assert lacked["why"]
        for who in ("peer", "gate"):
            for name, entry in record.get(who, {}).items():
                assert name in CASES, f"{peer}: no case is named {name!r}"
                assert CASES[name].operation not in lacked["operations"], f"{peer} lacks the operation of {name!r}"
                assert entry["why"], f"{peer}, {who}: {name!r} has no reason"


def test_the_embedded_cognito_answers_as_aws_does() -> None:
    assert not KNOWN.get("embedded", {}).get("peer")


def test_every_operation_has_a_case() -> None:
    assert len({case.operation for case in CASES.values()}) == 17
