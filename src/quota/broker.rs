//! The budgets of every Region, and the turn of one operation.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::api::v1::QuotaCategory;
use crate::domain::Operation;
use crate::quota::bucket::{Nanos, Pace};
use crate::quota::budget::{Allowed, Budget, Client, TooLate};
use crate::quota::clock::Clock;
use crate::quota::factor::{Factor, as_nanos};
use crate::quota::lease::{self, Lease, Leased};
use crate::quota::quotas::{Quota, Quotas, Shares};
use crate::quota::store::Store;

/// The budgets of single users, and of single pools: one is found by the hash of its name, so there is a fixed number, and no caller
/// can make more up. Two names of one hash wait for each other, which is rare: no more users than a few hundred can be in use at the
/// rate of their category.
const CELLS: usize = 2048;

/// The number of Regions beyond which those that are not in use are forgotten. AWS has fewer, but a caller can make more up.
const MAX_REGIONS: usize = 64;

/// How long an operation is expected to take, until some have.
const FIRST_DURATION: Duration = Duration::from_millis(100);

/// The budgets of every Region. Clones share them.
#[derive(Clone, Debug)]
pub struct Broker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    quotas: Quotas,
    shares: Arc<Shares>,
    clock: Clock,
    subjects: Arc<Subjects>,
    sharing: Sharing,
    regions: Mutex<HashMap<String, Arc<RegionQuota>>>,
}

/// How replicas share quotas.
#[derive(Clone, Debug)]
pub struct Sharing {
    /// Where the budgets are that all replicas have together. Without it, or while it is away, each has its part.
    pub store: Option<Store>,
    /// The number of replicas.
    pub replicas: NonZero<u32>,
}

impl Default for Sharing {
    /// One replica.
    fn default() -> Self {
        Self { store: None, replicas: NonZero::<u32>::MIN }
    }
}

impl Broker {
    /// A broker of these quotas, with full budgets.
    pub fn new(quotas: Quotas, shares: Shares) -> Self {
        Self::shared(quotas, shares, Sharing::default())
    }

    /// A broker of these quotas, which replicas share.
    pub fn shared(quotas: Quotas, shares: Shares, sharing: Sharing) -> Self {
        let (subjects, regions) = (Arc::new(Subjects::new(&quotas)), Mutex::default());
        let (shares, clock) = (Arc::new(shares), Clock::start());
        Self(Arc::new(Shared { quotas, shares, clock, subjects, sharing, regions }))
    }

    /// The budgets of a Region; `None` if nothing has a limit. For whoever sends there, once: it takes a lock.
    pub fn region(&self, region: &str) -> Option<Arc<RegionQuota>> {
        let Shared { quotas, shares, clock, subjects, sharing, regions } = &*self.0;
        if quotas.is_unlimited() {
            return None;
        }
        let mut regions = regions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(quota) = regions.get(region) {
            return Some(Arc::clone(quota));
        }
        if regions.len() >= MAX_REGIONS {
            regions.retain(|_, quota| Arc::strong_count(quota) > 1 || !quota.is_unused());
        }
        let category = |quota| Category::new(quota, region, quotas, *clock, sharing);
        let quota = Arc::new(RegionQuota {
            clock: *clock,
            shares: Arc::clone(shares),
            categories: Quota::ALL.into_iter().filter_map(category).collect(),
            subjects: Arc::clone(subjects),
        });
        regions.insert(region.to_owned(), Arc::clone(&quota));
        Some(quota)
    }
}

/// Whom or what an operation is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The pool.
    pub user_pool_id: &'a str,
    /// The user, as the request names it. `None` where it names none: a session, or the pool itself.
    pub user: Option<&'a str>,
}

/// The turn of a call does not come in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the turn would come too late, by {retry_after:?}")]
pub struct WaitTooLong {
    /// What the call waits for.
    pub quota: Quota,
    /// After this time, a call with as much time would have its turn, if no others came meanwhile.
    pub retry_after: Duration,
}

