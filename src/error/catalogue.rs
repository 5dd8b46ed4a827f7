//! This file is the catalogue of errors: Cognito's codes and sentences to reasons, and reasons to gRPC codes.
//!
//! Codes are strings and never the SDK's variants, since throttling is not modelled on five operations, and never HTTP
//! statuses, since Cognito answers 400 to nearly everything. Sentences are AWS's and unversioned: they are matched loosely,
//! and a sentence that is not recognised falls back to the code alone.

use tonic::Code;

use crate::api::v1::ErrorReason;
use crate::cognito::{Credential, Operation};

/// Who must act on an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The calling program.
    Caller,
    /// The end user.
    EndUser,
    /// The operator of the pool.
    Operator,
    /// The operator of mfagate.
    Facade,
    /// AWS.
    Aws,
}

impl Fault {
    /// The name in the metadata.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Caller => "CALLER",
            Self::EndUser => "END_USER",
            Self::Operator => "OPERATOR",
            Self::Facade => "FACADE",
            Self::Aws => "AWS",
        }
    }
}

/// Whether the same request, sent again, is safe and may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It never is.
    Never,
    /// It is for reads and idempotent writes.
    IfIdempotent,
    /// It always is.
    Always,
}

/// The detail that an error carries beside `ErrorInfo` and `RequestInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// None.
    None,
    /// `BadRequest` with the violations found, or with one on the field named.
    BadRequest(&'static str),
    /// `PreconditionFailure` whose subject is named.
    PreconditionFailure(&'static str),
    /// `ResourceInfo` whose type is named.
    ResourceInfo(&'static str),
    /// `RetryInfo`.
    RetryInfo,
}

/// How a reason is answered.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The gRPC code.
    pub code: Code,
    /// Who must act.
    pub fault: Fault,
    /// Whether repeating helps.
    pub retry: Retry,
    /// The detail it carries.
    pub detail: Detail,
    /// The text of the status.
    pub message: &'static str,
}

/// How `reason` is answered. `error_reason.proto` tells callers the same at length.
#[must_use]
#[expect(clippy::too_many_lines, reason = "it is a table, a row a reason")]
pub fn entry(reason: ErrorReason) -> Entry {
    use Code::{
        Aborted, AlreadyExists, DeadlineExceeded, FailedPrecondition, Internal, InvalidArgument, NotFound,
        PermissionDenied, ResourceExhausted, Unauthenticated, Unavailable, Unimplemented, Unknown,
    };
    use Detail::{BadRequest, None as Plain, PreconditionFailure, ResourceInfo, RetryInfo};
    use ErrorReason as R;
    use Fault::{Aws, Caller, EndUser, Facade, Operator};
    use Retry::{Always, IfIdempotent, Never};
    const USER: Detail = PreconditionFailure("user");
    const POOL: Detail = PreconditionFailure("user_pool");

    let (code, fault, retry, detail, message) = match reason {
        R::Unspecified | R::FacadeFailed => (Internal, Facade, Never, Plain, "mfagate failed"),
        R::RequestInvalid => (InvalidArgument, Caller, Never, BadRequest(""), "the request breaks constraints"),
        R::CallerUnauthenticated => (Unauthenticated, Caller, Never, Plain, "the caller has not proved who it is"),
        R::CallerForbidden => (PermissionDenied, Caller, Never, Plain, "the caller may not do this"),
        R::AuditUnavailable => {
            (Unavailable, Facade, Always, Plain, "the audit record cannot be written, so nothing is changed")
        }
        R::RequestMalformed => (InvalidArgument, Caller, Never, Plain, "the request is not a readable message"),
        R::NoTimeLeft => {
            (DeadlineExceeded, Caller, Always, Plain, "no time was left to call Cognito; nothing was sent")
        }
        R::RequestTooLarge => (InvalidArgument, Caller, Never, Plain, "the request is too large"),
        R::RpcUnknown => (Unimplemented, Caller, Never, Plain, "mfagate serves no such RPC, or not with this encoding"),
        R::TotpAlreadyEnrolled => (
            FailedPrecondition,
            Caller,
            Never,
            USER,
            "the user already has a software token, which may stop working at once; set allow_reenrolment to go on",
        ),
        R::UserTokenRejected => (Unauthenticated, EndUser, Never, Plain, "the user's access token is not accepted"),
        R::UserTokenExpired => (Unauthenticated, EndUser, Never, Plain, "the user's access token has expired"),
        R::UserTokenRevoked => (Unauthenticated, EndUser, Never, Plain, "the user's access token has been revoked"),
        R::UserTokenScopeMissing => (
            PermissionDenied,
            EndUser,
            Never,
            Plain,
            "the user's access token lacks the scope aws.cognito.signin.user.admin",
        ),
        R::SessionExpired => {
            (Unauthenticated, EndUser, Never, Plain, "the sign-in session is expired or used; start the sign-in again")
        }
        R::UserNotFound => (NotFound, Caller, Never, ResourceInfo("user"), "the user does not exist"),
        R::UserDisabled => (FailedPrecondition, EndUser, Never, USER, "the user is disabled"),
        R::UserNotConfirmed => (FailedPrecondition, EndUser, Never, USER, "the user is not confirmed"),
        R::PasswordResetRequired => {
            (FailedPrecondition, EndUser, Never, USER, "the user must reset the password first")
        }
        R::TargetRefused => (
            FailedPrecondition,
            Operator,
            Never,
            PreconditionFailure("target"),
            "Cognito refuses the operation on this user or pool in its present state",
        ),
        R::FactorNotEnrolled => (FailedPrecondition, EndUser, Never, USER, "the user has not set up the factor"),
        R::TotpNotEnrolled => (FailedPrecondition, EndUser, Never, USER, "the user has no software token"),
        R::TotpNotOffered => (FailedPrecondition, Operator, Never, POOL, "the pool does not offer software tokens"),
        R::UserCodeMismatch => (InvalidArgument, EndUser, Never, BadRequest("user_code"), "the code is wrong"),
        R::TotpNotVerified => {
            (InvalidArgument, EndUser, Never, BadRequest("user_code"), "the software token is not verified")
        }
        R::CodeExpired => (FailedPrecondition, EndUser, Never, USER, "the code has expired"),
        R::AliasExists => (AlreadyExists, Caller, Never, Plain, "another user has this alias"),
        R::AttemptLimitExceeded => {
            (ResourceExhausted, EndUser, Never, Plain, "a limit of attempts or of things a user may have is reached")
        }
        R::MfaMethodNotFound => (FailedPrecondition, EndUser, Never, USER, "the user has no MFA method"),
        R::WebAuthnNotEnabled => (FailedPrecondition, Operator, Never, POOL, "the pool does not offer passkeys"),
        R::WebAuthnConfigurationMissing => {
            (FailedPrecondition, Operator, Never, POOL, "the pool has no relying party for passkeys")
        }
        R::WebAuthnChallengeNotFound => {
            (FailedPrecondition, Caller, Never, USER, "no passkey registration is under way")
        }
        R::WebAuthnRelyingPartyMismatch => {
            (InvalidArgument, Operator, Never, Plain, "the passkey is for another relying party")
        }
        R::WebAuthnClientMismatch => {
            (InvalidArgument, Caller, Never, Plain, "another app client started the passkey registration")
        }
        R::WebAuthnOriginNotAllowed => {
            (InvalidArgument, Caller, Never, Plain, "the passkey was made on an origin that the pool does not allow")
        }
        R::WebAuthnCredentialNotSupported => {
            (InvalidArgument, Caller, Never, Plain, "this kind of passkey is not supported")
        }
        R::ResourceNotFound => {
            (NotFound, Caller, Never, ResourceInfo("user_pool"), "the pool, app client or passkey does not exist")
        }
        R::InvalidParameter => (InvalidArgument, Caller, Never, Plain, "Cognito refuses a parameter"),
        R::PoolMfaCombinationInvalid => {
            (InvalidArgument, Caller, Never, Plain, "the MFA configuration contradicts itself")
        }
        R::PoolSettingsConflict => {
            (FailedPrecondition, Operator, Never, POOL, "the MFA configuration contradicts other settings of the pool")
        }
        R::PoolConfigurationInvalid => {
            (FailedPrecondition, Operator, Never, POOL, "the configuration of the pool is not valid")
        }
        R::OperationNotEnabled => {
            (FailedPrecondition, Operator, Never, POOL, "the operation is not enabled in this Region or for this pool")
        }
        R::FeatureUnavailableInTier => {
            (FailedPrecondition, Operator, Never, POOL, "the pool's plan does not include the feature")
        }
        R::ConcurrentModification => {
            (Aborted, Caller, Never, Plain, "something else changed the same thing; read again and merge")
        }
        R::SmsRoleInvalid => {
            (FailedPrecondition, Operator, Always, POOL, "the IAM role for SMS messages cannot be used")
        }
        R::EmailRoleInvalid => {
            (FailedPrecondition, Operator, Never, POOL, "Cognito may not send e-mail with the pool's identity")
        }
        R::CodeDeliveryFailed => (FailedPrecondition, Operator, Never, POOL, "the code could not be sent"),
        R::TriggerRefused => {
            (FailedPrecondition, Operator, Never, POOL, "the pool's Lambda trigger refused the operation")
        }
        R::TriggerBroken => (Internal, Operator, Never, Plain, "the pool's Lambda trigger is broken"),
        R::PoolTaggingRefused => {
            (InvalidArgument, Operator, Never, Plain, "the tags of the pool could not be set or read")
        }
        R::UserImportInProgress => {
            (FailedPrecondition, Operator, Always, POOL, "users are being imported into the pool")
        }
        R::TierChangeNotAllowed => {
            (FailedPrecondition, Operator, Always, POOL, "the pool's plan cannot be changed now")
        }
        R::WafBlocked => {
            (PermissionDenied, Operator, Never, Plain, "a web application firewall of the pool refused the request")
        }
        R::RateLimited => (ResourceExhausted, Aws, Always, RetryInfo, "the request rate of the AWS account is used up"),
        R::DeadlineExceeded => (
            DeadlineExceeded,
            Aws,
            IfIdempotent,
            Plain,
            "Cognito did not answer in time; the operation may have taken effect",
        ),
        R::CognitoUnavailable => (Unavailable, Aws, IfIdempotent, Plain, "Cognito is not available"),
        R::CognitoUnreachable => (Unavailable, Aws, IfIdempotent, Plain, "Cognito cannot be reached"),
        R::CognitoInternalError => (Internal, Aws, IfIdempotent, Plain, "Cognito failed"),
        R::CognitoAnswerUnreadable => (Internal, Aws, IfIdempotent, Plain, "the answer is not one of Cognito"),
        R::CognitoOperationUnknown => {
            (Unimplemented, Facade, Never, Plain, "the Cognito endpoint does not know the operation")
        }
        R::CognitoCodeUnrecognized => {
            (Unknown, Aws, Never, Plain, "Cognito answered a code that mfagate does not know")
        }
        R::FacadeCredentialsRejected => (Internal, Facade, Never, Plain, "AWS does not accept mfagate's credentials"),
        R::FacadeAccessDenied => (Internal, Facade, Never, Plain, "mfagate's IAM role may not perform the operation"),
        R::FacadeClockSkewed => (Internal, Facade, Never, Plain, "mfagate's clock is wrong"),
        R::FacadeAccountRefused => (Internal, Facade, Never, Plain, "mfagate's AWS account may not use the service"),
        R::FacadeRequestRejected => (Internal, Facade, Never, Plain, "Cognito could not read what mfagate sent"),
        R::FacadeDispatchFailed => (Internal, Facade, Never, Plain, "mfagate could not send the request to Cognito"),
    };
    Entry { code, fault, retry, detail, message }
}

/// What a code and its text mean, with metadata that says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// The reason.
    pub reason: ErrorReason,
    /// A key and a value that say what exactly, where the text told.
    pub metadata: Option<(&'static str, &'static str)>,
}

