//! Error reasons: for each, the gRPC code, who must act, whether a retry helps, the details, and the message.

use tonic::Code;

use crate::api::v1::ErrorReason;

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
pub(super) enum Retry {
    /// It never is.
    Never,
    /// It is for reads and idempotent writes.
    IfIdempotent,
    /// It always is.
    Always,
}

/// The detail that an error carries beside `ErrorInfo` and `RequestInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
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
pub(super) struct Entry {
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
pub(super) fn entry(reason: ErrorReason) -> Entry {
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
