//! Cognito in each Region, as all workers know it: whether it responds, and how many retries it may have.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_cognitoidentityprovider::config::retry::{RetryPartition, TokenBucket};

use crate::cognito::breaker::{Breaker, RegionState};

/// The maximum number of Regions that are remembered. AWS has fewer, but a caller can make more up.
const MAX_REGIONS: usize = 64;

/// The retries that a Region may have at once: 100, at 5 tokens each, or 50 after timeouts and broken connections. A success brings a
/// token back.
const RETRY_TOKENS: usize = 500;

/// The tokens that come back each second: 5 retries. The SDK's own budget fills by successes only, of which a Region that was
/// down has none.
const RETRY_TOKENS_PER_SECOND: f32 = 25.0;

/// Cognito in each Region. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Upstream(Arc<Mutex<HashMap<String, Region>>>);

/// Cognito in one Region.
#[derive(Clone, Debug)]
pub(super) struct Region {
    pub(super) breaker: Arc<Breaker>,
    /// The budget of retries.
    pub(super) retries: RetryPartition,
}

impl Upstream {
    /// Cognito in this Region.
    pub(super) fn region(&self, name: &str) -> Region {
        let mut regions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(region) = regions.get(name) {
            return region.clone();
        }
        if regions.len() >= MAX_REGIONS {
            regions.retain(|_, region| Arc::strong_count(&region.breaker) > 1);
        }
        let tokens = TokenBucket::builder().capacity(RETRY_TOKENS).refill_rate(RETRY_TOKENS_PER_SECOND).build();
        let retries = RetryPartition::custom(name.to_owned()).token_bucket(tokens).build();
        let region = Region { breaker: Arc::new(Breaker::new(name)), retries };
        regions.insert(name.to_owned(), region.clone());
        region
    }

    /// Whether Cognito responds, as far as recent calls tell: no Region in which it did fails, and some Region is available where
    /// any was used.
    pub fn is_available(&self) -> bool {
        let regions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut states = regions.values().map(|region| region.breaker.state()).peekable();
        let is_used = states.peek().is_some();
        let (mut some_available, mut some_failing) = (false, false);
        for state in states {
            some_available |= state == RegionState::Available;
            some_failing |= state == RegionState::Failing;
        }
        !some_failing && (some_available || !is_used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cognito::breaker::Verdict;

    fn end(region: &Region, verdict: Verdict, number: usize) {
        for _ in 0..number {
            region.breaker.enter().unwrap().end(verdict);
        }
    }

    #[test]
    fn a_region_that_fails_makes_the_upstream_unavailable_and_one_that_was_made_up_does_not() {
        let upstream = Upstream::default();
        assert!(upstream.is_available());
        let made_up = upstream.region("made-up");
        end(&made_up, Verdict::Failed, 20);
        assert!(!upstream.is_available(), "it is the only one");
        let real = upstream.region("eu-west-1");
        end(&real, Verdict::Responded, 1);
        assert!(upstream.is_available());
        end(&upstream.region("eu-west-1"), Verdict::Failed, 19);
        assert!(!upstream.is_available());
    }

    #[test]
    fn regions_that_are_made_up_are_forgotten_and_those_in_use_are_not() {
        let upstream = Upstream::default();
        let held = upstream.region("held");
        for number in 0..4 * MAX_REGIONS {
            drop(upstream.region(&format!("made-up-{number}")));
        }
        assert!(upstream.0.lock().unwrap().len() <= MAX_REGIONS + 1);
        assert!(Arc::ptr_eq(&held.breaker, &upstream.region("held").breaker));
    }
}
