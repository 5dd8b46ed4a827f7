"""boto3 clients for a Cognito endpoint, and their exceptions."""

import dataclasses
import functools

import boto3
import botocore.client
import botocore.config
import botocore.exceptions
import botocore.model

REGION = "us-west-2"
KEY = "test"
SECRET = "test"


CONFIGURATION = botocore.config.Config(
    retries={"total_max_attempts": 1}, parameter_validation=False, proxies={}, connect_timeout=10, read_timeout=30
)


@functools.cache
def client(
    url: str, region: str = REGION, key: str = KEY, secret: str = SECRET, service: str = "cognito-idp"
) -> botocore.client.BaseClient:
    """A client that signs as botocore does, sends each request once, and validates nothing itself."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=CONFIGURATION,
    )


def client_with_timeout(url: str, seconds: float) -> botocore.client.BaseClient:
    """A client that waits at most this long for a response."""
    config = CONFIGURATION.merge(botocore.config.Config(read_timeout=seconds))
    return boto3.client(
        "cognito-idp",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        config=config,
    )


@dataclasses.dataclass(frozen=True)
class Refused:
    """An exception that Cognito returned."""

    code: str | None
    """The exception's code; None if the response has no readable one."""
    message: str
    http_status: int
    headers: dict[str, str]


def call(cognito: botocore.client.BaseClient, operation: str, **parameters: object) -> dict[str, object] | Refused:
    """Calls an operation by its wire name; returns the response without boto3's own metadata."""
    method = METHODS[operation]
    try:
        response = getattr(cognito, method)(**parameters)
    except botocore.exceptions.ClientError as error:
        metadata = error.response["ResponseMetadata"]
        code = error.response["Error"]["Code"]
        # Without a code in the response, botocore uses the HTTP status as the code.
        readable = None if code == str(metadata["HTTPStatusCode"]) else code
        return Refused(
            readable, error.response["Error"]["Message"], metadata["HTTPStatusCode"], metadata["HTTPHeaders"]
        )
    response.pop("ResponseMetadata")
    return response


def must(cognito: botocore.client.BaseClient, operation: str, **parameters: object) -> dict:
    """Calls an operation that must succeed."""
    response = call(cognito, operation, **parameters)
    assert not isinstance(response, Refused), f"{operation} was refused: {response.code} {response.message!r}"
    return response


def refused(
    cognito: botocore.client.BaseClient, operation: str, code: str, text: str = "", **parameters: object
) -> Refused:
    """Calls an operation that must be refused with this code and a message that contains `text`."""
    response = call(cognito, operation, **parameters)
    assert isinstance(response, Refused), f"{operation} was not refused but returned {response}"
    assert response.code == code, f"{operation} was refused with {response.code} {response.message!r} instead of {code}"
    assert text in response.message, f"{operation} was refused with the text {response.message!r}"
    return response


def model() -> botocore.model.ServiceModel:
    """botocore's model of the service."""
    return client("http://127.0.0.1:1").meta.service_model


METHODS = {operation: method for method, operation in client("http://127.0.0.1:1").meta.method_to_api_mapping.items()}
