//! Every row of the table of Cognito's errors, raised behind a real RPC and read by a real client.
//!
//! The expectations are those of Cognito's documentation and of `error_reason.proto`, not of the code under test.

use std::collections::BTreeMap;
use std::time::Duration;

use mfagate::proto::Rpc;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::loopback::{listen, unused_url, url_of};
use crate::support::refusal::other_details;
use crate::support::rpc_call::{call, operation, takes_token, unsigned_token};
use crate::support::test_cognito::{POOL, TestCognito, USER};
use crate::support::test_service::TestService;

use Code::{
    Aborted, AlreadyExists, DeadlineExceeded, FailedPrecondition, Internal, InvalidArgument, NotFound,
    PermissionDenied, ResourceExhausted, Unauthenticated, Unavailable, Unimplemented, Unknown,
};
use Rpc::{
    AdminDeleteSoftwareToken, AdminGetUser, AdminGetUserAuthFactors, AdminSetUserMfaPreference, AdminSetUserSettings,
    AssociateSoftwareToken, CompleteWebAuthnRegistration, DeleteWebAuthnCredential, GetUser, GetUserAuthFactors,
    GetUserPoolMfaConfig, ListWebAuthnCredentials, SetUserMfaPreference, SetUserPoolMfaConfig, SetUserSettings,
    StartWebAuthnRegistration, VerifySoftwareToken,
};

/// Part of every text that Cognito returns here; no caller may see it.
const MARKER: &str = "Upstream-Marker";

/// What Cognito returns to an RPC's operation, and what the caller of the RPC receives.
#[derive(Clone, Debug)]
struct Row {
    rpc: Rpc,
    cognito_code: &'static str,
    http_status: u16,
    text: &'static str,
    code: Code,
    reason: &'static str,
    fault: &'static str,
    detail: Option<&'static str>,
    retryable: bool,
    metadata: Option<(&'static str, &'static str)>,
}

fn row(rpc: Rpc, cognito_code: &'static str) -> Row {
    Row {
        rpc,
        cognito_code,
        http_status: 400,
        text: "",
        code: Unknown,
        reason: "",
        fault: "",
        detail: None,
        retryable: false,
        metadata: None,
    }
}

impl Row {
    fn saying(self, text: &'static str) -> Self {
        Self { text, ..self }
    }

    fn http(self, http_status: u16) -> Self {
        Self { http_status, ..self }
    }

    fn is(self, code: Code, reason: &'static str, fault: &'static str) -> Self {
        Self { code, reason, fault, ..self }
    }

    fn with(self, detail: &'static str) -> Self {
        Self { detail: Some(detail), ..self }
    }

    fn naming(self, key: &'static str, value: &'static str) -> Self {
        Self { metadata: Some((key, value)), ..self }
    }

    fn retryable(self) -> Self {
        Self { retryable: true, ..self }
    }

    /// What is wrong with the status, if anything is.
    fn compare(&self, status: &Status) -> Result<(), String> {
        let details = status.get_error_details();
        let info = details.error_info().ok_or("no ErrorInfo")?;
        let mut metadata: BTreeMap<&str, &str> =
            info.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let id = metadata.remove("aws_request_id").unwrap_or_default();
        let message = metadata.remove("cognito_message");
        let mut expected = BTreeMap::from([
            ("fault", self.fault),
            ("retryable", if self.retryable { "true" } else { "false" }),
            ("operation", operation(self.rpc)),
            ("cognito_code", self.cognito_code),
        ]);
        expected.extend(self.metadata);
        let got = (status.code(), info.reason.as_str(), metadata, other_details(status));
        let wanted = (self.code, self.reason, expected, self.detail.into_iter().collect());
        if got != wanted {
            return Err(format!("got    {got:?}\n    wanted {wanted:?}"));
        }
        if id.is_empty() {
            return Err("no aws_request_id".to_owned());
        }
        let unrecognised = self.reason == "INVALID_PARAMETER" && self.cognito_code == "InvalidParameterException";
        if message.is_some() != unrecognised {
            return Err(format!("cognito_message is {message:?}"));
        }
        Ok(())
    }
}

