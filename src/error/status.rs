//! The status that a caller sees: built once, with its details, and logged with its cause.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use http::{Response, StatusCode};
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::api::v1::ErrorReason;
use crate::domain::{Operation, Resource};
use crate::error::Error;
use crate::error::message::message;
use crate::error::reason::{self, Detail, Party};

/// How long a caller waits at least before it retries a request that was rate limited, and up to twice as long: callers that
/// were refused together would otherwise return together.
pub const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The trailer that tells a gRPC client's retry policy when to retry, in milliseconds, and with -1 not to (gRFC A6).
const RETRY_PUSHBACK: &str = "grpc-retry-pushback-ms";

const DOMAIN: &str = "mfagate";

/// The metadata in which [`body_error`] names the reason. It never reaches a caller: [`render`] builds another status.
const BODY_ERROR: &str = "mfagate-body-error";

/// The metadata in which [`body_error`] names the limit.
const BODY_LIMIT: &str = "mfagate-body-limit";

impl From<Error> for Status {
    /// Carries an error through tonic, as the source of a status without details. [`render`] builds the details.
    fn from(error: Error) -> Self {
        let mut status = Self::new(error.code(), message(&error));
        status.set_source(Arc::new(error));
        status
    }
}

/// Carries the error of a middleware that rejects a call. [`render`] builds the response that the caller sees.
pub fn rejection<B: Default>(error: Error) -> Response<B> {
    let mut response = Response::new(B::default());
    response.extensions_mut().insert(Arc::new(error));
    response
}

/// Carries the error of a request's body. tonic keeps the metadata of a status that it finds in the causes of a body's error, and not
/// its source.
pub fn body_error(error: &Error) -> Status {
    let mut status = Status::new(error.code(), error.cause.clone().unwrap_or_default());
    status.metadata_mut().insert(BODY_ERROR, i32::from(error.reason).into());
    if let Some(limit) = error.metadata.get("limit").and_then(|limit| limit.parse().ok()) {
        status.metadata_mut().insert(BODY_LIMIT, limit);
    }
    status
}

/// The error that [`body_error`] carried.
fn carried(status: &Status) -> Option<Error> {
    let reason: i32 = status.metadata().get(BODY_ERROR)?.to_str().ok()?.parse().ok()?;
    let limit = status.metadata().get(BODY_LIMIT).and_then(|limit| limit.to_str().ok());
    Some(Error::new(ErrorReason::try_from(reason).ok()?).metadata("limit", limit).cause(status.message()))
}

/// The status that the caller of a failed call sees, and `None` for a call that did not fail. Logs why.
///
/// The failure is ours, from a handler or from [`rejection`], or tonic's own, or a plain HTTP failure: tonic responds so to
/// some requests that are not gRPC.
pub fn render<B>(response: &Response<B>, request_id: &str) -> Option<Status> {
    if let Some(error) = response.extensions().get::<Arc<Error>>() {
        return Some(build(error, request_id));
    }
    let status = response.extensions().get::<Status>().cloned().or_else(|| Status::from_header_map(response.headers()));
    let Some(status) = status else {
        let http_status = response.status();
        let cause = || format!("HTTP status {}", http_status.as_u16());
        let failed = http_status != StatusCode::OK;
        return failed.then(|| build(&Error::new(ErrorReason::RequestMalformed).cause(cause()), request_id));
    };
    if status.code() == Code::Ok {
        return None;
    }
    if let Some(error) = status.source().and_then(|source| source.downcast_ref::<Error>()) {
        return Some(build(error, request_id));
    }
    if let Some(error) = carried(&status) {
        return Some(build(&error, request_id));
    }
    let Some(reason) = tonic_reason(&status) else { return Some(status) };
    Some(build(&Error::new(reason).cause(status.message()), request_id))
}

