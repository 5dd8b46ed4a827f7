//! This file is `mfagate serve` and `mfagate check`: the service for callers that proved who they are, and its options tried.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::IntervalStream;

use crate::command::assemble::{Plan, Purpose};
use crate::command::{CommandError, signal};
use crate::config::Serve;
use crate::server;

/// How often the files of certificates and policies are looked at.
const WATCH: Duration = Duration::from_secs(5);

/// Serves until SIGINT or SIGTERM. SIGHUP reads certificates, keys and policies again, and opens the audit log anew.
pub async fn serve(options: Serve) -> Result<(), CommandError> {
    let (end, at_once) = signal::ends().map_err(CommandError::Signal)?;
    let hangups = signal::hangups().map_err(CommandError::Signal)?;
    let plan = Arc::new(Plan::make(options, Purpose::Serve).await.map_err(CommandError::Faults)?);
    tracing::info!(endpoint = ?plan.endpoint, "cognito endpoint");

    let listener = TcpListener::bind(plan.listen).await.map_err(|error| CommandError::Listen(plan.listen, error))?;
    // Ended when it is dropped.
    let mut watches = JoinSet::new();
    watches.spawn(Arc::clone(&plan.policies).watch(IntervalStream::new(tokio::time::interval(WATCH)).map(|_| ())));
    if let Some(tls) = &plan.tls {
        watches.spawn(Arc::clone(tls).watch(WATCH));
    }
    watches.spawn(reload_at(hangups, Arc::clone(&plan)));

    let served = tokio::select! {
        served = server::serve(listener, plan.service().await, end) => served.map_err(CommandError::Serve),
        () = at_once => Ok(()),
    };
    if let Err(error) = plan.audit.flush().await {
        tracing::error!(%error, "the audit log is not complete");
    }
    served
}

/// Makes all that serving needs, and serves nothing.
pub async fn check(options: Serve) -> Result<(), CommandError> {
    let plan = Plan::make(options, Purpose::Check).await.map_err(CommandError::Faults)?;
    tracing::info!(policy_set_hash = %plan.policies.current().hash(), "nothing is wrong");
    Ok(())
}

/// Reloads everything at each hangup. What is bad is logged where it is found, and the old stays in use.
async fn reload_at(mut hangups: signal::Hangups, plan: Arc<Plan>) {
    while hangups.next().await {
        tracing::info!(signal = "SIGHUP", "asked to reload");
        let audit = plan.audit.reopen().await;
        if let Err(error) = &audit {
            tracing::error!(%error, "the audit log was not opened anew");
        }
        let keys = match plan.authentication.tokens() {
            Some(tokens) => tokens.reload().await.map(|_| ()),
            None => Ok(()),
        };
        if let Err(error) = &keys {
            tracing::error!(%error, "the key set was not read again");
        }
        let files = Arc::clone(&plan);
        let reloaded = tokio::task::spawn_blocking(move || {
            let policies = files.policies.reload().is_ok();
            let tls = files.tls.as_ref().is_none_or(|tls| tls.reload().is_ok());
            policies && tls
        });
        match reloaded.await {
            Ok(true) if audit.is_ok() && keys.is_ok() => tracing::info!("reloaded"),
            Ok(_) => tracing::warn!("reloaded in part: what was refused is named above"),
            Err(error) => tracing::error!(%error, "the reload ended early"),
        }
    }
}
