//! Error reasons: for each, the gRPC code, who must act, whether a retry helps, the details, and the message.

use tonic::Code;

use crate::api::v1::ErrorReason;

/// Who must act on an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// The calling program.
    Caller,
    /// The end user.
    EndUser,
    /// The operator of the pool.
    PoolOperator,
    /// The operator of mfagate.
    Mfagate,
    /// AWS.
    Aws,
}

impl Party {
    /// The name in the metadata.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Caller => "CALLER",
            Self::EndUser => "END_USER",
            Self::PoolOperator => "POOL_OPERATOR",
            Self::Mfagate => "MFAGATE",
            Self::Aws => "AWS",
        }
    }
}

/// Whether a retry of the same request is safe and may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// Never.
    Never,
    /// For reads and idempotent writes.
    IfIdempotent,
    /// Always.
    Always,
}

/// The detail that an error carries beside `ErrorInfo` and `RequestInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// None.
    None,
    /// `BadRequest` with the violations of the request.
    Violations,
    /// `BadRequest` with one violation, of the field named.
    Field(&'static str),
    /// `PreconditionFailure` whose subject is named.
    PreconditionFailure(&'static str),
    /// `ResourceInfo` of a user.
    User,
    /// `ResourceInfo` of what the operation did not find.
    ResourceOfOperation,
    /// `RetryInfo`.
    RetryInfo,
}

/// What a reason means for the response.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReasonSpec {
    /// The gRPC code.
    pub(super) code: Code,
    /// The gRPC code on a read, where it is another.
    pub(super) code_on_read: Option<Code>,
    /// Who must act.
    pub(super) party: Party,
    /// Whether a retry helps.
    pub(super) retry: Retry,
    /// The detail it carries.
    pub(super) detail: Detail,
    /// The text of the status.
    pub(super) message: &'static str,
}

