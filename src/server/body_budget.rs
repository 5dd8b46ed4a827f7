//! The bytes of messages that have arrived in part: how many there may be, in all and of one caller.
//!
//! What has arrived is kept until the rest has, which a caller may draw out for as long as a request may take to arrive. Most messages
//! arrive at once, and are never counted here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::api::v1::ErrorReason;
use crate::server::limits::BodyLimits;

/// The bytes that are counted, of every worker. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct BodyBudget {
    limits: BodyLimits,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_caller: HashMap<String, usize>,
}

/// The bytes of one message, until it is dropped.
#[derive(Debug)]
pub(super) struct Reserved {
    budget: BodyBudget,
    caller: String,
    bytes: usize,
}

impl BodyBudget {
    pub(super) fn new(limits: BodyLimits) -> Self {
        Self { limits, taken: Arc::default() }
    }

    /// Counts a message of this size, or says whose limit it would exceed. Callers without a name are one.
    pub(super) fn reserve(&self, caller: &str, bytes: usize) -> Result<Reserved, ErrorReason> {
        let BodyLimits { total, per_caller } = self.limits;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_caller = taken.by_caller.get(caller).copied().unwrap_or_default();
        if of_caller.saturating_add(bytes) > per_caller {
            return Err(ErrorReason::CallerLimitExceeded);
        }
        if taken.total.saturating_add(bytes) > total {
            return Err(ErrorReason::ServiceLimitExceeded);
        }
        taken.total += bytes;
        taken.by_caller.insert(caller.to_owned(), of_caller + bytes);
        Ok(Reserved { budget: self.clone(), caller: caller.to_owned(), bytes })
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut taken = self.budget.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total -= self.bytes;
        if let Some(of_caller) = taken.by_caller.get_mut(&self.caller) {
            *of_caller -= self.bytes;
            if *of_caller == 0 {
                taken.by_caller.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_holds_and_what_has_been_read_makes_room() {
        let budget = BodyBudget::new(BodyLimits { total: 10, per_caller: 6 });
        let first = budget.reserve("a", 6).unwrap();
        assert_eq!(budget.reserve("a", 1).unwrap_err(), ErrorReason::CallerLimitExceeded);
        let _second = budget.reserve("b", 4).unwrap();
        assert_eq!(budget.reserve("c", 1).unwrap_err(), ErrorReason::ServiceLimitExceeded);
        drop(first);
        let _third = budget.reserve("c", 6).unwrap();
        assert_eq!(budget.taken.lock().unwrap().by_caller.len(), 2);
    }
}
