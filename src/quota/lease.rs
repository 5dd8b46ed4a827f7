//! The tokens of one category that this replica has from the store: taken without asking for each, and from its own part of the quota
//! while the store is away.

use std::collections::VecDeque;
use std::num::NonZero;
use std::pin::Pin;
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::error::chain;
use crate::quota::bucket::{Nanos, Pace};
use crate::quota::clock::Clock;
use crate::quota::factor::as_nanos;
use crate::quota::store::{Granted, Request, Store, StoreError, TIMEOUT};

/// How far in the future tokens are asked for: far enough for one request for several, and near enough for other replicas.
const AHEAD: Duration = Duration::from_millis(200);

/// How long a token is kept that nobody takes. Others could have it.
const KEPT: Duration = Duration::from_secs(1);

/// How often a store that is away is tried.
const TRY_INTERVAL: Duration = Duration::from_secs(1);

/// The most tokens of one request.
const MAX_WANTED: u32 = 1000;

/// The most retries that are charged by one request. The store has them owed for a second at most.
const MAX_CHARGED: u32 = 100;

/// The longest time between two tokens that is believed: a pause of the demand is none.
const MAX_INTERVAL: Nanos = 1_000_000_000;

/// The part of a quota that each of so many replicas has by itself.
pub(super) fn part(pace: Pace, replicas: NonZero<u32>) -> Pace {
    let burst = pace.tolerance / pace.interval.max(1) + 1;
    let burst = u32::try_from(burst).unwrap_or(u32::MAX) / replicas;
    Pace::new(pace.interval.saturating_mul(u64::from(replicas.get())), burst.max(1))
}

/// Tokens from the store. A call that finds one takes no lock.
#[derive(Debug)]
pub(super) struct Lease {
    /// The tokens that may be used now.
    tokens: AtomicU32,
    /// How many were used since the store was asked.
    used: AtomicU32,
    /// The retries that the store does not know of yet.
    charged: AtomicU32,
    /// Whether Cognito has throttled since the store was asked.
    emptied: AtomicBool,
    /// Whether the store responds. While it does not, the replica has its own part.
    is_shared: AtomicBool,
    /// The time between two tokens of this replica lately.
    interval: AtomicU64,
    /// A token is missing, or something is to be charged.
    demand: Notify,
}

impl Lease {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            tokens: AtomicU32::new(0),
            used: AtomicU32::new(0),
            charged: AtomicU32::new(0),
            emptied: AtomicBool::new(false),
            // Until the store has responded: nobody waits for the first connection.
            is_shared: AtomicBool::new(false),
            interval: AtomicU64::new(pace.interval),
            demand: Notify::new(),
        }
    }

    /// Whether tokens come from the store.
    pub(super) fn is_shared(&self) -> bool {
        self.is_shared.load(Ordering::Relaxed)
    }

    /// The time between two tokens of this replica lately.
    pub(super) fn interval(&self) -> Nanos {
        self.interval.load(Ordering::Relaxed)
    }

    /// Takes a token, if there is one. The last one, or one that is missing, is demand for more.
    pub(super) fn try_take(&self) -> bool {
        let take = |tokens: u32| tokens.checked_sub(1);
        let before = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        if before.is_ok() {
            self.used.fetch_add(1, Ordering::Relaxed);
        }
        if before.unwrap_or(0) <= 1 {
            self.demand.notify_one();
        }
        before.is_ok()
    }

    pub(super) fn give_back(&self) {
        self.tokens.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn charge(&self) {
        self.charged.fetch_add(1, Ordering::Relaxed);
        self.demand.notify_one();
    }

    pub(super) fn empty(&self) {
        self.tokens.store(0, Ordering::Relaxed);
        self.emptied.store(true, Ordering::Relaxed);
        self.demand.notify_one();
    }
}

/// What the task that asks for tokens needs to know of the category, which may be gone.
pub(super) trait Leased: Send + Sync + 'static {
    /// The tokens from the store; `None` ends the task.
    fn lease(&self) -> Option<&Lease>;
    /// The pace now, less where Cognito throttles.
    fn pace(&self, now: Nanos) -> Pace;
    /// The time between two tokens while Cognito does not throttle.
    fn whole_interval(&self) -> Nanos;
    /// How many calls wait.
    fn waiting(&self) -> usize;
    /// Hands out the tokens that there are.
    fn hand_out(&self, now: Nanos);
}

