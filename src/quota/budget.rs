//! One budget: a bucket of tokens, and the line of those that wait for one.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::domain::Priority;
use crate::quota::bucket::{Bucket, Nanos, Pace};
use crate::quota::clock::Clock;
use crate::quota::factor::{Factor, as_nanos};
use crate::quota::lease::Lease;
use crate::quota::queue::{Place, Queue};

/// The most that may wait for one budget. The deadlines of calls usually allow far fewer.
const MAX_WAITING: usize = 4096;

/// How long the first in the line waits for the store before it looks again whether the store is there.
const STORE_TIMER: Duration = Duration::from_millis(100);

/// Who asks for a turn.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// The name of the caller. Those without one are one caller.
    pub caller: &'a str,
    /// How urgent the call is.
    pub priority: Priority,
}

/// The turn of a call does not come in time. After this time, a call with as much time would have its turn, if no others came
/// meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLate(pub(super) Duration);

/// The pace of a budget, less where Cognito throttles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowed<'a> {
    pub(super) pace: Pace,
    pub(super) factor: Option<&'a Factor>,
    /// The tokens from the store, where replicas share them.
    pub(super) lease: Option<&'a Lease>,
}

impl<'a> Allowed<'a> {
    /// The tokens from the store, unless it is away.
    fn shared(self) -> Option<&'a Lease> {
        self.lease.filter(|lease| lease.is_shared())
    }

    fn try_take(self, bucket: &Bucket, now: Nanos) -> bool {
        match self.shared() {
            Some(lease) => lease.try_take(),
            None => bucket.try_take(now, self.at(now)),
        }
    }

    /// The time between two tokens, and when the next one comes as far as that is known: the store says so when it comes.
    fn outlook(self, bucket: &Bucket, now: Nanos) -> (Nanos, Nanos) {
        let pace = self.at(now);
        match self.shared() {
            // Tokens come in groups, and other replicas have theirs: a call that waits must have time to spare.
            Some(lease) => (lease.interval().max(pace.interval) / 4 * 5, now),
            None => (pace.interval, bucket.ready_at(pace)),
        }
    }
}

impl Allowed<'_> {
    pub(super) fn at(self, now: Nanos) -> Pace {
        self.factor.map_or(self.pace, |factor| factor.apply(now, self.pace))
    }
}

/// A bucket and its line. There are thousands, most of them never used: the line is made when the first call waits.
#[derive(Debug, Default)]
pub(super) struct Budget {
    bucket: Bucket,
    /// How many wait. Where it is 0, a token is taken without a lock.
    waiting: AtomicUsize,
    line: Mutex<Option<Box<Line>>>,
}

#[derive(Debug, Default)]
struct Line {
    queue: Queue<Arc<Notice>>,
    /// The call that has the timer for the next token. It hands out the tokens of all, so the others have no timer but their own limit.
    leader: Option<u64>,
}

/// What a call that waits is told.
#[derive(Debug, Default)]
struct Notice {
    wake: Notify,
    /// Written with the lock of the line.
    granted: AtomicBool,
}

/// What a call that waits does next.
enum Step {
    Granted,
    /// Hands out tokens at this time.
    Lead(Nanos),
    Follow,
}

impl Budget {
    /// Takes a token, when it is the call's turn. Refused if that would be after `latest`.
    pub(super) async fn take(
        &self,
        clock: Clock,
        allowed: Allowed<'_>,
        (client, share): (Client<'_>, u32),
        latest: Nanos,
    ) -> Result<(), TooLate> {
        let now = clock.now();
        if self.waiting.load(Ordering::Acquire) == 0 && allowed.try_take(&self.bucket, now) {
            return Ok(());
        }
        let Some(mut waiter) = self.join((clock, now), allowed, (client, share), latest)? else { return Ok(()) };
        loop {
            let now = clock.now();
            let until = match waiter.step(now, allowed) {
                Step::Granted => return Ok(()),
                _ if now >= latest => break,
                Step::Lead(at) => at.min(latest),
                Step::Follow => latest,
            };
            tokio::select! {
                () = waiter.notice.wake.notified() => {}
                () = clock.sleep_until(until) => {}
            }
        }
        drop(waiter);
        // Others came in between that have their turn before.
        let (interval, _) = allowed.outlook(&self.bucket, now);
        let ahead = self.line().as_ref().map_or(0, |line| line.queue.ahead(client.caller, share, client.priority));
        Err(TooLate(Duration::from_nanos(interval.saturating_mul(ahead as u64 + 1))))
    }

    /// Joins the line, unless there is a token after all.
    fn join<'a>(
        &'a self,
        (clock, now): (Clock, Nanos),
        allowed: Allowed<'a>,
        (client, share): (Client<'_>, u32),
        latest: Nanos,
    ) -> Result<Option<Waiter<'a>>, TooLate> {
        let mut line = self.line();
        let line = line.get_or_insert_default();
        self.hand_out_in(line, now, allowed);
        if line.queue.len() == 0 && allowed.try_take(&self.bucket, now) {
            return Ok(None);
        }
        let ahead = line.queue.ahead(client.caller, share, client.priority) as u64;
        let (interval, next) = allowed.outlook(&self.bucket, now);
        let turn = next.max(now).saturating_add(interval.saturating_mul(ahead));
        // Whoever has much of the line leaves the rest to others, so that it is never full for one that comes new.
        let is_full = line.queue.waiting(client.caller) >= MAX_WAITING.saturating_sub(line.queue.len());
        if turn > latest || is_full {
            // Where the line is full, what lacks is a place in it.
            let late = if turn > latest { turn - latest } else { interval };
            return Err(TooLate(Duration::from_nanos(late)));
        }
        let notice = Arc::<Notice>::default();
        let joined = line.queue.push(client.caller, share, client.priority, Arc::clone(&notice));
        self.waiting.store(line.queue.len(), Ordering::Release);
        Ok(Some(Waiter { budget: self, clock, allowed, place: joined, notice, taken: false }))
    }