/// The budgets of one Region.
#[derive(Debug)]
pub struct RegionQuota {
    clock: Clock,
    shares: Arc<Shares>,
    categories: Vec<Arc<Category>>,
    subjects: Arc<Subjects>,
}

/// The budget of a category in a Region.
#[derive(Debug)]
struct Category {
    /// What it is a budget of.
    of: QuotaCategory,
    region: String,
    clock: Clock,
    /// The whole quota.
    pace: Pace,
    /// What this replica has of it by itself.
    part: Pace,
    factor: Factor,
    budget: Budget,
    /// What it has from the store, if there is one.
    lease: Option<Lease>,
    /// How long an operation takes, in nanoseconds: what a call must have left after its turn.
    duration: AtomicU64,
}

/// The budgets of single users and pools, of all Regions.
#[derive(Debug)]
struct Subjects {
    cells: Vec<Cells>,
    hasher: RandomState,
}

/// The budgets of one quota.
#[derive(Debug)]
struct Cells {
    quota: Quota,
    pace: Pace,
    budgets: Box<[Budget]>,
}

impl Category {
    /// The budget of a category that has a rate.
    fn new(quota: Quota, region: &str, quotas: &Quotas, clock: Clock, sharing: &Sharing) -> Option<Arc<Self>> {
        let Quota::Category(of) = quota else { return None };
        let pace = quotas.rate(quota)?.pace();
        let category = Arc::new(Self {
            of,
            region: region.to_owned(),
            clock,
            pace,
            part: lease::part(pace, sharing.replicas),
            factor: Factor::default(),
            budget: Budget::default(),
            lease: sharing.store.as_ref().map(|_| Lease::new(pace)),
            duration: AtomicU64::new(as_nanos(FIRST_DURATION)),
        });
        if let Some(store) = &sharing.store {
            category.ask(store.clone(), &format!("{region}:{}", quota.name()));
        }
        Some(category)
    }

    /// Starts the task that asks the store for tokens, until nothing else has the category.
    fn ask(self: &Arc<Self>, store: Store, bucket: &str) {
        let (category, runtime) = (Arc::downgrade(self), store.runtime().clone());
        let task = lease::Task { store, clock: self.clock, bucket: bucket.to_owned(), category };
        runtime.spawn(task.run());
    }

    fn allowed(&self) -> Allowed<'_> {
        Allowed { pace: self.part, factor: Some(&self.factor), lease: self.lease.as_ref() }
    }

    fn is_unused(&self) -> bool {
        let now = self.clock.now();
        self.budget.is_unused(now) && self.factor.is_whole(now)
    }
}

impl Leased for Category {
    fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    fn pace(&self, now: Nanos) -> Pace {
        self.factor.apply(now, self.pace)
    }

    fn whole_interval(&self) -> Nanos {
        self.pace.interval
    }

    fn waiting(&self) -> usize {
        self.budget.waiting()
    }

    fn hand_out(&self, now: Nanos) {
        self.budget.hand_out(now, self.allowed());
    }
}

impl Subjects {
    fn new(quotas: &Quotas) -> Self {
        let cells = |quota| {
            let budgets = (0..CELLS).map(|_| Budget::default()).collect();
            Some(Cells { quota, pace: quotas.rate(quota)?.pace(), budgets })
        };
        let quotas = [Quota::UserReads, Quota::UserWrites, Quota::PoolReads, Quota::PoolUpdates];
        Self { cells: quotas.into_iter().filter_map(cells).collect(), hasher: RandomState::new() }
    }

