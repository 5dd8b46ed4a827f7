//! How long connections live.

use std::time::Duration;

/// How long connections live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLife {
    /// How long a connection may have no call in flight.
    pub idle: Duration,
    /// The same where no caller has authenticated.
    pub unauthenticated_idle: Duration,
    /// How old a connection becomes, give or take a tenth, so that clients that came together do not come again together: then its
    /// client connects anew, to a replica that may not have been there before.
    pub max_age: Duration,
    /// How long calls on a connection may take when it is too old.
    pub grace: Duration,
}

impl Default for ConnectionLife {
    fn default() -> Self {
        Self {
            idle: Duration::from_mins(5),
            unauthenticated_idle: Duration::from_secs(30),
            max_age: Duration::from_mins(30),
            grace: Duration::from_mins(1),
        }
    }
}

impl ConnectionLife {
    /// The age that one connection becomes.
    pub(super) fn age(self) -> Duration {
        with_jitter(self.max_age)
    }
}

/// A duration, give or take a tenth.
fn with_jitter(duration: Duration) -> Duration {
    let mut random = [0; 2];
    // Without randomness it is the duration.
    let share =
        aws_lc_rs::rand::fill(&mut random).map_or(u32::from(u16::MAX) / 2, |()| u32::from(u16::from_be_bytes(random)));
    duration * 9 / 10 + duration.saturating_mul(share) / 5 / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_is_that_of_the_option_give_or_take_a_tenth() {
        let age = Duration::from_secs(1000);
        let ages: Vec<_> = (0..1000).map(|_| with_jitter(age).as_secs()).collect();
        assert!(ages.iter().all(|age| (900..=1100).contains(age)), "{ages:?}");
        assert!(ages.iter().any(|age| *age < 950) && ages.iter().any(|age| *age > 1050));
    }
}
