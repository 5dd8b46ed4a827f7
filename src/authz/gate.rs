//! This file is the gate: it asks the policies about a call, has the decision recorded, and only then lets the call pass.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::api::Rpc;
use crate::api::v1::ErrorReason;
use crate::audit::{self, AuditLog, DecisionRecord};
use crate::authz::permit::Decision;
use crate::authz::policy::{PolicyStore, Verdict};
use crate::authz::recorder::Witness;
use crate::domain::{Call, Caller, Effect, Intent};
use crate::error::Error;

/// Decides whether a call may be made.
#[derive(Clone, Debug)]
pub enum Gate {
    /// Lets every call pass. Only for backends that hold nothing worth protecting, which the commands see to.
    Open,
    /// Asks the policies.
    Guarded(Arc<Guard>),
}

/// The policies, and the log that every decision is in before it takes effect.
#[derive(Debug)]
pub struct Guard {
    policies: Arc<PolicyStore>,
    audit: Arc<AuditLog>,
}

impl Gate {
    /// Decides on a call, before anything of the request is validated.
    pub async fn authorize(&self, call: &Arc<Call>, intent: Intent<'_>) -> Result<Decision, Error> {
        match self {
            Self::Open => Ok(Decision::allow(intent.rpc, intent.user_pool_id, None)),
            Self::Guarded(guard) => guard.authorize(call, intent).await,
        }
    }
}

impl Guard {
    /// A gate that decides by `policies` and records in `audit`.
    #[must_use]
    pub fn new(policies: Arc<PolicyStore>, audit: Arc<AuditLog>) -> Self {
        Self { policies, audit }
    }

    async fn authorize(&self, call: &Arc<Call>, intent: Intent<'_>) -> Result<Decision, Error> {
        let started = Instant::now();
        let Intent { rpc, user_pool_id, username, effect } = intent;
        // The layer lets nobody in without a name; a service that is reached around it must not either.
        let Some(caller) = &call.caller else { return Err(Error::new(ErrorReason::CallerUnauthenticated)) };
        let verdict = self.policies.current().decide(caller, rpc, user_pool_id, &effect);

        let recorded = Arc::new(audit::Call {
            user_pool_id: audit::PoolId::of(user_pool_id),
            username: username.and_then(|username| self.audit.username(username)),
            ..call_record(call, rpc.into())
        });
        let record = decision_record(&recorded, Some(effect.clone()), &verdict, started.elapsed());
        let written = self.audit.decision(&record).await;
        if !verdict.allowed {
            return Err(Error::new(ErrorReason::CallerForbidden).because("no policy permits it, or one forbids it"));
        }
        match written {
            Err(error) if !rpc.is_read() => Err(Error::new(ErrorReason::AuditUnavailable).because(error.to_string())),
            Ok(()) | Err(_) => {
                let (audit, caller) = (Arc::clone(&self.audit), caller.name.clone());
                let witness = Witness::new(audit, caller, recorded, effect);
                Ok(Decision::allow(rpc, user_pool_id, Some(witness)))
            }
        }
    }

    /// Decides whether the caller might be allowed some call of `rpc`, before the request is read. Only a denial is recorded:
    /// an allowance is for [`Gate::authorize`] to decide.
    pub(super) async fn may_ever(&self, call: &Call, caller: &Caller, rpc: Rpc) -> Result<(), Error> {
        let started = Instant::now();
        let policies = self.policies.current();
        if policies.may_ever(caller, rpc) {
            return Ok(());
        }
        self.refuse(call, rpc.into(), policies.hash(), started).await;
        Err(Error::new(ErrorReason::CallerForbidden).because("no policy permits the caller this RPC at all"))
    }

    /// Decides on reading the descriptors.
    pub(super) async fn may_reflect(&self, call: &Call, caller: &Caller) -> Result<(), Error> {
        let started = Instant::now();
        let verdict = self.policies.current().decide_reflection(caller);
        let recorded = Arc::new(call_record(call, audit::Asked::other("ServerReflection", "ReadReflection")));
        let record = decision_record(&recorded, None, &verdict, started.elapsed());
        self.note(&record).await;
        if verdict.allowed {
            Ok(())
        } else {
            Err(Error::new(ErrorReason::CallerForbidden).because("no policy permits reading the descriptors"))
        }
    }

    /// Refuses a path that nothing is served on, in the words of a forbidden one.
    pub(super) async fn unknown_path(&self, call: &Call) -> Error {
        let started = Instant::now();
        self.refuse(call, audit::Asked::UNKNOWN, self.policies.current().hash(), started).await;
        Error::new(ErrorReason::CallerForbidden).because("nothing is served on the path")
    }

    /// Records that a caller proved nothing.
    pub(super) async fn unauthenticated(&self, call: &Call, asked: audit::Asked, duration: Duration) {
        let record = DecisionRecord {
            call: Arc::new(call_record(call, asked)),
            effect: None,
            verdict: audit::Verdict::Unauthenticated,
            policies: audit::Policies::default(),
            duration,
        };
        self.note(&record).await;
    }

    async fn refuse(&self, call: &Call, asked: audit::Asked, policy_set_hash: &str, started: Instant) {
        let record = DecisionRecord {
            call: Arc::new(call_record(call, asked)),
            effect: None,
            verdict: audit::Verdict::Deny,
            policies: audit::Policies::new([], policy_set_hash),
            duration: started.elapsed(),
        };
        self.note(&record).await;
    }

    /// Records a decision that changes nothing, whether or not it can be recorded: the audit log itself counts and logs what
    /// it could not write.
    async fn note(&self, record: &DecisionRecord) {
        let _ = self.audit.decision(record).await;
    }
}

/// What the records of a call have in common, before its request is read.
fn call_record(call: &Call, asked: audit::Asked) -> audit::Call {
    audit::Call {
        request_id: call.request_id.clone(),
        trace_id: call.trace_id.clone(),
        caller: call.caller.as_ref().map_or(audit::CallerRecord::NOBODY, audit::CallerRecord::from),
        peer: call.peer,
        asked,
        user_pool_id: audit::PoolId::Absent,
        username: None,
    }
}

fn decision_record(
    call: &Arc<audit::Call>,
    effect: Option<Effect>,
    verdict: &Verdict,
    duration: Duration,
) -> DecisionRecord {
    DecisionRecord {
        call: Arc::clone(call),
        effect,
        verdict: if verdict.allowed { audit::Verdict::Allow } else { audit::Verdict::Deny },
        policies: audit::Policies::new(verdict.policy_ids.iter().map(String::as_str), &verdict.policy_set_hash),
        duration,
    }
}
