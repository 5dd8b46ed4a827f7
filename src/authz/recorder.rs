//! The record of the outcome of an allowed call.

use std::sync::Arc;
use std::time::Duration;

use crate::audit::{self, AuditLog, MutationOutcome, MutationRecord};
use crate::domain::{AwsRequestId, Effect, Operation};

/// Records the outcome of the mutations of an allowed call.
#[derive(Clone, Debug)]
pub struct MutationRecorder {
    audit: Arc<AuditLog>,
    caller: String,
    call: Arc<audit::CallFields>,
    effect: Effect,
}

impl MutationRecorder {
    /// A recorder for a call that `caller` was allowed.
    pub(super) fn new(audit: Arc<AuditLog>, caller: String, call: Arc<audit::CallFields>, effect: Effect) -> Self {
        Self { audit, caller, call, effect }
    }

    /// The name of the caller.
    pub(super) fn caller(&self) -> &str {
        &self.caller
    }

    /// Records the outcome of a mutation.
    pub(crate) async fn record_outcome(
        &self,
        operation: Operation,
        aws_request_id: Option<&str>,
        outcome: MutationOutcome,
        duration: Duration,
    ) {
        let record = MutationRecord {
            call: Arc::clone(&self.call),
            effect: Some(self.effect.clone()),
            operation,
            aws_request_id: aws_request_id.and_then(AwsRequestId::parse),
            outcome,
            duration,
        };
        self.audit.mutation(record).await;
    }
}
