"""IAM users and roles of a moto, and the sessions that its STS opened."""

import json
import urllib.request

from . import cognito

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
REGION = "us-east-1"


def user(url: str, name: str, actions: list[str]) -> tuple[str, str]:
    """Creates an IAM user with these actions and returns an access key."""
    iam = cognito.client(url, service="iam", region=REGION)
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="conformance", PolicyDocument=_policy_document(actions))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def role(url: str, name: str, trusted: str, actions: list[str]) -> str:
    """Creates a role that a user may assume, with these actions, and returns its ARN."""
    iam = cognito.client(url, service="iam", region=REGION)
    principal = iam.get_user(UserName=trusted)["User"]["Arn"]
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": principal}}
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName=name, PolicyName="conformance", PolicyDocument=_policy_document(actions))
    return str(made["Role"]["Arn"])


def _policy_document(actions: list[str]) -> str:
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def enforce_authentication(url: str) -> None:
    """Makes moto authenticate every request from now on."""
    request = urllib.request.Request(f"{url}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"}, method="POST")
    with _OPENER.open(request, timeout=10) as response:
        assert response.status == 200


def sessions(url: str) -> list[tuple[str, str]]:
    """The role and name of every session that STS has opened, from moto's state."""
    with _OPENER.open(f"{url}/moto-api/data.json", timeout=10) as response:
        kept = json.load(response)["sts"]["AssumedRole"]
    return [(session["role_arn"], session["session_name"]) for session in kept]
