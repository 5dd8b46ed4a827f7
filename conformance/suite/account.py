"""Pools and users of the embedded Cognito, and their sign-ins."""

import dataclasses
from collections.abc import Callable

import botocore.client

from .cognito import must, refused
from .control import Control

USERNAME = "maria"
PASSWORD = "Correct-Horse-7"
PHONE = "+12065550100"
EMAIL = "maria@example.com"
FLOWS = ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
SMS_CONFIGURATION = {"SnsCallerArn": "arn:aws:iam::123456789012:role/sms", "ExternalId": "mfagate"}
DEVELOPER_EMAIL = {
    "EmailConfiguration": {
        "EmailSendingAccount": "DEVELOPER",
        "SourceArn": "arn:aws:ses:us-west-2:123456789012:identity/example.com",
    },
    "AccountRecoverySetting": {"RecoveryMechanisms": [{"Name": "admin_only", "Priority": 1}]},
}
SMS = {"SmsMfaConfiguration": {"SmsConfiguration": SMS_CONFIGURATION}}
TOTP = {"SoftwareTokenMfaConfiguration": {"Enabled": True}}
EMAIL_CODE = {"EmailMfaConfiguration": {"Message": "Your code is {####}", "Subject": "Your code"}}
PASSKEY = {
    "WebAuthnConfiguration": {
        "RelyingPartyId": "localhost",
        "UserVerification": "preferred",
        "FactorConfiguration": "MULTI_FACTOR_WITH_USER_VERIFICATION",
    }
}
EVERY_FACTOR = SMS | TOTP | EMAIL_CODE | PASSKEY
LOCKOUT_SECONDS = (0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32)
"""Seconds to wait before each of many wrong codes in a row; after the last, the user is locked out for a minute."""
PREFERRED = {"Enabled": True, "PreferredMfa": True}
ENABLED = {"Enabled": True, "PreferredMfa": False}
DISABLED = {"Enabled": False, "PreferredMfa": False}


@dataclasses.dataclass
class Account:
    """A pool with one app client and one user."""

    cognito: botocore.client.BaseClient
    control: Control
    pool_id: str = ""
    client_id: str = ""
    access_token: str = ""
    refresh_token: str = ""

    @property
    def user(self) -> dict[str, str]:
        """The user, as an administrator names it."""
        return {"UserPoolId": self.pool_id, "Username": USERNAME}

    def must(self, operation: str, **parameters: object) -> dict:
        """Calls an operation that must succeed."""
        return must(self.cognito, operation, **parameters)

    def refused(self, operation: str, code: str, text: str = "", **parameters: object) -> None:
        """Calls an operation that must be refused."""
        refused(self.cognito, operation, code, text, **parameters)

    def configure(self, mode: str, *blocks: dict[str, object]) -> dict:
        """Replaces the pool's MFA configuration."""
        return self.must("SetUserPoolMfaConfig", **self.configuration(mode, *blocks))

    def configuration(self, mode: str | None, *blocks: dict[str, object]) -> dict[str, object]:
        """The request that replaces the pool's MFA configuration."""
        request: dict[str, object] = {"UserPoolId": self.pool_id}
        for block in blocks:
            request |= block
        return request if mode is None else request | {"MfaConfiguration": mode}

    def create_user(self, phone: bool = True, email: bool = True) -> None:
        """Creates the user, confirmed and with a password."""
        attributes = [{"Name": "phone_number", "Value": PHONE}] if phone else []
        attributes += [{"Name": "email", "Value": EMAIL}] if email else []
        self.must("AdminCreateUser", **self.user, UserAttributes=attributes, MessageAction="SUPPRESS")
        self.must("AdminSetUserPassword", **self.user, Password=PASSWORD, Permanent=True)

    def start(self) -> dict:
        """Sends the password; returns tokens or a challenge."""
        return self.must(
            "InitiateAuth",
            ClientId=self.client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": USERNAME, "PASSWORD": PASSWORD},
        )

    def sign_in(self) -> str:
        """Signs in without a second factor and returns the access token."""
        result = self.start()["AuthenticationResult"]
        self.access_token, self.refresh_token = result["AccessToken"], result["RefreshToken"]
        return self.access_token

    def challenge_response(self, challenge: dict, **answers: str) -> dict[str, object]:
        """The request that answers a challenge."""
        return {
            "ClientId": self.client_id,
            "ChallengeName": challenge["ChallengeName"],
            "Session": challenge["Session"],
            "ChallengeResponses": {"USERNAME": USERNAME} | answers,
        }

    def respond(self, challenge: dict, **answers: str) -> dict:
        """Answers a challenge correctly."""
        return self.must("RespondToAuthChallenge", **self.challenge_response(challenge, **answers))

    def associate(self) -> str:
        """Starts to enrol a software token and returns its secret."""
        return self.must("AssociateSoftwareToken", AccessToken=self.access_token)["SecretCode"]

    def enrol(self) -> str:
        """Enrols a software token and returns its secret."""
        secret = self.associate()
        response = self.must("VerifySoftwareToken", AccessToken=self.access_token, UserCode=self.code())
        assert response == {"Status": "SUCCESS"}
        return secret

    def code(self) -> str:
        """The software token's current code."""
        return self.control.code(self.pool_id, USERNAME)

    def wrong_code(self) -> str:
        """Six digits that are not the current code, and almost certainly not a neighbouring one."""
        return f"{(int(self.code()) + 500_000) % 1_000_000:06}"

    def newest_code(self) -> str:
        """The code last sent to the user."""
        return self.control.sent(self.pool_id, USERNAME)[-1]["Code"]

    def prefer(self, **blocks: object) -> None:
        """Sets the user's preference as an administrator."""
        self.must("AdminSetUserMFAPreference", **self.user, **blocks)

    def factors(self) -> tuple[list[str], str | None]:
        """The user's enabled factors, sorted, and the preferred one."""
        response = self.must("AdminGetUser", **self.user)
        return sorted(response.get("UserMFASettingList", [])), response.get("PreferredMfaSetting")

    def attributes(self) -> dict[str, str]:
        """The user's attributes."""
        response = self.must("AdminGetUser", **self.user)
        return {entry["Name"]: entry["Value"] for entry in response["UserAttributes"]}


def new_account(
    cognito: botocore.client.BaseClient,
    control: Control,
    mode: str = "OPTIONAL",
    factors: dict[str, object] = EVERY_FACTOR,
    **pool: object,
) -> Account:
    """A pool with an app client and no users; `pool` has members of CreateUserPool."""
    account = Account(cognito, control)
    response = account.must("CreateUserPool", **{"PoolName": "conformance"} | DEVELOPER_EMAIL | pool)
    account.pool_id = response["UserPool"]["Id"]
    if mode != "OFF":
        account.configure(mode, factors)
    client = account.must(
        "CreateUserPoolClient", UserPoolId=account.pool_id, ClientName="conformance", ExplicitAuthFlows=FLOWS
    )
    account.client_id = client["UserPoolClient"]["ClientId"]
    return account


Make = Callable[..., Account]
"""`new_account` with the servers bound."""
