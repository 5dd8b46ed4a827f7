//! What waits to be written: batches, in the order in which their records were handed over.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::audit::receipt::{AuditUnavailable, Outcome, Receipt, Waiters};

/// The size from which a batch takes no more records, in bytes. A record has some 700 bytes, so what is done once a batch is
/// shared by ninety of them, and more would save nothing; and a disk with a tenth of a megabyte a second still writes it within
/// the timeout of its records.
const MAX_BATCH_BYTES: usize = 64 * 1024;

/// What becomes of a line that cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is dropped and counted.
    Decision,
    /// It is kept.
    Mutation,
}

/// Lines without their line breaks, one after the other.
#[derive(Debug, Default)]
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
    /// Reopen the file, then as `Flush`.
    Reopen,
    /// Write what was kept.
    Flush,
}

impl Work {
    /// How many wait for it.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Lines(lines) => lines.len(),
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

/// What waits to be written. Whoever adds to it holds its lock for as long as copying a line takes.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    added: Condvar,
}

#[derive(Debug, Default)]
struct State {
    batches: VecDeque<Batch>,
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

    /// Wakes the thread for what was added, unless it is awake or has it already.
    pub(super) fn wake_for_lines(&self) {
        let state = self.lock();
        if !state.batches.is_empty() {
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
        state.batches.push_back(batch);
        self.wake(state);
        Ok(receipt)
    }

    /// What is to be done next; waits until there is something. `None` when the queue is empty and closed.
    pub(super) fn next(&self) -> Option<Batch> {
        let mut state = self.lock();
        loop {
            if let Some(batch) = state.batches.pop_front() {
                return Some(batch);
            }
            if state.closed {
                return None;
            }
            state.sleeps = true;
            state = self.added.wait(state).unwrap_or_else(PoisonError::into_inner);
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
        let batches = mem::take(&mut state.batches);
        drop(state);
        drop(batches);
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
            Some(Batch { work: Work::Reopen | Work::Flush, .. }) | None => false,
        }
    }
}
