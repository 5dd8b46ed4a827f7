//! A bucket of tokens in one atomic number: the generic cell rate algorithm (GCRA, ITU-T I.371).
//!
//! Not that of the crate `governor`: a rate of its limiters cannot change while calls wait, as it must when Cognito throttles, a token
//! cannot be given back, and a retry that is not asked for leave cannot be charged.

use std::sync::atomic::{AtomicU64, Ordering};

/// A time, in nanoseconds since the broker was made.
pub type Nanos = u64;

/// How fast tokens come, and how many are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The time from one token to the next.
    pub(super) interval: Nanos,
    /// How much earlier than its regular time a token may be taken. A slower pace has the same, and so fewer tokens at once: with
    /// more, a bucket that is slowed down would have some that it had not before.
    pub(super) tolerance: Nanos,
}

impl Pace {
    /// The pace of a bucket that has so many tokens when it is full, from 1.
    pub fn new(interval: Nanos, burst: u32) -> Self {
        Self { interval, tolerance: interval.saturating_mul(u64::from(burst.saturating_sub(1))) }
    }
}

/// The tokens: the time at which the bucket will be full, less one interval. The pace is an argument, since it changes.
#[derive(Debug, Default)]
pub struct Bucket(AtomicU64);

impl Bucket {
    /// Takes a token, if there is one.
    pub fn try_take(&self, now: Nanos, pace: Pace) -> bool {
        let take = |full: Nanos| (full <= now + pace.tolerance).then(|| full.max(now) + pace.interval);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// When there is a token: in the past if there is one.
    pub fn ready_at(&self, pace: Pace) -> Nanos {
        self.0.load(Ordering::Relaxed).saturating_sub(pace.tolerance)
    }

    /// Takes a token that may not be there: those after it come later.
    pub(super) fn charge(&self, now: Nanos, pace: Pace) {
        self.update(|full| full.max(now).saturating_add(pace.interval));
    }

    /// Puts a token back.
    pub(super) fn give_back(&self, pace: Pace) {
        self.update(|full| full.saturating_sub(pace.interval));
    }

    /// Takes every token that is there: the next one is an interval away, or as far as it was.
    pub(super) fn empty(&self, now: Nanos, pace: Pace) {
        self.0.fetch_max(now + pace.tolerance + pace.interval, Ordering::Relaxed);
    }

    /// Whether no token is missing, so that a new bucket would be the same.
    pub(super) fn is_full(&self, now: Nanos) -> bool {
        self.0.load(Ordering::Relaxed) <= now
    }

    fn update(&self, change: impl Fn(Nanos) -> Nanos) {
        // It cannot fail: the change is always made.
        let _: Result<_, _> = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full| Some(change(full)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { interval: 10, tolerance: 20 };

    /// How many tokens can be taken at once.
    fn takes(bucket: &Bucket, now: Nanos) -> usize {
        (0..100).take_while(|_| bucket.try_take(now, PACE)).count()
    }

    #[test]
    fn a_burst_is_followed_by_one_token_an_interval() {
        let bucket = Bucket::default();
        assert_eq!(takes(&bucket, 5), 3);
        assert_eq!((bucket.ready_at(PACE), takes(&bucket, 14)), (15, 0));
        assert_eq!(takes(&bucket, 15), 1);
        assert_eq!(takes(&bucket, 36), 2);
        assert!(!bucket.is_full(36) && bucket.is_full(100));
        assert_eq!(takes(&bucket, 1000), 3, "no more are kept than a burst");
    }

    #[test]
    fn what_is_charged_delays_the_next_and_what_is_given_back_does_not() {
        let bucket = Bucket::default();
        assert_eq!(takes(&bucket, 0), 3);
        bucket.charge(0, PACE);
        assert_eq!(bucket.ready_at(PACE), 20);
        bucket.give_back(PACE);
        bucket.give_back(PACE);
        assert_eq!(takes(&bucket, 0), 1);
    }

    #[test]
    fn an_emptied_bucket_has_a_token_after_an_interval_and_a_debt_is_not_forgiven() {
        let bucket = Bucket::default();
        bucket.empty(100, PACE);
        assert_eq!((takes(&bucket, 109), takes(&bucket, 110)), (0, 1));
        for _ in 0..9 {
            bucket.charge(110, PACE);
        }
        let ready = bucket.ready_at(PACE);
        bucket.empty(110, PACE);
        assert_eq!(bucket.ready_at(PACE), ready);
    }

    #[test]
    fn a_bucket_that_is_slowed_down_gains_no_token() {
        let bucket = Bucket::default();
        assert_eq!((takes(&bucket, 5), Pace::new(10, 3)), (3, PACE));
        assert!(!bucket.try_take(5, Pace { interval: 100, ..PACE }));
    }
}
