"""The gRPC code expected for each Cognito exception, written independently of mfagate."""

import re

from .cognito import Refused

TOKEN_OPERATIONS = {
    "SetUserSettings",
    "SetUserMFAPreference",
    "AssociateSoftwareToken",
    "VerifySoftwareToken",
    "GetUser",
    "GetUserAuthFactors",
    "StartWebAuthnRegistration",
    "CompleteWebAuthnRegistration",
    "ListWebAuthnCredentials",
    "DeleteWebAuthnCredential",
}

CODES = {
    "INVALID_ARGUMENT": (
        "EnableSoftwareTokenMFAException CodeMismatchException WebAuthnRelyingPartyMismatchException "
        "WebAuthnClientMismatchException WebAuthnOriginNotAllowedException WebAuthnCredentialNotSupportedException "
        "ValidationException ValidationError"
    ),
    "NOT_FOUND": "ResourceNotFoundException UserNotFoundException",
    "FAILED_PRECONDITION": (
        "UserNotConfirmedException PasswordResetRequiredException OperationNotEnabledException "
        "FeatureUnavailableInTierException SoftwareTokenMFANotFoundException ExpiredCodeException "
        "InvalidUserPoolConfigurationException InvalidSmsRoleTrustRelationshipException "
        "InvalidSmsRoleAccessPolicyException WebAuthnNotEnabledException WebAuthnConfigurationMissingException "
        "WebAuthnChallengeNotFoundException MFAMethodNotFoundException"
    ),
    "ABORTED": "ConcurrentModificationException",
    "RESOURCE_EXHAUSTED": "TooManyRequestsException ThrottlingException LimitExceededException",
    "PERMISSION_DENIED": "ForbiddenException",
    "INTERNAL": (
        "InternalErrorException UnrecognizedClientException InvalidClientTokenId AccessDeniedException AccessDenied "
        "ExpiredTokenException InvalidSignatureException SignatureDoesNotMatch IncompleteSignature "
        "MissingAuthenticationToken RequestTimeTooSkewed OptInRequired InternalFailure SerializationException"
    ),
    "UNAVAILABLE": "ServiceUnavailableException ServiceUnavailable RequestTimeout",
    # The last two are what emulators return instead of the first two.
    "UNIMPLEMENTED": "UnknownOperationException UnknownOperation InvalidAction Unsupported",
}
GRPC_BY_CODE = {code: grpc for grpc, codes in CODES.items() for code in codes.split()}

STATE_OF_USER_OR_POOL = re.compile(
    r"delivery config set to turn on|not set up software token|not verified software token"
    r"|not have a phone_number|required when phone_number is selected|turn off SMS_MFA when SMS configuration"
    r"|EmailSendingAccount of COGNITO_DEFAULT|AccountRecoverySetting|Account Recovery Setting"
    r"|can be enabled as an auth factor|cannot be used as an auth factor|WebAuthn factor configuration to SINGLE_FACTOR",
    re.IGNORECASE,
)


def grpc_code(operation: str, refused: Refused) -> str:
    """The gRPC code expected for Cognito's exception from an operation."""
    if refused.code is None:
        return "UNAVAILABLE" if refused.http_status >= 500 else "INTERNAL"
    if refused.code == "NotAuthorizedException":
        return _not_authorized(operation, refused.message)
    if refused.code == "InvalidParameterException":
        return "FAILED_PRECONDITION" if STATE_OF_USER_OR_POOL.search(refused.message) else "INVALID_ARGUMENT"
    return GRPC_BY_CODE.get(refused.code, "UNKNOWN")


def _not_authorized(operation: str, message: str) -> str:
    if operation not in TOKEN_OPERATIONS or "disabled" in message:
        return "FAILED_PRECONDITION"
    return "PERMISSION_DENIED" if "required scopes" in message else "UNAUTHENTICATED"