impl From<ErrorReason> for Meaning {
    fn from(reason: ErrorReason) -> Self {
        Self { reason, metadata: None }
    }
}

/// The meaning of the error code that Cognito answered to `operation`, with its text.
#[must_use]
pub fn classify(operation: Operation, code: &str, text: &str) -> Meaning {
    use ErrorReason as R;
    let reason = match code {
        "InvalidParameterException" => return invalid_parameter(text),
        "NotAuthorizedException" => not_authorized(operation, text),
        "SoftwareTokenMFANotFoundException" if contains(text, "by the userPool") => R::TotpNotOffered,
        // Without its sentence the exception tells by the operation: only enrolment can meet a pool without TOTP.
        "SoftwareTokenMFANotFoundException"
            if operation == Operation::AssociateSoftwareToken && !contains(text, "for the user") =>
        {
            R::TotpNotOffered
        }
        "SoftwareTokenMFANotFoundException" => R::TotpNotEnrolled,
        "ResourceNotFoundException" => R::ResourceNotFound,
        "UserNotFoundException" => R::UserNotFound,
        "UserNotConfirmedException" => R::UserNotConfirmed,
        "PasswordResetRequiredException" => R::PasswordResetRequired,
        "OperationNotEnabledException" => R::OperationNotEnabled,
        "FeatureUnavailableInTierException" => R::FeatureUnavailableInTier,
        "ConcurrentModificationException" => R::ConcurrentModification,
        "TooManyRequestsException"
        | "ThrottlingException"
        | "Throttling"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "SlowDown"
        | "BandwidthLimitExceeded" => R::RateLimited,
        "LimitExceededException" => R::AttemptLimitExceeded,
        "ForbiddenException" => R::WafBlocked,
        "EnableSoftwareTokenMFAException" | "CodeMismatchException" => R::UserCodeMismatch,
        "ExpiredCodeException" => R::CodeExpired,
        "AliasExistsException" => R::AliasExists,
        "InvalidUserPoolConfigurationException" => R::PoolConfigurationInvalid,
        "InvalidSmsRoleTrustRelationshipException" | "InvalidSmsRoleAccessPolicyException" => R::SmsRoleInvalid,
        "InvalidEmailRoleAccessPolicyException" => R::EmailRoleInvalid,
        "CodeDeliveryFailureException" => R::CodeDeliveryFailed,
        "UserLambdaValidationException" => R::TriggerRefused,
        "UnexpectedLambdaException" | "InvalidLambdaResponseException" => R::TriggerBroken,
        "UserPoolTaggingException" => R::PoolTaggingRefused,
        "UserImportInProgressException" => R::UserImportInProgress,
        "TierChangeNotAllowedException" => R::TierChangeNotAllowed,
        "MFAMethodNotFoundException" => R::MfaMethodNotFound,
        "WebAuthnNotEnabledException" => R::WebAuthnNotEnabled,
        "WebAuthnConfigurationMissingException" => R::WebAuthnConfigurationMissing,
        "WebAuthnChallengeNotFoundException" => R::WebAuthnChallengeNotFound,
        "WebAuthnRelyingPartyMismatchException" => R::WebAuthnRelyingPartyMismatch,
        "WebAuthnClientMismatchException" => R::WebAuthnClientMismatch,
        "WebAuthnOriginNotAllowedException" => R::WebAuthnOriginNotAllowed,
        "WebAuthnCredentialNotSupportedException" => R::WebAuthnCredentialNotSupported,
        "InternalErrorException" | "InternalFailure" | "InternalServerException" => R::CognitoInternalError,
        "AuthFailure"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "ExpiredTokenException"
        | "ExpiredToken"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "IncompleteSignatureException"
        | "MissingAuthenticationTokenException" => R::FacadeCredentialsRejected,
        "AccessDeniedException" | "AccessDenied" => R::FacadeAccessDenied,
        "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture" => R::FacadeClockSkewed,
        "OptInRequired" | "NotAuthorized" => R::FacadeAccountRefused,
        "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "RequestAbortedException"
        | "RequestTimeout"
        | "RequestTimeoutException" => R::CognitoUnavailable,
        "SerializationException" | "MalformedHttpRequestException" | "RequestEntityTooLargeException" => {
            R::FacadeRequestRejected
        }
        "ValidationException" | "ValidationError" => R::InvalidParameter,
        "UnknownOperationException" | "UnknownOperation" | "InvalidAction" | "Unsupported" => {
            R::CognitoOperationUnknown
        }
        _ => R::CognitoCodeUnrecognized,
    };
    reason.into()
}

