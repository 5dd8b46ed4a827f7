//! The record of the outcome of an allowed call.

use std::sync::Arc;
use std::time::Duration;

use crate::api::v1::ErrorReason;
use crate::audit::{self, AuditLog, MutationOutcome, MutationRecord};
use crate::domain::{AwsRequestId, Before, ClaimedUser, Effect, Findings, Operation};

/// Records the outcome of the mutations of an allowed call.
#[derive(Clone, Debug)]
pub struct MutationRecorder {
    audit: Arc<AuditLog>,
    caller: String,
    call: Arc<audit::CallFields>,
    asked: Asked,
}

/// What was asked for, and what was known then.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) effect: Effect,
    pub(super) before: Option<Before>,
    pub(super) claimed_user: Option<ClaimedUser>,
}

impl Asked {
    /// Nothing is known but the effect.
    pub(super) fn of(effect: Effect) -> Self {
        Self { effect, before: None, claimed_user: None }
    }
}

impl MutationRecorder {
    /// A recorder for a call that `caller` was allowed.
    pub(super) fn new(audit: Arc<AuditLog>, caller: String, call: Arc<audit::CallFields>, asked: Asked) -> Self {
        Self { audit, caller, call, asked }
    }

    /// The name of the caller.
    pub(super) fn caller(&self) -> &str {
        &self.caller
    }

    /// Records the outcome of a mutation. `findings` are those of the reads before it.
    pub(crate) async fn record_outcome(
        &self,
        operation: Operation,
        aws_request_id: Option<&str>,
        outcome: MutationOutcome,
        duration: Duration,
        findings: Findings,
    ) {
        let Findings { user_was_read, username, sub, before } = findings;
        let claimed = self.asked.claimed_user.as_ref().filter(|_| user_was_read || accepts_token(outcome));
        let claimed_sub = claimed.and_then(|user| user.sub.as_deref());
        let record = MutationRecord {
            call: Arc::clone(&self.call),
            token_username: claimed.and_then(|user| self.audit.username(user.username.as_deref()?)),
            cognito_username: username.and_then(|username| self.audit.username(&username)),
            sub: sub.as_deref().or(claimed_sub).and_then(|sub| self.audit.username(sub)),
            effect: Some(self.asked.effect.clone()),
            before: before.or_else(|| self.asked.before.clone()),
            operation,
            aws_request_id: aws_request_id.and_then(AwsRequestId::parse),
            outcome,
            duration,
        };
        self.audit.mutation(record).await;
    }
}

/// Whether Cognito has accepted the access token of an operation that ended so: it did what the token allows, or compared with
/// what the token's user has.
fn accepts_token(outcome: MutationOutcome) -> bool {
    match outcome.reason {
        None => outcome == MutationOutcome::OK,
        Some(reason) => matches!(
            reason,
            ErrorReason::UserCodeMismatch | ErrorReason::TotpNotVerified | ErrorReason::FactorNotEnrolled
        ),
    }
}
