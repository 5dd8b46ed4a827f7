"""The pool and user that a case of the differential comparison starts from."""

import base64
import dataclasses
import time

import botocore.client

from . import totp
from .cognito import Refused, call

USERNAME = "maria"
PASSWORD = "Correct-Horse-7"
PHONE = "+12065550100"
EMAIL = "maria@example.com"
TOTP_ON = {"MfaConfiguration": "OPTIONAL", "SoftwareTokenMfaConfiguration": {"Enabled": True}}
SMS_BLOCK = {
    "SmsConfiguration": {"SnsCallerArn": "arn:aws:iam::123456789012:role/sms", "ExternalId": "mfagate"},
}


class SetupRefused(Exception):
    """The implementation refused a step of the setup."""

    def __init__(self, operation: str, refused: Refused) -> None:
        super().__init__(operation, refused)
        self.observed = {"unprepared": operation, "refused": refused.code, "http": refused.http_status}


@dataclasses.dataclass
class Needs:
    """The state that a case requires before its call."""

    pool: dict[str, object] = dataclasses.field(default_factory=lambda: dict(TOTP_ON))
    """The members of SetUserPoolMfaConfig; empty for a new pool."""
    user: bool = True
    phone: bool = True
    enrolled: bool = False
    """Whether the user has a verified software token."""
    associated: bool = False
    """Whether the user has started to enrol a software token."""
    preference: dict[str, object] = dataclasses.field(default_factory=dict)
    """The members of a SetUserMFAPreference call to make first."""
    signed_out: bool = False
    disabled: bool = False
    deleted: bool = False
    unconfirmed: bool = False


@dataclasses.dataclass
class World:
    """One side's pool and user."""

    cognito: botocore.client.BaseClient
    pool_id: str = ""
    client_id: str = ""
    access_token: str = ""
    secret: str = ""

    def must(self, operation: str, **parameters: object) -> dict:
        """Calls a step of the setup."""
        response = call(self.cognito, operation, **parameters)
        if isinstance(response, Refused):
            raise SetupRefused(operation, response)
        return response

    def code(self) -> str:
        """The software token's current code."""
        return totp.code(self.secret, time.time())

    def wrong_code(self) -> str:
        """Six digits that are not a current, previous or next code of the software token."""
        near = {totp.code(self.secret, time.time() + step * totp.STEP_SECONDS) for step in range(-2, 3)}
        return next(code for code in (f"{number:06}" for number in range(10)) if code not in near)

    def forged_token(self) -> str:
        """The access token with a changed signature; its issuer still names the pool."""
        head, payload, signature = self.access_token.split(".")
        changed = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        changed = bytes([changed[0] ^ 1]) + changed[1:]
        return ".".join((head, payload, base64.urlsafe_b64encode(changed).rstrip(b"=").decode()))


def prepare(cognito: botocore.client.BaseClient, needs: Needs) -> World:
    """Creates the pool and the user, step by step as an administrator and the user would."""
    world = World(cognito)
    world.pool_id = world.must(
        "CreateUserPool",
        PoolName="conformance",
        EmailConfiguration={
            "EmailSendingAccount": "DEVELOPER",
            "SourceArn": "arn:aws:ses:us-west-2:123456789012:identity/example.com",
        },
        AccountRecoverySetting={"RecoveryMechanisms": [{"Name": "admin_only", "Priority": 1}]},
        UserPoolTier="ESSENTIALS",
    )["UserPool"]["Id"]
    if needs.pool:
        world.must("SetUserPoolMfaConfig", UserPoolId=world.pool_id, **needs.pool)
    if needs.user:
        _user(world, needs)
    return world


def _user(world: World, needs: Needs) -> None:
    flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    world.client_id = world.must(
        "CreateUserPoolClient", UserPoolId=world.pool_id, ClientName="conformance", ExplicitAuthFlows=flows
    )["UserPoolClient"]["ClientId"]
    attributes = [{"Name": "email", "Value": EMAIL}]
    if needs.phone:
        attributes.append({"Name": "phone_number", "Value": PHONE})
    user = {"UserPoolId": world.pool_id, "Username": USERNAME}
    if needs.unconfirmed:
        world.must("SignUp", ClientId=world.client_id, Username=USERNAME, Password=PASSWORD, UserAttributes=attributes)
        return
    world.must("AdminCreateUser", **user, UserAttributes=attributes, MessageAction="SUPPRESS")
    world.must("AdminSetUserPassword", **user, Password=PASSWORD, Permanent=True)
    world.access_token = world.must(
        "AdminInitiateAuth",
        UserPoolId=world.pool_id,
        ClientId=world.client_id,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": USERNAME, "PASSWORD": PASSWORD},
    )["AuthenticationResult"]["AccessToken"]
    token = {"AccessToken": world.access_token}
    if needs.associated or needs.enrolled:
        world.secret = world.must("AssociateSoftwareToken", **token)["SecretCode"]
    if needs.enrolled:
        world.must("VerifySoftwareToken", **token, UserCode=world.code())
    if needs.preference:
        world.must("SetUserMFAPreference", **token, **needs.preference)
    if needs.signed_out:
        world.must("AdminUserGlobalSignOut", **user)
    if needs.disabled:
        world.must("AdminDisableUser", **user)
    if needs.deleted:
        world.must("AdminDeleteUser", **user)
