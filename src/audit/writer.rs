//! Writes the lines, on a thread of its own: a full or stalled disk must not block the runtime.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant, SystemTime};

use crate::audit::chain::Chain;
use crate::audit::job::{AuditUnavailable, Job, Work};
use crate::audit::record::gap_line;
use crate::audit::target::{AuditTarget, Open};

/// What the thread and those who wait for it share.
#[derive(Debug)]
pub(super) struct Progress {
    /// What is written to, for the log.
    pub(super) target: String,
    start: Instant,
    /// Milliseconds from `start`, plus one, at which the current work began; 0 while there is none.
    busy_since: AtomicU64,
    /// Jobs that wait or are in progress.
    pub(super) waiting: AtomicUsize,
    /// Whether it has been logged that the target stalled.
    pub(super) stalled: AtomicBool,
    dropped: Mutex<Option<DroppedDecisions>>,
}

/// Decisions that could not be written.
#[derive(Clone, Copy, Debug)]
struct DroppedDecisions {
    since: SystemTime,
    decisions: u64,
}

impl Progress {
    pub(super) fn new(target: &AuditTarget) -> Self {
        Self {
            target: target.to_string(),
            start: Instant::now(),
            busy_since: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            stalled: AtomicBool::new(false),
            dropped: Mutex::new(None),
        }
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether the current work has taken longer than `limit`.
    pub(super) fn is_stuck(&self, limit: Duration) -> bool {
        let since = self.busy_since.load(Ordering::Relaxed);
        since != 0 && u128::from(self.elapsed().saturating_sub(since - 1)) > limit.as_millis()
    }

    /// Counts a decision that will not be written.
    pub(super) fn drop_decision(&self) {
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        dropped.get_or_insert(DroppedDecisions { since: SystemTime::now(), decisions: 0 }).decisions += 1;
    }
}

/// The state of the thread.
#[derive(Debug)]
pub(super) struct Writer {
    target: AuditTarget,
    open: Open,
    /// Mutations whose lines could not be written, oldest first: at most those that were in flight when writing failed, since
    /// no other is made until all of these are written.
    kept: VecDeque<Vec<u8>>,
    /// `None` without a key.
    chain: Option<Chain>,
    progress: Arc<Progress>,
    failing: bool,
}

impl Writer {
    pub(super) fn new(target: AuditTarget, open: Open, chain: Option<Chain>, progress: Arc<Progress>) -> Self {
        Self { target, open, kept: VecDeque::new(), chain, progress, failing: false }
    }

    /// Works until nobody can submit more.
    pub(super) fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        while let Ok(Job { work, done }) = jobs.recv() {
            self.progress.busy_since.store(self.progress.elapsed().saturating_add(1), Ordering::Relaxed);
            let outcome = self.work(work);
            self.progress.busy_since.store(0, Ordering::Relaxed);
            self.progress.waiting.fetch_sub(1, Ordering::Relaxed);
            self.log(outcome.as_ref().err());
            // Nobody is there to be told if the caller has left.
            let _ = done.send(outcome.map_err(|error| AuditUnavailable::Failed(error.to_string())));
        }
        if !self.kept.is_empty() {
            tracing::error!(target = %self.target, mutations = self.kept.len(), "audit log closed without records of mutations");
        }
    }

    fn work(&mut self, work: Work) -> io::Result<()> {
        match work {
            Work::Decision(line) => {
                let outcome = self.flush().and_then(|()| self.line(&line));
                if outcome.is_err() {
                    self.progress.drop_decision();
                }
                outcome
            }
            Work::Mutation(line) => {
                self.kept.push_back(line);
                self.flush()
            }
            Work::Reopen => self.reopen().and_then(|()| self.flush()),
            Work::Flush => self.flush(),
        }
    }

    /// Writes what is outstanding: the mutations that were kept, and how many decisions were dropped.
    fn flush(&mut self) -> io::Result<()> {
        while let Some(line) = self.kept.pop_front() {
            if let Err(error) = self.line(&line) {
                self.kept.push_front(line);
                return Err(error);
            }
        }
        let dropped = *self.progress.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(DroppedDecisions { since, decisions }) = dropped else { return Ok(()) };
        self.line(&gap_line(since, decisions)?)?;
        // Others may have been dropped meanwhile.
        let mut dropped = self.progress.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        *dropped = dropped
            .map(|dropped| DroppedDecisions { decisions: dropped.decisions - decisions, ..dropped })
            .filter(|dropped| dropped.decisions > 0);
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        if self.target == AuditTarget::Stdout {
            return Ok(());
        }
        self.open = self.target.open()?;
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        if !self.target.is(&self.open) {
            self.reopen()?;
            tracing::warn!(target = %self.target, "audit log moved or removed, reopened");
        }
        // Linked now and not when it was made: a record that was kept follows those that were written meanwhile.
        let linked = self.chain.as_ref().map(|chain| chain.linked(line));
        let line = linked.as_deref().unwrap_or(line);
        self.append(line)?;
        if self.target.is_lost(&self.open)? {
            self.reopen()?;
            self.append(line)?;
        }
        Ok(())
    }