    /// Gives the tokens that are there to those whose turn it is.
    fn hand_out_in(&self, line: &mut Line, now: Nanos, allowed: Allowed<'_>) {
        while line.queue.len() > 0 && allowed.try_take(&self.bucket, now) {
            let Some((id, notice)) = line.queue.pop() else { break };
            if line.leader == Some(id) {
                line.leader = None;
            }
            notice.granted.store(true, Ordering::Relaxed);
            notice.wake.notify_one();
        }
        self.waiting.store(line.queue.len(), Ordering::Release);
    }

    /// Gives the tokens that are there to those whose turn it is.
    pub(super) fn hand_out(&self, now: Nanos, allowed: Allowed<'_>) {
        if self.waiting.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut line = self.line();
        let line = line.get_or_insert_default();
        self.hand_out_in(line, now, allowed);
        // Where tokens came from has changed, perhaps, and so when the next one comes.
        line.wake_leader();
    }

    /// How many calls wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    /// Charges what was not asked for: a retry of the SDK.
    pub(super) fn charge(&self, now: Nanos, allowed: Allowed<'_>) {
        match allowed.shared() {
            Some(lease) => lease.charge(),
            None => self.bucket.charge(now, allowed.at(now)),
        }
    }

    /// Takes every token that is there.
    pub(super) fn empty(&self, now: Nanos, allowed: Allowed<'_>) {
        match allowed.shared() {
            Some(lease) => lease.empty(),
            None => self.bucket.empty(now, allowed.at(now)),
        }
    }

    /// Puts back a token that was not used.
    pub(super) fn give_back(&self, now: Nanos, allowed: Allowed<'_>) {
        match allowed.shared() {
            Some(lease) => lease.give_back(),
            None => self.bucket.give_back(allowed.at(now)),
        }
    }

    /// Whether a new budget would be the same.
    pub(super) fn is_unused(&self, now: Nanos) -> bool {
        self.waiting.load(Ordering::Acquire) == 0 && self.bucket.is_full(now)
    }

    fn line(&self) -> MutexGuard<'_, Option<Box<Line>>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call in the line. Dropping it takes the call out, and gives back a token that it was given and did not take.
struct Waiter<'a> {
    budget: &'a Budget,
    clock: Clock,
    allowed: Allowed<'a>,
    place: Place,
    notice: Arc<Notice>,
    taken: bool,
}

impl Waiter<'_> {
    /// Hands out what there is, and says what this call does next.
    fn step(&mut self, now: Nanos, allowed: Allowed<'_>) -> Step {
        let mut line = self.budget.line();
        let line = line.get_or_insert_default();
        self.budget.hand_out_in(line, now, allowed);
        if self.notice.granted.load(Ordering::Relaxed) {
            self.taken = true;
            line.elect();
            return Step::Granted;
        }
        if *line.leader.get_or_insert(self.place.id) == self.place.id {
            let (_, next) = allowed.outlook(&self.budget.bucket, now);
            // The store's tokens wake whoever has them; the timer is for a store that goes meanwhile.
            Step::Lead(if allowed.shared().is_some() { now + as_nanos(STORE_TIMER) } else { next })
        } else {
            Step::Follow
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let mut line = self.budget.line();
        let line = line.get_or_insert_default();
        if line.queue.remove(&self.place).is_none() {
            self.budget.give_back(self.clock.now(), self.allowed);
        }
        self.budget.waiting.store(line.queue.len(), Ordering::Release);
        line.leader = line.leader.filter(|leader| *leader != self.place.id);
        line.elect();
    }
}

