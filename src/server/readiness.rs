//! Whether the service is ready, and what health says of it, of its audit log and of Cognito.
//!
//! Readiness is about this replica alone: what it lacks, another may have. Cognito's state has a name of its own, so that a Region that
//! is down does not take every replica out of its load balancer.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use thiserror::Error;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::task::AbortOnDropHandle;
use tonic::server::NamedService as _;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::api::v1::mfa_preference_service_server::MfaPreferenceServiceServer;
use crate::api::v1::passkey_service_server::PasskeyServiceServer;
use crate::api::v1::pool_config_service_server::PoolConfigServiceServer;
use crate::api::v1::software_token_service_server::SoftwareTokenServiceServer;
use crate::audit::AuditLog;
use crate::authn::Authenticator;
use crate::authn::token::TokenVerifier;
use crate::authz::Gate;
use crate::cognito::{Credentials, Upstream};
use crate::service::Facade;

/// The names under which health says whether the service is ready: the whole process, and each service.
const SERVICES: [&str; 5] = [
    "",
    MfaPreferenceServiceServer::<Facade>::NAME,
    SoftwareTokenServiceServer::<Facade>::NAME,
    PasskeyServiceServer::<Facade>::NAME,
    PoolConfigServiceServer::<Facade>::NAME,
];

/// The name under which health says whether Cognito responds.
const UPSTREAM: &str = "upstream";

/// The name under which health says whether the audit log can be written.
const AUDIT: &str = "audit";

/// How often the conditions are looked at.
const INTERVAL: Duration = Duration::from_millis(200);

/// How often calls that were refused and counted together are reported.
const REFUSALS_INTERVAL: Duration = Duration::from_secs(5);

/// How often the audit log is tried while it cannot be written, and credentials while there are none.
const TRY_INTERVAL: Duration = Duration::from_secs(1);

/// How often credentials are looked at while there are some.
const CREDENTIALS_INTERVAL: Duration = Duration::from_mins(1);

/// How long the start waits for the credentials. The instance metadata service of another cloud may never respond.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(2);

/// What the service needs to be ready.
#[derive(Debug)]
pub(super) struct Readiness {
    pub(super) gate: Gate,
    pub(super) authenticator: Arc<Authenticator>,
    /// What Cognito is called with, where that is looked at.
    pub(super) credentials: Option<Credentials>,
    pub(super) upstream: Upstream,
}

/// What is true now.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Conditions {
    /// What this replica lacks. It is ready if that is nothing.
    missing: Vec<Missing>,
    /// Whether Cognito responds.
    upstream: bool,
}

/// What the service needs and has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
enum Missing {
    #[error("the key set was never read")]
    Keys,
    #[error("no AWS credentials")]
    Credentials,
    #[error("the audit log cannot be written")]
    Audit,
}

impl Conditions {
    fn is_ready(&self) -> bool {
        self.missing.is_empty()
    }

    fn has_audit(&self) -> bool {
        !self.missing.contains(&Missing::Audit)
    }
}

impl Readiness {
    /// Reports the conditions once, and then whenever they change until the handle is dropped.
    pub(super) async fn report(self, health: HealthReporter) -> AbortOnDropHandle<()> {
        let (found, mut has_credentials) = watch::channel(self.credentials.is_none());
        let credentials = self.credentials.clone().map(|credentials| {
            let watched = watch_credentials(credentials, found);
            AbortOnDropHandle::new(tokio::spawn(watched))
        });
        // Without them, the service starts all the same, and says that it is not ready.
        let looked_at = has_credentials.wait_for(|found| *found);
        let _: Result<bool, _> = tokio::time::timeout(CREDENTIALS_TIMEOUT, looked_at).await.map(|found| found.is_ok());
        let first = self.conditions(&has_credentials);
        report(&health, None, &first).await;
        AbortOnDropHandle::new(tokio::spawn(async move {
            let _credentials = credentials;
            let reports = self.report_changes(&health, &has_credentials, first);
            tokio::join!(reports, retry_audit(self.gate.audit_log()), report_refusals(&self.gate));
        }))
    }

