"""Tests the embedded Cognito's responses on the wire, injected faults included."""

import json
import re
import urllib.error
import urllib.request

import botocore.exceptions
import pytest

from suite import cognito
from suite.account import Account, Make
from suite.control import Control

TARGET = "AWSCognitoIdentityProviderService."
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/us-west-2/cognito-idp/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=0123456789abcdef"
)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def post(url: str, target: str, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Sends a request verbatim; returns status, headers in lower case, and body."""
    given = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"} | headers
    request = urllib.request.Request(url, body, given, method="POST")
    try:
        with OPENER.open(request, timeout=10) as response:
            return response.status, {name.lower(): value for name, value in response.headers.items()}, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {name.lower(): value for name, value in error.headers.items()}, error.read()


def test_an_error_has_cognitos_form(embedded_url: str) -> None:
    body = json.dumps({"UserPoolId": "us-west-2_Absent000"}).encode()
    status, headers, response = post(embedded_url, f"{TARGET}GetUserPoolMfaConfig", body, Authorization=SIGNED)
    assert status == 400
    assert headers["content-type"] == "application/x-amz-json-1.1"
    assert headers["x-amzn-errortype"] == "ResourceNotFoundException:"
    assert headers["x-amzn-errormessage"] == "User pool us-west-2_Absent000 does not exist."
    assert UUID.fullmatch(headers["x-amzn-requestid"])
    assert json.loads(response) == {
        "__type": "ResourceNotFoundException",
        "message": "User pool us-west-2_Absent000 does not exist.",
    }


def test_a_response_has_cognitos_form(make: Make, embedded_url: str) -> None:
    account = make(mode="OFF")
    body = json.dumps({"UserPoolId": account.pool_id}).encode()
    status, headers, response = post(embedded_url, f"{TARGET}GetUserPoolMfaConfig", body, Authorization=SIGNED)
    assert (status, json.loads(response)) == (200, {"MfaConfiguration": "OFF"})
    assert headers["content-type"] == "application/x-amz-json-1.1"
    assert UUID.fullmatch(headers["x-amzn-requestid"])


@pytest.mark.parametrize("operation", ["AdminGetUser", "SetUserPoolMfaConfig", "CreateUserPool", "ListUsers"])
def test_an_operation_of_an_administrator_needs_a_signature(embedded_url: str, operation: str) -> None:
    status, headers, response = post(embedded_url, TARGET + operation, b"{}")
    assert status in {400, 403}
    code = headers["x-amzn-errortype"].removesuffix(":")
    assert code in {"MissingAuthenticationTokenException", "MissingAuthenticationToken"}
    assert json.loads(response)["__type"] == code


@pytest.mark.parametrize(
    "signature", ["AWS4-HMAC-SHA256 Credential=A/20261121/us-west-2/cognito-idp/aws4_request", "x"]
)
def test_half_a_signature_is_incomplete(embedded_url: str, signature: str) -> None:
    _, headers, _ = post(embedded_url, f"{TARGET}AdminGetUser", b"{}", Authorization=signature)
    assert headers["x-amzn-errortype"].startswith("IncompleteSignature")


def test_an_operation_of_a_user_needs_no_signature(embedded_url: str) -> None:
    body = json.dumps({"AccessToken": "a.b.c"}).encode()
    _, headers, _ = post(embedded_url, f"{TARGET}GetUser", body)
    assert headers["x-amzn-errortype"] == "NotAuthorizedException:"


@pytest.mark.parametrize("target", [f"{TARGET}NoSuchOperation", "GetUser", "", "OtherService.GetUser"])
def test_an_unknown_target_is_an_unknown_operation(embedded_url: str, target: str) -> None:
    status, headers, _ = post(embedded_url, target, b"{}", Authorization=SIGNED)
    assert status in {400, 404}
    assert headers["x-amzn-errortype"].startswith("UnknownOperationException")


@pytest.fixture
def account(make: Make) -> Account:
    """An optional pool with a signed-in user."""
    account = make()
    account.create_user()
    account.sign_in()
    return account


def hit(account: Account, **fault: object) -> None:
    """Injects a fault into the next read of this account's user only."""
    account.control.inject_fault({"operation": "AdminGetUser", "match": account.user, "count": 1} | fault)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("TooManyRequestsException", 400),
        ("InternalErrorException", 500),
        ("ForbiddenException", 400),
        ("OperationNotEnabledException", 400),
        ("AccessDeniedException", 400),
        ("ExpiredTokenException", 403),
        ("InvalidSmsRoleTrustRelationshipException", 400),
        ("SomeNewException", 400),
    ],
)
def test_any_error_can_be_injected_once(account: Account, code: str, status: int) -> None:
    hit(account, kind="error", code=code, message="on demand", status=status)
    response = cognito.refused(account.cognito, "AdminGetUser", code, "on demand", **account.user)
    assert response.http_status == status
    account.must("AdminGetUser", **account.user)


