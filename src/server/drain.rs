//! Graceful shutdown: calls in flight and mutations end within a time limit.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tonic_health::server::HealthReporter;

use crate::server::readiness::{end_watches, report_not_serving};
use crate::service::Facade;

/// How long the last responses may take to be sent when every call has ended.
const FLUSH_GRACE: Duration = Duration::from_millis(100);

/// How long the phases of a shutdown take.
#[derive(Clone, Copy, Debug)]
pub struct DrainTimes {
    /// How long to serve on while health says `NOT_SERVING`, so that load balancers send no more connections to where there is no
    /// listener.
    pub delay: Duration,
    /// How long calls in flight may take then.
    pub timeout: Duration,
}

/// What a drain waits for, and for how long.
pub(super) struct Drain {
    pub(super) health: HealthReporter,
    pub(super) calls: TaskTracker,
    pub(super) facade: Arc<Facade>,
    pub(super) times: DrainTimes,
}

impl Drain {
    /// Reports `NOT_SERVING`, serves on for the delay, stops the transport by `stop`, and waits until every call and every mutation
    /// has ended, or until the time is up; then every mutation that is left is recorded as one whose outcome is not known. `serving` is
    /// the transport, whose end is the result.
    pub(super) async fn run<E>(
        self,
        stop: impl FnOnce(),
        serving: impl Future<Output = Result<(), E>>,
    ) -> Result<(), E> {
        let Self { health, calls, facade, times: DrainTimes { delay, timeout } } = self;
        let mut serving = pin!(serving);
        report_not_serving(&health).await;
        if !delay.is_zero() {
            tracing::info!(?delay, "not serving, draining after the delay");
            tokio::select! {
                ended = &mut serving => return ended,
                () = tokio::time::sleep(delay) => {}
            }
        }
        tracing::info!("draining");
        let deadline = Instant::now() + timeout;
        end_watches(health).await;
        stop();
        calls.close();
        // What is left when no call is in flight are the streams of health and reflection, which nothing else ends.
        let only_streams = async {
            calls.wait().await;
            tokio::time::sleep(FLUSH_GRACE).await;
        };
        let drained = async {
            let ended = tokio::select! {
                ended = serving => ended,
                () = only_streams => Ok(()),
            };
            // A mutation continues when its caller has left.
            facade.mutations().drain().await;
            ended
        };
        if let Ok(ended) = tokio::time::timeout_at(deadline, drained).await {
            tracing::info!("drained");
            return ended;
        }
        let mutations = facade.mutations().in_flight();
        tracing::warn!(calls = calls.len(), mutations, "drain timeout, aborting calls");
        facade.mutations().abandon().await;
        Ok(())
    }
}
