//! `mfagate serve` and `mfagate check`: the service for authenticated callers, and the validation of its options.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::IntervalStream;

use crate::authn::token::TokenVerifier;
use crate::command::assemble::{ConfigErrors, Plan, Strictness};
use crate::command::{CommandError, advice, open_files, signal};
use crate::config::{Check, Serve};
use crate::error::chain;
use crate::server;

/// How often the files of certificates and policies are checked for changes.
const WATCH_INTERVAL: Duration = Duration::from_secs(5);

/// Serves until SIGINT or SIGTERM. SIGHUP reloads certificates, keys and policies, and reopens the audit log.
pub async fn serve(options: Serve) -> Result<(), CommandError> {
    open_files::raise_limit();
    let (end, at_once) = signal::shutdown_signals().map_err(CommandError::Signal)?;
    let hangups = signal::hangups().map_err(CommandError::Signal)?;
    let warnings = advice::warnings(&options);
    let plan = Arc::new(Plan::assemble(options, Strictness::Serve).await.map_err(CommandError::Config)?);
    for warning in &warnings {
        tracing::warn!(%warning, "configuration is questionable");
    }
    tracing::info!(
        endpoint = ?plan.endpoint,
        policy_set_hash = %plan.policies.current().hash(),
        certificate_expires = plan.tls.as_ref().map(|tls| tls.certificate_expires()),
        keys = plan.authenticator.tokens().map(TokenVerifier::key_count),
        key_set_age = plan.authenticator.tokens().and_then(TokenVerifier::key_set_age).map(tracing::field::debug),
        "starting"
    );

    let listener = TcpListener::bind(plan.listen).await.map_err(|error| CommandError::Listen(plan.listen, error))?;
    // Dropping it ends the watches.
    let mut watches = JoinSet::new();
    watches.spawn(
        Arc::clone(&plan.policies).watch(IntervalStream::new(tokio::time::interval(WATCH_INTERVAL)).map(|_| ())),
    );
    if let Some(tls) = &plan.tls {
        watches.spawn(Arc::clone(tls).watch(WATCH_INTERVAL));
    }
    watches.spawn(reload_at(hangups, Arc::clone(&plan)));

    let service = plan.service().await;
    let mutations = service.cognito.mutations().clone();
    let mut serving = pin!(server::serve_with_workers(listener, service, plan.settings.workers, end));
    let served = tokio::select! {
        served = &mut serving => served.map_err(CommandError::Serve),
        () = at_once => {
            mutations.abandon().await;
            Ok(())
        }
    };
    plan.gate.report_refused().await;
    if let Err(error) = plan.audit.flush().await {
        tracing::error!(target = plan.audit.target(), %error, "audit log incomplete");
    }
    served
}

/// Assembles all that serving needs, and serves nothing.
pub async fn check(options: Check) -> Result<(), CommandError> {
    let Check { strict, serve } = options;
    let mut warnings = advice::warnings(&serve);
    let plan = Plan::assemble(serve, Strictness::Check).await.map_err(CommandError::Config)?;
    let policies = plan.policies.current();
    warnings.extend(policies.unlisted_callers().iter().map(ToString::to_string));
    warnings.extend(plan.tls.iter().flat_map(|tls| tls.expiry_warnings()));
    if strict && !warnings.is_empty() {
        return Err(CommandError::Config(ConfigErrors::of(warnings)));
    }
    for warning in &warnings {
        tracing::warn!(%warning, "configuration is questionable");
    }
    tracing::info!(policy_set_hash = %policies.hash(), warnings = warnings.len(), "configuration is valid");
    Ok(())
}

/// Reloads everything at each SIGHUP. Problems are logged where they are found, and the active configuration stays.
async fn reload_at(mut hangups: signal::Hangups, plan: Arc<Plan>) {
    while hangups.next().await {
        tracing::info!(signal = "SIGHUP", "reload requested");
        let audit = plan.audit.reopen().await;
        if let Err(error) = &audit {
            tracing::error!(target = plan.audit.target(), %error, "audit log not reopened");
        }
        let keys = match plan.authenticator.tokens() {
            Some(tokens) => tokens.reload().await.map(|_| ()),
            None => Ok(()),
        };
        if let Err(error) = &keys {
            let source = plan.authenticator.tokens().map(|tokens| tokens.source().to_string());
            tracing::error!(source, cause = chain(error), "key set not reloaded");
        }
        let files = Arc::clone(&plan);
        let reloaded = tokio::task::spawn_blocking(move || {
            let policies = files.policies.reload().is_ok();
            let tls = files.tls.as_ref().is_none_or(|tls| tls.reload().is_ok());
            policies && tls
        });
        match reloaded.await {
            Ok(true) if audit.is_ok() && keys.is_ok() => tracing::info!("reloaded"),
            Ok(_) => tracing::warn!("reload incomplete, see errors above"),
            Err(error) => tracing::error!(%error, "reload aborted"),
        }
    }
}