/// Raises each row's error and compares the status; names every row that is wrong.
async fn check(rows: &[Row]) {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    let mut wrong = Vec::new();
    for row in rows {
        inject(&service.cognito, row).await;
        let answer = call(&service, row.rpc, &token).await;
        service.cognito.clear_faults().await;
        let problem = match answer {
            Ok(()) => Err("the call succeeded".to_owned()),
            Err(status) => row.compare(&status).and_then(|()| match marker_count(&status) {
                0 => Ok(()),
                1 if row.reason == "INVALID_PARAMETER" => Ok(()),
                _ => Err(format!("Cognito's text came through: {status:?}")),
            }),
        };
        if let Err(problem) = problem {
            wrong.push(format!("{} {} {:?}\n    {problem}", row.rpc.name(), row.cognito_code, row.text));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

async fn inject(cognito: &TestCognito, row: &Row) {
    let text = if row.text.is_empty() { MARKER.to_owned() } else { format!("{} {MARKER}", row.text) };
    cognito
        .inject_fault(json!({
            "kind": "error",
            "operation": operation(row.rpc),
            "code": row.cognito_code,
            "status": row.http_status,
            "message": text,
        }))
        .await;
}

/// How often the marker occurs in a status: in its text, its details and its headers.
fn marker_count(status: &Status) -> usize {
    let whole = format!("{}\n{}\n{:?}", status.message(), String::from_utf8_lossy(status.details()), status.metadata());
    whole.to_lowercase().matches(&MARKER.to_lowercase()).count()
}

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
            .is(FailedPrecondition, "TARGET_REFUSED", "OPERATOR")
            .with("PreconditionFailure"),
        row(GetUserPoolMfaConfig, "NotAuthorizedException")
            .is(FailedPrecondition, "TARGET_REFUSED", "OPERATOR")
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
            .is(FailedPrecondition, "OPERATION_NOT_ENABLED", "OPERATOR")
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
        row(GetUser, "ForbiddenException").is(PermissionDenied, "WAF_BLOCKED", "OPERATOR"),
        row(AssociateSoftwareToken, "SoftwareTokenMFANotFoundException")
            .is(FailedPrecondition, "TOTP_NOT_OFFERED", "OPERATOR")
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
            .is(FailedPrecondition, "POOL_CONFIGURATION_INVALID", "OPERATOR")
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
            .is(FailedPrecondition, "FEATURE_UNAVAILABLE_IN_TIER", "OPERATOR")
            .with("PreconditionFailure"),
        row(SetUserPoolMfaConfig, "ConcurrentModificationException").is(Aborted, "CONCURRENT_MODIFICATION", "CALLER"),
        row(SetUserPoolMfaConfig, "InvalidSmsRoleTrustRelationshipException")
            .is(FailedPrecondition, "SMS_ROLE_INVALID", "OPERATOR")
            .with("PreconditionFailure")
            .retryable(),
        row(SetUserPoolMfaConfig, "InvalidSmsRoleAccessPolicyException")
            .is(FailedPrecondition, "SMS_ROLE_INVALID", "OPERATOR")
            .with("PreconditionFailure")
            .retryable(),
        row(SetUserPoolMfaConfig, "InvalidEmailRoleAccessPolicyException")
            .is(FailedPrecondition, "EMAIL_ROLE_INVALID", "OPERATOR")
            .with("PreconditionFailure"),
        row(SetUserPoolMfaConfig, "CodeDeliveryFailureException")
            .is(FailedPrecondition, "CODE_DELIVERY_FAILED", "OPERATOR")
            .with("PreconditionFailure"),
        row(SetUserPoolMfaConfig, "UserLambdaValidationException")
            .is(FailedPrecondition, "TRIGGER_REFUSED", "OPERATOR")
            .with("PreconditionFailure"),
        row(SetUserPoolMfaConfig, "UnexpectedLambdaException").is(Internal, "TRIGGER_BROKEN", "OPERATOR"),
        row(SetUserPoolMfaConfig, "InvalidLambdaResponseException").is(Internal, "TRIGGER_BROKEN", "OPERATOR"),
        row(SetUserPoolMfaConfig, "UserPoolTaggingException").is(InvalidArgument, "POOL_TAGGING_REFUSED", "OPERATOR"),
        row(GetUserPoolMfaConfig, "UserPoolTaggingException").is(Internal, "POOL_TAGGING_REFUSED", "OPERATOR"),
        row(SetUserPoolMfaConfig, "UserImportInProgressException")
            .is(FailedPrecondition, "USER_IMPORT_IN_PROGRESS", "OPERATOR")
            .with("PreconditionFailure")
            .retryable(),
        row(SetUserPoolMfaConfig, "TierChangeNotAllowedException")
            .is(FailedPrecondition, "TIER_CHANGE_NOT_ALLOWED", "OPERATOR")
            .with("PreconditionFailure")
            .retryable(),
        row(StartWebAuthnRegistration, "WebAuthnNotEnabledException")
            .is(FailedPrecondition, "WEB_AUTHN_NOT_ENABLED", "OPERATOR")
            .with("PreconditionFailure"),
        row(StartWebAuthnRegistration, "WebAuthnConfigurationMissingException")
            .is(FailedPrecondition, "WEB_AUTHN_CONFIGURATION_MISSING", "OPERATOR")
            .with("PreconditionFailure"),
        row(CompleteWebAuthnRegistration, "WebAuthnChallengeNotFoundException")
            .is(FailedPrecondition, "WEB_AUTHN_CHALLENGE_NOT_FOUND", "CALLER")
            .with("PreconditionFailure"),
        row(CompleteWebAuthnRegistration, "WebAuthnRelyingPartyMismatchException").is(
            InvalidArgument,
            "WEB_AUTHN_RELYING_PARTY_MISMATCH",
            "OPERATOR",
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
            .is(FailedPrecondition, "OPERATION_NOT_ENABLED", "OPERATOR")
            .with("PreconditionFailure"),
    ])
    .await;
}

#[tokio::test]
async fn throttling_is_recognised_by_its_code_if_the_model_lacks_it() {
    let throttled = |rpc, code, http| {
        row(rpc, code).http(http).is(ResourceExhausted, "RATE_LIMITED", "AWS").with("RetryInfo").retryable()
    };
    check(&[
        throttled(SetUserSettings, "TooManyRequestsException", 400),
        throttled(AdminSetUserSettings, "TooManyRequestsException", 400),
        throttled(SetUserMfaPreference, "TooManyRequestsException", 400),
        throttled(AdminSetUserMfaPreference, "TooManyRequestsException", 400),
        throttled(AssociateSoftwareToken, "TooManyRequestsException", 400),
        throttled(AdminGetUser, "ThrottlingException", 400),
        throttled(AdminGetUser, "Throttling", 400),
        throttled(AdminGetUser, "RequestLimitExceeded", 503),
        throttled(AssociateSoftwareToken, "RequestThrottled", 400),
        throttled(AssociateSoftwareToken, "RequestThrottledException", 429),
        throttled(VerifySoftwareToken, "SlowDown", 503),
        throttled(CompleteWebAuthnRegistration, "BandwidthLimitExceeded", 503),
    ])
    .await;
}

#[tokio::test]
async fn mfagates_own_failures_are_internal_and_never_blamed_on_the_caller() {
    let credentials =
        |code, http| row(AdminGetUser, code).http(http).is(Internal, "FACADE_CREDENTIALS_REJECTED", "FACADE");
    let clock = |code, http| row(AdminGetUser, code).http(http).is(Internal, "FACADE_CLOCK_SKEWED", "FACADE");
    let denied =
        |rpc, http| row(rpc, "AccessDeniedException").http(http).is(Internal, "FACADE_ACCESS_DENIED", "FACADE");
    let account = |code, http| row(AdminGetUser, code).http(http).is(Internal, "FACADE_ACCOUNT_REFUSED", "FACADE");
    let rejected = |code, http| row(AdminGetUser, code).http(http).is(Internal, "FACADE_REQUEST_REJECTED", "FACADE");
    check(&[
        credentials("UnrecognizedClientException", 400),
        credentials("UnrecognizedClientException", 403),
        credentials("InvalidClientTokenId", 403),
        credentials("ExpiredTokenException", 403),
        credentials("ExpiredToken", 403),
        credentials("InvalidSignatureException", 400),
        credentials("InvalidSignatureException", 403),
        credentials("SignatureDoesNotMatch", 403),
        credentials("IncompleteSignature", 400),
        credentials("MissingAuthenticationToken", 403),
        denied(AdminGetUser, 400),
        denied(SetUserPoolMfaConfig, 403),
        // A resource control policy refuses the anonymous caller of a token operation in these words.
        denied(GetUser, 400).saying("User: anonymous is not authorized to perform: cognito-idp:GetUser"),
        clock("RequestTimeTooSkewed", 403),
        clock("RequestExpired", 400),
        clock("RequestInTheFuture", 400),
        account("OptInRequired", 403),
        account("NotAuthorized", 400),
        rejected("SerializationException", 400),
        rejected("MalformedHttpRequestException", 400),
        rejected("RequestEntityTooLargeException", 413),
    ])
    .await;
}

#[tokio::test]
async fn other_codes_outside_the_model_map_as_documented() {
    let unavailable = |rpc, code, http| row(rpc, code).http(http).is(Unavailable, "COGNITO_UNAVAILABLE", "AWS");
    let internal = |rpc, code| row(rpc, code).http(500).is(Internal, "COGNITO_INTERNAL_ERROR", "AWS");
    let missing =
        |code, http| row(AdminGetUser, code).http(http).is(Unimplemented, "COGNITO_OPERATION_UNKNOWN", "FACADE");
    check(&[
        unavailable(AdminGetUser, "ServiceUnavailable", 503).retryable(),
        unavailable(SetUserPoolMfaConfig, "ServiceUnavailableException", 503).retryable(),
        unavailable(AssociateSoftwareToken, "ServiceUnavailableException", 503),
        unavailable(AdminGetUser, "RequestAbortedException", 400).retryable(),
        unavailable(AdminGetUser, "RequestTimeout", 408).retryable(),
        unavailable(VerifySoftwareToken, "RequestTimeoutException", 400),
        internal(AdminGetUser, "InternalFailure").retryable(),
        internal(AdminDeleteSoftwareToken, "InternalServerException").retryable(),
        internal(AssociateSoftwareToken, "InternalFailure"),
        row(AdminGetUser, "ValidationException").is(InvalidArgument, "INVALID_PARAMETER", "CALLER"),
        row(AdminGetUser, "ValidationError").is(InvalidArgument, "INVALID_PARAMETER", "CALLER"),
        missing("UnknownOperationException", 400),
        missing("UnknownOperationException", 404),
        missing("UnknownOperation", 404),
        missing("InvalidAction", 400),
        row(AdminGetUser, "BrandNewException").is(Unknown, "COGNITO_CODE_UNRECOGNIZED", "AWS"),
        row(GetUser, "BrandNewException").http(500).is(Unknown, "COGNITO_CODE_UNRECOGNIZED", "AWS"),
    ])
    .await;
}

#[tokio::test]
async fn the_message_of_a_refused_token_or_session_distinguishes_the_reasons() {
    let says = |rpc, text| row(rpc, "NotAuthorizedException").saying(text);
    let disabled = |rpc| {
        says(rpc, "User is disabled.").is(FailedPrecondition, "USER_DISABLED", "END_USER").with("PreconditionFailure")
    };
    check(&[
        says(GetUser, "Access Token has expired").is(Unauthenticated, "USER_TOKEN_EXPIRED", "END_USER"),
        says(GetUser, "Access Token has been revoked").is(Unauthenticated, "USER_TOKEN_REVOKED", "END_USER"),
        says(GetUser, "Invalid Access Token").is(Unauthenticated, "USER_TOKEN_REJECTED", "END_USER"),
        says(SetUserMfaPreference, "Access Token does not have required scopes").is(
            PermissionDenied,
            "USER_TOKEN_SCOPE_MISSING",
            "END_USER",
        ),
        says(AssociateSoftwareToken, "Invalid session for the user, session is expired.").is(
            Unauthenticated,
            "SESSION_EXPIRED",
            "END_USER",
        ),
        says(VerifySoftwareToken, "Invalid session for the user, session can only be used once.").is(
            Unauthenticated,
            "SESSION_EXPIRED",
            "END_USER",
        ),
        says(VerifySoftwareToken, "Invalid session for the user.").is(Unauthenticated, "SESSION_EXPIRED", "END_USER"),
        disabled(GetUser),
        disabled(AdminSetUserMfaPreference),
        disabled(AdminDeleteSoftwareToken),
    ])
    .await;
}

#[tokio::test]
async fn the_message_about_a_factor_that_is_not_enrolled_names_the_factor() {
    let lacks = |rpc, factor, text| {
        row(rpc, "InvalidParameterException")
            .saying(text)
            .is(FailedPrecondition, "FACTOR_NOT_ENROLLED", "END_USER")
            .with("PreconditionFailure")
            .naming("factor", factor)
    };
    let totp = "SOFTWARE_TOKEN_MFA";
    check(&[
        lacks(AdminSetUserMfaPreference, totp, "User does not have delivery config set to turn on SOFTWARE_TOKEN_MFA"),
        lacks(SetUserMfaPreference, "SMS_MFA", "User does not have delivery config set to turn on SMS_MFA"),
        lacks(SetUserMfaPreference, "EMAIL_OTP", "User does not have delivery config set to turn on EMAIL_OTP"),
        lacks(SetUserMfaPreference, totp, "User has not set up software token mfa"),
        lacks(SetUserMfaPreference, totp, "User has not verified software token mfa"),
        lacks(AdminSetUserMfaPreference, "SMS_MFA", "User does not have a phone_number set to turn on SMS MFA"),
        row(VerifySoftwareToken, "EnableSoftwareTokenMFAException")
            .saying("Code mismatch and fail enable Software Token MFA")
            .is(InvalidArgument, "USER_CODE_MISMATCH", "END_USER")
            .with("BadRequest"),
        row(AssociateSoftwareToken, "SoftwareTokenMFANotFoundException")
            .saying("Software Token MFA has not been enabled by the userPool")
            .is(FailedPrecondition, "TOTP_NOT_OFFERED", "OPERATOR")
            .with("PreconditionFailure"),
        row(VerifySoftwareToken, "SoftwareTokenMFANotFoundException")
            .saying("Software Token MFA has not been enabled by the userPool")
            .is(FailedPrecondition, "TOTP_NOT_OFFERED", "OPERATOR")
            .with("PreconditionFailure"),
        row(AssociateSoftwareToken, "SoftwareTokenMFANotFoundException")
            .saying("Software Token MFA does not exist for the user.")
            .is(FailedPrecondition, "TOTP_NOT_ENROLLED", "END_USER")
            .with("PreconditionFailure"),
        row(VerifySoftwareToken, "SoftwareTokenMFANotFoundException")
            .saying("Software Token MFA does not exist for the user.")
            .is(FailedPrecondition, "TOTP_NOT_ENROLLED", "END_USER")
            .with("PreconditionFailure"),
        row(ListWebAuthnCredentials, "LimitExceededException")
            .saying("Attempt limit exceeded, please try after some time.")
            .is(ResourceExhausted, "ATTEMPT_LIMIT_EXCEEDED", "END_USER"),
    ])
    .await;
}

#[tokio::test]
async fn the_message_about_a_pools_configuration_distinguishes_request_and_settings() {
    let combination = |text| {
        row(SetUserPoolMfaConfig, "InvalidParameterException").saying(text).is(
            InvalidArgument,
            "POOL_MFA_COMBINATION_INVALID",
            "CALLER",
        )
    };
    let conflict = |with, text| {
        row(SetUserPoolMfaConfig, "InvalidParameterException")
            .saying(text)
            .is(FailedPrecondition, "POOL_SETTINGS_CONFLICT", "OPERATOR")
            .with("PreconditionFailure")
            .naming("conflict", with)
    };
    check(&[
        combination("Invalid MFA configuration given, can't turn off MFA and configure an MFA together."),
        combination("SMS MFA, Email MFA, or Software Token MFA must be enabled"),
        combination("can't disable all MFAs with a required or optional configuration"),
        conflict(
            "AUTO_VERIFIED_PHONE_NUMBER",
            "SMS configuration is required when phone_number is selected for auto verification",
        ),
        conflict(
            "EMAIL_SENDING_ACCOUNT",
            "Cannot set EmailMfaConfiguration when user pool EmailConfiguration contains an EmailSendingAccount of \
             COGNITO_DEFAULT",
        ),
        conflict(
            "ACCOUNT_RECOVERY",
            "Cannot set EmailMfaConfiguration when user pool AccountRecoverySetting is not set or contains only \
             verified_email",
        ),
        conflict(
            "FIRST_AUTH_FACTORS",
            "Only PASSWORD and WEB_AUTHN (if configured) can be enabled as an auth factor if MFA is enabled",
        ),
        conflict(
            "ACCOUNT_RECOVERY",
            "Account Recovery Setting cannot use verified_phone_number as a recovery mechanism when SMS MFA is \
             configured",
        ),
        conflict("POOL_ALREADY_CREATED", "Cannot turn MFA functionality ON, once the user pool has been created"),
        conflict("SMS_CONFIGURATION", "Can't turn off SMS_MFA when SMS configuration is set for the user pool"),
    ])
    .await;
}

#[tokio::test]
async fn no_text_of_a_refusal_by_iam_makes_an_admin_rpc_blame_the_callers_credential() {
    let service = TestService::start().await;
    for rpc in Rpc::ALL.into_iter().filter(|rpc| !takes_token(*rpc)) {
        for text in ["Access Token has expired", "Access Token does not have required scopes", "Invalid session", ""] {
            service.cognito.inject_error(operation(rpc), "NotAuthorizedException", text).await;
            let status = call(&service, rpc, "").await.unwrap_err();
            service.cognito.clear_faults().await;
            assert_eq!(status.code(), FailedPrecondition, "{} {text}: {status:?}", rpc.name());
        }
    }
}

#[tokio::test]
async fn the_namespace_of_a_code_is_not_part_of_it() {
    let service = TestService::start().await;
    service.cognito.inject_error("AdminGetUser", "com.amazonaws.cognito#UserNotFoundException", "").await;
    let status = call(&service, AdminGetUser, "").await.unwrap_err();
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!(
        (info.reason.as_str(), info.metadata["cognito_code"].as_str()),
        ("USER_NOT_FOUND", "UserNotFoundException")
    );
}

/// Serves the same bytes to every request, and returns the URL.
async fn serve_bytes(answer: String) -> String {
    let listener = listen().await;
    let url = url_of(&listener);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"}") && stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {}
                // A client that does not wait for the response is not part of the test.
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    url
}

