//! What the thread that writes and those who hand over records know of each other.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::audit::target::AuditTarget;

/// What the thread and those who wait for it share.
#[derive(Debug)]
pub(super) struct Progress {
    /// What is written to, for the log.
    pub(super) target: String,
    start: Instant,
    /// Milliseconds from `start`, plus one, at which the current work began; 0 while there is none.
    busy_since: AtomicU64,
    /// Records and requests that wait or are in progress.
    pub(super) waiting: AtomicUsize,
    /// Whether it has been logged that the target stalled.
    pub(super) stalled: AtomicBool,
    /// Whether the latest write failed.
    pub(super) failing: AtomicBool,
    dropped: Mutex<Option<DroppedDecisions>>,
}

/// Decisions that could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DroppedDecisions {
    pub(super) since: SystemTime,
    pub(super) decisions: u64,
}

impl Progress {
    pub(super) fn new(target: &AuditTarget) -> Self {
        Self {
            target: target.to_string(),
            start: Instant::now(),
            busy_since: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            stalled: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            dropped: Mutex::new(None),
        }
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Work begins.
    pub(super) fn begin(&self) {
        self.busy_since.store(self.elapsed().saturating_add(1), Ordering::Relaxed);
    }

    /// The work of so many records has ended.
    pub(super) fn end(&self, records: usize) {
        self.busy_since.store(0, Ordering::Relaxed);
        self.waiting.fetch_sub(records, Ordering::Relaxed);
    }

    /// Whether the current work has taken longer than `limit`.
    pub(super) fn is_stuck(&self, limit: Duration) -> bool {
        let since = self.busy_since.load(Ordering::Relaxed);
        since != 0 && u128::from(self.elapsed().saturating_sub(since - 1)) > limit.as_millis()
    }

    /// Counts decisions that will not be written.
    pub(super) fn drop_decisions(&self, decisions: u64) {
        if decisions > 0 {
            let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
            dropped.get_or_insert(DroppedDecisions { since: SystemTime::now(), decisions: 0 }).decisions += decisions;
        }
    }

    /// The decisions that were dropped and of which no record says so yet.
    pub(super) fn dropped(&self) -> Option<DroppedDecisions> {
        *self.dropped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A record says that so many decisions were dropped. Others may have been dropped meanwhile.
    pub(super) fn gap_recorded(&self, decisions: u64) {
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        *dropped = dropped
            .map(|dropped| DroppedDecisions { decisions: dropped.decisions.saturating_sub(decisions), ..dropped })
            .filter(|dropped| dropped.decisions > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_takes_too_long_is_noticed_while_it_goes_on() {
        let progress = Progress::new(&AuditTarget::Stdout);
        assert!(!progress.is_stuck(Duration::ZERO));
        progress.busy_since.store(1, Ordering::Relaxed);
        assert!(!progress.is_stuck(Duration::from_hours(1)));
        let late = Progress { start: Instant::now().checked_sub(Duration::from_secs(2)).unwrap(), ..progress };
        assert!(late.is_stuck(Duration::from_secs(1)));
    }

    #[test]
    fn decisions_that_are_dropped_while_a_gap_is_recorded_are_of_the_next_gap() {
        let progress = Progress::new(&AuditTarget::Stdout);
        progress.drop_decisions(0);
        assert_eq!(progress.dropped(), None);
        progress.drop_decisions(2);
        progress.drop_decisions(1);
        progress.gap_recorded(2);
        assert_eq!(progress.dropped().map(|dropped| dropped.decisions), Some(1));
        progress.gap_recorded(1);
        assert_eq!(progress.dropped(), None);
    }
}
