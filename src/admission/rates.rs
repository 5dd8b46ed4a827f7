//! The rates of callers by name, and of strangers by address.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::quota::{Bucket, Pace, Rate};

/// The number of buckets for those who are not listed by name. They are found by hash, so nobody can make any up; two of one hash
/// share theirs.
const CELLS: usize = 4096;

/// The name that stands for every caller without a rate of its own.
const OTHERS: &str = "*";

/// The rate of one caller: `payments=50` or `payments=50/100`; or of each other one: `*=50`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerRate {
    caller: String,
    rate: Rate,
}

impl FromStr for CallerRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A name may have the sign, a rate cannot.
        let split = text.rsplit_once('=').filter(|(caller, _)| !caller.is_empty());
        let (caller, rate) = split.ok_or("must be CALLER=RATE or CALLER=RATE/BURST")?;
        Ok(Self { caller: caller.to_owned(), rate: rate.parse()? })
    }
}

/// How often each caller, and each address of strangers, may come. Nothing here takes a lock.
#[derive(Debug)]
pub struct Rates {
    start: Instant,
    callers: HashMap<String, (Pace, Bucket)>,
    others: Option<Cells>,
    strangers: Option<Cells>,
}

#[derive(Debug)]
struct Cells {
    pace: Pace,
    buckets: Box<[Bucket]>,
    hasher: RandomState,
}

impl Default for Rates {
    /// Without limits.
    fn default() -> Self {
        Self { start: Instant::now(), callers: HashMap::new(), others: None, strangers: None }
    }
}

impl Rates {
    /// The rates of callers, and of each address of strangers. Callers without one have no limit.
    pub fn new(callers: Vec<CallerRate>, strangers: Option<Rate>) -> Self {
        let others = callers.iter().rev().find(|caller| caller.caller == OTHERS).map(|caller| Cells::new(caller.rate));
        let named = callers.into_iter().filter(|caller| caller.caller != OTHERS);
        let callers = named.map(|CallerRate { caller, rate }| (caller, (rate.pace(), Bucket::default()))).collect();
        Self { callers, others, strangers: strangers.map(Cells::new), ..Self::default() }
    }

    pub(super) fn caller(&self, name: &str) -> Result<(), Duration> {
        match (self.callers.get(name), &self.others) {
            (Some((pace, bucket)), _) => self.take(bucket, *pace),
            (None, Some(others)) => others.bucket(name).map_or(Ok(()), |bucket| self.take(bucket, others.pace)),
            (None, None) => Ok(()),
        }
    }

    pub(super) fn stranger(&self, address: Option<IpAddr>) -> Result<(), Duration> {
        let Some(strangers) = &self.strangers else { return Ok(()) };
        strangers.bucket(&address.map(network)).map_or(Ok(()), |bucket| self.take(bucket, strangers.pace))
    }

    fn take(&self, bucket: &Bucket, pace: Pace) -> Result<(), Duration> {
        let now = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if bucket.try_take(now, pace) {
            return Ok(());
        }
        Err(Duration::from_nanos(bucket.ready_at(pace).saturating_sub(now)))
    }
}

impl Cells {
    fn new(rate: Rate) -> Self {
        let buckets = (0..CELLS).map(|_| Bucket::default()).collect();
        Self { pace: rate.pace(), buckets, hasher: RandomState::new() }
    }

    fn bucket(&self, of: &(impl std::hash::Hash + ?Sized)) -> Option<&Bucket> {
        self.buckets.get(usize::try_from(self.hasher.hash_one(of) % CELLS as u64).ok()?)
    }
}

/// An address as strangers are told apart: in IPv6, whoever has one has a /64 of them.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(callers: &[&str], strangers: Option<&str>) -> Rates {
        let callers = callers.iter().map(|rate| rate.parse().unwrap()).collect();
        Rates::new(callers, strangers.map(|rate| rate.parse().unwrap()))
    }

    /// How many calls are admitted at once.
    fn at_once(mut call: impl FnMut() -> Result<(), Duration>) -> usize {
        (0..100).filter(|_| call().is_ok()).count()
    }

    #[test]
    fn each_caller_has_its_own_rate_or_that_of_the_others_and_without_either_none() {
        let some = rates(&["payments=1/3", "*=1/5", "a=b=1/2"], None);
        assert_eq!(at_once(|| some.caller("payments")), 3);
        assert_eq!(at_once(|| some.caller("desk")), 5);
        assert_eq!(at_once(|| some.caller("other")), 5, "each of the others has its own");
        assert_eq!(at_once(|| some.caller("a=b")), 2);
        assert_eq!(at_once(|| some.stranger(None)), 100);
        let named = rates(&["payments=1/3"], None);
        assert_eq!(at_once(|| named.caller("desk")), 100);
    }

    #[test]
    fn strangers_have_a_rate_by_address_and_by_network_in_ipv6() {
        let rates = rates(&[], Some("1/3"));
        let from = |address: &str| at_once(|| rates.stranger(Some(address.parse().unwrap())));
        assert_eq!((from("192.0.2.1"), from("192.0.2.1"), from("192.0.2.2")), (3, 0, 3));
        assert_eq!(from("::ffff:192.0.2.2"), 0, "the same address in another form");
        assert_eq!((from("2001:db8::1"), from("2001:db8::2"), from("2001:db8:0:1::1")), (3, 0, 3));
    }

    #[test]
    fn who_is_refused_is_told_when_there_is_room() {
        let rates = rates(&["payments=2/1"], None);
        rates.caller("payments").unwrap();
        let wait = rates.caller("payments").unwrap_err();
        assert!(wait > Duration::from_millis(100) && wait <= Duration::from_millis(500), "{wait:?}");
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in ["", "payments", "=5", "payments=", "payments=0", "payments=5/0", "payments=-1", "payments=1.5"] {
            assert!(text.parse::<CallerRate>().is_err(), "{text}");
        }
    }
}