/// The code, reason and metadata that `rpc` returns before a server of this HTTP response.
async fn status_before(rpc: Rpc, http_status: &str, body: &str) -> (Code, String, BTreeMap<String, String>) {
    let answer = format!(
        "HTTP/1.1 {http_status}\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let service = TestService::with_cognito_at(&serve_bytes(answer).await).await;
    let status = call(&service, rpc, &unsigned_token(POOL)).await.unwrap_err();
    assert_eq!(marker_count(&status), 0, "{status:?}");
    assert!(other_details(&status).is_empty(), "{status:?}");
    let info = status.get_error_details().error_info().unwrap().clone();
    (status.code(), info.reason, info.metadata.into_iter().collect())
}

fn unreadable_metadata(rpc: Rpc, http_status: &str, retryable: bool) -> BTreeMap<String, String> {
    [
        ("fault", "AWS".to_owned()),
        ("retryable", retryable.to_string()),
        ("operation", operation(rpc).to_owned()),
        ("http_status", http_status.to_owned()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

#[tokio::test]
async fn a_server_error_without_a_code_is_unavailable() {
    for (rpc, body, retryable) in [
        (AdminGetUser, "<html>Upstream-Marker</html>", true),
        (AdminGetUser, "", true),
        (SetUserMfaPreference, "{\"message\": \"Upstream-Marker\"}", true),
        (AssociateSoftwareToken, "<html>Upstream-Marker</html>", false),
    ] {
        let answered = status_before(rpc, "503 Service Unavailable", body).await;
        let wanted = (Unavailable, "COGNITO_UNAVAILABLE".to_owned(), unreadable_metadata(rpc, "503", retryable));
        assert_eq!(answered, wanted, "{} {body}", rpc.name());
    }
}

#[tokio::test]
async fn a_response_that_is_not_cognitos_is_internal() {
    for (rpc, http_status, body, retryable) in [
        (AdminGetUser, "404", "<html>Upstream-Marker</html>", true),
        (AdminGetUser, "400", "", true),
        (AdminGetUser, "400", "{\"message\": \"Upstream-Marker\"}", true),
        (AssociateSoftwareToken, "403", "Upstream-Marker", false),
        (AdminGetUser, "200", "{\"Username\": \"Upstream-Mar", true),
        (AdminGetUser, "200", "<html>Upstream-Marker</html>", true),
        (AdminGetUser, "200", "\"Upstream-Marker\"", true),
        (AdminGetUser, "200", "{\"Username\": {\"Upstream-Marker\": 1}}", true),
        (GetUserPoolMfaConfig, "200", "[1, 2", true),
        (AssociateSoftwareToken, "200", "{\"SecretCode\": 1}", false),
    ] {
        let answered = status_before(rpc, http_status, body).await;
        let wanted =
            (Internal, "COGNITO_ANSWER_UNREADABLE".to_owned(), unreadable_metadata(rpc, http_status, retryable));
        assert_eq!(answered, wanted, "{} {http_status} {body}", rpc.name());
    }
}

#[tokio::test]
async fn a_response_without_a_required_member_is_unreadable() {
    for rpc in [
        AdminGetUser,
        AdminGetUserAuthFactors,
        GetUser,
        GetUserAuthFactors,
        AssociateSoftwareToken,
        StartWebAuthnRegistration,
    ] {
        for body in ["", "{}"] {
            let (code, reason, _) = status_before(rpc, "200", body).await;
            assert_eq!((code, reason.as_str()), (Internal, "COGNITO_ANSWER_UNREADABLE"), "{} {body:?}", rpc.name());
        }
    }
}

#[tokio::test]
async fn a_refused_connection_is_unavailable() {
    let url = unused_url().await;
    let service = TestService::with_cognito_at(&url).await;
    for (rpc, retryable) in [(AdminGetUser, "true"), (AssociateSoftwareToken, "false")] {
        let status = call(&service, rpc, &unsigned_token(POOL)).await.unwrap_err();
        let info = status.get_error_details().error_info().unwrap().clone();
        assert_eq!((status.code(), info.reason.as_str()), (Unavailable, "COGNITO_UNREACHABLE"), "{}", rpc.name());
        assert_eq!((info.metadata["fault"].as_str(), info.metadata["retryable"].as_str()), ("AWS", retryable));
        assert!(!format!("{status:?}").contains(url.trim_start_matches("http://")), "the address came through");
    }
}

#[tokio::test]
async fn a_broken_connection_is_unavailable() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    service.cognito.inject_fault(json!({ "kind": "reset" })).await;
    for (rpc, retryable) in [(SetUserPoolMfaConfig, "true"), (VerifySoftwareToken, "false")] {
        let status = call(&service, rpc, &token).await.unwrap_err();
        let info = status.get_error_details().error_info().unwrap().clone();
        assert_eq!((status.code(), info.reason.as_str()), (Unavailable, "COGNITO_UNREACHABLE"), "{}", rpc.name());
        assert_eq!(info.metadata["retryable"], retryable);
    }
}

#[tokio::test]
async fn a_response_that_never_comes_exceeds_the_deadline() {
    let service = TestService::with_operation_timeout(Duration::from_millis(200)).await;
    let token = service.cognito.token(USER).await;
    service.cognito.inject_fault(json!({ "kind": "no_answer" })).await;
    for (rpc, retryable) in [(AdminGetUser, "true"), (SetUserMfaPreference, "true"), (AssociateSoftwareToken, "false")]
    {
        let status = call(&service, rpc, &token).await.unwrap_err();
        let info = status.get_error_details().error_info().unwrap().clone();
        assert_eq!((status.code(), info.reason.as_str()), (DeadlineExceeded, "DEADLINE_EXCEEDED"), "{}", rpc.name());
        assert_eq!((info.metadata["fault"].as_str(), info.metadata["retryable"].as_str()), ("AWS", retryable));
    }
}
