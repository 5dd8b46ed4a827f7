//! Waiting for a batch: one wake across threads for all that wait on a runtime.
//!
//! A wake from another thread costs a system call each on a current-thread runtime, and that of a task by its own runtime costs
//! nearly nothing. So the thread that writes wakes one waiter of each runtime, and the first of them that sees the outcome, or
//! leaves without having looked, wakes the rest.

use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use thiserror::Error;
use tokio::runtime::{self, Handle};

/// Why a record is not written. The caller of mfagate is told no more than that.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuditUnavailable {
    /// Writing failed.
    #[error("the audit log cannot be written: {0}")]
    Failed(String),
    /// Writing takes longer than a second, or too much waits to be written. The record may yet be written.
    #[error("the audit log takes too long to write")]
    Stalled,
    /// Nobody writes any more.
    #[error("the audit log is closed")]
    Closed,
}

/// What became of a batch: so many records of it are written, and the rest are not because of the error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    written: usize,
    error: Option<AuditUnavailable>,
}

impl Outcome {
    /// The first `written` records are written. The others are not, because of `error`.
    pub(super) fn new(written: usize, error: Option<AuditUnavailable>) -> Self {
        Self { written, error }
    }

    fn of(&self, position: usize) -> Result<(), AuditUnavailable> {
        if position < self.written { Ok(()) } else { Err(self.error.clone().unwrap_or(AuditUnavailable::Closed)) }
    }
}

/// Those who wait for a batch, and its outcome.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiters(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    outcome: Option<Outcome>,
    groups: Vec<Group>,
}

/// The waiters of one runtime.
#[derive(Debug)]
struct Group {
    /// Where the waiter is polled by no runtime, it is a group of its own.
    runtime: Option<runtime::Id>,
    /// `None` for those that have left.
    wakers: Vec<Option<Waker>>,
}

impl Waiters {
    /// Tells the outcome, unless one was told, and wakes one waiter of each runtime.
    pub(super) fn complete(&self, outcome: Outcome) {
        let mut state = self.lock();
        if state.outcome.is_some() {
            return;
        }
        state.outcome = Some(outcome);
        let first = |group: &mut Group| group.wakers.iter_mut().find_map(Option::take);
        let woken: Vec<Waker> = state.groups.iter_mut().filter_map(first).collect();
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }

    /// The receipt for the record at this position of the batch.
    pub(super) fn receipt(&self, position: usize) -> Receipt {
        Receipt { waiters: self.clone(), position, place: None }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Resolves when a record is written, or known not to be.
#[derive(Debug)]
pub(super) struct Receipt {
    waiters: Waiters,
    position: usize,
    /// Where it waits, once it was polled.
    place: Option<Place>,
}

/// A group, and the waker in it.
#[derive(Clone, Copy, Debug)]
struct Place(usize, usize);

impl Future for Receipt {
    type Output = Result<(), AuditUnavailable>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { waiters, position, place } = self.get_mut();
        let mut state = waiters.lock();
        if let Some(outcome) = &state.outcome {
            let outcome = outcome.of(*position);
            let others = state.others(place.take());
            drop(state);
            wake(others);
            return Poll::Ready(outcome);
        }
        let place = *place.get_or_insert_with(|| state.enter());
        let waker = state.waker(place);
        let before = waker.and_then(|waker| waker.replace(context.waker().clone()));
        // Dropping a waker may run code of its task.
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        let Some(place) = self.place.take() else { return };
        let mut state = self.waiters.lock();
        if state.outcome.is_some() {
            // It may be the one that was woken.
            let others = state.others(Some(place));
            drop(state);
            wake(others);
        } else {
            let waker = state.waker(place).and_then(Option::take);
            drop(state);
            drop(waker);
        }
    }
}

impl State {
    /// A place in the group of the current runtime.
    fn enter(&mut self) -> Place {
        let runtime = Handle::try_current().ok().map(|runtime| runtime.id());
        let known = self.groups.iter_mut().enumerate().find(|(_, group)| runtime.is_some() && group.runtime == runtime);
        if let Some((number, group)) = known {
            group.wakers.push(None);
            return Place(number, group.wakers.len() - 1);
        }
        self.groups.push(Group { runtime, wakers: vec![None] });
        Place(self.groups.len() - 1, 0)
    }

