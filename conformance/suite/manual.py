"""Holds mfagate's refusals against its manual of errors, the comments of `error_reason.proto`."""

import json
import pathlib
import re

from .gate import REPOSITORY, Refusal

FILE = REPOSITORY / "proto" / "mfagate" / "v1" / "error_reason.proto"
PREFIX = "ERROR_REASON_"
FAULTS = {"CALLER", "END_USER", "POOL_OPERATOR", "MFAGATE", "AWS"}
ALSO_WITHOUT_A_CALL = {"USER_TOKEN_REJECTED"}
"""Reasons that mfagate also finds by itself: a token that names no pool can not be sent to any Region."""
DETAILS = ("BadRequest", "RetryInfo", "PreconditionFailure", "ResourceInfo")


def _entries() -> dict[str, tuple[set[str], set[str], dict[str, object]]]:
    """For every reason: the codes and the details in the manual's `Returned as`, and its example."""
    entries = {}
    comment: list[str] = []
    for line in pathlib.Path(FILE).read_text().splitlines():
        line = line.strip()
        value = re.match(rf"{PREFIX}(\w+) = (\d+);", line)
        if line.startswith("//"):
            comment.append(line.removeprefix("//").strip())
        elif value:
            if value.group(2) != "0":
                entries[value.group(1)] = _entry(" ".join(comment))
            comment = []
        else:
            comment = []
    return entries


def _entry(comment: str) -> tuple[set[str], set[str], dict[str, object]]:
    answered = re.search(r"Returned as (.*?)\.(?: |$)", comment)
    example = re.search(r'\{ "reason".*\} \}', comment)
    assert answered and example, f"the manual's entry lacks its form: {comment}"
    codes = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)*\b", answered.group(1)))
    details = {detail for detail in DETAILS if detail in answered.group(1)}
    return codes, details, json.loads(example.group(0))


ENTRIES = _entries()


def is_followed(refusal: Refusal) -> None:
    """Asserts that a refusal has the code, the details and the metadata that the manual promises for its reason."""
    assert "ErrorInfo" in refusal.details, f"no ErrorInfo: {refusal}"
    assert refusal.details["ErrorInfo"]["domain"] == "mfagate"
    assert refusal.reason in ENTRIES, f"the manual does not know {refusal.reason}"
    codes, details, example = ENTRIES[refusal.reason]
    assert refusal.code in codes, f"{refusal.reason} is due as {codes}, not {refusal.code}"
    assert details <= set(refusal.details), f"{refusal.reason} is due with {details}: {refusal}"
    assert refusal.metadata["fault"] in FAULTS
    assert refusal.metadata["retryable"] in {"true", "false"}
    promised = example["metadata"]
    assert isinstance(promised, dict)
    # A reason that follows a call names the operation; codes and request ids are there if Cognito gave them.
    if refusal.reason not in ALSO_WITHOUT_A_CALL:
        assert ("operation" in refusal.metadata) == ("operation" in promised), f"{refusal}"
    assert refusal.metadata["fault"] == promised["fault"], f"{refusal}"
    assert refusal.message, "the status has no text"
