//! Graceful shutdown: calls in flight and mutations end within a time limit.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tonic_health::server::HealthReporter;

use crate::server::routes::stop_health;
use crate::service::Facade;

/// How long the last responses may take to be sent when every call has ended.
const FLUSH_GRACE: Duration = Duration::from_millis(100);

/// What a drain waits for, and for how long.
pub(super) struct Drain {
    pub(super) health: HealthReporter,
    pub(super) calls: TaskTracker,
    pub(super) facade: Arc<Facade>,
    pub(super) timeout: Duration,
}

impl Drain {
    /// Reports `NOT_SERVING`, stops the transport by `stop`, and waits until every call and every mutation has ended, or until
    /// the time is up; then every mutation that is left is recorded as one whose outcome is not known. `serving` is the transport, whose end is the result.
    pub(super) async fn run<E>(
        self,
        stop: impl FnOnce(),
        serving: impl Future<Output = Result<(), E>>,
    ) -> Result<(), E> {
        let Self { health, calls, facade, timeout } = self;
        tracing::info!("draining");
        let deadline = Instant::now() + timeout;
        stop_health(health).await;
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
