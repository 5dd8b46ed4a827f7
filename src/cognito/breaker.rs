//! The circuit breaker of one Region: while Cognito does not respond there, calls are refused at once, but for a probe now and then.
//!
//! Without it, each call before a Region that is down would hold an operation, a connection and its caller for as long as an operation
//! may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long operations are counted together.
const WINDOW: Duration = Duration::from_secs(5);

/// The least number of operations in a window that says something of the Region.
const MIN_OPERATIONS: u32 = 20;

/// The pause before the first probe.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause: each probe that fails doubles it.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// How long after its last refusal or probe an open circuit says something of the Region. Without calls nothing probes it.
const STALE: Duration = Duration::from_mins(1);

/// What an operation tells of its Region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Cognito responded, if only to refuse.
    Responded,
    /// It did not, or something else responded in its place.
    Failed,
    /// Nothing: nothing was sent, or its caller gave it less time than an operation may take.
    Unknown,
}

/// The circuit breaker of a Region, shared by all workers. A call through a closed circuit takes no lock.
#[derive(Debug)]
pub(super) struct Breaker {
    region: String,
    start: Instant,
    /// The operations of this window and half of those of the last one: the window's number, the failures, and all.
    window: AtomicU64,
    /// 0 while the circuit is closed, else the millisecond from which the next probe may go.
    probe_at: AtomicU64,
    /// The failures of probes since the circuit opened.
    failed_probes: AtomicU32,
    /// Whether Cognito has ever responded in the Region. Callers can make Regions up.
    responded: AtomicBool,
}

/// An operation that may go. Without a verdict it tells nothing.
#[derive(Debug)]
pub(super) struct Passage {
    breaker: Arc<Breaker>,
    is_probe: bool,
}

/// The state of a Region, as health has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RegionState {
    /// It responds, or nothing is known of it.
    Available,
    /// Its circuit is open.
    Failing,
    /// Its circuit is open, and it has never responded.
    NeverAvailable,
}

impl Breaker {
    pub(super) fn new(region: &str) -> Self {
        Self {
            region: region.to_owned(),
            start: Instant::now(),
            window: AtomicU64::new(0),
            probe_at: AtomicU64::new(0),
            failed_probes: AtomicU32::new(0),
            responded: AtomicBool::new(false),
        }
    }

    fn now(&self) -> u64 {
        // Zero is for a circuit that is closed.
        millis(self.start.elapsed()).saturating_add(1)
    }

    /// Lets an operation pass, or says how long no other will.
    pub(super) fn enter(self: &Arc<Self>) -> Result<Passage, Duration> {
        self.enter_at(self.now())
    }

    fn enter_at(self: &Arc<Self>, now: u64) -> Result<Passage, Duration> {
        let probe_at = self.probe_at.load(Ordering::Relaxed);
        let passage = |is_probe| Passage { breaker: Arc::clone(self), is_probe };
        if probe_at == 0 {
            return Ok(passage(false));
        }
        let pause = self.pause();
        if now < probe_at {
            return Err(Duration::from_millis(probe_at - now));
        }
        // The next probe need not wait for the end of this one, which may take long.
        let next = now.saturating_add(millis(pause));
        match self.probe_at.compare_exchange(probe_at, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Ok(passage(true)),
            Err(0) => Ok(passage(false)),
            Err(_) => Err(pause),
        }
    }

    /// Whether the Region is available, as far as recent calls tell.
    pub(super) fn state(&self) -> RegionState {
        self.state_at(self.now())
    }

    fn state_at(&self, now: u64) -> RegionState {
        let probe_at = self.probe_at.load(Ordering::Relaxed);
        if probe_at == 0 || now > probe_at.saturating_add(millis(STALE)) {
            RegionState::Available
        } else if self.responded.load(Ordering::Relaxed) {
            RegionState::Failing
        } else {
            RegionState::NeverAvailable
        }
    }

