//! The gate: asks the policies about a call, has the decision recorded, and only then lets the call pass.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::admission::{Admission, Refused, Who};
use crate::api::v1::ErrorReason;
use crate::api::{READ_REFLECTION, Rpc};
use crate::audit::{self, AuditLog, CallFields, DecisionOutcome, DecisionRecord, RefusalsRecord, Target};
use crate::authn::Unauthenticated;
use crate::authz::permit::Grant;
use crate::authz::policy::{Decision, PolicyStore};
use crate::authz::recorder::{Asked, MutationRecorder};
use crate::domain::{Call, Caller, ClaimedUser, Effect, Intent};
use crate::error::Error;

/// Decides whether a call may be made.
#[derive(Clone, Debug)]
pub enum Gate {
    /// Lets every call pass. Only for backends that hold nothing worth protecting; the commands see to that.
    AllowAll,
    /// Asks the policies.
    Enforced(Arc<PolicyEnforcer>),
}

/// The policies, and the audit log that holds every decision before it takes effect.
#[derive(Debug)]
pub struct PolicyEnforcer {
    policies: Arc<PolicyStore>,
    audit: Arc<AuditLog>,
    admission: Admission,
}

impl Gate {
    /// Reports the calls that were refused and counted together: a record and a line of the log for each who and why.
    pub async fn report_refused(&self) {
        match self {
            Self::AllowAll => {}
            Self::Enforced(enforcer) => enforcer.report_refused().await,
        }
    }

    /// The grant to read a pool so that the effect of its replacement is known, if the caller may read it anyway. `None` as well
    /// where calls are not decided on. The decision that this is a part of is recorded, and not the grant.
    pub fn grant_read_before(&self, call: &Call, user_pool_id: &str) -> Option<Grant> {
        match self {
            Self::AllowAll => None,
            Self::Enforced(enforcer) => enforcer.grant_read_before(call, user_pool_id),
        }
    }

    /// The audit log, where decisions are recorded.
    pub fn audit_log(&self) -> Option<Arc<AuditLog>> {
        match self {
            Self::AllowAll => None,
            Self::Enforced(enforcer) => Some(Arc::clone(&enforcer.audit)),
        }
    }

    /// Decides on a call, before anything of the request is validated.
    pub async fn authorize(&self, call: &Arc<Call>, intent: Intent<'_>) -> Result<Grant, Error> {
        match self {
            Self::AllowAll => {
                let user = user(intent.username, intent.claimed_user.as_ref());
                Ok(Grant::new(intent.rpc, &intent.user_pool_id, None).about(user))
            }
            Self::Enforced(enforcer) => enforcer.authorize(call, intent).await,
        }
    }
}

impl PolicyEnforcer {
    /// An enforcer that decides by `policies` and records in `audit`.
    pub fn new(policies: Arc<PolicyStore>, audit: Arc<AuditLog>) -> Self {
        Self { policies, audit, admission: Admission::default() }
    }

    /// The same enforcer, which admits calls within rates.
    #[must_use]
    pub fn with_admission(self, admission: Admission) -> Self {
        Self { admission, ..self }
    }

    fn grant_read_before(&self, call: &Call, user_pool_id: &str) -> Option<Grant> {
        let (caller, rpc) = (call.caller.as_ref()?, Rpc::GetUserPoolMfaConfig);
        let effect = Effect::default();
        if !self.policies.current().decide(caller, rpc, user_pool_id, &effect).allowed {
            return None;
        }
        let fields = Arc::new(call_fields(call, rpc.into()));
        let recorder = MutationRecorder::new(Arc::clone(&self.audit), caller.name.clone(), fields, Asked::of(effect));
        Some(Grant::new(rpc, user_pool_id, Some(recorder)))
    }

    async fn authorize(&self, call: &Arc<Call>, intent: Intent<'_>) -> Result<Grant, Error> {
        let started = Instant::now();
        let Intent { rpc, user_pool_id, username, claimed_user, effect, before } = intent;
        // The interceptor admits nobody without a name; a service that is reached around it must not either.
        let Some(caller) = &call.caller else { return Err(Error::new(ErrorReason::CallerUnauthenticated)) };
        let decision = self.policies.current().decide(caller, rpc, &user_pool_id, &effect);

        let fields = Arc::new(CallFields {
            user_pool_id: audit::PoolId::of(&user_pool_id),
            username: username.and_then(|username| self.audit.username(username)),
            ..call_fields(call, rpc.into())
        });
        let user = user(username, claimed_user.as_ref());
        let asked = Asked { effect, before, claimed_user };
        let record = decision_record(&fields, Some(&asked), &decision, started.elapsed());
        let written = self.audit.decision(&record).await;
        if !decision.allowed {
            return Err(forbidden(rpc).cause("no policy permits the call, or one forbids it"));
        }
        match written {
            Err(error) if !rpc.is_read() => Err(Error::new(ErrorReason::AuditUnavailable).cause(error.to_string())),
            Ok(()) | Err(_) => {
                let (audit, caller) = (Arc::clone(&self.audit), caller.name.clone());
                let recorder = MutationRecorder::new(audit, caller, fields, asked);
                Ok(Grant::new(rpc, &user_pool_id, Some(recorder)).about(user))
            }
        }
    }

    /// Decides whether the caller might be allowed some call of `rpc`, before the request is read. Only a denial is recorded:
    /// [`Gate::authorize`] decides on the rest.
    pub(super) async fn precheck(&self, call: &Call, caller: &Caller, rpc: Rpc) -> Result<(), Error> {
        let started = Instant::now();
        let policies = self.policies.current();
        if policies.precheck(caller, rpc) {
            return Ok(());
        }
        self.record_denial(call, rpc.into(), policies.hash(), started).await;
        Err(forbidden(rpc).cause("no policy permits the caller this RPC at all"))
    }

