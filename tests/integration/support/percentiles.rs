//! Durations in order.

use std::fmt;
use std::time::Duration;

/// Durations in order, of which there is one at least.
#[derive(Clone, Debug)]
pub(crate) struct Percentiles(Vec<Duration>);

impl Percentiles {
    pub(crate) fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort();
        Self(durations)
    }

    /// What so many percent do not exceed.
    pub(crate) fn at(&self, percent: usize) -> Duration {
        self.0[(self.0.len() - 1) * percent / 100]
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, p50 {:?}, p99 {:?}, max {:?}", self.0.len(), self.at(50), self.at(99), self.at(100))
    }
}
