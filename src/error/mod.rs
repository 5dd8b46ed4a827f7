//! This module is what can go wrong: the error type, the catalogue, and the only place that builds a `Status`.

mod reason;
mod status;
mod violation;

use std::collections::BTreeMap;
use std::fmt;

pub use reason::Fault;
pub use status::{RETRY_DELAY, complete};
pub use violation::Violation;

use crate::api::v1::ErrorReason;
use crate::domain::Operation;

/// Why a call failed: what the caller is told, and what only the log may hold.
#[derive(Debug)]
pub struct Error {
    reason: ErrorReason,
    operation: Option<Operation>,
    metadata: BTreeMap<&'static str, String>,
    violations: Vec<Violation>,
    user_pool_id: Option<String>,
    cause: Option<String>,
}

impl Error {
    /// An error with the code, fault and details that the catalogue has for `reason`.
    #[must_use]
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

    /// The request breaks constraints.
    #[must_use]
    pub fn invalid(violations: Vec<Violation>) -> Self {
        Self { violations, ..Self::new(ErrorReason::RequestInvalid) }
    }

    /// The error came from calling `operation`.
    #[must_use]
    pub fn of(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Adds metadata for the caller, if there is any.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: Option<impl Into<String>>) -> Self {
        if let Some(value) = value {
            self.metadata.insert(key, value.into());
        }
        self
    }

    /// Names the pool that the call was about.
    #[must_use]
    pub fn about(mut self, user_pool_id: &str) -> Self {
        self.user_pool_id = Some(user_pool_id.to_owned());
        self
    }

    /// Adds the cause, which goes to the log only. It must not hold a secret.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The gRPC code that the caller is told.
    #[must_use]
    pub fn code(&self) -> tonic::Code {
        status::code(self)
    }

    /// The id that AWS gave the request that failed, if it answered one.
    #[must_use]
    pub fn aws_request_id(&self) -> Option<&str> {
        self.metadata.get("aws_request_id").map(String::as_str)
    }

    /// The same, where a session and no access token was sent: an unrecognised refusal is about the session.
    #[must_use]
    pub fn in_session(self) -> Self {
        let about_a_token = matches!(
            self.reason,
            ErrorReason::UserTokenRejected | ErrorReason::UserTokenExpired | ErrorReason::UserTokenRevoked
        );
        if about_a_token { Self { reason: ErrorReason::SessionExpired, ..self } } else { self }
    }

    /// Why the call failed.
    #[must_use]
    pub fn reason(&self) -> ErrorReason {
        self.reason
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(reason::entry(self.reason).message)
    }
}

impl std::error::Error for Error {}