    /// The pause before the next probe, doubled for each that failed.
    fn pause(&self) -> Duration {
        let doublings = self.failed_probes.load(Ordering::Relaxed).min(16);
        FIRST_PAUSE.saturating_mul(1 << doublings).min(MAX_PAUSE)
    }

    fn end(&self, is_probe: bool, verdict: Verdict, now: u64) {
        if verdict == Verdict::Responded {
            self.responded.store(true, Ordering::Relaxed);
        }
        match (is_probe, verdict) {
            (_, Verdict::Unknown) => {}
            (true, Verdict::Responded) => self.close(),
            (true, Verdict::Failed) => {
                self.failed_probes.fetch_add(1, Ordering::Relaxed);
                self.open(now);
            }
            (false, verdict) => self.count(verdict == Verdict::Failed, now),
        }
    }

    fn close(&self) {
        self.window.store(0, Ordering::Relaxed);
        self.failed_probes.store(0, Ordering::Relaxed);
        if self.probe_at.swap(0, Ordering::Relaxed) != 0 {
            tracing::info!(parent: None, region = self.region, "Cognito responds again, circuit closed");
        }
    }

    fn open(&self, now: u64) {
        let pause = self.pause();
        if self.probe_at.swap(now.saturating_add(millis(pause)), Ordering::Relaxed) == 0 {
            // About the Region, and not about the call that happened to be the last one.
            tracing::warn!(parent: None, region = self.region, "Cognito does not respond, circuit opened");
        }
    }

    /// Counts an operation, and opens the circuit if half of the latest have failed. Those that were sent before it opened change
    /// nothing any more.
    fn count(&self, failed: bool, now: u64) {
        let number = now / millis(WINDOW);
        let add = |packed: u64| Some(Window::unpack(packed).at(number).with(failed).pack());
        // It cannot fail: the change is always made.
        let before = self.window.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).unwrap_or_default();
        let Window { failed: failures, all, .. } = Window::unpack(before).at(number).with(failed);
        let is_closed = self.probe_at.load(Ordering::Relaxed) == 0;
        if failed && is_closed && all >= MIN_OPERATIONS && failures * 2 >= all {
            self.open(now);
        }
    }
}

impl Passage {
    /// The operation has ended.
    pub(super) fn end(self, verdict: Verdict) {
        let now = self.breaker.now();
        self.breaker.end(self.is_probe, verdict, now);
    }
}

/// The operations that were counted lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    number: u64,
    failed: u32,
    all: u32,
}

/// The bits of each count.
const COUNT_BITS: u32 = 14;
const MAX_COUNT: u32 = (1 << COUNT_BITS) - 1;

impl Window {
    fn unpack(packed: u64) -> Self {
        let count = |packed: u64| u32::try_from(packed & u64::from(MAX_COUNT)).unwrap_or(MAX_COUNT);
        Self { number: packed >> (2 * COUNT_BITS), failed: count(packed >> COUNT_BITS), all: count(packed) }
    }

    fn pack(self) -> u64 {
        (self.number << (2 * COUNT_BITS)) | (u64::from(self.failed) << COUNT_BITS) | u64::from(self.all)
    }

    /// The window of this number: half of what was counted in the last one is kept.
    fn at(self, number: u64) -> Self {
        match number.checked_sub(self.number) {
            Some(1) => Self { number, failed: self.failed / 2, all: self.all / 2 },
            Some(2..) => Self { number, failed: 0, all: 0 },
            Some(0) | None => self,
        }
    }

