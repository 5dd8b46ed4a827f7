"""Compares the embedded Cognito's operations and constraints with botocore's model of the service."""

import functools
import re

import botocore.client
import pytest

from suite import cognito, violation
from suite.cognito import Refused
from suite.violation import Violation

BEHIND_RPCS = set(
    "AdminSetUserMFAPreference SetUserMFAPreference AdminGetUserAuthFactors GetUserAuthFactors AdminGetUser GetUser "
    "AdminSetUserSettings SetUserSettings AssociateSoftwareToken VerifySoftwareToken AdminDeleteSoftwareToken "
    "StartWebAuthnRegistration CompleteWebAuthnRegistration ListWebAuthnCredentials DeleteWebAuthnCredential "
    "GetUserPoolMfaConfig SetUserPoolMfaConfig".split()
)
TO_REACH_STATES = set(
    "CreateUserPool DescribeUserPool ListUserPools DeleteUserPool CreateUserPoolClient AdminCreateUser "
    "AdminSetUserPassword AdminUpdateUserAttributes AdminEnableUser AdminDisableUser AdminDeleteUser "
    "AdminResetUserPassword ListUsers InitiateAuth AdminInitiateAuth RespondToAuthChallenge "
    "AdminRespondToAuthChallenge GlobalSignOut AdminUserGlobalSignOut SignUp AdminConfirmSignUp".split()
)
OPERATIONS = sorted(BEHIND_RPCS | TO_REACH_STATES)
VIOLATED = re.compile(r"Value(?: (?:'.*?'|null))? at '(?P<path>[^']*)' failed to satisfy constraint: ", re.DOTALL)


@functools.cache
def all_violations() -> dict[str, Violation]:
    """The violations of all operations, by name."""
    model = cognito.model()
    found: dict[str, Violation] = {}
    for operation in OPERATIONS:
        for broken in violation.violations(model.operation_model(operation)):
            assert str(broken) not in found, f"two violations are named {broken}"
            found[str(broken)] = broken
    return found


def test_the_embedded_cognito_has_its_operations_and_no_others(embedded: botocore.client.BaseClient) -> None:
    assert violation.operations(embedded) == OPERATIONS


@pytest.mark.parametrize("name", all_violations(), ids=lambda name: name[-120:])
def test_a_broken_constraint_is_refused_in_cognitos_words(embedded: botocore.client.BaseClient, name: str) -> None:
    broken = all_violations()[name]
    response = violation.send(embedded, broken.operation, broken.body)
    assert isinstance(response, Refused), f"not refused: {response}"
    assert response.code == "InvalidParameterException", f"{response.code} {response.message!r}"
    assert re.match(r"\d+ validation errors? detected: ", response.message), response.message
    paths = {match["path"] for match in VIOLATED.finditer(response.message)}
    assert paths == {broken.path}, response.message
    assert f"failed to satisfy constraint: {broken.inside or broken.constraint}" in response.message, response.message
    assert broken.constraint in response.message, response.message


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_violation_is_reported_at_once(embedded: botocore.client.BaseClient, name: str) -> None:
    required = cognito.model().operation_model(name).input_shape.required_members
    response = violation.send(embedded, name, {})
    assert isinstance(response, Refused)
    assert response.code == "InvalidParameterException", f"{response.code} {response.message!r}"
    if required:
        count = len(required)
        assert response.message.startswith(f"{count} validation error{'s' if count > 1 else ''} detected: ")
        paths = {match["path"] for match in VIOLATED.finditer(response.message)}
        assert paths == {f"{member[0].lower()}{member[1:]}" for member in required}


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_value_of_the_wrong_json_type_is_rejected(embedded: botocore.client.BaseClient, name: str) -> None:
    wrong = list(violation.wrong_types(cognito.model().operation_model(name)))
    assert wrong
    for member, body in wrong:
        response = violation.send(embedded, name, body)
        assert isinstance(response, Refused), f"{member}: {response}"
        assert response.code == "SerializationException", f"{member}: {response.code} {response.message!r}"


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"text"', b'{"UserPoolId": "a_b"', b"\xff\xfe"])
def test_a_body_that_is_not_a_json_object_is_rejected(
    embedded: botocore.client.BaseClient, name: str, body: bytes
) -> None:
    response = violation.send(embedded, name, body)
    assert isinstance(response, Refused), response
    assert response.code == "SerializationException", f"{response.code} {response.message!r}"


def limits() -> list[tuple[str, str, dict[str, object]]]:
    """For each shortest and longest allowed top-level text: operation, member path and body."""
    model = cognito.model()
    return [
        (operation, path, body)
        for operation in OPERATIONS
        for path, body in violation.limits(model.operation_model(operation))
    ]


@pytest.mark.parametrize(
    ("operation", "path", "body"), limits(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_value_at_its_limit_satisfies_its_constraints(
    embedded: botocore.client.BaseClient, operation: str, path: str, body: dict[str, object]
) -> None:
    response = violation.send(embedded, operation, body)
    if isinstance(response, Refused):
        assert response.code != "SerializationException"
        assert f"at '{path}' failed" not in response.message, response.message
