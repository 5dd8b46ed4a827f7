//! The operations in flight: how many there may be in all, in one Region, and of one caller.
//!
//! An operation before a Cognito that does not respond holds a connection, and so a file descriptor, for as long as it may take.
//! Without a limit, a slow Region or one caller uses up what all others need. What is over a limit is refused at once: waiting would
//! hold the same resources on the callers' side.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

use crate::api::v1::ErrorReason;

/// How many names a map of counts may have before those that nothing is counted under are removed. A caller can make Regions up.
const MAX_NAMES: usize = 1024;

/// The maximum number of operations in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationLimits {
    /// In all. Each may hold a connection to Cognito, and so a file descriptor.
    pub total: usize,
    /// In one Region, so that a Region that does not respond leaves room for the others.
    pub per_region: usize,
    /// Of one caller, so that one caller leaves room for the others.
    pub per_caller: usize,
}

impl Default for OperationLimits {
    /// At 100 ms an operation, far more than Cognito's default quotas allow. One caller may use all the streams of one connection.
    fn default() -> Self {
        Self { total: 512, per_region: 384, per_caller: 256 }
    }
}

/// The limit that an operation would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum LimitReached {
    #[error("as many operations are in flight as there may be in all")]
    Total,
    #[error("as many operations are in flight in the Region as there may be in one")]
    Region,
    #[error("as many operations of the caller are in flight as one may have")]
    Caller,
}

impl LimitReached {
    /// The reason that tells a caller whose limit it is.
    pub(super) fn reason(self) -> ErrorReason {
        match self {
            Self::Total | Self::Region => ErrorReason::ServiceLimitExceeded,
            Self::Caller => ErrorReason::CallerLimitExceeded,
        }
    }
}

/// A number that goes up while an operation is in flight.
#[derive(Clone, Debug, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn enter(&self, limit: usize) -> Option<Counted> {
        let below = |number: usize| (number < limit).then(|| number + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, below).ok().map(|_| Counted(self.clone()))
    }

    /// Whether anything is counted. A worker may forget what is not: it finds it again among those of all workers.
    fn is_used(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// Whether a worker has it, or an operation: another one of the name would not count that.
    fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

/// One that is counted, until it is dropped.
#[derive(Debug)]
struct Counted(Count);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An operation that is counted as in flight, until it is dropped.
#[derive(Debug)]
pub(super) struct InFlightOperation {
    _total: Counted,
    _region: Counted,
    _caller: Option<Counted>,
}

/// The counts that all workers share.
#[derive(Debug, Default)]
struct Shared {
    total: Count,
    regions: Names,
    callers: Names,
}

/// A count for each name.
#[derive(Debug, Default)]
struct Names(Mutex<HashMap<String, Count>>);

impl Names {
    /// The count of a name, made by `make` if there is none. Those that are not to `keep` make room.
    fn count(&self, name: &str, keep: fn(&Count) -> bool, make: impl FnOnce() -> Count) -> Count {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get(name) {
            return count.clone();
        }
        if counts.len() >= MAX_NAMES {
            counts.retain(|_, count| keep(count));
        }
        let count = make();
        counts.insert(name.to_owned(), count.clone());
        count
    }
}

/// The operations in flight, as one worker counts them. Its own maps lead to the counts of all workers, so that no call waits for
/// another worker's lock once both have seen the name.
#[derive(Debug)]
pub(super) struct InFlight {
    limits: OperationLimits,
    shared: Arc<Shared>,
    regions: Names,
    callers: Names,
}

impl InFlight {
    pub(super) fn new(limits: OperationLimits) -> Self {
        Self { limits, shared: Arc::default(), regions: Names::default(), callers: Names::default() }
    }

    /// The same counts for another worker.
    pub(super) fn for_worker(&self) -> Self {
        let (limits, shared) = (self.limits, Arc::clone(&self.shared));
        Self { limits, shared, regions: Names::default(), callers: Names::default() }
    }

    /// Counts one more operation, or says which limit is reached. A caller without a name has no limit of its own: only `dev` has
    /// such callers.
    pub(super) fn enter(&self, region: &str, caller: Option<&str>) -> Result<InFlightOperation, LimitReached> {
        let of_caller = caller.map(|caller| {
            let count = self
                .callers
                .count(caller, Count::is_used, || self.shared.callers.count(caller, Count::is_shared, Count::default));
            count.enter(self.limits.per_caller).ok_or(LimitReached::Caller)
        });
        let of_caller = of_caller.transpose()?;
        let of_region = self
            .regions
            .count(region, Count::is_used, || self.shared.regions.count(region, Count::is_shared, Count::default));
        let of_region = of_region.enter(self.limits.per_region).ok_or(LimitReached::Region)?;
        let of_all = self.shared.total.enter(self.limits.total).ok_or(LimitReached::Total)?;
        Ok(InFlightOperation { _total: of_all, _region: of_region, _caller: of_caller })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_flight() -> InFlight {
        InFlight::new(OperationLimits { total: 4, per_region: 3, per_caller: 2 })
    }

    #[test]
    fn each_limit_holds_and_what_ends_makes_room() {
        let counts = in_flight();
        let enter = |region, caller| counts.enter(region, Some(caller));
        let first = enter("eu-west-1", "a").unwrap();
        let _second = enter("eu-west-1", "a").unwrap();
        assert_eq!(enter("eu-west-1", "a").unwrap_err(), LimitReached::Caller);
        let _third = enter("eu-west-1", "b").unwrap();
        assert_eq!(enter("eu-west-1", "b").unwrap_err(), LimitReached::Region);
        let _fourth = enter("us-east-1", "b").unwrap();
        assert_eq!(enter("us-east-1", "c").unwrap_err(), LimitReached::Total);
        // What was refused is not counted anywhere.
        drop(first);
        let _fifth = enter("eu-west-1", "a").unwrap();
        assert_eq!(enter("eu-west-1", "c").unwrap_err(), LimitReached::Region);
    }

    #[test]
    fn workers_have_the_limits_together() {
        let counts = in_flight();
        let other = counts.for_worker();
        let _first = counts.enter("eu-west-1", Some("a")).unwrap();
        let _second = other.enter("eu-west-1", Some("a")).unwrap();
        for worker in [&counts, &other] {
            assert_eq!(worker.enter("eu-west-1", Some("a")).unwrap_err(), LimitReached::Caller);
        }
    }

    #[test]
    fn names_that_nothing_is_counted_under_make_room_and_others_stay_counted() {
        let counts = InFlight::new(OperationLimits { per_caller: 1, ..OperationLimits::default() });
        let other = counts.for_worker();
        let _held = counts.enter("eu-west-1", Some("held")).unwrap();
        for number in 0..4 * MAX_NAMES {
            drop(counts.enter(&format!("made-up-{number}"), Some(&number.to_string())).unwrap());
        }
        for names in [&counts.regions, &counts.callers, &counts.shared.regions, &counts.shared.callers] {
            // A name of a worker's map is one of the shared map, until the worker forgets it.
            assert!(names.0.lock().unwrap().len() <= 2 * MAX_NAMES);
        }
        for worker in [&counts, &other] {
            assert_eq!(worker.enter("eu-west-1", Some("held")).unwrap_err(), LimitReached::Caller);
        }
    }
}
