//! The calls on one connection: whether there are any, and how long it has been idle.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::authn::AuthenticatedFlag;
use crate::server::connection::life::ConnectionLife;

/// The calls in flight on a connection, and when the last one ended. Not a notification: a connection would be woken for each call.
#[derive(Debug)]
pub(super) struct Activity {
    calls: AtomicUsize,
    /// Those of strangers, for what is public.
    public: AtomicUsize,
    /// Those of them that are watches.
    watches: AtomicUsize,
    began: Instant,
    /// When the last call ended, in milliseconds since the connection began.
    ended_ms: AtomicU64,
}

impl Default for Activity {
    fn default() -> Self {
        let [calls, public, watches] = [(); 3].map(|()| AtomicUsize::new(0));
        Self { calls, public, watches, began: Instant::now(), ended_ms: AtomicU64::new(0) }
    }
}

impl Activity {
    /// Counts one more call.
    pub(super) fn begin(this: &Arc<Self>) -> Active {
        Self::count(this, None)
    }

    /// Counts one more call of a stranger for what is public, which may be a watch, and says how many there are with it.
    pub(super) fn begin_public(this: &Arc<Self>, is_watch: bool) -> (Active, StrangerStreams) {
        let all = this.public.fetch_add(1, Ordering::Relaxed) + 1;
        let watches = if is_watch { this.watches.fetch_add(1, Ordering::Relaxed) + 1 } else { 0 };
        (Self::count(this, Some(Public { is_watch })), StrangerStreams { all, watches })
    }

    fn count(this: &Arc<Self>, public: Option<Public>) -> Active {
        this.calls.fetch_add(1, Ordering::Relaxed);
        Active { activity: Arc::clone(this), public }
    }

    /// The number of calls in flight.
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Done when there has been no call for as long as the connection may be idle.
    pub(super) async fn idle(&self, authenticated: &AuthenticatedFlag, life: ConnectionLife) {
        loop {
            let limit = if authenticated.is_set() { life.idle } else { life.unauthenticated_idle };
            let since = self.began + Duration::from_millis(self.ended_ms.load(Ordering::Relaxed));
            let left = limit.saturating_sub(since.elapsed());
            if self.calls() > 0 {
                tokio::time::sleep(limit).await;
            } else if left.is_zero() {
                return;
            } else {
                tokio::time::sleep(left).await;
            }
        }
    }
}

/// How many calls for what is public a connection has on which no caller has authenticated. In the extensions of such a call.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct StrangerStreams {
    pub(in crate::server) all: usize,
    /// The watches, for a call that is one.
    pub(in crate::server) watches: usize,
}

/// A call in flight, until its response has been sent or dropped.
#[derive(Debug)]
pub(super) struct Active {
    activity: Arc<Activity>,
    public: Option<Public>,
}

/// A call of a stranger for what is public.
#[derive(Clone, Copy, Debug)]
struct Public {
    is_watch: bool,
}

impl Drop for Active {
    fn drop(&mut self) {
        let Activity { calls, public, watches, began, ended_ms } = &*self.activity;
        if let Some(Public { is_watch }) = self.public {
            public.fetch_sub(1, Ordering::Relaxed);
            watches.fetch_sub(usize::from(is_watch), Ordering::Relaxed);
        }
        ended_ms.store(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        calls.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Duration = Duration::from_hours(1);
    const SOON: Duration = Duration::from_millis(20);

    fn life(idle: Duration, unauthenticated_idle: Duration) -> ConnectionLife {
        ConnectionLife { idle, unauthenticated_idle, ..ConnectionLife::default() }
    }

    #[tokio::test]
    async fn strangers_may_be_idle_for_a_time_of_their_own() {
        let known = AuthenticatedFlag::default();
        known.set();
        for (flag, life) in [(known, life(SOON, NEVER)), (AuthenticatedFlag::default(), life(NEVER, SOON))] {
            Activity::default().idle(&flag, life).await;
        }
    }

    #[tokio::test]
    async fn a_connection_is_idle_once_its_last_call_has_ended_for_that_long() {
        let (activity, flag, life) = (Arc::<Activity>::default(), AuthenticatedFlag::default(), life(SOON, SOON));
        let calls = [(); 2].map(|()| Activity::begin(&activity));
        let [first, second] = calls;
        assert_eq!(activity.calls(), 2);
        drop(first);
        let ended = async {
            tokio::time::sleep(3 * SOON).await;
            drop(second);
            Instant::now()
        };
        let ((), ended) = tokio::join!(activity.idle(&flag, life), ended);
        assert!(ended.elapsed() >= SOON);
    }
}
