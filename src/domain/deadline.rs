//! When a caller stops waiting.

use std::time::{Duration, Instant};

/// When the caller stops waiting; `None` only for calls that did not come over the wire.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deadline(Option<Instant>);

/// How long callers may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadlineLimits {
    /// For callers that do not say.
    pub default: Duration,
    /// The most; who asks for more has this.
    pub max: Duration,
}

impl Default for DeadlineLimits {
    /// By default two operations that take as long as they may, and more than a request has to arrive, so that one that does not is
    /// told why. At most what the client of a job may wait for its turn.
    fn default() -> Self {
        Self { default: Duration::from_secs(15), max: Duration::from_mins(1) }
    }
}

impl DeadlineLimits {
    /// The deadline of a call that arrives now and whose caller waits for so long, if it says.
    pub fn deadline(self, timeout: Option<Duration>) -> Deadline {
        Deadline(Instant::now().checked_add(timeout.unwrap_or(self.default).min(self.max)))
    }
}

impl Deadline {
    /// The deadline of a caller that waits until `instant`.
    pub fn at(instant: Option<Instant>) -> Self {
        Self(instant)
    }

    /// The time at which the caller stops waiting; `None` if it did not say.
    pub fn instant(self) -> Option<Instant> {
        self.0
    }

    /// Whether the caller has stopped waiting, or will before a response could arrive.
    pub fn is_spent(self) -> bool {
        self.left(Duration::MAX).is_zero()
    }

    /// The time left for an operation that may take `limit` by itself. A tenth, 5 to 50 ms, is kept back so that the error of what
    /// was waited for is on its way before the caller's own timer ends the call.
    pub fn left(self, limit: Duration) -> Duration {
        let Some(instant) = self.0 else { return limit };
        let left = instant.saturating_duration_since(Instant::now());
        limit.min(left.saturating_sub((left / 10).clamp(Duration::from_millis(5), Duration::from_millis(50))))
    }
}
