//! This file is the audit log as callers see it: they hand over a record and wait until it is written.

use std::fmt;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::audit::record::{DecisionRecord, MutationRecord};
use crate::audit::target::{AuditTarget, Open};
use crate::audit::username::{UsernameForm, UsernameRecord};
use crate::audit::writer::{Job, Progress, Work, Writer};

/// How long a record may take. A local disk takes microseconds; what takes this long stalled, and reads must go on.
const LIMIT: Duration = Duration::from_secs(1);

/// The most decisions that wait to be written.
const MOST_WAITING: usize = 4096;

/// The audit log. Dropping it lets what was handed over be written, without waiting for it: see [`AuditLog::flush`].
#[derive(Debug)]
pub struct AuditLog {
    jobs: mpsc::Sender<Job>,
    progress: Arc<Progress>,
    username: UsernameForm,
    limit: Duration,
}

/// Why the audit log could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The target cannot be written.
    Target(AuditTarget, io::Error),
    /// The thread that writes could not be started.
    Thread(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(target, error) => write!(f, "the audit log {target} cannot be opened for writing: {error}"),
            Self::Thread(error) => write!(f, "the thread that writes the audit log cannot be started: {error}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// Why a record is not written. The caller of mfagate is told no more than that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditUnavailable {
    /// Writing failed.
    Failed(String),
    /// Writing takes longer than a second, or too much waits to be written. The record may yet be written.
    Stalled,
    /// Nobody writes any more.
    Closed,
}

impl fmt::Display for AuditUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "the audit log cannot be written: {error}"),
            Self::Stalled => f.write_str("the audit log takes too long to write"),
            Self::Closed => f.write_str("the audit log has ended"),
        }
    }
}

impl std::error::Error for AuditUnavailable {}

impl AuditLog {
    /// Opens the target, which must be writable now.
    pub fn open(target: AuditTarget, username: UsernameForm) -> Result<Self, OpenError> {
        let open = target.open().map_err(|error| OpenError::Target(target.clone(), error))?;
        Self::start(target, open, username, LIMIT)
    }

    fn start(target: AuditTarget, open: Open, username: UsernameForm, limit: Duration) -> Result<Self, OpenError> {
        let progress = Arc::new(Progress::new());
        let writer = Writer::new(target, open, Arc::clone(&progress));
        let (jobs, target) = mpsc::channel();
        thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(&target))
            .map_err(OpenError::Thread)?;
        Ok(Self { jobs, progress, username, limit })
    }

    /// What stands for the username of a request, which need not be validated yet.
    pub fn username(&self, username: &str) -> Option<UsernameRecord> {
        self.username.record(username)
    }

    /// Records a decision. Where that fails, a mutation must not be made.
    ///
    /// The record is handed over at once; what is awaited is that it is written.
    pub fn decision(
        &self,
        record: &DecisionRecord,
    ) -> impl Future<Output = Result<(), AuditUnavailable>> + Send + use<> {
        let handed = self.hand_over_decision(record);
        let (progress, limit) = (Arc::clone(&self.progress), self.limit);
        async move { written(handed?, &progress, limit).await }
    }

    fn hand_over_decision(&self, record: &DecisionRecord) -> Result<Receipt, AuditUnavailable> {
        let line = record.line().map_err(|error| AuditUnavailable::Failed(error.to_string()))?;
        let waiting = self.progress.waiting.load(Ordering::Relaxed);
        if waiting >= MOST_WAITING || self.progress.is_stuck(self.limit) {
            self.progress.lose();
            return Err(AuditUnavailable::Stalled);
        }
        self.ask(Work::Decision(line))
    }

    /// Records a mutation that has ended. Where that fails, the record is kept and written as soon as writing works, and
    /// the application log says so: the change is made, so that its caller is answered as if all were well.
    ///
    /// The record is handed over at once, so nothing is lost when the caller leaves meanwhile.
    pub fn mutation(&self, record: MutationRecord) -> impl Future<Output = ()> + Send + use<> {
        let line = record.line().map_err(|error| AuditUnavailable::Failed(error.to_string()));
        let handed = line.and_then(|line| self.ask(Work::Mutation(line)));
        let (progress, limit) = (Arc::clone(&self.progress), self.limit);
        async move {
            let outcome = match handed {
                Ok(handed) => written(handed, &progress, limit).await,
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                record.log_unrecorded(&error);
            }
        }
    }

    /// Opens the file anew, for log rotation: rename the file, then send SIGHUP.
    pub async fn reopen(&self) -> Result<(), AuditUnavailable> {
        written(self.ask(Work::Reopen)?, &self.progress, self.limit).await
    }

    /// Done when everything handed over is written, kept records included: for the end of the program.
    pub async fn flush(&self) -> Result<(), AuditUnavailable> {
        written(self.ask(Work::Flush)?, &self.progress, self.limit).await
    }

    fn ask(&self, work: Work) -> Result<Receipt, AuditUnavailable> {
        let (done, receipt) = oneshot::channel();
        self.progress.waiting.fetch_add(1, Ordering::Relaxed);
        self.jobs.send(Job { work, done }).map_err(|_| AuditUnavailable::Closed)?;
        Ok(receipt)
    }
}

type Receipt = oneshot::Receiver<Result<(), AuditUnavailable>>;

async fn written(receipt: Receipt, progress: &Progress, limit: Duration) -> Result<(), AuditUnavailable> {
    match tokio::time::timeout(limit, receipt).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(AuditUnavailable::Closed),
        Err(_) => {
            if !progress.stalled.swap(true, Ordering::Relaxed) {
                tracing::error!("the audit log takes too long to write: changes are refused");
            }
            Err(AuditUnavailable::Stalled)
        }
    }
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
        DecisionRecord { call: call(id), effect, outcome: DecisionOutcome::Deny, policies, duration: Duration::ZERO }
    }

    /// A log on one end of a socket, whose other end nobody reads: a disk, or a pipe, that stalled.
    fn hanging() -> (AuditLog, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut open = AuditTarget::File("/dev/null".into()).open().unwrap();
        open.file = File::from(OwnedFd::from(ours));
        (AuditLog::start(AuditTarget::Stdout, open, UsernameForm::None, Duration::from_millis(50)).unwrap(), theirs)
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
            effect: None,
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
        let log = AuditLog::open(AuditTarget::File(path.clone()), UsernameForm::None).unwrap();
        log.progress.waiting.store(MOST_WAITING, Ordering::Relaxed);
        assert_eq!(log.decision(&decision("refused")).await, Err(AuditUnavailable::Stalled));
        log.progress.waiting.store(0, Ordering::Relaxed);
        assert_eq!(log.decision(&decision("taken")).await, Ok(()));
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains("decisions_lost\":1") && text.contains("taken") && !text.contains("refused"), "{text}");
    }
}