    /// The budget of the user or the pool that an operation is about.
    fn budget(&self, operation: Operation, subject: Subject<'_>) -> Option<(Quota, &Budget, Pace)> {
        let quota = match (operation.facts().quota, subject.user, operation.is_read()) {
            (QuotaCategory::UserPoolResourceRead, _, _) => Quota::PoolReads,
            (QuotaCategory::UserPoolResourceUpdate, _, _) => Quota::PoolUpdates,
            (_, Some(_), true) => Quota::UserReads,
            (_, Some(_), false) => Quota::UserWrites,
            (_, None, _) => return None,
        };
        let cells = self.cells.iter().find(|cells| cells.quota == quota)?;
        let hash = self.hasher.hash_one((subject.user_pool_id, subject.user));
        let index = usize::try_from(hash % CELLS as u64).ok()?;
        Some((quota, cells.budgets.get(index)?, cells.pace))
    }
}

impl RegionQuota {
    /// Waits for the turn of an operation that must be done within `left`. Refused at once if the turn would come too late for
    /// that.
    pub async fn turn(
        &self,
        operation: Operation,
        subject: Subject<'_>,
        client: Client<'_>,
        left: Duration,
    ) -> Result<Turn, WaitTooLong> {
        let client = (client, self.shares.of(client.caller));
        let category = self.categories.iter().find(|category| category.of == operation.facts().quota);
        let expected = category.map_or(0, |category| category.duration.load(Ordering::Relaxed));
        let latest = self.clock.now().saturating_add(as_nanos(left)).saturating_sub(expected);
        let too_long = |quota| move |TooLate(retry_after)| WaitTooLong { quota, retry_after };
        let of_subject = self.subjects.budget(operation, subject);
        let mut taken = None;
        if let Some((quota, budget, pace)) = of_subject {
            let allowed = Allowed { pace, factor: None, lease: None };
            budget.take(self.clock, allowed, client, latest).await.map_err(too_long(quota))?;
            taken = Some(Taken { budget, allowed, clock: self.clock });
        }
        if let Some(category) = category {
            let of_category = category.budget.take(self.clock, category.allowed(), client, latest).await;
            of_category.map_err(too_long(Quota::Category(category.of)))?;
        }
        if let Some(taken) = taken {
            mem::forget(taken);
        }
        Ok(Turn { category: category.cloned(), began: Some(Instant::now()) })
    }

    /// Whether new budgets would be the same.
    fn is_unused(&self) -> bool {
        self.categories.iter().all(|category| category.is_unused())
    }
}

/// A token that is given back if the call gets no other: it is refused, or leaves.
struct Taken<'a> {
    budget: &'a Budget,
    allowed: Allowed<'a>,
    clock: Clock,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.budget.give_back(self.clock.now(), self.allowed);
    }
}

/// The turn of an operation, while it is in flight. Dropping it ends the operation.
#[derive(Debug)]
pub struct Turn {
    category: Option<Arc<Category>>,
    /// `None` if it was not used.
    began: Option<Instant>,
}

impl Turn {
    /// What retries of the operation are charged to, if its category is limited.
    pub fn spender(&self) -> Option<Spender> {
        self.category.clone().map(Spender)
    }

    /// Gives the turn back: nothing is sent.
    pub fn give_back(mut self) {
        self.began = None;
        if let Some(category) = &self.category {
            category.budget.give_back(category.clock.now(), category.allowed());
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let (Some(category), Some(began)) = (&self.category, self.began) else { return };
        // A moving average; what another worker writes meanwhile may be lost, and is as good.
        let (took, before) = (as_nanos(began.elapsed()), category.duration.load(Ordering::Relaxed));
        category.duration.store(before - before / 8 + took / 8, Ordering::Relaxed);
    }
}

/// What is spent from, for the attempts of one operation. Clones are of the same operation.
#[derive(Clone, Debug)]
pub struct Spender(Arc<Category>);

impl Spender {
    /// Charges a further attempt. It does not wait: the SDK is about to send it.
    pub fn retried(&self) {
        let category = &*self.0;
        category.budget.charge(category.clock.now(), category.allowed());
    }

