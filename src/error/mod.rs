//! What can go wrong: the error type, what each reason means, and the only place that builds a `Status` that callers see.

mod chain;
mod reason;
mod status;
mod violation;

use std::collections::BTreeMap;
use std::fmt;

use crate::api::v1::ErrorReason;
use crate::domain::Operation;

pub use chain::chain;
pub use reason::Party;
pub use status::{RETRY_DELAY, rejection, render};
pub use violation::Violation;

/// Why a call failed: what the caller is told, and what only the log may hold.
#[derive(Debug)]
#[must_use]
pub struct Error {
    reason: ErrorReason,
    operation: Option<Operation>,
    metadata: BTreeMap<&'static str, String>,
    violations: Vec<Violation>,
    user_pool_id: Option<String>,
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
            user_pool_id: None,
            cause: None,
        }
    }

    /// The request is invalid.
    pub fn invalid(violations: Vec<Violation>) -> Self {
        Self { violations, ..Self::new(ErrorReason::RequestInvalid) }
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

    /// The id that AWS gave the failed request, if it returned one.
    pub fn aws_request_id(&self) -> Option<&str> {
        self.metadata.get("aws_request_id").map(String::as_str)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(reason::spec(self.reason).message)
    }
}

impl std::error::Error for Error {}
