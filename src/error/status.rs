//! This file builds every `Status` that mfagate answers, with its details, and logs why.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::cognito::Operation;
use crate::error::Error;
use crate::error::catalogue::{self, Detail, Fault, Retry};
use crate::proto::v1::ErrorReason;

/// How long a caller should wait at least before it repeats a request that was rate limited.
pub const RETRY_DELAY: Duration = Duration::from_secs(1);

const DOMAIN: &str = "mfagate";

impl From<Error> for Status {
    /// The status of an error; the error stays with it as its source, for the log.
    fn from(error: Error) -> Self {
        let entry = catalogue::entry(error.reason);
        let mut status = Self::with_error_details(code(&error, entry.code), entry.message, details(&error));
        status.set_source(Arc::new(error));
        status
    }
}

/// Tags are written and read; only a write can be the caller's mistake.
fn code(error: &Error, code: Code) -> Code {
    let read = error.operation.is_some_and(Operation::is_read);
    if error.reason == ErrorReason::PoolTaggingRefused && read { Code::Internal } else { code }
}

fn details(error: &Error) -> ErrorDetails {
    let entry = catalogue::entry(error.reason);
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

    let mut details = ErrorDetails::with_error_info(reason_name(error.reason), DOMAIN, metadata);
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
            details.add_precondition_failure_violation(reason_name(error.reason), subject, entry.message);
        }
        Detail::ResourceInfo(kind) => {
            // The name of a user is not repeated: details reach logs that must not hold it.
            let pool = error.user_pool_id.clone().unwrap_or_default();
            let (name, owner) = if kind == "user" { (String::new(), pool) } else { (pool, String::new()) };
            details.set_resource_info(kind, name, owner, entry.message);
        }
        Detail::RetryInfo => {
            details.set_retry_info(Some(RETRY_DELAY));
        }
    }
    details
}

/// The name that `ErrorInfo.reason` carries: the value's name without the prefix that buf demands.
fn reason_name(reason: ErrorReason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix("ERROR_REASON_").unwrap_or(name)
}

/// Gives a status, ours or one that tonic made, what every answer has: one `ErrorInfo`, and the request id. Logs why.
#[must_use]
pub fn complete(status: &Status, request_id: &str) -> Status {
    let source = std::error::Error::source(status).and_then(|source| source.downcast_ref::<Error>());
    let Some(error) = source else {
        // Only the health service says so by itself, of a service that is not served: an answer of its own protocol.
        if status.code() == Code::NotFound {
            return status.clone();
        }
        let ours = Status::from(Error::new(tonic_reason(status)).because(status.message()));
        return complete(&ours, request_id);
    };
    log(error, status.code());
    let mut details = details(error);
    details.set_request_info(request_id, "");
    Status::with_error_details(status.code(), status.message(), details)
}

/// The one event of a failure. A fault of mfagate is for its operator to act on; one of AWS or a pool degrades the service.
fn log(error: &Error, code: Code) {
    let entry = catalogue::entry(error.reason);
    macro_rules! event {
        ($level:ident) => {
            tracing::$level!(
                code = ?code,
                reason = reason_name(error.reason),
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

/// What a status means that tonic made before or instead of calling us: it refuses requests that it cannot read.
fn tonic_reason(status: &Status) -> ErrorReason {
    match status.code() {
        Code::Unimplemented => ErrorReason::RpcUnknown,
        Code::OutOfRange | Code::ResourceExhausted => ErrorReason::RequestTooLarge,
        Code::Internal | Code::InvalidArgument => ErrorReason::RequestMalformed,
        Code::DeadlineExceeded | Code::Cancelled => ErrorReason::DeadlineExceeded,
        Code::Ok
        | Code::Unknown
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => ErrorReason::FacadeFailed,
    }
}
