//! The rates: what Cognito documents, and what options say instead.

use std::collections::HashMap;
use std::num::NonZero;
use std::str::FromStr;
use std::time::Duration;

use crate::api::v1::QuotaCategory;
use crate::quota::bucket::{Nanos, Pace};
use crate::quota::factor::as_nanos;

/// The highest rate: far more than a process can send.
const MAX_PER_SECOND: u32 = 1_000_000;

/// The largest share.
const MAX_SHARE: u32 = 1000;

/// What has a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// A category: all operations of it in one Region.
    Category(QuotaCategory),
    /// The reads of one user.
    UserReads,
    /// The changes of one user.
    UserWrites,
    /// The reads of one pool's configuration.
    PoolReads,
    /// The changes of one pool's configuration.
    PoolUpdates,
}

impl Quota {
    /// Everything that can have a rate.
    pub const ALL: [Self; 9] = [
        Self::Category(QuotaCategory::Unpublished),
        Self::Category(QuotaCategory::UserRead),
        Self::Category(QuotaCategory::UserResourceUpdate),
        Self::Category(QuotaCategory::UserPoolResourceRead),
        Self::Category(QuotaCategory::UserPoolResourceUpdate),
        Self::UserReads,
        Self::UserWrites,
        Self::PoolReads,
        Self::PoolUpdates,
    ];

    /// The name in options and in the log: that of the proto, or that of a limit beside it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Category(category) => {
                let name = category.as_str_name();
                name.strip_prefix("QUOTA_CATEGORY_").unwrap_or(name)
            }
            Self::UserReads => "ONE_USER_READ",
            Self::UserWrites => "ONE_USER_WRITE",
            Self::PoolReads => "ONE_POOL_READ",
            Self::PoolUpdates => "ONE_POOL_UPDATE",
        }
    }

    /// The default rate, from the Cognito quotas page. `None` where AWS publishes none.
    fn documented(self) -> Option<Rate> {
        let per_second = match self {
            Self::Category(QuotaCategory::UserRead) => 120,
            Self::Category(QuotaCategory::UserResourceUpdate) => 25,
            Self::Category(QuotaCategory::UserPoolResourceRead) => 20,
            Self::Category(QuotaCategory::UserPoolResourceUpdate) => 15,
            Self::Category(QuotaCategory::Unspecified | QuotaCategory::Unpublished) => return None,
            Self::UserReads | Self::UserWrites => 10,
            Self::PoolReads | Self::PoolUpdates => 5,
        };
        Rate::new(per_second, None)
    }
}

/// How many calls a second, and how many at once after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    per_second: NonZero<u32>,
    burst: NonZero<u32>,
}

impl Rate {
    /// A rate. The burst is by default what comes in a fifth of a second, so that no second has more than 1.2 times the rate, and
    /// two at least, so that a timer that is late loses nothing. What burst Cognito itself allows is not documented.
    fn new(per_second: u32, burst: Option<u32>) -> Option<Self> {
        let per_second = NonZero::new(per_second).filter(|rate| rate.get() <= MAX_PER_SECOND)?;
        let burst = burst.unwrap_or((per_second.get() / 5).max(2));
        Some(Self { per_second, burst: NonZero::new(burst).filter(|burst| burst.get() <= MAX_PER_SECOND)? })
    }

    /// The rate as buckets have it.
    pub fn pace(self) -> Pace {
        let second: Nanos = as_nanos(Duration::from_secs(1));
        Pace::new(second / u64::from(self.per_second.get()), self.burst.get())
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rate, burst) = match text.split_once('/') {
            Some((rate, burst)) => (number(rate), Some(number(burst))),
            None => (number(text), None),
        };
        let rate = match (rate, burst) {
            (Some(rate), None) => Self::new(rate, None),
            (Some(rate), Some(Some(burst))) => Self::new(rate, Some(burst)),
            _ => None,
        };
        rate.ok_or_else(|| format!("rate and burst must be numbers from 1 to {MAX_PER_SECOND}"))
    }
}

/// The rate of each quota; those without one have no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quotas(Vec<(Quota, Rate)>);

impl Quotas {
    /// No limits.
    pub fn unlimited() -> Self {
        Self(Vec::new())
    }

    /// The documented defaults.
    pub fn documented() -> Self {
        Self(Quota::ALL.into_iter().filter_map(|quota| Some((quota, quota.documented()?))).collect())
    }

    /// The same with a setting instead of what was there.
    #[must_use]
    pub fn with(mut self, setting: QuotaSetting) -> Self {
        match setting {
            QuotaSetting::AllUnlimited => self.0.clear(),
            QuotaSetting::One(changed, rate) => {
                self.0.retain(|(quota, _)| *quota != changed);
                self.0.extend(rate.map(|rate| (changed, rate)));
            }
        }
        self
    }