/// On a token operation the refused credential is the end user's. On the others it is never about mfagate's rights, which
/// are refused with `AccessDeniedException`, but about the state of the user or the pool.
fn not_authorized(operation: Operation, text: &str) -> ErrorReason {
    if contains(text, "is disabled") {
        return ErrorReason::UserDisabled;
    }
    match operation.credential() {
        Credential::Iam => ErrorReason::TargetRefused,
        Credential::User if contains(text, "required scopes") => ErrorReason::UserTokenScopeMissing,
        Credential::User if contains(text, "invalid session") || contains(text, "session can only be used once") => {
            ErrorReason::SessionExpired
        }
        Credential::User if contains(text, "revoked") => ErrorReason::UserTokenRevoked,
        Credential::User if contains(text, "expired") => ErrorReason::UserTokenExpired,
        Credential::User => ErrorReason::UserTokenRejected,
    }
}

/// Cognito's one code for bad syntax and bad state: only the sentence tells them apart.
fn invalid_parameter(text: &str) -> Meaning {
    /// Fragments of which all must occur, in lower case; the reason; and what the text names.
    type Row = (&'static [&'static str], ErrorReason, Option<(&'static str, &'static str)>);
    const ROWS: &[Row] = &[
        (
            &["delivery config", "software_token_mfa"],
            ErrorReason::FactorNotEnrolled,
            Some(("factor", "SOFTWARE_TOKEN_MFA")),
        ),
        (&["delivery config", "email"], ErrorReason::FactorNotEnrolled, Some(("factor", "EMAIL_OTP"))),
        (&["delivery config", "sms"], ErrorReason::FactorNotEnrolled, Some(("factor", "SMS_MFA"))),
        (
            &["user has not set up software token"],
            ErrorReason::FactorNotEnrolled,
            Some(("factor", "SOFTWARE_TOKEN_MFA")),
        ),
        (
            &["user has not verified software token"],
            ErrorReason::FactorNotEnrolled,
            Some(("factor", "SOFTWARE_TOKEN_MFA")),
        ),
        (&["user does not have a phone_number"], ErrorReason::FactorNotEnrolled, Some(("factor", "SMS_MFA"))),
        (&["user does not have an email"], ErrorReason::FactorNotEnrolled, Some(("factor", "EMAIL_OTP"))),
        (&["can't turn off mfa and configure an mfa together"], ErrorReason::PoolMfaCombinationInvalid, None),
        (&["must be enabled", "sms mfa", "software token mfa"], ErrorReason::PoolMfaCombinationInvalid, None),
        (&["can't disable all mfas"], ErrorReason::PoolMfaCombinationInvalid, None),
        (
            &["sms configuration is required"],
            ErrorReason::PoolSettingsConflict,
            Some(("conflict", "AUTO_VERIFIED_PHONE_NUMBER")),
        ),
        (
            &["cannot set emailmfaconfiguration", "emailsendingaccount"],
            ErrorReason::PoolSettingsConflict,
            Some(("conflict", "EMAIL_SENDING_ACCOUNT")),
        ),
        (&["accountrecoverysetting"], ErrorReason::PoolSettingsConflict, Some(("conflict", "ACCOUNT_RECOVERY"))),
        (&["account recovery setting"], ErrorReason::PoolSettingsConflict, Some(("conflict", "ACCOUNT_RECOVERY"))),
        (
            &["can be enabled as an auth factor if mfa is enabled"],
            ErrorReason::PoolSettingsConflict,
            Some(("conflict", "FIRST_AUTH_FACTORS")),
        ),
        (
            &["multi_factor_with_user_verification"],
            ErrorReason::PoolSettingsConflict,
            Some(("conflict", "WEB_AUTHN_FACTOR")),
        ),
        (
            &["can't turn off sms_mfa when sms configuration is set"],
            ErrorReason::PoolSettingsConflict,
            Some(("conflict", "SMS_CONFIGURATION")),
        ),
        (
            &["cannot turn mfa functionality on"],
            ErrorReason::PoolSettingsConflict,
            Some(("conflict", "POOL_ALREADY_CREATED")),
        ),
    ];
    let text = text.to_lowercase();
    ROWS.iter()
        .find(|(fragments, ..)| fragments.iter().all(|fragment| text.contains(fragment)))
        .map_or(ErrorReason::InvalidParameter.into(), |&(_, reason, metadata)| Meaning { reason, metadata })
}

fn contains(text: &str, fragment: &str) -> bool {
    text.to_lowercase().contains(&fragment.to_lowercase())
}