    /// Decides on reading the descriptors.
    pub(super) async fn authorize_reflection(&self, call: &Call, caller: &Caller) -> Result<(), Error> {
        let started = Instant::now();
        let decision = self.policies.current().decide_reflection(caller);
        let fields = Arc::new(call_fields(call, Target::REFLECTION));
        let record = decision_record(&fields, None, &decision, started.elapsed());
        self.record_best_effort(&record).await;
        if decision.allowed {
            Ok(())
        } else {
            let error = Error::new(ErrorReason::CallerForbidden).metadata("permission", Some(READ_REFLECTION));
            Err(error.cause("no policy permits reading the descriptors"))
        }
    }

    /// Denies a path that nothing is served on, like a forbidden one.
    pub(super) async fn deny_unknown_path(&self, call: &Call) -> Error {
        let started = Instant::now();
        self.record_denial(call, Target::UNKNOWN, self.policies.current().hash(), started).await;
        Error::new(ErrorReason::CallerForbidden).cause("nothing is served on the path")
    }

    /// Refuses a call whose caller did not authenticate. It is recorded, or counted if there are too many from its address.
    pub(super) async fn refuse_stranger(
        &self,
        call: &Call,
        target: Target,
        why: Unauthenticated,
        duration: Duration,
    ) -> Error {
        let (address, problem) = (call.peer.map(|peer| peer.ip()), why.problem.name());
        if let Err(wait) = self.admission.stranger(address, problem) {
            return over_rate(wait).cause("too many calls from the address did not authenticate");
        }
        let record = DecisionRecord {
            call: Arc::new(call_fields(call, target)),
            effect: None,
            before: None,
            outcome: DecisionOutcome::Unauthenticated,
            policies: audit::Policies::default(),
            duration,
        };
        if self.audit.refusal(&record).await {
            return why.into();
        }
        self.admission.count_stranger(address, problem);
        Error::from(why).counted()
    }

    /// Admits a call of a caller within its rate.
    pub(super) fn admit(&self, caller: &Caller) -> Result<(), Error> {
        self.admission.caller(&caller.name).map_err(|wait| over_rate(wait).cause("the caller's rate is used up"))
    }

    async fn report_refused(&self) {
        for refused in self.admission.take_refused() {
            let Refused { who, cause, number, since } = refused.clone();
            let (peer, caller) = match who {
                Who::Address(address) => (Some(address), None),
                Who::Caller(caller) => (None, Some(caller)),
                Who::Others => (None, None),
            };
            let record = RefusalsRecord { since, peer, caller: caller.clone(), cause, refused: number };
            if let Err(error) = self.audit.refusals(&record).await {
                tracing::debug!(%error, "refusals not recorded yet");
                self.admission.put_back(refused);
                continue;
            }
            let peer = peer.map(tracing::field::display);
            tracing::warn!(refused = number, cause, peer, caller, "calls over their rate refused");
        }
    }

    async fn record_denial(&self, call: &Call, target: Target, policy_set_hash: &str, started: Instant) {
        let record = DecisionRecord {
            call: Arc::new(call_fields(call, target)),
            effect: None,
            before: None,
            outcome: DecisionOutcome::Deny,
            policies: audit::Policies::new([], policy_set_hash),
            duration: started.elapsed(),
        };
        self.record_best_effort(&record).await;
    }

    /// Records a decision that changes nothing, whether or not it can be recorded: the audit log itself counts and logs what
    /// it could not write.
    async fn record_best_effort(&self, record: &DecisionRecord) {
        let _ = self.audit.decision(record).await;
    }
}

/// The refusal of a call that comes too soon after others, which is logged with them.
fn over_rate(wait: Duration) -> Error {
    let error = Error::new(ErrorReason::CallerLimitExceeded).metadata("limit", Some("rate"));
    error.retry_after(wait).counted()
}

/// The caller is told what it may not do, and never by which policy.
fn forbidden(rpc: Rpc) -> Error {
    let error = Error::new(ErrorReason::CallerForbidden);
    error.metadata("rpc", Some(rpc.name())).metadata("permission", Some(rpc.permission()))
}

/// What the records of a call have in common, before its request is read.
fn call_fields(call: &Call, target: Target) -> CallFields {
    CallFields {
        request_id: call.request_id.clone(),
        caller_request_id: call.caller_request_id.clone(),
        trace_id: call.trace_id.clone(),
        caller: call.caller.as_ref().map_or(audit::CallerRecord::ANONYMOUS, audit::CallerRecord::from),
        peer: call.peer,
        target,
        user_pool_id: audit::PoolId::Absent,
        username: None,
    }
}

/// The user that a call is about: the one that the request names, or else its access token.
fn user(named: Option<&str>, claimed: Option<&ClaimedUser>) -> Option<String> {
    let claimed = claimed.and_then(|user| user.username.as_deref().or(user.sub.as_deref()));
    named.or(claimed).map(str::to_owned)
}

fn decision_record(
    call: &Arc<CallFields>,
    asked: Option<&Asked>,
    decision: &Decision,
    duration: Duration,
) -> DecisionRecord {
    DecisionRecord {
        call: Arc::clone(call),
        effect: asked.map(|asked| asked.effect.clone()),
        before: asked.and_then(|asked| asked.before.clone()),
        outcome: if decision.allowed { DecisionOutcome::Allow } else { DecisionOutcome::Deny },
        policies: audit::Policies::new(decision.policy_ids.iter().map(String::as_str), &decision.policy_set_hash),
        duration,
    }
}