/// A request that is on its way, and the time at which it began.
type InFlight = Pin<Box<dyn Future<Output = (Nanos, Result<Granted, StoreError>)> + Send>>;

/// Asks the store for tokens as long as there is the category.
pub(super) struct Task<C> {
    pub(super) store: Store,
    pub(super) clock: Clock,
    /// The name of the bucket.
    pub(super) bucket: String,
    /// The category, while it is used.
    pub(super) category: Weak<C>,
}

/// What the task knows between its steps.
#[derive(Debug, Default)]
struct Progress {
    /// When the tokens that were granted may be used.
    due: VecDeque<Nanos>,
    /// When the store may be asked again.
    ask_from: Nanos,
    /// When it was asked last, and how long that took.
    asked: Nanos,
    took: Nanos,
    /// When tokens were granted last.
    granted: Nanos,
    /// When a token was released last.
    released: Nanos,
    is_away: bool,
}

impl<C: Leased> Task<C> {
    pub(super) async fn run(self) {
        let mut progress = Progress::default();
        let mut request: Option<InFlight> = None;
        while let Some(category) = self.category.upgrade() {
            let (Some(lease), now) = (category.lease(), self.clock.now()) else { return };
            progress.release(&*category, lease, now);
            let overdue_at = progress.asked + as_nanos(TIMEOUT);
            if request.is_some() && now >= overdue_at && lease.is_shared() {
                self.away(&*category, lease, &mut progress, &StoreError::Timeout);
            }
            let asks_at = if request.is_some() { None } else { progress.asks_at(&*category, lease, now) };
            if asks_at.is_some_and(|at| at <= now) {
                request = Some(self.ask(progress.request(&*category, lease, now)));
                progress.asked = now;
                continue;
            }
            let overdue_at = (request.is_some() && lease.is_shared()).then_some(overdue_at);
            let next = progress.due.front().copied().into_iter().chain(asks_at).chain(overdue_at).min();
            let wakes_at = next.unwrap_or(now + as_nanos(KEPT));
            let answered = async {
                match &mut request {
                    Some(request) => request.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                (began, answer) = answered => {
                    request = None;
                    self.answered(&*category, lease, &mut progress, (began, answer));
                }
                () = lease.demand.notified() => {}
                () = self.clock.sleep_until(wakes_at) => {}
            }
        }
    }

    fn ask(&self, request: Request) -> InFlight {
        let (store, bucket, clock) = (self.store.clone(), self.bucket.clone(), self.clock);
        Box::pin(async move {
            let began = clock.now();
            (began, store.take(&bucket, request).await)
        })
    }

    fn answered(
        &self,
        category: &C,
        lease: &Lease,
        progress: &mut Progress,
        (began, answer): (Nanos, Result<Granted, StoreError>),
    ) {
        let now = self.clock.now();
        match answer {
            Ok(granted) => {
                progress.took = now.saturating_sub(began);
                progress.measure(category, lease, granted, now);
                progress.grant(granted, category.pace(now), now);
                if progress.is_away {
                    progress.is_away = false;
                    tracing::info!(store = %self.store.url(), bucket = self.bucket, "quota store back, quota shared again");
                }
                lease.is_shared.store(true, Ordering::Relaxed);
            }
            Err(error) => {
                progress.ask_from = now + as_nanos(TRY_INTERVAL);
                self.away(category, lease, progress, &error);
            }
        }
    }

    /// Goes on with the replica's own part.
    fn away(&self, category: &C, lease: &Lease, progress: &mut Progress, error: &StoreError) {
        progress.due.clear();
        if !progress.is_away {
            progress.is_away = true;
            let (store, cause) = (self.store.url(), chain(error));
            tracing::warn!(%store, bucket = self.bucket, cause, "quota store away, each replica has its part");
        }
        lease.is_shared.store(false, Ordering::Relaxed);
        lease.tokens.store(0, Ordering::Relaxed);
        category.hand_out(self.clock.now());
    }
}

impl Progress {
    /// Releases the tokens that are due, and forgets those that nobody has taken for long.
    fn release(&mut self, category: &impl Leased, lease: &Lease, now: Nanos) {
        let before = self.due.len();
        while self.due.pop_front_if(|due| *due <= now).is_some() {
            lease.tokens.fetch_add(1, Ordering::Relaxed);
        }
        if self.due.len() < before {
            self.released = now;
            category.hand_out(now);
        } else if now.saturating_sub(self.released) > as_nanos(KEPT) && self.due.is_empty() {
            lease.tokens.store(0, Ordering::Relaxed);
        }
    }