    fn waker(&mut self, Place(group, waker): Place) -> Option<&mut Option<Waker>> {
        self.groups.get_mut(group)?.wakers.get_mut(waker)
    }

    /// Those that the waiter at this place has to wake, now that there is an outcome.
    fn others(&mut self, place: Option<Place>) -> Vec<Option<Waker>> {
        if let Some(own) = place.and_then(|place| self.waker(place)) {
            *own = None;
        }
        let group = place.and_then(|Place(group, _)| self.groups.get_mut(group));
        group.map(|group| mem::take(&mut group.wakers)).unwrap_or_default()
    }
}

fn wake(wakers: Vec<Option<Waker>>) {
    wakers.into_iter().flatten().for_each(Waker::wake);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use tokio::runtime::{Builder, Runtime};

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A receipt that waits, and how often it was woken.
    struct Waiting {
        receipt: Receipt,
        wakes: Arc<Wakes>,
    }

    impl Waiting {
        /// On a runtime, or on none.
        fn start(waiters: &Waiters, position: usize, runtime: Option<&Runtime>) -> Self {
            let mut waiting = Self { receipt: waiters.receipt(position), wakes: Arc::default() };
            let _entered = runtime.map(Runtime::enter);
            assert!(waiting.poll().is_pending());
            waiting
        }

        fn poll(&mut self) -> Poll<Result<(), AuditUnavailable>> {
            let waker = Waker::from(Arc::clone(&self.wakes));
            Pin::new(&mut self.receipt).poll(&mut Context::from_waker(&waker))
        }
    }

    fn wakes<const N: usize>(waiting: [&Waiting; N]) -> [usize; N] {
        waiting.map(|waiting| waiting.wakes.0.load(Ordering::Relaxed))
    }

    fn runtime() -> Runtime {
        Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn one_waiter_of_each_runtime_is_woken_and_wakes_the_others() {
        let (one, other, waiters) = (runtime(), runtime(), Waiters::default());
        let start = |position, runtime| Waiting::start(&waiters, position, Some(runtime));
        let (mut first, second, mut third) = (start(0, &one), start(1, &one), start(2, &one));
        let (fourth, mut fifth) = (start(3, &other), start(4, &other));
        let failed = AuditUnavailable::Failed("full".to_owned());
        waiters.complete(Outcome::new(2, Some(failed.clone())));
        assert_eq!(wakes([&first, &second, &third, &fourth, &fifth]), [1, 0, 0, 1, 0]);

        assert_eq!(first.poll(), Poll::Ready(Ok(())));
        assert_eq!(wakes([&first, &second, &third, &fourth, &fifth]), [1, 1, 1, 1, 0]);
        assert_eq!(third.poll(), Poll::Ready(Err(failed.clone())));
        // Nobody has to be woken to see the outcome.
        assert_eq!(fifth.poll(), Poll::Ready(Err(failed)));
        assert_eq!(wakes([&first, &second, &third, &fourth, &fifth]), [1, 1, 1, 1, 0]);
    }

    #[test]
    fn a_waiter_that_leaves_keeps_nobody_waiting() {
        let (runtime, waiters) = (runtime(), Waiters::default());
        let start = |position| Waiting::start(&waiters, position, Some(&runtime));
        let (first, second, third, fourth) = (start(0), start(1), start(2), start(3));
        drop(first);
        waiters.complete(Outcome::new(4, None));
        assert_eq!(wakes([&second, &third, &fourth]), [1, 0, 0], "the first has left, so the next is woken");
        drop(second);
        assert_eq!(wakes([&third, &fourth]), [1, 1], "the one that was woken has left without a look");
        drop((third, fourth));
    }

    #[test]
    fn waiters_on_no_runtime_are_woken_one_by_one() {
        let waiters = Waiters::default();
        let (first, second) = (Waiting::start(&waiters, 0, None), Waiting::start(&waiters, 1, None));
        waiters.complete(Outcome::new(2, None));
        assert_eq!(wakes([&first, &second]), [1, 1]);
    }

    #[test]
    fn the_first_outcome_counts() {
        let waiters = Waiters::default();
        waiters.complete(Outcome::new(1, None));
        waiters.complete(Outcome::new(0, Some(AuditUnavailable::Closed)));
        let wakes = Arc::default();
        assert_eq!(Waiting { receipt: waiters.receipt(0), wakes }.poll(), Poll::Ready(Ok(())));
    }
}
