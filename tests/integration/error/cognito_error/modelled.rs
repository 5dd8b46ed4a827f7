//! The exceptions in Cognito's model.

use mfagate::api::Rpc;
use tonic::Code;

use super::{check, row};

use Code::{
    Aborted, AlreadyExists, FailedPrecondition, Internal, InvalidArgument, NotFound, PermissionDenied,
    ResourceExhausted, Unauthenticated,
};
use Rpc::{
    AdminDeleteSoftwareToken, AdminGetUser, AdminSetUserMfaPreference, AdminSetUserSettings, AssociateSoftwareToken,
    CompleteWebAuthnRegistration, DeleteWebAuthnCredential, GetUser, GetUserAuthFactors, GetUserPoolMfaConfig,
    ListWebAuthnCredentials, SetUserMfaPreference, SetUserPoolMfaConfig, SetUserSettings, StartWebAuthnRegistration,
    VerifySoftwareToken,
};

#[tokio::test]
async fn modelled_exceptions_of_user_operations_map_as_documented() {
    check(&[
        row(AdminSetUserMfaPreference, "InvalidParameterException").is(InvalidArgument, "INVALID_PARAMETER", "CALLER"),
        row(GetUser, "InvalidParameterException").is(InvalidArgument, "INVALID_PARAMETER", "CALLER"),
        row(AdminGetUser, "ResourceNotFoundException")
            .is(NotFound, "RESOURCE_NOT_FOUND", "CALLER")
            .with("ResourceInfo"),
        row(DeleteWebAuthnCredential, "ResourceNotFoundException")
            .is(NotFound, "RESOURCE_NOT_FOUND", "CALLER")
            .with("ResourceInfo"),
        row(AdminSetUserSettings, "UserNotFoundException")
            .is(NotFound, "USER_NOT_FOUND", "CALLER")
            .with("ResourceInfo"),
        row(SetUserSettings, "UserNotFoundException").is(NotFound, "USER_NOT_FOUND", "CALLER").with("ResourceInfo"),
        row(GetUserAuthFactors, "NotAuthorizedException").is(Unauthenticated, "USER_TOKEN_REJECTED", "END_USER"),
        row(AssociateSoftwareToken, "NotAuthorizedException").is(Unauthenticated, "USER_TOKEN_REJECTED", "END_USER"),
        row(AdminDeleteSoftwareToken, "NotAuthorizedException")
            .is(FailedPrecondition, "TARGET_REFUSED", "POOL_OPERATOR")
            .with("PreconditionFailure"),
        row(GetUserPoolMfaConfig, "NotAuthorizedException")
            .is(FailedPrecondition, "TARGET_REFUSED", "POOL_OPERATOR")
            .with("PreconditionFailure"),
        row(AdminSetUserMfaPreference, "UserNotConfirmedException")
            .is(FailedPrecondition, "USER_NOT_CONFIRMED", "END_USER")
            .with("PreconditionFailure"),
        row(GetUser, "UserNotConfirmedException")
            .is(FailedPrecondition, "USER_NOT_CONFIRMED", "END_USER")
            .with("PreconditionFailure"),
        row(AdminSetUserMfaPreference, "PasswordResetRequiredException")
            .is(FailedPrecondition, "PASSWORD_RESET_REQUIRED", "END_USER")
            .with("PreconditionFailure"),
        row(ListWebAuthnCredentials, "PasswordResetRequiredException")
            .is(FailedPrecondition, "PASSWORD_RESET_REQUIRED", "END_USER")
            .with("PreconditionFailure"),
        row(SetUserMfaPreference, "OperationNotEnabledException")
            .is(FailedPrecondition, "OPERATION_NOT_ENABLED", "POOL_OPERATOR")
            .with("PreconditionFailure"),
        row(AssociateSoftwareToken, "ConcurrentModificationException").is(Aborted, "CONCURRENT_MODIFICATION", "CALLER"),
        row(VerifySoftwareToken, "TooManyRequestsException")
            .is(ResourceExhausted, "RATE_LIMITED", "AWS")
            .with("RetryInfo")
            .retryable(),
        row(StartWebAuthnRegistration, "LimitExceededException").is(
            ResourceExhausted,
            "ATTEMPT_LIMIT_EXCEEDED",
            "END_USER",
        ),
        row(GetUser, "ForbiddenException").is(PermissionDenied, "WAF_BLOCKED", "POOL_OPERATOR"),
        row(AssociateSoftwareToken, "SoftwareTokenMFANotFoundException")
            .is(FailedPrecondition, "TOTP_NOT_OFFERED", "POOL_OPERATOR")
            .with("PreconditionFailure"),
        row(VerifySoftwareToken, "SoftwareTokenMFANotFoundException")
            .is(FailedPrecondition, "TOTP_NOT_ENROLLED", "END_USER")
            .with("PreconditionFailure"),
        row(VerifySoftwareToken, "EnableSoftwareTokenMFAException")
            .is(InvalidArgument, "USER_CODE_MISMATCH", "END_USER")
            .with("BadRequest"),
        row(VerifySoftwareToken, "CodeMismatchException")
            .is(InvalidArgument, "USER_CODE_MISMATCH", "END_USER")
            .with("BadRequest"),
        row(VerifySoftwareToken, "ExpiredCodeException")
            .is(FailedPrecondition, "CODE_EXPIRED", "END_USER")
            .with("PreconditionFailure"),
        row(VerifySoftwareToken, "AliasExistsException").is(AlreadyExists, "ALIAS_EXISTS", "CALLER"),
        row(VerifySoftwareToken, "InvalidUserPoolConfigurationException")
            .is(FailedPrecondition, "POOL_CONFIGURATION_INVALID", "POOL_OPERATOR")
            .with("PreconditionFailure"),
        row(VerifySoftwareToken, "MFAMethodNotFoundException")
            .is(FailedPrecondition, "MFA_METHOD_NOT_FOUND", "END_USER")
            .with("PreconditionFailure"),
        row(AdminGetUser, "InternalErrorException").http(500).is(Internal, "COGNITO_INTERNAL_ERROR", "AWS").retryable(),
        row(SetUserMfaPreference, "InternalErrorException")
            .http(500)
            .is(Internal, "COGNITO_INTERNAL_ERROR", "AWS")
            .retryable(),
        row(VerifySoftwareToken, "InternalErrorException").http(500).is(Internal, "COGNITO_INTERNAL_ERROR", "AWS"),
    ])
    .await;
}

