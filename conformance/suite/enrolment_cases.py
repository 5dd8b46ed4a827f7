"""The cases of software tokens and passkeys."""

from .case import UNKNOWN_SESSION, Case, admin, refused, returned, token
from .situation import TOTP_ON, Needs


def software_token() -> list[Case]:
    regardless = {"allow_reenrolment": True}
    unverified = {"response": {"secret_code": "<secret_code>"}, "after": {}}
    return [
        Case(
            "a user starts to enrol a software token", "AssociateSoftwareToken", token, unverified, gate_only=regardless
        ),
        Case(
            "a user starts to enrol a software token without allow_reenrolment",
            "AssociateSoftwareToken",
            token,
            unverified,
        ),
        Case(
            "a user with a software token starts to enrol another",
            "AssociateSoftwareToken",
            token,
            unverified,
            Needs(enrolled=True),
            gate_only=regardless,
        ),
        Case(
            "a user with a software token starts to enrol another without allow_reenrolment",
            "AssociateSoftwareToken",
            token,
            unverified,
            Needs(enrolled=True),
        ),
        Case(
            "a user starts to enrol in a pool without software tokens",
            "AssociateSoftwareToken",
            token,
            refused("SoftwareTokenMFANotFoundException"),
            Needs(pool={}),
            gate_only=regardless,
        ),
        Case(
            "a forged token starts to enrol a software token",
            "AssociateSoftwareToken",
            lambda world: {"AccessToken": world.forged_token()},
            refused("NotAuthorizedException"),
            gate_only=regardless,
        ),
        Case(
            "an unknown session starts to enrol a software token",
            "AssociateSoftwareToken",
            lambda world: {"Session": UNKNOWN_SESSION},
            refused("NotAuthorizedException"),
        ),
        Case(
            "a user verifies a software token",
            "VerifySoftwareToken",
            lambda world: token(world) | {"UserCode": world.code(), "FriendlyDeviceName": "phone"},
            returned({"status": "VERIFY_SOFTWARE_TOKEN_STATUS_SUCCESS"}),
            Needs(associated=True),
        ),
        Case(
            "a user sends a wrong code",
            "VerifySoftwareToken",
            lambda world: token(world) | {"UserCode": world.wrong_code()},
            refused("EnableSoftwareTokenMFAException"),
            Needs(associated=True),
        ),
        Case(
            "a user verifies a software token that was never set up",
            "VerifySoftwareToken",
            lambda world: token(world) | {"UserCode": "123456"},
            refused("SoftwareTokenMFANotFoundException"),
        ),
        Case(
            "a user sends five digits",
            "VerifySoftwareToken",
            lambda world: token(world) | {"UserCode": "12345"},
            refused("InvalidParameterException"),
            Needs(associated=True),
        ),
        Case(
            "a forged token verifies a software token",
            "VerifySoftwareToken",
            lambda world: {"AccessToken": world.forged_token(), "UserCode": "123456"},
            refused("NotAuthorizedException"),
            Needs(associated=True),
        ),
        Case(
            "an unknown session verifies a software token",
            "VerifySoftwareToken",
            lambda world: {"Session": UNKNOWN_SESSION, "UserCode": "123456"},
            refused("NotAuthorizedException"),
        ),
        Case(
            "an administrator deletes a software token",
            "AdminDeleteSoftwareToken",
            admin,
            returned(),
            Needs(enrolled=True),
        ),
    ]


def passkeys() -> list[Case]:
    web_authn = Needs(
        pool={
            **TOTP_ON,
            "WebAuthnConfiguration": {
                "RelyingPartyId": "localhost",
                "UserVerification": "preferred",
                "FactorConfiguration": "MULTI_FACTOR_WITH_USER_VERIFICATION",
            },
        }
    )
    return [
        Case(
            "a user starts to register a passkey",
            "StartWebAuthnRegistration",
            token,
            returned({"credential_creation_options": "<credential_creation_options>"}),
            web_authn,
        ),
        Case(
            "a user completes a registration that was not started",
            "CompleteWebAuthnRegistration",
            lambda world: token(world) | {"Credential": PASSKEY},
            refused("WebAuthnChallengeNotFoundException"),
            web_authn,
        ),
        Case("a user without passkeys lists them", "ListWebAuthnCredentials", token, returned(), web_authn),
        Case(
            "a user deletes an unknown passkey",
            "DeleteWebAuthnCredential",
            lambda world: token(world) | {"CredentialId": "dW5rbm93bg"},
            refused("ResourceNotFoundException"),
            web_authn,
        ),
    ]


PASSKEY = {
    "id": "dW5rbm93bg",
    "rawId": "dW5rbm93bg",
    "type": "public-key",
    "response": {
        "clientDataJSON": "e30",
        "attestationObject": "oA",
        "authenticatorData": "AAAA",
        "publicKeyAlgorithm": -7,
        "transports": ["internal"],
    },
    "clientExtensionResults": {},
}
