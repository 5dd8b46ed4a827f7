//! What can go wrong: the error type, what each reason means, and the only place that builds a `Status` that callers see.

mod chain;
mod message;
mod reason;
mod status;
mod violation;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::api::v1::ErrorReason;
use crate::domain::Operation;
use crate::error::reason::Retry;

pub use chain::chain;
pub use reason::Party;
pub use status::{RETRY_DELAY, body_error, rejection, render};
pub use violation::Violation;

/// Why a call failed: what the caller is told, and what only the log may hold.
#[derive(Clone, Debug)]
#[must_use]
pub struct Error {
    reason: ErrorReason,
    operation: Option<Operation>,
    metadata: BTreeMap<&'static str, String>,
    violations: Vec<Violation>,
    /// The number of violations that are not listed.
    further_violations: usize,
    user_pool_id: Option<String>,
    endpoint: Option<String>,
    retry_after: Option<Duration>,
    /// Whether others like it are logged together.
    counted: bool,
    cause: Option<String>,
}

impl Error {
    /// An error with the code, party and details of `reason`.
    pub fn new(reason: ErrorReason) -> Self {
        Self {
            reason,
            operation: None,
            metadata: BTreeMap::new(),
            violations: Vec::new(),
            further_violations: 0,
            user_pool_id: None,
            endpoint: None,
            retry_after: None,
            counted: false,
            cause: None,
        }
    }

    /// The request is invalid, for these reasons and so many further ones.
    pub fn invalid(violations: Vec<Violation>, further: usize) -> Self {
        Self { violations, further_violations: further, ..Self::new(ErrorReason::RequestInvalid) }
    }

    /// Names the operation that failed.
    pub fn operation(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Adds metadata for the caller, if there is any.
    pub fn metadata(mut self, key: &'static str, value: Option<impl Into<String>>) -> Self {
        if let Some(value) = value {
            self.metadata.insert(key, value.into());
        }
        self
    }

    /// Names the pool of the call.
    pub fn user_pool(mut self, user_pool_id: &str) -> Self {
        self.user_pool_id = Some(user_pool_id.to_owned());
        self
    }

    /// Names the endpoint of AWS that the operation was sent to, or would have been, for the log only.
    pub fn endpoint(mut self, endpoint: &str) -> Self {
        self.endpoint = Some(endpoint.to_owned());
        self
    }

    /// Says when a retry may succeed, where that is known.
    pub fn retry_after(self, delay: Duration) -> Self {
        Self { retry_after: Some(delay), ..self }
    }

    /// It is one of many that are logged together.
    pub fn counted(self) -> Self {
        Self { counted: true, ..self }
    }

    /// Adds the cause, for the log only. It must not hold a secret.
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The same error of a change that was sent: it may have been made.
    pub fn outcome_unknown(self) -> Self {
        self.metadata("outcome", Some("UNKNOWN"))
    }

    /// Whether the change that failed may have been made.
    pub fn is_outcome_unknown(&self) -> bool {
        self.metadata.contains_key("outcome")
    }

    /// Why the call failed.
    pub fn reason(&self) -> ErrorReason {
        self.reason
    }

    /// The gRPC code that the caller is told.
    pub fn code(&self) -> tonic::Code {
        let spec = reason::spec(self.reason);
        let is_read = self.operation.is_some_and(Operation::is_read);
        spec.code_on_read.filter(|_| is_read).unwrap_or(spec.code)
    }

    /// Whether a retry of the same request is safe and may succeed.
    fn is_retryable(&self) -> bool {
        match reason::spec(self.reason).retry {
            Retry::Never => false,
            Retry::IfIdempotent => self.operation.is_none_or(Operation::is_idempotent),
            Retry::Always => true,
        }
    }

    /// The id that AWS gave the failed request, if it returned one.
    pub fn aws_request_id(&self) -> Option<&str> {
        self.metadata.get("aws_request_id").map(String::as_str)
    }
}

impl std::error::Error for Error {}