    /// Writes a line with one call, unless the system takes only a part of it.
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let start: &[u8] = if self.open.torn { b"\n" } else { b"" };
        let whole = [start, line, b"\n"].concat();
        let mut rest = whole.as_slice();
        let outcome = self.append_rest(&mut rest);
        // A record of which only the line break is missing is in the file, and the next one follows it.
        if rest.len() <= 1
            && let Some(chain) = &mut self.chain
        {
            chain.written(line);
        }
        outcome
    }

    fn append_rest(&mut self, rest: &mut &[u8]) -> io::Result<()> {
        while !rest.is_empty() {
            match self.open.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    let (done, left) = rest.split_at(written.min(rest.len()));
                    self.open.torn = done.last() != Some(&b'\n');
                    *rest = left;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Logs when writing starts to fail and when it works again, not each time.
    fn log(&mut self, error: Option<&io::Error>) {
        let stalled = self.progress.stalled.swap(false, Ordering::Relaxed);
        match error {
            Some(error) if !self.failing => {
                tracing::error!(target = %self.target, %error, "audit log not writable, mutations are rejected");
            }
            None if self.failing || stalled => tracing::info!(target = %self.target, "audit log writable again"),
            Some(_) | None => {}
        }
        self.failing = error.is_some();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    use super::*;

    /// A writer to a file that is named by nobody else.
    fn writer(path: &std::path::Path) -> Writer {
        let target = AuditTarget::File(path.to_owned());
        let open = target.open().unwrap();
        let progress = Arc::new(Progress::new(&target));
        Writer::new(target, open, None, progress)
    }

    #[test]
    fn the_rest_of_a_cut_line_is_never_glued_to_the_next() {
        // A socket that nobody reads takes a part of a line, then fails: what a full disk does, without a disk.
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let file = std::fs::File::from(std::os::fd::OwnedFd::from(ours));
        let mut writer = writer(std::path::Path::new("/dev/null"));
        writer.open.file = file;
        writer.target = AuditTarget::Stdout;

        let long = vec![b'x'; 9_999_999];
        let error = writer.work(Work::Decision(long)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(writer.open.torn, "a part was taken");

        theirs.set_nonblocking(true).unwrap();
        let mut cut = Vec::new();
        assert_eq!(theirs.read_to_end(&mut cut).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(!cut.is_empty() && !cut.contains(&b'\n'));

        writer.work(Work::Decision(b"{}".to_vec())).unwrap();
        let mut next = Vec::new();
        assert_eq!(theirs.read_to_end(&mut next).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let lines: Vec<&str> = std::str::from_utf8(&next).unwrap().split('\n').collect();
        assert_eq!((lines[0], lines[2], lines[3]), ("", "{}", ""), "{lines:?}");
        assert!(lines[1].contains(r#""kind":"gap""#) && lines[1].ends_with(r#""decisions_lost":1}"#), "{lines:?}");
    }

    #[test]
    fn a_line_that_an_earlier_process_left_unfinished_is_ended_first() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        for (found, expected) in [("", "{}\n"), ("{}\n", "{}\n{}\n"), ("{\"cu", "{\"cu\n{}\n")] {
            std::fs::File::create(&path).unwrap().write_all(found.as_bytes()).unwrap();
            writer(&path).work(Work::Decision(b"{}".to_vec())).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        }
    }

    #[test]
    fn a_file_removed_while_a_line_is_written_loses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        let mut writer = writer(&path);
        // The check before the write has passed; then the file goes.
        std::fs::remove_file(&path).unwrap();
        writer.append(b"{\"n\":1}").unwrap();
        assert!(writer.target.is_lost(&writer.open).unwrap());
        writer.line(b"{\"n\":2}").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"n\":2}\n");

        // A renamed file is not lost: what was written stands in it.
        std::fs::rename(&path, directory.path().join("audit.1")).unwrap();
        writer.append(b"{\"n\":3}").unwrap();
        assert!(!writer.target.is_lost(&writer.open).unwrap());
    }

    #[test]
    fn work_that_takes_too_long_is_noticed_while_it_goes_on() {
        let progress = Progress::new(&AuditTarget::Stdout);
        assert!(!progress.is_stuck(Duration::ZERO));
        progress.busy_since.store(1, Ordering::Relaxed);
        assert!(!progress.is_stuck(Duration::from_hours(1)));
        let late = Progress { start: Instant::now().checked_sub(Duration::from_secs(2)).unwrap(), ..progress };
        assert!(late.is_stuck(Duration::from_secs(1)));
    }
}