#[tokio::test]
async fn modelled_exceptions_of_pool_and_passkey_operations_map_as_documented() {
    check(&[
        row(SetUserPoolMfaConfig, "FeatureUnavailableInTierException")
            .is(FailedPrecondition, "FEATURE_UNAVAILABLE_IN_TIER", "POOL_OPERATOR")
            .with("PreconditionFailure"),
        row(SetUserPoolMfaConfig, "ConcurrentModificationException").is(Aborted, "CONCURRENT_MODIFICATION", "CALLER"),
        row(SetUserPoolMfaConfig, "InvalidSmsRoleTrustRelationshipException")
            .is(FailedPrecondition, "SMS_ROLE_INVALID", "POOL_OPERATOR")
            .with("PreconditionFailure")
            .retryable(),
        row(SetUserPoolMfaConfig, "InvalidSmsRoleAccessPolicyException")
            .is(FailedPrecondition, "SMS_ROLE_INVALID", "POOL_OPERATOR")
            .with("PreconditionFailure")
            .retryable(),
        row(SetUserPoolMfaConfig, "InvalidEmailRoleAccessPolicyException")
            .is(FailedPrecondition, "EMAIL_ROLE_INVALID", "POOL_OPERATOR")
            .with("PreconditionFailure"),
        row(SetUserPoolMfaConfig, "CodeDeliveryFailureException")
            .is(FailedPrecondition, "CODE_DELIVERY_FAILED", "POOL_OPERATOR")
            .with("PreconditionFailure"),
        row(SetUserPoolMfaConfig, "UserLambdaValidationException")
            .is(FailedPrecondition, "TRIGGER_REFUSED", "POOL_OPERATOR")
            .with("PreconditionFailure"),
        row(SetUserPoolMfaConfig, "UnexpectedLambdaException").is(Internal, "TRIGGER_BROKEN", "POOL_OPERATOR"),
        row(SetUserPoolMfaConfig, "InvalidLambdaResponseException").is(Internal, "TRIGGER_BROKEN", "POOL_OPERATOR"),
        row(SetUserPoolMfaConfig, "UserPoolTaggingException").is(
            InvalidArgument,
            "POOL_TAGGING_REFUSED",
            "POOL_OPERATOR",
        ),
        row(GetUserPoolMfaConfig, "UserPoolTaggingException").is(Internal, "POOL_TAGGING_REFUSED", "POOL_OPERATOR"),
        row(SetUserPoolMfaConfig, "UserImportInProgressException")
            .is(FailedPrecondition, "USER_IMPORT_IN_PROGRESS", "POOL_OPERATOR")
            .with("PreconditionFailure")
            .retryable(),
        row(SetUserPoolMfaConfig, "TierChangeNotAllowedException")
            .is(FailedPrecondition, "TIER_CHANGE_NOT_ALLOWED", "POOL_OPERATOR")
            .with("PreconditionFailure")
            .retryable(),
        row(StartWebAuthnRegistration, "WebAuthnNotEnabledException")
            .is(FailedPrecondition, "WEB_AUTHN_NOT_ENABLED", "POOL_OPERATOR")
            .with("PreconditionFailure"),
        row(StartWebAuthnRegistration, "WebAuthnConfigurationMissingException")
            .is(FailedPrecondition, "WEB_AUTHN_CONFIGURATION_MISSING", "POOL_OPERATOR")
            .with("PreconditionFailure"),
        row(CompleteWebAuthnRegistration, "WebAuthnChallengeNotFoundException")
            .is(FailedPrecondition, "WEB_AUTHN_CHALLENGE_NOT_FOUND", "CALLER")
            .with("PreconditionFailure"),
        row(CompleteWebAuthnRegistration, "WebAuthnRelyingPartyMismatchException").is(
            InvalidArgument,
            "WEB_AUTHN_RELYING_PARTY_MISMATCH",
            "POOL_OPERATOR",
        ),
        row(CompleteWebAuthnRegistration, "WebAuthnClientMismatchException").is(
            InvalidArgument,
            "WEB_AUTHN_CLIENT_MISMATCH",
            "CALLER",
        ),
        row(CompleteWebAuthnRegistration, "WebAuthnOriginNotAllowedException").is(
            InvalidArgument,
            "WEB_AUTHN_ORIGIN_NOT_ALLOWED",
            "CALLER",
        ),
        row(CompleteWebAuthnRegistration, "WebAuthnCredentialNotSupportedException").is(
            InvalidArgument,
            "WEB_AUTHN_CREDENTIAL_NOT_SUPPORTED",
            "CALLER",
        ),
        row(CompleteWebAuthnRegistration, "InternalErrorException").http(500).is(
            Internal,
            "COGNITO_INTERNAL_ERROR",
            "AWS",
        ),
        row(GetUserPoolMfaConfig, "OperationNotEnabledException")
            .is(FailedPrecondition, "OPERATION_NOT_ENABLED", "POOL_OPERATOR")
            .with("PreconditionFailure"),
    ])
    .await;
}