fn build(error: &Error, request_id: &str) -> Status {
    log(error);
    let message = message(error);
    let retryable = error.is_retryable();
    let mut details = details(error, &message);
    details.set_request_info(request_id, "");
    let pushback = match details.retry_info().and_then(|retry| retry.retry_delay) {
        Some(delay) => Some(delay.as_millis().to_string()),
        None => (!retryable).then(|| "-1".to_owned()),
    };
    let mut status = Status::with_error_details(error.code(), message, details);
    if let Some(pushback) = pushback.and_then(|pushback| MetadataValue::try_from(pushback).ok()) {
        status.metadata_mut().insert(RETRY_PUSHBACK, pushback);
    }
    status
}

/// A delay that is known, rounded up to the milliseconds that the trailer has.
fn whole_milliseconds(delay: Duration) -> Duration {
    let millis = delay.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

/// [`RETRY_DELAY`] and up to as much again, in whole milliseconds, as the trailer has it.
fn jittered_delay() -> Duration {
    let mut random = [0; 2];
    // Without randomness, every caller waits the least.
    let share = aws_lc_rs::rand::fill(&mut random).map_or(0, |()| u32::from(u16::from_be_bytes(random)));
    let jitter = RETRY_DELAY.saturating_mul(share) / u32::from(u16::MAX);
    RETRY_DELAY + Duration::from_millis(u64::try_from(jitter.as_millis()).unwrap_or_default())
}

fn details(error: &Error, message: &str) -> ErrorDetails {
    let spec = reason::spec(error.reason);
    let mut metadata: HashMap<String, String> =
        error.metadata.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    metadata.insert("fault".to_owned(), spec.party.name().to_owned());
    metadata.insert("retryable".to_owned(), error.is_retryable().to_string());
    if let Some(operation) = error.operation {
        metadata.insert("operation".to_owned(), operation.name().to_owned());
    }

    let reason = error.reason.wire_name();
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
    match spec.detail {
        Detail::None => {}
        Detail::Violations => {
            for violation in &error.violations {
                details.add_bad_request_violation(&violation.field, &violation.description);
            }
            if error.further_violations > 0 {
                details.add_bad_request_violation("", format!("{} more violations", error.further_violations));
            }
        }
        Detail::Field(field) => {
            details.add_bad_request_violation(field, message);
        }
        Detail::PreconditionFailure(subject) => {
            details.add_precondition_failure_violation(reason, subject, message);
        }
        Detail::User => set_resource_info(&mut details, error, Resource::User, message),
        Detail::ResourceOfOperation => {
            let resource = error.operation.map_or(Resource::UserPool, |operation| operation.facts().resource);
            set_resource_info(&mut details, error, resource, message);
        }
        Detail::RetryInfo => {
            details.set_retry_info(Some(error.retry_after.map_or_else(jittered_delay, whole_milliseconds)));
        }
    }
    details
}

/// Names the pool. The name of a user or a passkey is left out: details reach logs that must not hold it.
fn set_resource_info(details: &mut ErrorDetails, error: &Error, resource: Resource, message: &str) {
    let pool = error.user_pool_id.clone().unwrap_or_default();
    let (name, owner) = match resource {
        Resource::UserPool => (pool, String::new()),
        Resource::User | Resource::Passkey => (String::new(), pool),
    };
    details.set_resource_info(resource.name(), name, owner, message);
}

/// The one event of a failure. A failure of mfagate is for its operator to act on; one of AWS or a pool degrades the service.
fn log(error: &Error) {
    let spec = reason::spec(error.reason);
    macro_rules! event {
        ($level:ident) => {
            tracing::$level!(
                code = ?error.code(),
                reason = error.reason.wire_name(),
                fault = spec.party.name(),
                operation = error.operation.map(Operation::name),
                endpoint = error.endpoint,
                cognito_code = error.metadata.get("cognito_code"),
                aws_request_id = error.metadata.get("aws_request_id"),
                cause = error.cause,
                "call failed"
            )
        };
    }
    match spec.party {
        _ if error.counted => event!(debug),
        Party::Mfagate => event!(error),
        Party::Aws | Party::PoolOperator => event!(warn),
        Party::Caller | Party::EndUser => event!(info),
    }
}

/// The reason of a status that tonic made before or instead of calling us: it rejects requests that it cannot read. The rest
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