    /// Whether nothing has a limit.
    pub fn is_unlimited(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn rate(&self, wanted: Quota) -> Option<Rate> {
        self.0.iter().find(|(quota, _)| *quota == wanted).map(|(_, rate)| *rate)
    }
}

/// The setting of one quota: `USER_READ=240`, `USER_READ=240/48` with a burst, or `USER_READ=unlimited`. Or `ALL=unlimited`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaSetting {
    /// The rate of a quota.
    One(Quota, Option<Rate>),
    /// No quota has a limit.
    AllUnlimited,
}

impl FromStr for QuotaSetting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, rate) =
            text.split_once('=').ok_or("must be CATEGORY=RATE, CATEGORY=RATE/BURST or CATEGORY=unlimited")?;
        if text == "ALL=unlimited" {
            return Ok(Self::AllUnlimited);
        }
        let quota = Quota::ALL.into_iter().find(|quota| quota.name() == name);
        let quota = quota.ok_or_else(|| format!("must be one of {}", Quota::ALL.map(Quota::name).join(", ")))?;
        if rate == "unlimited" {
            return Ok(Self::One(quota, None));
        }
        let rate: Result<Rate, String> = rate.parse();
        Ok(Self::One(quota, Some(rate.map_err(|error| format!("{error}, or `unlimited`"))?)))
    }
}

/// The share of one caller: `payments=3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    caller: String,
    share: u32,
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A name may have the sign, a share cannot.
        let split = text.rsplit_once('=').filter(|(caller, _)| !caller.is_empty());
        let (caller, share) = split.ok_or("must be CALLER=SHARE")?;
        let share = number(share).filter(|share| (1..=MAX_SHARE).contains(share));
        let share = share.ok_or_else(|| format!("a share must be a number from 1 to {MAX_SHARE}"))?;
        Ok(Self { caller: caller.to_owned(), share })
    }
}

/// The shares of callers. Those that are not named have 1 each.
#[derive(Clone, Debug, Default)]
pub struct Shares(HashMap<String, u32>);

impl FromIterator<Share> for Shares {
    fn from_iter<I: IntoIterator<Item = Share>>(shares: I) -> Self {
        Self(shares.into_iter().map(|Share { caller, share }| (caller, share)).collect())
    }
}

impl Shares {
    pub(super) fn of(&self, caller: &str) -> u32 {
        self.0.get(caller).copied().unwrap_or(1)
    }
}

/// A number in digits only: Rust reads a sign too.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_rates_are_those_of_the_proto() {
        let proto = include_str!("../../proto/mfagate/v1/annotations.proto");
        let mut stated = 0;
        for quota in Quota::ALL {
            let Quota::Category(category) = quota else { continue };
            let (before, _) = proto.split_once(&format!("  {} = ", category.as_str_name())).unwrap();
            let comment = before.rsplit_once("// ").unwrap().1;
            let rate =
                comment.split_once(": ").map(|(_, rest)| rest.split([',', ';']).next().unwrap().parse().unwrap());
            assert_eq!(quota.documented().map(|rate| rate.per_second.get()), rate, "{comment}");
            stated += usize::from(rate.is_some());
        }
        assert_eq!(stated, 4);
    }

    #[test]
    fn settings_replace_what_is_documented() {
        let quotas = Quotas::documented();
        let of = |quotas: &Quotas, quota| quotas.rate(quota).map(|rate| (rate.per_second.get(), rate.burst.get()));
        assert_eq!(of(&quotas, Quota::UserWrites), Some((10, 2)));
        assert_eq!(of(&quotas, Quota::Category(QuotaCategory::Unpublished)), None);
        let quotas = quotas.with("ONE_USER_WRITE=40".parse().unwrap()).with("UNPUBLISHED=7/9".parse().unwrap());
        let quotas = quotas.with("USER_READ=unlimited".parse().unwrap());
        assert_eq!(of(&quotas, Quota::UserWrites), Some((40, 8)));
        assert_eq!(of(&quotas, Quota::Category(QuotaCategory::Unpublished)), Some((7, 9)));
        assert_eq!(of(&quotas, Quota::Category(QuotaCategory::UserRead)), None);
        assert_eq!(of(&quotas, Quota::Category(QuotaCategory::UserResourceUpdate)), Some((25, 5)));
        assert!(quotas.with("ALL=unlimited".parse().unwrap()).is_unlimited());
    }

    #[test]
    fn what_is_no_setting_is_refused() {
        for text in [
            "",
            "USER_READ",
            "USER_READ=",
            "USER_READ=0",
            "USER_READ=1/0",
            "USER_READ=1/",
            "USER_READ=+1",
            "USER_READ=1000001",
            "USER_READ=1.5",
            "USER_READ=1/2/3",
            "ALL=1",
            "user_read=1",
            "UNSPECIFIED=1",
            "=1",
        ] {
            assert!(text.parse::<QuotaSetting>().is_err(), "{text}");
        }
        for text in ["", "a", "a=", "=1", "a=0", "a=1001", "a=-1"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
        let shares: Shares = ["spiffe://x/y=z=3".parse().unwrap()].into_iter().collect();
        assert_eq!((shares.of("spiffe://x/y=z"), shares.of("another")), (3, 1));
    }
}