    async fn report_changes(
        &self,
        health: &HealthReporter,
        has_credentials: &watch::Receiver<bool>,
        first: Conditions,
    ) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = first;
        loop {
            ticks.tick().await;
            let now = self.conditions(has_credentials);
            if now != last {
                report(health, Some(&last), &now).await;
                last = now;
            }
        }
    }

    fn conditions(&self, has_credentials: &watch::Receiver<bool>) -> Conditions {
        let needed = [
            (self.authenticator.tokens().is_none_or(TokenVerifier::has_keys), Missing::Keys),
            (*has_credentials.borrow(), Missing::Credentials),
            (self.gate.audit_log().is_none_or(|audit| audit.is_writable()), Missing::Audit),
        ];
        let missing = needed.into_iter().filter(|(holds, _)| !holds).map(|(_, what)| what).collect();
        Conditions { missing, upstream: self.upstream.is_available() }
    }
}

/// Reports what differs from `last`, and logs when the service becomes ready or is so no longer.
async fn report(health: &HealthReporter, last: Option<&Conditions>, now: &Conditions) {
    let status = |holds| if holds { ServingStatus::Serving } else { ServingStatus::NotServing };
    let was_ready = last.map(Conditions::is_ready);
    if was_ready != Some(now.is_ready()) {
        for name in SERVICES {
            health.set_service_status(name, status(now.is_ready())).await;
        }
    }
    if now.is_ready() && was_ready == Some(false) {
        tracing::info!("ready again");
    } else if !now.is_ready() && last.is_none_or(|last| last.missing != now.missing) {
        let missing: Vec<_> = now.missing.iter().map(Missing::to_string).collect();
        tracing::warn!(missing = %missing.join(", "), "not ready");
    }
    if last.map(|last| last.upstream) != Some(now.upstream) {
        health.set_service_status(UPSTREAM, status(now.upstream)).await;
    }
    if last.map(Conditions::has_audit) != Some(now.has_audit()) {
        health.set_service_status(AUDIT, status(now.has_audit())).await;
    }
}

/// Every name that health knows.
fn names() -> impl Iterator<Item = &'static str> {
    SERVICES.into_iter().chain([UPSTREAM, AUDIT])
}

/// Reports `NOT_SERVING` for every name that health knows.
pub(super) async fn report_not_serving(health: &HealthReporter) {
    for name in names() {
        health.set_service_status(name, ServingStatus::NotServing).await;
    }
}

/// Ends the watches, each after the last status, because they would delay the shutdown.
pub(super) async fn end_watches(mut health: HealthReporter) {
    for name in names() {
        health.clear_service_status(name).await;
    }
}

/// Reports the calls that were refused and counted together.
async fn report_refusals(gate: &Gate) {
    loop {
        tokio::time::sleep(REFUSALS_INTERVAL).await;
        gate.report_refused().await;
    }
}

/// Tries an audit log that cannot be written: without calls, nothing else would notice that it can.
async fn retry_audit(audit: Option<Arc<AuditLog>>) {
    let Some(audit) = audit else { return };
    loop {
        tokio::time::sleep(TRY_INTERVAL).await;
        if !audit.is_writable() && !audit.is_stuck() {
            // It logs for itself whether it can be written.
            let _: Result<(), _> = audit.flush().await;
        }
    }
}

/// Says whether there are credentials. Those that were found count until they expire, whatever their provider says meanwhile.
async fn watch_credentials(credentials: Credentials, available: watch::Sender<bool>) {
    let mut valid_until: Option<SystemTime> = None;
    let mut found = false;
    loop {
        match credentials.expiry().await {
            Ok(expiry) => (found, valid_until) = (true, expiry),
            Err(error) => {
                let still_valid = found && valid_until.is_none_or(|until| until > SystemTime::now());
                if *available.borrow() != still_valid {
                    tracing::error!(cause = error, "no AWS credentials");
                }
                found = still_valid;
            }
        }
        available.send_replace(found);
        tokio::time::sleep(if found { CREDENTIALS_INTERVAL } else { TRY_INTERVAL }).await;
    }
}
