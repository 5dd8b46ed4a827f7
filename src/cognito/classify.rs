//! Cognito's error codes and sentences, classified into reasons.
//!
//! Codes are strings and never the SDK's variants, since throttling is not modelled on five operations, and never HTTP
//! statuses, since Cognito returns 400 for nearly everything. Sentences are AWS's and unversioned: they are matched loosely,
//! and a sentence that is not recognized falls back to the code alone.

use crate::api::v1::ErrorReason;
use crate::cognito::send::Sent;
use crate::domain::{ActsAs, Factor, Operation};

/// What a code and its text mean, with metadata that says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Classified {
    /// The reason.
    pub reason: ErrorReason,
    /// A key and a value with the particulars, if the text tells them.
    pub metadata: Option<(&'static str, &'static str)>,
}

impl From<ErrorReason> for Classified {
    fn from(reason: ErrorReason) -> Self {
        Self { reason, metadata: None }
    }
}

impl Classified {
    /// The same in the light of what was sent: an unrecognized refusal of a session is about the session, and what a user has
    /// not set up is not the matter of a request that only disables.
    pub(super) fn in_context(self, request: &Sent) -> Self {
        use ErrorReason as R;
        let about_a_token = matches!(self.reason, R::UserTokenRejected | R::UserTokenExpired | R::UserTokenRevoked);
        if about_a_token && request.in_session {
            R::SessionExpired.into()
        } else if self.reason == R::FactorNotEnrolled && request.only_disables {
            R::InvalidParameter.into()
        } else {
            self
        }
    }
}

/// The meaning of the error code that Cognito returned to `operation`, with its text.
pub(super) fn classify(operation: Operation, code: &str, text: &str) -> Classified {
    use ErrorReason as R;
    let reason = match code {
        "InvalidParameterException" => return invalid_parameter(text),
        "NotAuthorizedException" => not_authorized(operation, text),
        "SoftwareTokenMFANotFoundException" if contains(text, "by the userPool") => R::TotpNotOffered,
        // Without its sentence the operation decides: only enrolment can meet a pool without TOTP.
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
        "InvalidSignatureException" | "SignatureDoesNotMatch"
            if contains(text, "signature expired") || contains(text, "not yet current") =>
        {
            R::MfagateClockSkewed
        }
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
        | "MissingAuthenticationTokenException" => R::MfagateCredentialsRejected,
        "AccessDeniedException" | "AccessDenied" => R::MfagateAccessDenied,
        "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture" => R::MfagateClockSkewed,
        "OptInRequired" | "NotAuthorized" => R::MfagateAccountRefused,
        "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "RequestAbortedException"
        | "RequestTimeout"
        | "RequestTimeoutException" => R::CognitoUnavailable,
        "SerializationException" | "MalformedHttpRequestException" | "RequestEntityTooLargeException" => {
            R::MfagateRequestRejected
        }
        "ValidationException" | "ValidationError" => R::InvalidParameter,
        "UnknownOperationException" | "UnknownOperation" | "InvalidAction" | "Unsupported" => {
            R::CognitoOperationUnknown
        }
        _ => R::CognitoCodeUnrecognized,
    };
    reason.into()
}

/// On a token operation the rejected credential is the end user's. On the others it is never about mfagate's rights, which
/// `AccessDeniedException` is about, but about the state of the user or the pool.
fn not_authorized(operation: Operation, text: &str) -> ErrorReason {
    if contains(text, "is disabled") {
        return ErrorReason::UserDisabled;
    }
    // After too many wrong codes, whatever the credential.
    if contains(text, "temporarily locked") {
        return ErrorReason::AttemptLimitExceeded;
    }
    match operation.facts().acts_as {
        ActsAs::Iam => ErrorReason::TargetRefused,
        ActsAs::User if contains(text, "required scopes") => ErrorReason::UserTokenScopeMissing,
        ActsAs::User if contains(text, "invalid session") || contains(text, "session can only be used once") => {
            ErrorReason::SessionExpired
        }
        ActsAs::User if contains(text, "revoked") => ErrorReason::UserTokenRevoked,
        ActsAs::User if contains(text, "expired") => ErrorReason::UserTokenExpired,
        ActsAs::User => ErrorReason::UserTokenRejected,
    }
}

/// Cognito's one code for bad syntax and bad state: only the sentence distinguishes them.
fn invalid_parameter(text: &str) -> Classified {
    /// Fragments of which all must occur, in lower case; the reason; and what the text names.
    type Row = (&'static [&'static str], ErrorReason, Option<(&'static str, &'static str)>);
    const ROWS: &[Row] = &[
        (
            &["delivery config", "software_token_mfa"],
            ErrorReason::FactorNotEnrolled,
            Some(("factor", Factor::SoftwareTokenMfa.name())),
        ),
        (&["delivery config", "email"], ErrorReason::FactorNotEnrolled, Some(("factor", Factor::EmailOtp.name()))),
        (&["delivery config", "sms"], ErrorReason::FactorNotEnrolled, Some(("factor", Factor::SmsMfa.name()))),
        (
            &["user has not set up software token"],
            ErrorReason::FactorNotEnrolled,
            Some(("factor", Factor::SoftwareTokenMfa.name())),
        ),
        (
            &["user has not verified software token"],
            ErrorReason::FactorNotEnrolled,
            Some(("factor", Factor::SoftwareTokenMfa.name())),
        ),
        (
            &["user does not have a phone_number"],
            ErrorReason::FactorNotEnrolled,
            Some(("factor", Factor::SmsMfa.name())),
        ),
        (&["user does not have an email"], ErrorReason::FactorNotEnrolled, Some(("factor", Factor::EmailOtp.name()))),
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
            &["webauthn factor configuration", "single_factor"],
            ErrorReason::PoolSettingsConflict,
            Some(("conflict", "WEB_AUTHN_FACTOR")),
        ),
        (
            &["web_authn cannot be used as an auth factor when mfa is enabled"],
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
        .map_or(ErrorReason::InvalidParameter.into(), |&(_, reason, metadata)| Classified { reason, metadata })
}

fn contains(text: &str, fragment: &str) -> bool {
    text.to_lowercase().contains(&fragment.to_lowercase())
}
