//! This file builds every `Status` that mfagate answers, with its details, and logs why.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::api::v1::ErrorReason;
use crate::domain::Operation;
use crate::error::Error;
use crate::error::reason::{self, Detail, Fault, Retry};

/// How long a caller should wait at least before it repeats a request that was rate limited.
pub const RETRY_DELAY: Duration = Duration::from_secs(1);

const DOMAIN: &str = "mfagate";

impl From<Error> for Status {
    /// The status of an error; the error stays with it as its source, for the log.
    fn from(error: Error) -> Self {
        let entry = reason::entry(error.reason);
        let mut status = Self::with_error_details(code(&error), entry.message, details(&error));
        status.set_source(Arc::new(error));
        status
    }
}

/// Tags are written and read; only a write can be the caller's mistake.
pub(super) fn code(error: &Error) -> Code {
    let code = reason::entry(error.reason).code;
    let read = error.operation.is_some_and(Operation::is_read);
    if error.reason == ErrorReason::PoolTaggingRefused && read { Code::Internal } else { code }
}

fn details(error: &Error) -> ErrorDetails {
    let entry = reason::entry(error.reason);
    let retryable = match entry.retry {
        Retry::Never => false,
        Retry::IfIdempotent => error.operation.is_none_or(Operation::is_idempotent),
        Retry::Always => true,
    };
    let mut metadata: HashMap<String, String> =
        error.metadata.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    metadata.insert("fault".to_owned(), entry.fault.name().to_owned());
    metadata.insert("retryable".to_owned(), retryable.to_string());
    if let Some(operation) = error.operation {
        metadata.insert("operation".to_owned(), operation.name().to_owned());
    }

    let mut details = ErrorDetails::with_error_info(error.reason.wire_name(), DOMAIN, metadata);
    match entry.detail {
        Detail::None => {}
        Detail::BadRequest("") => {
            for violation in &error.violations {
                details.add_bad_request_violation(&violation.field, &violation.description);
            }
        }
        Detail::BadRequest(field) => {
            details.add_bad_request_violation(field, entry.message);
        }
        Detail::PreconditionFailure(subject) => {
            details.add_precondition_failure_violation(error.reason.wire_name(), subject, entry.message);
        }
        Detail::ResourceInfo(kind) => {
            // The name of a user or a passkey is not repeated: details reach logs that must not hold it.
            let pool = error.user_pool_id.clone().unwrap_or_default();
            let kind = if error.operation == Some(Operation::DeleteWebAuthnCredential) { "passkey" } else { kind };
            let (name, owner) = if kind == "user_pool" { (pool, String::new()) } else { (String::new(), pool) };
            details.set_resource_info(kind, name, owner, entry.message);
        }
        Detail::RetryInfo => {
            details.set_retry_info(Some(RETRY_DELAY));
        }
    }
    details
}

/// Gives a status, ours or one that tonic made, what every answer has: one `ErrorInfo`, and the request id. Logs why.
#[must_use]
pub fn complete(status: &Status, request_id: &str) -> Status {
    let source = std::error::Error::source(status).and_then(|source| source.downcast_ref::<Error>());
    let Some(error) = source else {
        let Some(reason) = tonic_reason(status) else { return status.clone() };
        let ours = Status::from(Error::new(reason).because(status.message()));
        return complete(&ours, request_id);
    };
    log(error, status.code());
    let mut details = details(error);
    details.set_request_info(request_id, "");
    Status::with_error_details(status.code(), status.message(), details)
}

/// The one event of a failure. A fault of mfagate is for its operator to act on; one of AWS or a pool degrades the service.
fn log(error: &Error, code: Code) {
    let entry = reason::entry(error.reason);
    macro_rules! event {
        ($level:ident) => {
            tracing::$level!(
                code = ?code,
                reason = error.reason.wire_name(),
                fault = entry.fault.name(),
                operation = error.operation.map(Operation::name),
                cognito_code = error.metadata.get("cognito_code"),
                aws_request_id = error.metadata.get("aws_request_id"),
                cause = error.cause,
                "call failed"
            )
        };
    }
    match entry.fault {
        Fault::Facade => event!(error),
        Fault::Aws | Fault::Operator => event!(warn),
        Fault::Caller | Fault::EndUser => event!(info),
    }
}

/// What a status means that tonic made before or instead of calling us: it refuses requests that it cannot read. The rest
/// belongs to health and reflection, whose protocols give their codes a meaning of their own.
fn tonic_reason(status: &Status) -> Option<ErrorReason> {
    match status.code() {
        Code::Unimplemented => Some(ErrorReason::RpcUnknown),
        Code::OutOfRange | Code::ResourceExhausted => Some(ErrorReason::RequestTooLarge),
        Code::Internal | Code::InvalidArgument => Some(ErrorReason::RequestMalformed),
        Code::DeadlineExceeded | Code::Cancelled => Some(ErrorReason::DeadlineExceeded),
        Code::Ok
        | Code::Unknown
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => None,
    }
}
