//! What the audit log hands over to the thread that writes, and what comes back.

use thiserror::Error;
use tokio::sync::oneshot;

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

/// Work for the thread, and where it reports the outcome.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) done: oneshot::Sender<Result<(), AuditUnavailable>>,
}

#[derive(Debug)]
pub(super) enum Work {
    /// Write a line, which is dropped if that fails.
    Decision(Vec<u8>),
    /// Write a line, which is kept if that fails.
    Mutation(Vec<u8>),
    /// Reopen the file, then as `Flush`.
    Reopen,
    /// Write what was kept.
    Flush,
}
