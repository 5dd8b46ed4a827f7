"""Requests that violate one constraint each, derived from botocore's model of Cognito."""

import copy
import dataclasses
import json
from collections.abc import Iterator

import botocore.client
import regex
from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape

from .cognito import METHODS, Refused, call

DEPTH = 4
"""The maximum depth of members; no operation here nests constraints deeper."""

SAMPLES = (
    "us-west-2_Absent000",
    "arn:aws:iam::123456789012:role/absent",
    "maria",
    "a.b.c",
    "{####}",
    "{####} {username}",
    "{##Verify##}",
    "123456",
    "us-west-2",
    "a@example.com",
    "https://example.com/",
    "example.com",
    "0",
    "",
)
"""Sample values: for each pattern of the model, one matches after lengthening."""

MISFITS = ("\u0007", "ab!", "é", " ", "x", "9")
"""Sample values: for each pattern that can be violated, one does."""


@dataclasses.dataclass(frozen=True)
class Violation:
    """A request body that violates one constraint."""

    operation: str
    path: str
    """The member as Cognito's message names it."""
    constraint: str
    """Cognito's text for the constraint."""
    inside: str
    """How the message introduces constraints on a list's items or a map's values; empty for the member itself."""
    body: dict[str, object]
    """The request."""

    def __str__(self) -> str:
        words = self.constraint.removeprefix("Member must ").removesuffix("[").strip(" :")
        return f"{self.operation} {self.path} {'items ' if self.inside else ''}{words}".replace(" ", "-")


def send(cognito: botocore.client.BaseClient, operation: str, body: object) -> dict[str, object] | Refused:
    """Sends a body verbatim, signed by boto3 if the operation is signed."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def replace(params: dict[str, object], **_: object) -> None:
        params["body"] = data

    event = f"before-call.cognito-identity-provider.{operation}"
    cognito.meta.events.register(event, replace)
    try:
        return call(cognito, operation)
    finally:
        cognito.meta.events.unregister(event, replace)


def violations(operation: OperationModel) -> Iterator[Violation]:
    """Each constraint of an operation's input that can be violated, violated once."""
    yield from _structure(operation.name, operation.input_shape, smallest(operation.input_shape), (), "", DEPTH)


def wrong_types(operation: OperationModel) -> Iterator[tuple[str, dict[str, object]]]:
    """For each member of the input, a request body with another JSON type."""
    for name, shape in operation.input_shape.members.items():
        if getattr(shape, "document", False) or shape.type_name == "structure" and shape.is_document_type:
            continue
        wrong: object = [] if shape.type_name in {"structure", "map", "string", "boolean", "integer"} else {}
        yield name, smallest(operation.input_shape) | {name: wrong}


def limits(operation: OperationModel) -> Iterator[tuple[str, dict[str, object]]]:
    """The shortest and longest texts that each top-level member allows, if a sample matches."""
    base = smallest(operation.input_shape)
    for name, shape in operation.input_shape.members.items():
        if not isinstance(shape, StringShape) or shape.enum:
            continue
        for size in {shape.metadata.get("min"), shape.metadata.get("max")} - {None}:
            text = _lengthened(shape, size) if size else ""
            pattern = shape.metadata.get("pattern")
            if len(text) == size and (pattern is None or fits(pattern, text)):
                yield f"{name[0].lower()}{name[1:]}", base | {name: text}


def smallest(shape: StructureShape) -> dict[str, object]:
    """A value with only the required members, all valid."""
    return {name: _valid(shape.members[name]) for name in shape.required_members}


def _structure(
    operation: str, shape: StructureShape, base: dict[str, object], at: tuple[object, ...], path: str, depth: int
) -> Iterator[Violation]:
    """The violations within a structure at the keys `at` of the request `base`."""
    for name, member in shape.members.items():
        member_path = f"{path}{name[0].lower()}{name[1:]}"
        here = (*at, name)
        if name in shape.required_members:
            yield Violation(operation, member_path, "Member must not be null", "", _without(base, here))
        yield from _value(operation, member, base, here, member_path, depth)


def _value(
    operation: str, shape: Shape, base: dict[str, object], at: tuple[object, ...], path: str, depth: int
) -> Iterator[Violation]:
    for constraint, value in _broken(shape):
        yield Violation(operation, path, constraint, "", _with(base, at, value))
    if depth == 0:
        return
    if isinstance(shape, StructureShape) and not shape.is_document_type:
        inner = _with(base, at, smallest(shape))
        yield from _structure(operation, shape, inner, at, f"{path}.", depth - 1)
    elif isinstance(shape, ListShape):
        yield from _items(operation, shape, base, at, path, depth)
    elif isinstance(shape, MapShape):
        for constraint, value in _broken(shape.value):
            inner = _with(base, at, {"key": value})
            yield Violation(operation, path, constraint, "Map value must satisfy constraint: [", inner)


