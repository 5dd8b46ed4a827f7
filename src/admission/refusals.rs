//! The calls that were refused without a record and a line of the log each: counted by who came and why.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::admission::rates::network;

/// The maximum number of those who are counted apart. The rest are counted together.
const MAX_COUNTED: usize = 256;

/// Who was refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// Those of an address, or of a network in IPv6, who did not authenticate.
    Address(IpAddr),
    /// A caller.
    Caller(String),
    /// Those who were too many to be counted apart.
    Others,
}

/// Calls that were refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Who made them.
    pub who: Who,
    /// Why they were refused.
    pub cause: &'static str,
    /// How many they are.
    pub number: u64,
    /// When the first was refused.
    pub since: SystemTime,
}

/// The calls that were refused and not reported yet.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Counts>);

/// By who and why: how many, and when the first was.
type Counts = HashMap<(Who, &'static str), (u64, SystemTime)>;

impl Refusals {
    pub(super) fn count(&self, who: Who, cause: &'static str) {
        let who = match who {
            Who::Address(address) => Who::Address(network(address)),
            Who::Caller(_) | Who::Others => who,
        };
        self.add(Refused { who, cause, number: 1, since: SystemTime::now() });
    }

    pub(super) fn add(&self, Refused { who, cause, number, since }: Refused) {
        let mut counts = self.lock();
        let is_new = !counts.contains_key(&(who.clone(), cause));
        let who = if is_new && counts.len() >= MAX_COUNTED { Who::Others } else { who };
        let (counted, first) = counts.entry((who, cause)).or_insert((0, since));
        *counted += number;
        *first = since.min(*first);
    }

    pub(super) fn take(&self) -> Vec<Refused> {
        let counts = std::mem::take(&mut *self.lock());
        let refused = |((who, cause), (number, since))| Refused { who, cause, number, since };
        counts.into_iter().map(refused).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_counted_by_who_and_why_and_too_many_together() {
        let refusals = Refusals::default();
        for number in 0..2000_u32 {
            refusals.count(Who::Address(IpAddr::from(number.to_be_bytes())), "missing");
            refusals.count(Who::Caller("desk".to_owned()), "rate");
        }
        refusals.count(Who::Address(IpAddr::from([0, 0, 0, 0])), "expired");
        let taken = refusals.take();
        assert!(taken.len() <= MAX_COUNTED + 2, "{}", taken.len());
        let of =
            |who: &Who| taken.iter().filter(|refused| refused.who == *who).map(|refused| refused.number).sum::<u64>();
        assert_eq!(of(&Who::Caller("desk".to_owned())), 2000);
        assert_eq!(of(&Who::Address(IpAddr::from([0, 0, 0, 0]))) + of(&Who::Others), 2001 - (MAX_COUNTED as u64 - 2));
        assert_eq!(taken.iter().map(|refused| refused.number).sum::<u64>(), 4001);
        assert_eq!(refusals.take(), []);
    }
}