    /// How many tokens are missing: for those who wait, and for as many as came lately in the time that one request is for.
    fn missing(&self, category: &impl Leased, lease: &Lease, now: Nanos) -> u32 {
        let period = now.saturating_sub(self.asked).max(as_nanos(AHEAD));
        let used = u64::from(lease.used.load(Ordering::Relaxed));
        let expected = u32::try_from(used * as_nanos(AHEAD) / period).unwrap_or(MAX_WANTED);
        let waiting = u32::try_from(category.waiting()).unwrap_or(MAX_WANTED);
        let there =
            u32::try_from(self.due.len()).unwrap_or(MAX_WANTED).saturating_add(lease.tokens.load(Ordering::Relaxed));
        waiting.saturating_add(expected).min(MAX_WANTED).saturating_sub(there)
    }

    /// When the store is to be asked, if it is: so early that the next tokens are there when these are used up.
    fn asks_at(&self, category: &impl Leased, lease: &Lease, now: Nanos) -> Option<Nanos> {
        if self.is_away || !lease.is_shared() {
            return Some(self.ask_from);
        }
        let charged = lease.charged.load(Ordering::Relaxed) > 0 || lease.emptied.load(Ordering::Relaxed);
        if !charged && self.missing(category, lease, now) == 0 {
            return None;
        }
        let used_up = self.due.back().map_or(now, |last| last.saturating_sub(2 * self.took));
        Some(used_up.max(self.ask_from))
    }

    fn request(&self, category: &impl Leased, lease: &Lease, now: Nanos) -> Request {
        let wanted = self.missing(category, lease, now);
        lease.used.store(0, Ordering::Relaxed);
        let charge = |charged: u32| Some(charged.saturating_sub(MAX_CHARGED));
        let charged = lease.charged.fetch_update(Ordering::Relaxed, Ordering::Relaxed, charge).unwrap_or_default();
        Request {
            pace: category.pace(now),
            whole_interval: category.whole_interval(),
            // What is on its way while the store responds is ahead as well.
            ahead: AHEAD + Duration::from_nanos(self.took.min(as_nanos(AHEAD))),
            wanted,
            charged: charged.min(MAX_CHARGED),
            emptied: lease.emptied.swap(false, Ordering::Relaxed),
        }
    }

    /// How fast tokens come to this replica: as fast as the quota allows while nobody waits.
    fn measure(&mut self, category: &impl Leased, lease: &Lease, granted: Granted, now: Nanos) {
        let allowed = category.pace(now).interval;
        if granted.tokens == 0 {
            return;
        }
        let interval = now.saturating_sub(self.granted) / u64::from(granted.tokens);
        let before = lease.interval();
        let after =
            if category.waiting() == 0 { allowed } else { before - before / 4 + interval.min(MAX_INTERVAL) / 4 };
        lease.interval.store(after.max(allowed), Ordering::Relaxed);
        self.granted = now;
    }

