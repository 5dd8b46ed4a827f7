//! What waits to be written: batches, in the order in which their records were handed over.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::audit::receipt::{AuditUnavailable, Outcome, Receipt, Waiters};

/// The size from which a batch takes no more records, in bytes. A record has some 700 bytes, so what is done once a batch is
/// shared by ninety of them, and more would save nothing; and a disk with a tenth of a megabyte a second still writes it within
/// the timeout of its records.
const MAX_BATCH_BYTES: usize = 64 * 1024;

/// The size from which a batch of refusals takes no more, in bytes: what a slow target takes in one go.
const MAX_REFUSAL_BATCH_BYTES: usize = 4 * 1024;

/// How many batches of refusals may wait.
const MAX_REFUSAL_BATCHES: usize = 64;

/// How many may wait before those whose refusals they are need not wait for them.
const PROMPT_REFUSAL_BATCHES: usize = 16;

/// A write of refusals that takes longer than this shows that the target is slow.
const FAST_WRITE: Duration = Duration::from_millis(1);

/// Refusals have a tenth of a slow target's time: so many times what they took, the others have it.
const REFUSAL_PAUSE: u32 = 9;

/// The longest pause of refusals.
const MAX_REFUSAL_PAUSE: Duration = Duration::from_secs(10);

/// What becomes of a line that cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is dropped and counted.
    Decision,
    /// It is kept.
    Mutation,
    /// As a decision. It is of somebody who did not authenticate, and waits until nothing else does.
    Refusal,
}

/// Lines without their line breaks, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// The kind of each line, and where it ends.
    ends: Vec<(Kind, usize)>,
}

impl Lines {
    pub(super) fn push(&mut self, kind: Kind, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.ends.push((kind, self.bytes.len()));
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Kind, &[u8])> {
        let starts = [0].into_iter().chain(self.ends.iter().map(|(_, end)| *end));
        let lines = starts.zip(&self.ends);
        lines.map(|(start, (kind, end))| (*kind, self.bytes.get(start..*end).unwrap_or_default()))
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

/// What the thread does at once.
#[derive(Debug)]
pub(super) enum Work {
    /// Write lines.
    Lines(Lines),
    /// Write lines of refusals.
    Refusals(Lines),
    /// Reopen the file, then as `Flush`.
    Reopen,
    /// Write what was kept.
    Flush,
}

impl Work {
    /// How many wait for it.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Lines(lines) | Self::Refusals(lines) => lines.len(),
            Self::Reopen | Self::Flush => 1,
        }
    }
}

/// Work, and those who wait for it. They are told if it is dropped.
#[derive(Debug)]
pub(super) struct Batch {
    work: Work,
    waiters: Waiters,
}

impl Batch {
    fn new(work: Work) -> Self {
        Self { work, waiters: Waiters::default() }
    }

    /// What is to be done.
    pub(super) fn work(&self) -> &Work {
        &self.work
    }

    /// Tells those who wait what became of it.
    pub(super) fn complete(&self, outcome: Outcome) {
        self.waiters.complete(outcome);
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.waiters.complete(Outcome::new(0, Some(AuditUnavailable::Closed)));
    }
}

/// What the thread finds in the queue.
#[derive(Debug)]
pub(super) enum Next {
    /// This is to be done.
    Batch(Batch),
    /// Nothing was to be done in time.
    Idle,
    /// Nothing is to be done any more.
    Closed,
}

/// What waits to be written. Whoever adds to it holds its lock for as long as copying a line takes.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    added: Condvar,
}

#[derive(Debug, Default)]
struct State {
    batches: VecDeque<Batch>,
    /// Refusals, which are written when there are no batches.
    refusals: VecDeque<Batch>,
    /// When refusals may be written again.
    refusals_from: Option<Instant>,
    /// Room of an earlier batch.
    spare: Lines,
    /// Whether the thread must be woken. While it writes it need not be.
    sleeps: bool,
    /// Nobody adds any more, or nobody takes.
    closed: bool,
}

impl Queue {
    /// Adds a line to the batch that is written next, or to the next that has room. Nobody is woken for it before
    /// [`Queue::wake_for_lines`].
    pub(super) fn add_line(&self, kind: Kind, line: &[u8]) -> Result<Receipt, AuditUnavailable> {
        let mut state = self.lock();
        if state.closed {
            return Err(AuditUnavailable::Closed);
        }
        if !state.has_room() {
            let lines = mem::take(&mut state.spare);
            state.batches.push_back(Batch::new(Work::Lines(lines)));
        }
        let Some(Batch { work: Work::Lines(lines), waiters }) = state.batches.back_mut() else {
            return Err(AuditUnavailable::Closed);
        };
        let receipt = waiters.receipt(lines.len());
        lines.push(kind, line);
        Ok(receipt)
    }