    /// Cognito has throttled an attempt: less of the quota is used for a while.
    pub fn throttled(&self) {
        let Category { of, region, clock, factor, budget, .. } = &*self.0;
        let now = clock.now();
        budget.empty(now, self.0.allowed());
        if let Some(percent) = factor.cut(now) {
            tracing::warn!(quota = Quota::Category(*of).name(), region, percent, "Cognito throttles, quota reduced");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Priority;

    const CLIENT: Client<'static> = Client { caller: "caller", priority: Priority::Interactive };
    const READ: Operation = Operation::AdminGetUser;

    fn broker(settings: &[&str]) -> Broker {
        let quotas = settings.iter().map(|setting| setting.parse().unwrap()).fold(Quotas::unlimited(), Quotas::with);
        Broker::new(quotas, Shares::default())
    }

    fn about(user: Option<&str>) -> Subject<'_> {
        Subject { user_pool_id: "eu-west-1_a", user }
    }

    /// Takes a turn, if there is one at once.
    async fn turn(quota: &RegionQuota, operation: Operation, user: Option<&str>) -> Result<Turn, WaitTooLong> {
        quota.turn(operation, about(user), CLIENT, Duration::ZERO).await
    }

    #[tokio::test]
    async fn a_retry_is_charged_and_a_turn_that_is_given_back_is_not() {
        let quota = broker(&["USER_READ=1/2"]).region("eu-west-1").unwrap();
        turn(&quota, READ, None).await.unwrap().give_back();
        let first = turn(&quota, READ, None).await.unwrap();
        first.spender().unwrap().retried();
        let refused = turn(&quota, READ, None).await.unwrap_err();
        assert_eq!(refused.quota, Quota::Category(QuotaCategory::UserRead));
    }

    #[tokio::test]
    async fn throttling_takes_what_is_left_and_slows_what_follows() {
        let quota = broker(&["USER_READ=1/10"]).region("eu-west-1").unwrap();
        let first = turn(&quota, READ, None).await.unwrap();
        first.spender().unwrap().throttled();
        let refused = turn(&quota, READ, None).await.unwrap_err();
        assert!(refused.retry_after > Duration::from_secs(1), "an interval of the reduced quota: {refused}");
    }

    #[tokio::test]
    async fn what_is_refused_by_the_category_takes_nothing_from_the_user() {
        let quota = broker(&["USER_READ=1/1", "ONE_USER_READ=1/2"]).region("eu-west-1").unwrap();
        turn(&quota, READ, Some("user")).await.unwrap();
        for _ in 0..4 {
            let refused = turn(&quota, READ, Some("user")).await.unwrap_err();
            assert_eq!(refused.quota, Quota::Category(QuotaCategory::UserRead));
        }
    }

    #[tokio::test]
    async fn what_an_operation_takes_must_be_left_after_its_turn() {
        let quota = broker(&["USER_READ=10/1"]).region("eu-west-1").unwrap();
        drop(turn(&quota, READ, None).await.unwrap());
        // The next turn is 100 ms away, and an operation takes about 90.
        let hurried = quota.turn(READ, about(None), CLIENT, Duration::from_millis(120)).await.unwrap_err();
        assert!(hurried.retry_after <= Duration::from_millis(100), "{hurried}");
        quota.turn(READ, about(None), CLIENT, Duration::from_secs(10)).await.unwrap();
    }

    #[test]
    fn regions_that_are_made_up_are_forgotten_and_those_in_use_are_not() {
        let broker = broker(&["USER_READ=1/1"]);
        let held = broker.region("held").unwrap();
        for number in 0..4 * MAX_REGIONS {
            broker.region(&format!("made-up-{number}")).unwrap();
        }
        assert!(broker.0.regions.lock().unwrap().len() <= MAX_REGIONS + 1);
        assert!(Arc::ptr_eq(&held, &broker.region("held").unwrap()));
        assert!(Broker::new(Quotas::unlimited(), Shares::default()).region("any").is_none());
    }
}
