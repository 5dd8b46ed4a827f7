//! The audit log as its users see it: they hand over a record and wait until it is written.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use thiserror::Error;

use crate::audit::chain::{Chain, ChainKey};
use crate::audit::progress::Progress;
use crate::audit::queue::{Kind, Queue, Work};
use crate::audit::receipt::{AuditUnavailable, Receipt};
use crate::audit::record::{DecisionRecord, MutationRecord, RefusalsRecord};
use crate::audit::target::{AuditTarget, Open};
use crate::audit::username::{UsernameForm, UsernameRecord};
use crate::audit::writer::{Fsync, Writer};

/// The timeout of a record. A local disk takes microseconds; what takes this long has stalled, and reads must continue.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// The maximum number of decisions that wait to be written.
const MAX_WAITING: usize = 4096;

/// The audit log. After a drop, what was handed over is still written; [`AuditLog::flush`] waits for it.
#[derive(Debug)]
pub struct AuditLog {
    queue: Arc<Queue>,
    progress: Arc<Progress>,
    username: UsernameForm,
    limit: Duration,
}

/// Why the audit log could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The target cannot be written.
    #[error("the audit log {0} cannot be opened for writing")]
    Target(AuditTarget, #[source] io::Error),
    /// The target is none whose records can be forced to a disk.
    #[error("records on {0} cannot be forced to a disk: give --audit-log a file, or --audit-fsync never")]
    Fsync(AuditTarget, #[source] io::Error),
    /// The thread that writes could not be started.
    #[error("the thread that writes the audit log cannot be started")]
    Thread(#[source] io::Error),
}

impl AuditLog {
    /// Opens the target, which must be writable now. Records are chained if there is a key for that.
    pub fn open(
        target: AuditTarget,
        username: UsernameForm,
        chain: Option<ChainKey>,
        fsync: Fsync,
    ) -> Result<Self, OpenError> {
        let open = target.open().map_err(|error| OpenError::Target(target.clone(), error))?;
        if fsync != Fsync::Never {
            open.file.sync_data().map_err(|error| OpenError::Fsync(target.clone(), error))?;
        }
        let chain = chain.map(|key| Chain::resume(key, &target));
        Self::start(target, open, username, chain, fsync, WRITE_TIMEOUT)
    }

    fn start(
        target: AuditTarget,
        open: Open,
        username: UsernameForm,
        chain: Option<Chain>,
        fsync: Fsync,
        limit: Duration,
    ) -> Result<Self, OpenError> {
        let progress = Arc::new(Progress::new(&target));
        let writer = Writer::new(target, open, chain, Arc::clone(&progress), fsync);
        let queue = Arc::new(Queue::default());
        let taken = Arc::clone(&queue);
        thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run(&taken)).map_err(OpenError::Thread)?;
        Ok(Self { queue, progress, username, limit })
    }

    /// What is written to, for the log.
    pub fn target(&self) -> &str {
        &self.progress.target
    }

    /// The recorded form of the username of a request, which need not be validated yet.
    pub fn username(&self, username: &str) -> Option<UsernameRecord> {
        self.username.record(username)
    }

    /// Records a decision. If that fails, a mutation must not be made.
    ///
    /// The record is handed over at once; the future waits until it is written.
    pub fn decision(
        &self,
        record: &DecisionRecord,
    ) -> impl Future<Output = Result<(), AuditUnavailable>> + Send + use<> {
        let submitted = self.submit_decision(record);
        let (progress, limit) = (Arc::clone(&self.progress), self.limit);
        async move { submitted?.written(&progress, limit).await }
    }

    fn submit_decision(&self, record: &DecisionRecord) -> Result<Submitted, AuditUnavailable> {
        let line = record.line().map_err(|error| AuditUnavailable::Failed(error.to_string()))?;
        let waiting = self.progress.waiting.load(Ordering::Relaxed);
        if waiting >= MAX_WAITING || self.progress.is_stuck(self.limit) {
            self.progress.drop_decisions(1);
            return Err(AuditUnavailable::Stalled);
        }
        self.submit_line(Kind::Decision, &line)
    }

    /// Records the refusal of somebody who did not authenticate, once nothing else waits to be written. False if there is no room for
    /// it. Does not wait for a target that is slow.
    pub fn refusal(&self, record: &DecisionRecord) -> impl Future<Output = bool> + Send + use<> {
        let line = record.line().map_err(|error| AuditUnavailable::Failed(error.to_string()));
        let added = line.and_then(|line| {
            if self.progress.is_stuck(self.limit) {
                return Err(AuditUnavailable::Stalled);
            }
            self.queue.add_refusal(&line)
        });
        let (wake, limit) = (WakeOnDrop(Arc::clone(&self.queue)), self.limit);
        async move {
            let Ok(receipt) = added else { return false };
            if let Some(receipt) = receipt {
                tokio::task::yield_now().await;
                drop(wake);
                // The thread counts what it cannot write.
                let _: Result<Result<(), AuditUnavailable>, _> = tokio::time::timeout(limit, receipt).await;
            }
            true
        }
    }

    /// Records calls that were refused and not recorded one by one.
    pub async fn refusals(&self, record: &RefusalsRecord) -> Result<(), AuditUnavailable> {
        let line = record.line().map_err(|error| AuditUnavailable::Failed(error.to_string()))?;
        self.submit_line(Kind::Decision, &line)?.written(&self.progress, self.limit).await
    }

    /// Records a mutation that has ended. If that fails, the record is kept and written as soon as writing works, and the
    /// application log says so: the change is made, so its caller gets the true outcome.
    ///
    /// The record is handed over at once, so nothing is lost when the caller leaves meanwhile.
    pub fn mutation(&self, record: MutationRecord) -> impl Future<Output = ()> + Send + use<> {
        let line = record.line().map_err(|error| AuditUnavailable::Failed(error.to_string()));
        let submitted = line.and_then(|line| self.submit_line(Kind::Mutation, &line));
        let (progress, limit) = (Arc::clone(&self.progress), self.limit);
        async move {
            let outcome = match submitted {
                Ok(submitted) => submitted.written(&progress, limit).await,
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                record.log_unrecorded(&error);
            }
        }
    }

    /// Whether the latest record was written, and none waits for longer than it may.
    pub fn is_writable(&self) -> bool {
        !self.progress.failing.load(Ordering::Relaxed)
            && !self.progress.stalled.load(Ordering::Relaxed)
            && !self.is_stuck()
    }

    /// Whether the target takes longer than a record may.
    pub fn is_stuck(&self) -> bool {
        self.progress.is_stuck(self.limit)
    }

    /// Reopens the file, for log rotation: rename the file, then send SIGHUP.
    pub async fn reopen(&self) -> Result<(), AuditUnavailable> {
        written(self.submit(|queue| queue.add(Work::Reopen))?, &self.progress, self.limit).await
    }

    /// Waits until everything handed over is written, kept records included: for shutdown.
    pub async fn flush(&self) -> Result<(), AuditUnavailable> {
        written(self.submit(|queue| queue.add(Work::Flush))?, &self.progress, self.limit).await
    }

    fn submit_line(&self, kind: Kind, line: &[u8]) -> Result<Submitted, AuditUnavailable> {
        let receipt = self.submit(|queue| queue.add_line(kind, line))?;
        Ok(Submitted { receipt, wake: WakeOnDrop(Arc::clone(&self.queue)) })
    }

    fn submit(
        &self,
        add: impl FnOnce(&Queue) -> Result<Receipt, AuditUnavailable>,
    ) -> Result<Receipt, AuditUnavailable> {
        self.progress.waiting.fetch_add(1, Ordering::Relaxed);
        add(&self.queue)
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// A record in the queue.
struct Submitted {
    receipt: Receipt,
    wake: WakeOnDrop,
}

/// Wakes the thread when it is dropped, so that no record waits for another one to be written.
struct WakeOnDrop(Arc<Queue>);

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        self.0.wake_for_lines();
    }
}

impl Submitted {
    /// Waits until the record is written. The thread is woken once the runtime has run what else is ready: waking it takes longer
    /// than to write a record, and the records of calls that came together are written together.
    async fn written(self, progress: &Progress, limit: Duration) -> Result<(), AuditUnavailable> {
        let Self { receipt, wake } = self;
        tokio::task::yield_now().await;
        drop(wake);
        written(receipt, progress, limit).await
    }
}

async fn written(receipt: Receipt, progress: &Progress, limit: Duration) -> Result<(), AuditUnavailable> {
    let Ok(outcome) = tokio::time::timeout(limit, receipt).await else {
        if !progress.stalled.swap(true, Ordering::Relaxed) {
            tracing::error!(target = progress.target, "audit log stalled, mutations are rejected");
        }
        return Err(AuditUnavailable::Stalled);
    };
    outcome
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read as _;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::audit::{CallFields, CallerRecord, DecisionOutcome, MutationOutcome, Policies, PoolId, Target};
    use crate::domain::{Operation, RequestId};

    fn call(id: &str) -> Arc<CallFields> {
        Arc::new(CallFields {
            request_id: RequestId::parse(id),
            caller_request_id: None,
            trace_id: None,
            caller: CallerRecord::ANONYMOUS,
            peer: None,
            target: Target::UNKNOWN,
            user_pool_id: PoolId::Absent,
            username: None,
        })
    }

    fn decision(id: &str) -> DecisionRecord {
        let (effect, policies) = (None, Policies::default());
        DecisionRecord {
            call: call(id),
            effect,
            before: None,
            outcome: DecisionOutcome::Deny,
            policies,
            duration: Duration::ZERO,
        }
    }

    /// A log on one end of a socket, whose other end nobody reads: a disk, or a pipe, that stalled.
    fn hanging() -> (AuditLog, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut open = AuditTarget::File("/dev/null".into()).open().unwrap();
        open.file = File::from(OwnedFd::from(ours));
        (
            AuditLog::start(
                AuditTarget::Stdout,
                open,
                UsernameForm::None,
                None,
                Fsync::Never,
                Duration::from_millis(50),
            )
            .unwrap(),
            theirs,
        )
    }

    #[tokio::test]
    async fn a_hanging_target_holds_up_neither_the_runtime_nor_the_calls_that_go_on_without() {
        let (log, mut theirs) = hanging();
        let full = async {
            loop {
                match log.decision(&decision("before")).await {
                    Ok(()) => {}
                    Err(error) => break error,
                }
            }
        };
        assert_eq!(full.await, AuditUnavailable::Stalled);

        // From now on nothing is handed over, so nothing is waited for and nothing piles up.
        for _ in 0..100 {
            assert_eq!(log.decision(&decision("meanwhile")).await, Err(AuditUnavailable::Stalled));
        }
        assert!(log.progress.waiting.load(Ordering::Relaxed) <= 1);

        // A mutation that has ended is handed over all the same.
        let record = MutationRecord {
            call: call("changed"),
            token_username: None,
            cognito_username: None,
            sub: None,
            effect: None,
            before: None,
            operation: Operation::AdminDeleteSoftwareToken,
            aws_request_id: None,
            outcome: MutationOutcome::OK,
            duration: Duration::ZERO,
        };
        log.mutation(record).await;

        let reader = thread::spawn(move || {
            let mut text = String::new();
            theirs.read_to_string(&mut text).map(|_| text)
        });
        while log.flush().await.is_err() {}
        assert_eq!(log.decision(&decision("after")).await, Ok(()));
        drop(log);

        let text = reader.join().unwrap().unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [.., changed, gap, after] = lines.as_slice() else { panic!("{text}") };
        assert_eq!((&changed["kind"], &changed["request_id"]), (&"mutation".into(), &"changed".into()));
        assert_eq!((&gap["kind"], &gap["decisions_lost"]), (&"gap".into(), &100.into()));
        assert_eq!(after["request_id"], "after");
        assert!(!text.contains("meanwhile"));
    }

    #[tokio::test]
    async fn a_queue_that_is_too_long_takes_no_decision() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        let log = AuditLog::open(AuditTarget::File(path.clone()), UsernameForm::None, None, Fsync::Never).unwrap();
        log.progress.waiting.store(MAX_WAITING, Ordering::Relaxed);
        assert_eq!(log.decision(&decision("refused")).await, Err(AuditUnavailable::Stalled));
        log.progress.waiting.store(0, Ordering::Relaxed);
        assert_eq!(log.decision(&decision("taken")).await, Ok(()));
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains("decisions_lost\":1") && text.contains("taken") && !text.contains("refused"), "{text}");
    }
}