    fn grant(&mut self, granted: Granted, pace: Pace, now: Nanos) {
        let Granted { tokens, full_in } = granted;
        let full = now.saturating_add(full_in.saturating_mul(1000));
        for number in 0..u64::from(tokens) {
            let usable = full.saturating_add(number.saturating_mul(pace.interval)).saturating_sub(pace.tolerance);
            self.due.push_back(usable.max(now));
        }
        self.ask_from = if tokens == 0 {
            // Until one is near enough.
            full.saturating_sub(pace.tolerance).saturating_sub(as_nanos(AHEAD)).max(now + 1_000_000)
        } else {
            now
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Nanos = 1_000_000;
    const PACE: Pace = Pace { interval: 10 * MILLI, tolerance: 20 * MILLI };

    /// A category in which so many calls wait.
    struct Waiting(Lease, usize);

    impl Leased for Waiting {
        fn lease(&self) -> Option<&Lease> {
            Some(&self.0)
        }

        fn pace(&self, _: Nanos) -> Pace {
            PACE
        }

        fn whole_interval(&self) -> Nanos {
            PACE.interval
        }

        fn waiting(&self) -> usize {
            self.1
        }

        fn hand_out(&self, _: Nanos) {}
    }

    fn waiting(number: usize) -> Waiting {
        let lease = Lease::new(PACE);
        lease.is_shared.store(true, Ordering::Relaxed);
        Waiting(lease, number)
    }

    fn granted(tokens: u32, full_in_ms: u64) -> Granted {
        Granted { tokens, full_in: full_in_ms * 1000 }
    }

    #[test]
    fn a_part_is_of_the_rate_and_of_the_burst_and_one_token_at_least() {
        let replicas = |number| NonZero::new(number).unwrap();
        assert_eq!(part(PACE, replicas(1)), PACE);
        assert_eq!(part(PACE, replicas(3)), Pace { interval: 30 * MILLI, tolerance: 0 });
        assert_eq!(part(Pace::new(MILLI, 12), replicas(4)), Pace::new(4 * MILLI, 3));
    }

    #[test]
    fn tokens_are_released_when_they_are_due_and_not_before() {
        let (of, mut progress, now) = (waiting(5), Progress::default(), 1000 * MILLI);
        // The bucket has two tokens, since it will be full in no time.
        progress.grant(granted(5, 0), PACE, now);
        for (at, there) in [(0, 3), (9, 3), (10, 4), (20, 5), (900, 5)] {
            progress.release(&of, &of.0, now + at * MILLI);
            assert_eq!(of.0.tokens.load(Ordering::Relaxed), there, "after {at} ms");
        }
        progress.release(&of, &of.0, now + 1100 * MILLI);
        assert_eq!(of.0.tokens.load(Ordering::Relaxed), 0, "nobody has taken them for a second");
    }

    #[test]
    fn as_much_is_asked_for_as_waits_and_came_lately_and_is_not_there_yet() {
        let (of, mut progress) = (waiting(3), Progress { asked: 1000 * MILLI, ..Progress::default() });
        let now = 2000 * MILLI;
        assert_eq!(progress.missing(&of, &of.0, now), 3);
        of.0.used.store(20, Ordering::Relaxed);
        assert_eq!(progress.missing(&of, &of.0, now), 3 + 4, "20 a second are 4 in 200 ms");
        of.0.tokens.store(1, Ordering::Relaxed);
        progress.due.push_back(now + MILLI);
        assert_eq!(progress.request(&of, &of.0, now).wanted, 5);
        assert_eq!(progress.missing(&of, &of.0, now), 1, "what was used is forgotten");
        let none = waiting(0);
        assert_eq!(Progress::default().asks_at(&none, &none.0, now), None);
    }

    #[test]
    fn retries_and_throttling_are_told_to_the_store_once_and_not_all_at_once() {
        let (of, progress) = (waiting(0), Progress::default());
        for _ in 0..MAX_CHARGED + 7 {
            of.0.charge();
        }
        of.0.empty();
        let now = 1000 * MILLI;
        assert!(progress.asks_at(&of, &of.0, now).is_some());
        let told =
            [(); 3].map(|()| progress.request(&of, &of.0, now)).map(|request| (request.charged, request.emptied));
        assert_eq!(told, [(MAX_CHARGED, true), (7, false), (0, false)]);
    }

    #[test]
    fn a_store_without_tokens_is_asked_again_when_there_is_one() {
        let (of, mut progress, now) = (waiting(1), Progress::default(), 1000 * MILLI);
        progress.grant(granted(0, 500), PACE, now);
        // Full in 500 ms, so there is a token 20 ms before, and it is granted 200 ms ahead.
        assert_eq!(progress.asks_at(&of, &of.0, now), Some(now + 280 * MILLI));
        progress.is_away = true;
        progress.ask_from = now + 7;
        assert_eq!(progress.asks_at(&of, &of.0, now), Some(now + 7));
    }

    #[test]
    fn a_token_that_is_taken_is_gone_and_one_that_is_given_back_is_there() {
        let lease = Lease::new(PACE);
        assert!(!lease.try_take());
        lease.give_back();
        assert!(lease.try_take() && !lease.try_take());
        assert_eq!(lease.used.load(Ordering::Relaxed), 1);
    }
}
