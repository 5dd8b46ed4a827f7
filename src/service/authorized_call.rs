//! A call that was allowed and whose request is being parsed: the permit, and the violations found so far.

use crate::api::v1::ErrorReason;
use crate::authz::{Grant, Permit};
use crate::cognito::{Cognito, PoolClient};
use crate::domain::text::{Constraint, Text};
use crate::domain::{Call, Deadline, EndUserCredential, Priority};
use crate::error::Error;
use crate::request::Violations;

/// A call that was allowed. [`open`](Self::open) leads to Cognito, once the request is parsed.
#[derive(Debug)]
pub(super) struct AuthorizedCall {
    /// `None` where the pool that was decided on is not a pool id.
    permit: Option<Permit>,
    deadline: Deadline,
    priority: Priority,
    violations: Violations,
}

impl AuthorizedCall {
    /// A pool id that is not one is a violation where the request names the pool. Where an access token does, the token is well
    /// formed, but Cognito could not accept it anywhere.
    pub(super) fn new(grant: Grant, end_user: Option<EndUserCredential>, call: &Call) -> Self {
        let mut violations = Violations::default();
        let permit = match end_user {
            None | Some(EndUserCredential::Session) => violations.collect(grant.permit()),
            Some(EndUserCredential::AccessToken) => grant.permit().ok(),
        };
        Self { permit, deadline: call.deadline, priority: call.priority, violations }
    }

    /// A text that must be present.
    pub(super) fn required<C: Constraint>(&mut self, field: &str, value: String) -> Option<Text<C>> {
        self.violations.required(field, value)
    }

    /// A text that may be absent.
    pub(super) fn optional<C: Constraint>(&mut self, field: &str, value: Option<String>) -> Option<Text<C>> {
        self.violations.optional(field, value)
    }

    /// The violations found so far, for parsers of whole messages.
    pub(super) fn violations(&mut self) -> &mut Violations {
        &mut self.violations
    }

    /// The client of the permit's pool and the parsed request, or every violation.
    pub(super) fn open<T>(self, cognito: &Cognito, parsed: Option<T>) -> Result<(PoolClient, T), Error> {
        let Self { permit, deadline, priority, violations } = self;
        if permit.is_none() && violations.is_empty() {
            return Err(Error::new(ErrorReason::UserTokenRejected).cause("the access token names no pool"));
        }
        let (permit, parsed) = violations.into_result(permit.zip(parsed))?;
        Ok((cognito.pool(permit, deadline).with_priority(priority), parsed))
    }
}