    /// With one more. What is full is halved, so that the share stays.
    fn with(self, failed: bool) -> Self {
        let Self { number, failed: failures, all } = self;
        let half = if all == MAX_COUNT { 2 } else { 1 };
        Self { number, failed: failures / half + u32::from(failed), all: all / half + 1 }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Arc<Breaker> {
        Arc::new(Breaker::new("eu-west-1"))
    }

    fn count(breaker: &Breaker, failed: bool, number: u32, now: u64) {
        for _ in 0..number {
            breaker.count(failed, now);
        }
    }

    fn passes(breaker: &Arc<Breaker>, now: u64) -> bool {
        breaker.enter_at(now).is_ok()
    }

    #[test]
    fn it_opens_when_half_of_enough_operations_fail() {
        for (responded, failed, opens) in
            [(0, 19, false), (0, 20, true), (20, 19, false), (20, 20, true), (3, 17, true)]
        {
            let breaker = breaker();
            count(&breaker, false, responded, 10);
            count(&breaker, true, failed, 10);
            assert_eq!(!passes(&breaker, 11), opens, "{responded} responded, {failed} failed");
        }
    }

    #[test]
    fn failures_of_long_ago_do_not_count() {
        let breaker = breaker();
        count(&breaker, true, 19, 10);
        count(&breaker, true, 9, 10_010);
        assert!(passes(&breaker, 10_011), "the window before last");
        count(&breaker, true, 11, 10_012);
        assert!(!passes(&breaker, 10_013));
    }

    #[test]
    fn an_open_circuit_has_one_probe_a_pause_which_closes_it_or_doubles_the_pause() {
        let breaker = breaker();
        count(&breaker, true, 20, 10);
        assert_eq!(breaker.enter_at(10).unwrap_err(), Duration::from_secs(1));
        let probe = breaker.enter_at(1010).unwrap();
        assert!(probe.is_probe && !passes(&breaker, 1010) && !passes(&breaker, 2009));
        breaker.end(true, Verdict::Failed, 1100);
        assert!(!passes(&breaker, 3099));
        // One without a verdict leaves the way to the next.
        drop(breaker.enter_at(3100).unwrap());
        assert!(!passes(&breaker, 5099) && breaker.enter_at(5100).unwrap().is_probe);
        breaker.end(true, Verdict::Responded, 5101);
        assert!(passes(&breaker, 5102) && passes(&breaker, 5102));
        count(&breaker, true, 20, 5200);
        assert_eq!(breaker.enter_at(5200).unwrap_err(), FIRST_PAUSE);
    }

    #[test]
    fn the_pause_has_a_maximum() {
        let breaker = breaker();
        count(&breaker, true, 20, 10);
        for _ in 0..100 {
            breaker.end(true, Verdict::Failed, 20);
        }
        assert_eq!(breaker.enter_at(20).unwrap_err(), MAX_PAUSE);
    }

    #[test]
    fn what_was_sent_before_it_opened_neither_closes_it_nor_delays_the_probe() {
        let breaker = breaker();
        count(&breaker, true, 20, 10);
        breaker.end(false, Verdict::Responded, 500);
        breaker.end(false, Verdict::Failed, 600);
        assert!(!passes(&breaker, 1009) && passes(&breaker, 1010));
    }

    #[test]
    fn a_region_that_never_responded_is_told_from_one_that_fails_and_silence_says_nothing() {
        let breaker = breaker();
        assert_eq!(breaker.state_at(9), RegionState::Available);
        count(&breaker, true, 20, 10);
        assert_eq!(breaker.state_at(11), RegionState::NeverAvailable);
        breaker.end(false, Verdict::Responded, 12);
        assert_eq!(breaker.state_at(13), RegionState::Failing);
        assert_eq!(breaker.state_at(1010 + 60_001), RegionState::Available);
    }

    #[test]
    fn a_window_that_is_full_keeps_its_share() {
        let mut window = Window { number: 3, failed: 0, all: 0 };
        for number in 0..3 * MAX_COUNT {
            window = window.with(number % 4 == 0);
            assert_eq!(Window::unpack(window.pack()), window);
        }
        let share = f64::from(window.failed) / f64::from(window.all);
        assert!((share - 0.25).abs() < 0.01, "{share}");
    }
}