def test_throttling_can_be_injected(account: Account) -> None:
    hit(account, kind="throttling")
    account.refused("AdminGetUser", "TooManyRequestsException", **account.user)


def test_a_fault_affects_only_the_requests_that_it_matches(account: Account, make: Make) -> None:
    other = make(mode="OFF")
    other.create_user()
    hit(account, kind="throttling")
    other.must("AdminGetUser", **other.user)
    account.must("GetUser", AccessToken=account.access_token)
    account.refused("AdminGetUser", "TooManyRequestsException", **account.user)


def test_a_broken_connection_can_be_injected(account: Account) -> None:
    hit(account, kind="reset")
    with pytest.raises(botocore.exceptions.HTTPClientError):
        account.cognito.admin_get_user(**account.user)
    account.must("AdminGetUser", **account.user)


def test_a_truncated_response_can_be_injected(account: Account, embedded_url: str) -> None:
    body = json.dumps(account.user).encode()
    fault = {"Authorization": SIGNED, "x-embedded-fault": json.dumps({"kind": "truncated_json"})}
    status, _, response = post(embedded_url, f"{TARGET}AdminGetUser", body, **fault)
    assert status == 200
    assert response
    with pytest.raises(json.JSONDecodeError):
        json.loads(response)


def test_a_load_balancers_page_can_be_injected(account: Account) -> None:
    hit(account, kind="html")
    response = cognito.call(account.cognito, "AdminGetUser", **account.user)
    assert isinstance(response, cognito.Refused)
    assert (response.code, response.http_status) == (None, 503)


def test_a_hanging_server_can_be_injected(account: Account, embedded_url: str) -> None:
    hit(account, kind="no_answer")
    with pytest.raises(botocore.exceptions.ReadTimeoutError):
        cognito.client_with_timeout(embedded_url, 0.2).admin_get_user(**account.user)
    account.must("AdminGetUser", **account.user)


def test_a_success_can_be_replaced(account: Account) -> None:
    account.associate()
    account.control.inject_fault(
        {
            "operation": "VerifySoftwareToken",
            "match": account.user,
            "count": 1,
            "kind": "replace",
            "body": {"Status": "ERROR"},
        }
    )
    response = account.must("VerifySoftwareToken", AccessToken=account.access_token, UserCode=account.code())
    assert response == {"Status": "ERROR"}


def test_a_request_can_carry_its_own_fault(embedded_url: str) -> None:
    body = json.dumps({"AccessToken": "a.b.c"}).encode()
    _, headers, _ = post(
        embedded_url, f"{TARGET}GetUser", body, **{"x-embedded-fault": "PasswordResetRequiredException"}
    )
    assert headers["x-amzn-errortype"] == "PasswordResetRequiredException:"


def test_the_control_endpoint_reports_a_request_that_it_cannot_read(control: Control) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        control.inject_fault({"kind": "no such kind"})
    with raised.value as error:
        assert error.code == 400
