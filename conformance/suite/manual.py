"""mfagate's refusals, compared with the error manual: the comments of `error_reason.proto`."""

import json
import pathlib
import re

from .gate import REPOSITORY, Refusal

FILE = REPOSITORY / "proto" / "mfagate" / "v1" / "error_reason.proto"
PREFIX = "ERROR_REASON_"
FAULTS = {"CALLER", "END_USER", "POOL_OPERATOR", "MFAGATE", "AWS"}
ALSO_WITHOUT_OPERATION = {"USER_TOKEN_REJECTED"}
"""Reasons that mfagate also returns on its own: a token that names no pool cannot be sent to any Region."""
DETAILS = ("BadRequest", "RetryInfo", "PreconditionFailure", "ResourceInfo")


def _entries() -> dict[str, tuple[set[str], set[str], dict[str, object]]]:
    """For each reason: the codes and details in the manual, and its example."""
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
    returned = re.search(r"Returned as (.*?)\.(?: |$)", comment)
    example = re.search(r'\{ "reason".*\} \}', comment)
    assert returned and example, f"malformed entry in the manual: {comment}"
    codes = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)*\b", returned.group(1)))
    details = {detail for detail in DETAILS if detail in returned.group(1)}
    return codes, details, json.loads(example.group(0))


ENTRIES = _entries()


def assert_documented(refusal: Refusal) -> None:
    """Asserts that a refusal has the code, details and metadata that the manual documents for its reason."""
    assert "ErrorInfo" in refusal.details, f"no ErrorInfo: {refusal}"
    assert refusal.details["ErrorInfo"]["domain"] == "mfagate"
    assert refusal.reason in ENTRIES, f"the manual has no {refusal.reason}"
    codes, details, example = ENTRIES[refusal.reason]
    assert refusal.code in codes, f"{refusal.reason} is documented as {codes}, not {refusal.code}"
    assert details <= set(refusal.details), f"{refusal.reason} is documented with {details}: {refusal}"
    assert refusal.metadata["fault"] in FAULTS
    assert refusal.metadata["retryable"] in {"true", "false"}
    promised = example["metadata"]
    assert isinstance(promised, dict)
    # A reason that follows a Cognito call names the operation; codes and request ids are present if Cognito sent them.
    if refusal.reason not in ALSO_WITHOUT_OPERATION:
        assert ("operation" in refusal.metadata) == ("operation" in promised), f"{refusal}"
    assert refusal.metadata["fault"] == promised["fault"], f"{refusal}"
    assert refusal.message, "the status has no message"
