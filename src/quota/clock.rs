//! The clock of the budgets.

use std::time::{Duration, Instant};

use crate::quota::bucket::Nanos;
use crate::quota::factor::as_nanos;

/// The time since the broker was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(self) -> Nanos {
        as_nanos(self.0.elapsed())
    }

    pub(super) async fn sleep_until(self, nanos: Nanos) {
        tokio::time::sleep_until((self.0 + Duration::from_nanos(nanos)).into()).await;
    }
}
