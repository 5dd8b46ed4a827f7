"""The record of known deviations, `deviations.json`."""

import json
import pathlib

from .differential import Comparison, Outcome

FILE = pathlib.Path(__file__).resolve().parent.parent / "deviations.json"


def known() -> dict[str, dict[str, dict[str, Outcome]]]:
    """For each peer: the operations that it lacks, its deviations from AWS, and mfagate's deviations from it."""
    return json.loads(FILE.read_text())


def found(comparison: Comparison, aws: Outcome) -> dict[str, Outcome]:
    """The deviations of one case: `peer` from AWS, `gate` from the peer."""
    deviations: dict[str, Outcome] = {}
    if without_http(comparison.direct) != aws:
        deviations["peer"] = comparison.direct
    if "unprepared" not in comparison.direct and not comparison.agree():
        deviations["gate"] = comparison.gate
    return deviations


def without_http(outcome: Outcome) -> Outcome:
    """An outcome in the form of AWS's outcomes, which have a code for every refusal."""
    return {name: value for name, value in outcome.items() if name != "http"}


class Recorder:
    """Collects deviations in a run with `--record`, and writes them as the new record."""

    def __init__(self) -> None:
        self._record = known()
        self._changed = False

    def put(self, peer: str, who: str, case: str, observed: Outcome | None) -> None:
        """Records the outcome of a case; None removes it."""
        cases = self._record.setdefault(peer, {}).setdefault(who, {})
        if observed is None:
            self._changed |= cases.pop(case, None) is not None
            return
        before = cases.get(case, {})
        # The reason is written by hand; the suite rejects an empty one.
        cases[case] = {"why": before.get("why", ""), "observed": observed}
        self._changed |= before.get("observed") != observed

    def write(self) -> None:
        """Writes the record if it changed."""
        if self._changed:
            self._record = {
                peer: {who: cases for who, cases in record.items() if cases} for peer, record in self._record.items()
            }
            FILE.write_text(json.dumps(self._record, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