    /// Adds the line of a refusal, if there is room. While the target is slow, there is nothing to wait for.
    pub(super) fn add_refusal(&self, line: &[u8]) -> Result<Option<Receipt>, AuditUnavailable> {
        let mut state = self.lock();
        if state.closed {
            return Err(AuditUnavailable::Closed);
        }
        let has_room = |batch: &Batch| matches!(&batch.work, Work::Refusals(lines) if lines.bytes.len() + line.len() <= MAX_REFUSAL_BATCH_BYTES);
        if !state.refusals.back().is_some_and(has_room) {
            if state.refusals.len() >= MAX_REFUSAL_BATCHES {
                return Err(AuditUnavailable::Stalled);
            }
            state.refusals.push_back(Batch::new(Work::Refusals(Lines::default())));
        }
        let Some(Batch { work: Work::Refusals(lines), waiters }) = state.refusals.back_mut() else {
            return Err(AuditUnavailable::Closed);
        };
        let receipt = waiters.receipt(lines.len());
        lines.push(Kind::Refusal, line);
        let is_slow = state.refusals_from.is_some_and(|from| from > Instant::now());
        Ok((!is_slow && state.refusals.len() <= PROMPT_REFUSAL_BATCHES).then_some(receipt))
    }

    /// Refusals were written, and it took so long.
    pub(super) fn refusals_took(&self, took: Duration) {
        let pause = took.saturating_mul(REFUSAL_PAUSE).min(MAX_REFUSAL_PAUSE);
        self.lock().refusals_from = (took > FAST_WRITE).then(|| Instant::now() + pause);
    }

    /// Wakes the thread for what was added, unless it is awake or has it already.
    pub(super) fn wake_for_lines(&self) {
        let state = self.lock();
        if !state.batches.is_empty() || !state.refusals.is_empty() {
            self.wake(state);
        }
    }

    /// Adds other work, after all lines that were added, and wakes the thread.
    pub(super) fn add(&self, work: Work) -> Result<Receipt, AuditUnavailable> {
        let mut state = self.lock();
        if state.closed {
            return Err(AuditUnavailable::Closed);
        }
        let batch = Batch::new(work);
        let receipt = batch.waiters.receipt(0);
        let refusals = mem::take(&mut state.refusals);
        state.batches.extend(refusals);
        state.batches.push_back(batch);
        self.wake(state);
        Ok(receipt)
    }

    /// What is to be done next; waits until there is something, or until `until`.
    pub(super) fn next(&self, until: Option<Instant>) -> Next {
        let mut state = self.lock();
        loop {
            if let Some(batch) = state.batches.pop_front() {
                return Next::Batch(batch);
            }
            let now = Instant::now();
            let refusals_from = state.refusals_from.filter(|from| *from > now && !state.closed);
            if refusals_from.is_none()
                && let Some(batch) = state.refusals.pop_front()
            {
                return Next::Batch(batch);
            }
            if state.closed {
                return Next::Closed;
            }
            if until.is_some_and(|until| until <= now) {
                return Next::Idle;
            }
            let refusals_from = refusals_from.filter(|_| !state.refusals.is_empty());
            state.sleeps = true;
            state = match until.into_iter().chain(refusals_from).min() {
                Some(until) => {
                    let waited = self.added.wait_timeout(state, until.saturating_duration_since(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.added.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
            state.sleeps = false;
        }
    }

    /// Takes back the room of a batch.
    pub(super) fn recycle(&self, mut batch: Batch) {
        if let Work::Lines(lines) = &mut batch.work {
            lines.clear();
            self.lock().spare = mem::take(lines);
        }
    }

    /// Nothing can be added any more.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.wake(state);
    }

    /// Nothing is taken any more: whoever waits is told.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.closed = true;
        let (batches, refusals) = (mem::take(&mut state.batches), mem::take(&mut state.refusals));
        drop(state);
        drop((batches, refusals));
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let sleeps = mem::take(&mut state.sleeps);
        drop(state);
        if sleeps {
            self.added.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the last batch takes lines.
    fn has_room(&self) -> bool {
        match self.batches.back() {
            Some(Batch { work: Work::Lines(lines), .. }) => lines.bytes.len() < MAX_BATCH_BYTES,
            Some(Batch { work: Work::Refusals(_) | Work::Reopen | Work::Flush, .. }) | None => false,
        }
    }
}
