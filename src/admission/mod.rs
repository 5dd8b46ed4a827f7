//! How often callers and strangers may come, and what became of those who came more often.
//!
//! What is over a rate costs no decision, no record and no line of the log: it is counted, and the counts are reported together.

mod rates;
mod refusals;

use std::net::IpAddr;
use std::time::Duration;

pub use rates::{CallerRate, Rates};
pub use refusals::{Refused, Who};

use refusals::Refusals;

/// Admits calls by their rate, and counts those that it does not.
#[derive(Debug, Default)]
pub struct Admission {
    rates: Rates,
    refusals: Refusals,
}

impl Admission {
    /// Admits calls within these rates.
    pub fn new(rates: Rates) -> Self {
        Self { rates, refusals: Refusals::default() }
    }

    /// Admits a call of this caller, or counts it and says when there will be room for another.
    pub fn caller(&self, name: &str) -> Result<(), Duration> {
        self.rates.caller(name).inspect_err(|_| self.refusals.count(Who::Caller(name.to_owned()), "rate"))
    }

    /// Admits a call from this address that did not authenticate to a refusal of its own, or counts it by `cause` and says when there
    /// will be room for another.
    pub fn stranger(&self, address: Option<IpAddr>, cause: &'static str) -> Result<(), Duration> {
        self.rates.stranger(address).inspect_err(|_| self.count_stranger(address, cause))
    }

    /// Counts a call that did not authenticate, and whose refusal could not be recorded.
    pub fn count_stranger(&self, address: Option<IpAddr>, cause: &'static str) {
        self.refusals.count(address.map_or(Who::Others, Who::Address), cause);
    }

    /// What was counted since it was last taken.
    pub fn take_refused(&self) -> Vec<Refused> {
        self.refusals.take()
    }

    /// Counts again what was taken and could not be reported.
    pub fn put_back(&self, refused: Refused) {
        self.refusals.add(refused);
    }
}