def _items(
    operation: str, shape: ListShape, base: dict[str, object], at: tuple[object, ...], path: str, depth: int
) -> Iterator[Violation]:
    if isinstance(shape.member, StructureShape):
        inner = _with(base, at, [smallest(shape.member)])
        yield from _structure(operation, shape.member, inner, (*at, 0), f"{path}.1.member.", depth - 1)
        return
    for constraint, value in _broken(shape.member):
        inner = _with(base, at, [value])
        yield Violation(operation, path, constraint, "Member must satisfy constraint: [", inner)


def _broken(shape: Shape) -> Iterator[tuple[str, object]]:
    """The constraints of a value, each with a value that violates it."""
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    unit = "value" if shape.type_name in {"integer", "long"} else "length"
    if least is not None and least > 0:
        yield f"Member must have {unit} greater than or equal to {least}", _of_size(shape, least - 1)
    if most is not None:
        yield f"Member must have {unit} less than or equal to {most}", _of_size(shape, most + 1)
    if isinstance(shape, StringShape) and shape.enum:
        yield "Member must satisfy enum value set: [", "NO_SUCH_VALUE"
    pattern = shape.metadata.get("pattern")
    if pattern is not None:
        misfit = _misfit(shape, pattern)
        if misfit is not None:
            yield "Member must satisfy regular expression pattern: ", misfit


def _of_size(shape: Shape, size: int) -> object:
    if shape.type_name in {"integer", "long"}:
        return size
    if isinstance(shape, ListShape):
        return [_valid(shape.member)] * size
    if isinstance(shape, MapShape):
        return {f"key{number}": _valid(shape.value) for number in range(size)}
    return _lengthened(shape, size)


def _lengthened(shape: Shape, size: int) -> str:
    """A text of exactly this length, which matches the pattern if a sample can."""
    pattern = shape.metadata.get("pattern")
    if shape.metadata.get("enum"):
        return "x" * size
    candidates = [sample for sample in SAMPLES if 0 < len(sample) <= size] + ["x", "1", "A"]
    for sample in candidates:
        for text in (sample + sample[-1] * (size - len(sample)), sample[:1] * (size - len(sample)) + sample):
            if len(text) == size and (pattern is None or fits(pattern, text)):
                return text
    return "x" * size


def _misfit(shape: Shape, pattern: str) -> str | None:
    least = max(shape.metadata.get("min", 0), 1)
    most = shape.metadata.get("max", least + 3)
    for misfit in MISFITS:
        text = (misfit * least)[: max(least, len(misfit))]
        if least <= len(text) <= most and not fits(pattern, text):
            return text
    return None


def fits(pattern: str, text: str) -> bool:
    """Whether a pattern of the model matches a whole text."""
    return regex.fullmatch(pattern, text) is not None


def _valid(shape: Shape) -> object:
    if isinstance(shape, StructureShape):
        return {} if shape.is_document_type else smallest(shape)
    if isinstance(shape, ListShape):
        return [_valid(shape.member)] * shape.metadata.get("min", 0)
    if isinstance(shape, MapShape):
        return {}
    if isinstance(shape, StringShape):
        return shape.enum[0] if shape.enum else _valid_text(shape)
    if shape.type_name == "boolean":
        return False
    return shape.metadata.get("min", 0)


def _valid_text(shape: StringShape) -> str:
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max", 1 << 17)
    pattern = shape.metadata.get("pattern")
    for sample in SAMPLES:
        for size in {min(max(len(sample), least), most), least}:
            text = _lengthened(shape, size)
            if pattern is None or fits(pattern, text):
                return text
        if least <= len(sample) <= most and (pattern is None or fits(pattern, sample)):
            return sample
    raise AssertionError(f"no sample fits {shape.name} {shape.metadata}")


def _with(base: dict[str, object], at: tuple[object, ...], value: object) -> dict[str, object]:
    body = copy.deepcopy(base)
    place: object = body
    for key in at[:-1]:
        place = place[key] if isinstance(place, list) else place.setdefault(key, {})
    place[at[-1]] = value
    return body


def _without(base: dict[str, object], at: tuple[object, ...]) -> dict[str, object]:
    body = copy.deepcopy(base)
    place: object = body
    for key in at[:-1]:
        place = place[key]
    del place[at[-1]]
    return body


def operations(cognito: botocore.client.BaseClient) -> list[str]:
    """The operations that a server supports, probed one by one with a body that is not JSON."""
    known = []
    for operation in sorted(METHODS.keys() & set(cognito.meta.service_model.operation_names)):
        response = send(cognito, operation, b"no JSON")
        if not (isinstance(response, Refused) and response.code == "UnknownOperationException"):
            known.append(operation)
    return known