impl Line {
    /// Wakes the call that has the timer.
    fn wake_leader(&mut self) {
        self.leader = None;
        self.elect();
    }

    /// Wakes the first call if none leads, so that it does.
    fn elect(&self) {
        if self.leader.is_none()
            && let Some((_, notice)) = self.queue.first()
        {
            notice.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tokio::task::JoinSet;

    use super::*;

    /// Real time, but generous: these tests are about order and numbers, and none fails on a slow machine.
    const INTERVAL: Nanos = 2_000_000;
    const NEVER: Nanos = 3_600_000_000_000;

    fn client(caller: &str) -> (Client<'_>, u32) {
        (Client { caller, priority: Priority::Interactive }, 1)
    }

    fn allowed() -> Allowed<'static> {
        Allowed { pace: Pace::new(INTERVAL, 2), factor: None, lease: None }
    }

    #[tokio::test]
    async fn everybody_has_a_turn_and_none_comes_before_its_token() {
        const CALLS: usize = 50;
        let (budget, clock) = (Arc::new(Budget::default()), Clock::start());
        let mut calls = JoinSet::new();
        for caller in ["a", "b"].into_iter().cycle().take(CALLS) {
            let budget = Arc::clone(&budget);
            calls.spawn(async move { budget.take(clock, allowed(), client(caller), NEVER).await });
        }
        while let Some(call) = calls.join_next().await {
            call.unwrap().unwrap();
        }
        assert!(clock.now() >= 48 * INTERVAL);
        assert_eq!(budget.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_turn_that_would_be_too_late_is_refused_at_once_with_the_time_that_lacks() {
        let (budget, clock, slow) = (Budget::default(), Clock::start(), Pace::new(NEVER, 1));
        let allowed = Allowed { pace: slow, factor: None, lease: None };
        budget.take(clock, allowed, client("a"), 0).await.unwrap();
        let refused = budget.take(clock, allowed, client("a"), clock.now() + 1_000_000_000).await.unwrap_err();
        // The token is an interval away from the first call, and this one has a second.
        let lacks = Duration::from_nanos(NEVER).saturating_sub(Duration::from_secs(1));
        assert!(refused.0 <= lacks && refused.0 > lacks / 2, "{refused:?}");
        assert_eq!(budget.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_caller_whose_calls_all_wait_leaves_places_in_the_line_for_others() {
        let (budget, clock) = (Arc::new(Budget::default()), Clock::start());
        let allowed = Allowed { pace: Pace::new(NEVER, 1), factor: None, lease: None };
        let mut calls = JoinSet::new();
        for caller in ["first", "second", "third"] {
            for _ in 0..MAX_WAITING {
                let budget = Arc::clone(&budget);
                calls.spawn(async move { budget.take(clock, allowed, client(caller), Nanos::MAX).await });
            }
        }
        // Each is polled, a few at a time, and joins the line or is refused.
        for _ in 0..calls.len() {
            tokio::task::yield_now().await;
        }
        let line = budget.line();
        let waiting = |caller| line.as_ref().unwrap().queue.waiting(caller);
        let numbers = ["first", "second", "third"].map(waiting);
        assert!(numbers[0] <= MAX_WAITING / 2 && numbers[2] >= MAX_WAITING / 8, "{numbers:?}");
        assert!(numbers.iter().sum::<usize>() < MAX_WAITING, "{numbers:?}");
    }

    #[tokio::test]
    async fn a_call_that_leaves_takes_no_token_and_the_next_leads() {
        let (budget, clock) = (Arc::new(Budget::default()), Clock::start());
        let take = |caller| {
            let budget = Arc::clone(&budget);
            tokio::spawn(async move { budget.take(clock, allowed(), client(caller), NEVER).await })
        };
        let mut taken = BTreeMap::new();
        for caller in ["leaves", "stays", "leaves", "stays", "leaves", "stays", "stays", "stays"] {
            taken.entry(caller).or_insert_with(Vec::new).push(take(caller));
        }
        tokio::task::yield_now().await;
        for call in &taken["leaves"] {
            call.abort();
        }
        for call in taken.remove("stays").unwrap() {
            call.await.unwrap().unwrap();
        }
        assert_eq!(budget.waiting.load(Ordering::Relaxed), 0);
        assert!(budget.line().as_ref().unwrap().leader.is_none());
    }
}