/// What `reason` means for the response. `error_reason.proto` tells callers the same at length.
#[expect(clippy::too_many_lines, reason = "it is a table, a row a reason")]
pub(super) fn spec(reason: ErrorReason) -> ReasonSpec {
    use Code::{
        Aborted, AlreadyExists, DeadlineExceeded, FailedPrecondition, Internal, InvalidArgument, NotFound,
        PermissionDenied, ResourceExhausted, Unauthenticated, Unavailable, Unimplemented, Unknown,
    };
    use Detail::{Field, None as Plain, PreconditionFailure, ResourceOfOperation, RetryInfo, User, Violations};
    use ErrorReason as R;
    use Party::{Aws, Caller, EndUser, Mfagate, PoolOperator};
    use Retry::{Always, IfIdempotent, Never};
    const USER: Detail = PreconditionFailure("user");
    const POOL: Detail = PreconditionFailure("user_pool");

    let (code, party, retry, detail, message) = match reason {
        R::Unspecified | R::MfagateFailed => (Internal, Mfagate, Never, Plain, "internal error of mfagate"),
        R::RequestInvalid => (InvalidArgument, Caller, Never, Violations, "invalid request"),
        R::CallerUnauthenticated => (
            Unauthenticated,
            Caller,
            Never,
            Plain,
            "caller not authenticated: send a client certificate or a bearer token that mfagate accepts",
        ),
        R::CallerForbidden => (PermissionDenied, Caller, Never, Plain, "permission denied"),
        R::AuditUnavailable => (
            Unavailable,
            Mfagate,
            Always,
            Plain,
            "the audit record cannot be written, so nothing was changed; retry later",
        ),
        R::RequestMalformed => (
            InvalidArgument,
            Caller,
            Never,
            Plain,
            "the request is not a readable message; use a client generated from mfagate's protos",
        ),
        R::NoTimeLeft => (
            DeadlineExceeded,
            Caller,
            Always,
            Plain,
            "no time left to call Cognito, and nothing was sent; set a longer deadline, and send the request at once",
        ),
        R::RequestTooLarge => (
            InvalidArgument,
            Caller,
            Never,
            Plain,
            "the request is too large; mfagate reads at most 16 KiB, and 256 KiB of CompleteWebAuthnRegistration and \
             SetUserPoolMfaConfig",
        ),
        R::CallerLimitExceeded => (
            ResourceExhausted,
            Caller,
            Always,
            RetryInfo,
            "as much is in flight for this caller as one may have, and nothing was sent; make fewer calls at a time, and retry \
             with exponential backoff",
        ),
        R::ServiceLimitExceeded => (
            ResourceExhausted,
            Aws,
            Always,
            RetryInfo,
            "as much is in flight as mfagate allows, and nothing was sent; retry with exponential backoff",
        ),
        R::QuotaWaitTooLong => (
            ResourceExhausted,
            Caller,
            Always,
            RetryInfo,
            "the turn of this call at Cognito's quota would come too late, and nothing was sent; retry after the time in \
             RetryInfo, with a longer deadline, or make fewer calls",
        ),
        R::CognitoCircuitOpen => (
            Unavailable,
            Aws,
            Always,
            RetryInfo,
            "Cognito does not respond in the pool's Region, and nothing was sent; retry after the time in RetryInfo",
        ),
        R::RpcUnknown => (
            Unimplemented,
            Caller,
            Never,
            Plain,
            "mfagate serves no such RPC, or not with this encoding; check the service and method names",
        ),
        R::TotpAlreadyEnrolled => (
            FailedPrecondition,
            Caller,
            Never,
            USER,
            "the user already has a software token, which may stop working at once; set allow_reenrolment to proceed",
        ),
        R::UserTokenRejected => (
            Unauthenticated,
            EndUser,
            Never,
            Plain,
            "the user's access token is not accepted; send the access token, not the ID token, of a user who is signed in",
        ),
        R::UserTokenExpired => {
            (Unauthenticated, EndUser, Never, Plain, "the user's access token has expired; refresh it and call again")
        }
        R::UserTokenRevoked => (
            Unauthenticated,
            EndUser,
            Never,
            Plain,
            "the user's access token has been revoked; have the user sign in again",
        ),
        R::UserTokenScopeMissing => (
            PermissionDenied,
            EndUser,
            Never,
            Plain,
            "the user's access token lacks the scope aws.cognito.signin.user.admin; have the user sign in with it",
        ),
        R::SessionExpired => (
            Unauthenticated,
            EndUser,
            Never,
            Plain,
            "the sign-in session has expired or was used; start the sign-in again",
        ),
        R::UserNotFound => {
            (NotFound, Caller, Never, User, "the user does not exist in the pool; check the pool and the username")
        }
        R::UserDisabled => (FailedPrecondition, EndUser, Never, USER, "the user is disabled; enable the user first"),
        R::UserNotConfirmed => {
            (FailedPrecondition, EndUser, Never, USER, "the user has not confirmed the sign-up; confirm the user first")
        }
        R::PasswordResetRequired => {
            (FailedPrecondition, EndUser, Never, USER, "the user must reset the password first")
        }
        R::TargetRefused => (
            FailedPrecondition,
            PoolOperator,
            Never,
            PreconditionFailure("target"),
            "Cognito rejected the operation on this user or pool in its current state; look it up in the AWS console",
        ),
        R::FactorNotEnrolled => (FailedPrecondition, EndUser, Never, USER, "the user has not set up the factor"),
        R::TotpNotEnrolled => (
            FailedPrecondition,
            EndUser,
            Never,
            USER,
            "the user has no software token; call AssociateSoftwareToken first",
        ),
        R::TotpNotOffered => (
            FailedPrecondition,
            PoolOperator,
            Never,
            POOL,
            "the pool does not offer software tokens; enable them with SetUserPoolMfaConfig",
        ),
        R::UserCodeMismatch => {
            (InvalidArgument, EndUser, Never, Field("user_code"), "the code is wrong; ask the user for a new one")
        }
        R::TotpNotVerified => (
            InvalidArgument,
            EndUser,
            Never,
            Field("user_code"),
            "the software token is not verified; check the device's clock, and ask the user for a new code",
        ),
        R::CodeExpired => (FailedPrecondition, EndUser, Never, USER, "the code has expired; request a new one"),
        R::AliasExists => (
            AlreadyExists,
            Caller,
            Never,
            Plain,
            "another user has this e-mail address or phone number; choose another",
        ),
        R::AttemptLimitExceeded => (
            ResourceExhausted,
            EndUser,
            Never,
            Plain,
            "too many attempts, or a limit per user is reached; wait up to an hour, or delete a passkey",
        ),
        R::MfaMethodNotFound => {
            (FailedPrecondition, EndUser, Never, USER, "the user has no MFA method; set up a factor first")
        }
        R::WebAuthnNotEnabled => (
            FailedPrecondition,
            PoolOperator,
            Never,
            POOL,
            "the pool does not offer passkeys; allow WEB_AUTHN among its first factors",
        ),
        R::WebAuthnConfigurationMissing => (
            FailedPrecondition,
            PoolOperator,
            Never,
            POOL,
            "the pool has no relying party for passkeys; send web_authn_configuration with SetUserPoolMfaConfig",
        ),
        R::WebAuthnChallengeNotFound => (
            FailedPrecondition,
            Caller,
            Never,
            USER,
            "no passkey registration is in progress; start again with StartWebAuthnRegistration",
        ),
        R::WebAuthnRelyingPartyMismatch => (
            InvalidArgument,
            PoolOperator,
            Never,
            Plain,
            "the passkey is for another relying party; compare relying_party_id with the domain of the page",
        ),
        R::WebAuthnClientMismatch => (
            InvalidArgument,
            Caller,
            Never,
            Plain,
            "another app client started the passkey registration; start and complete it with the same access token",
        ),
        R::WebAuthnOriginNotAllowed => (
            InvalidArgument,
            Caller,
            Never,
            Plain,
            "the passkey was made on an origin that the pool does not allow; register from a page of the relying party",
        ),
        R::WebAuthnCredentialNotSupported => {
            (InvalidArgument, Caller, Never, Plain, "this kind of passkey is not supported; use another authenticator")
        }
        R::ResourceNotFound => {
            (NotFound, Caller, Never, ResourceOfOperation, "the pool, app client or passkey does not exist")
        }
        R::InvalidParameter => (InvalidArgument, Caller, Never, Plain, "Cognito rejected a parameter"),
        R::PoolMfaCombinationInvalid => (
            InvalidArgument,
            Caller,
            Never,
            Plain,
            "the MFA configuration contradicts itself; send OFF without a factor, or ON or OPTIONAL with one",
        ),
        R::PoolSettingsConflict => (
            FailedPrecondition,
            PoolOperator,
            Never,
            POOL,
            "the MFA configuration contradicts other settings of the pool",
        ),
        R::PoolConfigurationInvalid => {
            (FailedPrecondition, PoolOperator, Never, POOL, "the configuration of the pool is not valid; correct it")
        }
        R::OperationNotEnabled => (
            FailedPrecondition,
            PoolOperator,
            Never,
            POOL,
            "the operation is not enabled in this Region or for this pool; call the primary Region",
        ),
        R::FeatureUnavailableInTier => (
            FailedPrecondition,
            PoolOperator,
            Never,
            POOL,
            "the pool's plan does not include the feature; change the plan first",
        ),
        R::ConcurrentModification => (Aborted, Caller, Never, Plain, "concurrent modification; read again and retry"),
        R::SmsRoleInvalid => (
            FailedPrecondition,
            PoolOperator,
            Always,
            POOL,
            "the IAM role for SMS messages cannot be used; correct its policies, or retry in two minutes if it is new",
        ),
        R::EmailRoleInvalid => (
            FailedPrecondition,
            PoolOperator,
            Never,
            POOL,
            "Cognito is not permitted to send e-mail with the pool's identity; correct the identity's sending policy",
        ),
        R::CodeDeliveryFailed => (
            FailedPrecondition,
            PoolOperator,
            Never,
            POOL,
            "the code could not be sent; check the pool's sending service before another attempt",
        ),
        R::TriggerRefused => (
            FailedPrecondition,
            PoolOperator,
            Never,
            POOL,
            "the pool's Lambda trigger rejected the operation; check the trigger",
        ),
        R::TriggerBroken => {
            (Internal, PoolOperator, Never, Plain, "the pool's Lambda trigger failed; correct the trigger")
        }
        R::PoolTaggingRefused => (
            InvalidArgument,
            PoolOperator,
            Never,
            Plain,
            "the tags of the pool could not be set or read; check the permissions on them",
        ),
        R::UserImportInProgress => (
            FailedPrecondition,
            PoolOperator,
            Always,
            POOL,
            "users are being imported into the pool; retry when the import is complete",
        ),
        R::TierChangeNotAllowed => (
            FailedPrecondition,
            PoolOperator,
            Always,
            POOL,
            "the pool's plan cannot be changed now; first change the settings that need it",
        ),
        R::WafBlocked => (
            PermissionDenied,
            PoolOperator,
            Never,
            Plain,
            "a web application firewall of the pool blocked the request; allow mfagate in the web ACL",
        ),
        R::RateLimited => (
            ResourceExhausted,
            Aws,
            Always,
            RetryInfo,
            "the request rate quota of the AWS account is exceeded; retry with exponential backoff",
        ),
        R::DeadlineExceeded => (DeadlineExceeded, Aws, IfIdempotent, Plain, "Cognito did not respond in time"),
        R::CognitoUnavailable => (Unavailable, Aws, IfIdempotent, Plain, "Cognito is unavailable"),
        R::CognitoUnreachable => (Unavailable, Aws, IfIdempotent, Plain, "Cognito is unreachable"),
        R::CognitoInternalError => (Internal, Aws, IfIdempotent, Plain, "Cognito returned an internal error"),
        R::CognitoAnswerUnreadable => (Internal, Aws, IfIdempotent, Plain, "the response is not one of Cognito"),
        R::CognitoOperationUnknown => (
            Unimplemented,
            Mfagate,
            Never,
            Plain,
            "the Cognito endpoint does not know the operation; check mfagate's endpoint and Region",
        ),
        R::CognitoCodeUnrecognized => {
            (Unknown, Aws, Never, Plain, "Cognito returned an error code that mfagate does not know")
        }
        R::MfagateCredentialsRejected => (Internal, Mfagate, Never, Plain, "AWS rejected mfagate's credentials"),
        R::MfagateAccessDenied => {
            (Internal, Mfagate, Never, Plain, "mfagate's IAM role is not permitted to perform the operation")
        }
        R::MfagateClockSkewed => (Internal, Mfagate, Never, Plain, "mfagate's clock is wrong"),
        R::MfagateAccountRefused => {
            (Internal, Mfagate, Never, Plain, "mfagate's AWS account is not permitted to use the service")
        }
        R::MfagateRequestRejected => {
            (Internal, Mfagate, Never, Plain, "Cognito could not parse the request that mfagate sent")
        }
        R::MfagateDispatchFailed => (Internal, Mfagate, Never, Plain, "mfagate could not send the request to Cognito"),
    };
    // Tags are written and read, and only a write can be the caller's mistake.
    let code_on_read = matches!(reason, R::PoolTaggingRefused).then_some(Internal);
    ReasonSpec { code, code_on_read, party, retry, detail, message }
}
