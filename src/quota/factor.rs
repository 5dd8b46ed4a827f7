//! How much of a quota is used: less after Cognito has throttled, and more again over time (AIMD).
//!
//! Cognito throttles within the documented quota where others use the same account, or where AWS has lowered it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::quota::bucket::{Nanos, Pace};

/// The whole quota.
const WHOLE: u64 = 1_000_000;

/// The least that is used, so that what has changed is noticed: a tenth.
const MIN: u64 = WHOLE / 10;

/// What a cut leaves, in tenths.
const TENTHS_LEFT: u64 = 7;

/// What comes back each millisecond: 2 % of the quota a second, so that the whole is back after 15 s from one cut.
const RECOVERY_PER_MS: u64 = WHOLE / 50 / 1000;

/// How long one cut answers every throttled call: those that were in flight with the first say nothing new.
const CUT_PAUSE: Duration = Duration::from_millis(500);

/// The bits that hold the factor; those above hold the milliseconds of the cut.
const FACTOR_BITS: u32 = 20;

/// The factor of the last cut and its time, in one number.
#[derive(Debug)]
pub(super) struct Factor(AtomicU64);

impl Default for Factor {
    fn default() -> Self {
        Self(AtomicU64::new(WHOLE))
    }
}

impl Factor {
    /// The pace at `now` of a quota with this pace.
    pub(super) fn apply(&self, now: Nanos, pace: Pace) -> Pace {
        match current(self.0.load(Ordering::Relaxed), millis(now)) {
            WHOLE => pace,
            factor => Pace { interval: pace.interval.saturating_mul(WHOLE) / factor, ..pace },
        }
    }

    /// Uses less from now on. Returns the percentage of the quota that is left, unless it was cut just before.
    pub(super) fn cut(&self, now: Nanos) -> Option<u64> {
        let now = millis(now);
        let cut = |packed: u64| {
            let (base, since) = unpack(packed);
            let is_new = base == WHOLE || now.saturating_sub(since) >= millis(as_nanos(CUT_PAUSE));
            is_new.then(|| (now << FACTOR_BITS) | (current(packed, now) * TENTHS_LEFT / 10).max(MIN))
        };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, cut).ok()?;
        Some(current(self.0.load(Ordering::Relaxed), now) * 100 / WHOLE)
    }

    /// Whether the whole quota is used.
    pub(super) fn is_whole(&self, now: Nanos) -> bool {
        current(self.0.load(Ordering::Relaxed), millis(now)) == WHOLE
    }
}

fn unpack(packed: u64) -> (u64, u64) {
    (packed & ((1 << FACTOR_BITS) - 1), packed >> FACTOR_BITS)
}

fn current(packed: u64, now_ms: u64) -> u64 {
    let (base, since) = unpack(packed);
    now_ms.saturating_sub(since).saturating_mul(RECOVERY_PER_MS).saturating_add(base).min(WHOLE)
}

fn millis(nanos: Nanos) -> u64 {
    nanos / 1_000_000
}

/// A duration in the unit of this module.
pub(super) fn as_nanos(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace() -> Pace {
        Pace::new(1000, 3)
    }

    fn at(seconds: f64) -> Nanos {
        as_nanos(Duration::from_secs_f64(seconds))
    }

    #[test]
    fn a_cut_leaves_seven_tenths_and_all_comes_back_within_fifteen_seconds() {
        let factor = Factor::default();
        assert_eq!(factor.apply(at(1.0), pace()), pace());
        assert_eq!(factor.cut(at(1.0)), Some(70));
        assert_eq!(factor.cut(at(1.4)), None, "the same event");
        assert_eq!(factor.apply(at(1.0), pace()).interval, 1428);
        assert_eq!(factor.apply(at(11.0), pace()).interval, 1111);
        assert!(!factor.is_whole(at(15.9)) && factor.is_whole(at(16.0)));
    }

    #[test]
    fn cuts_follow_each_other_down_to_a_tenth() {
        let factor = Factor::default();
        let cuts: Vec<_> = (1..10).filter_map(|second| factor.cut(at(f64::from(second)))).collect();
        assert_eq!(cuts[..3], [70, 50, 36]);
        assert_eq!(factor.apply(at(9.0), pace()).interval, 10_000);
    }
}
