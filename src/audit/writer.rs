//! Writes what waits, on a thread of its own: a full or stalled disk must not block the runtime.
//!
//! All lines that wait are written with one call (a group commit): the file is looked at once before and once after, and those
//! who wait are told together. A line is acknowledged if it is in the file whole. Those of a batch that are not are not tried one
//! by one: what refused one of them would hold up the others.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::audit::chain::Chain;
use crate::audit::progress::Progress;
use crate::audit::queue::{Kind, Lines, Next, Queue, Work};
use crate::audit::receipt::{AuditUnavailable, Outcome};
use crate::audit::record::gap_line;
use crate::audit::target::{AuditTarget, Open};
use crate::audit::write_buffer::{Source, WriteBuffer};

/// How long a record may be in the operating system's memory only, with [`Fsync::Interval`].
const FSYNC_INTERVAL: Duration = Duration::from_secs(1);

/// When records are forced to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// When the operating system does.
    #[default]
    Never,
    /// A second after they were written.
    Interval,
    /// Before they are acknowledged.
    Always,
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
    buffer: WriteBuffer,
    fsync: Fsync,
    /// When the first record was written that is not forced to the disk yet.
    unsynced_since: Option<Instant>,
}

/// Tells those who wait that nobody writes any more.
struct Abandon<'a>(&'a Queue);

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Writer {
    pub(super) fn new(
        target: AuditTarget,
        open: Open,
        chain: Option<Chain>,
        progress: Arc<Progress>,
        fsync: Fsync,
    ) -> Self {
        let (kept, buffer) = (VecDeque::new(), WriteBuffer::default());
        Self { target, open, kept, chain, progress, failing: false, buffer, fsync, unsynced_since: None }
    }

    /// Works until nobody can submit more.
    pub(super) fn run(mut self, queue: &Queue) {
        let _abandon = Abandon(queue);
        loop {
            let batch = match queue.next(self.sync_at()) {
                Next::Batch(batch) => batch,
                Next::Idle => {
                    let synced = self.sync();
                    self.log(synced.as_ref().err());
                    continue;
                }
                Next::Closed => break,
            };
            let began = Instant::now();
            self.progress.begin();
            let (done, outcome) = self.work(batch.work());
            let is_refusals = matches!(batch.work(), Work::Refusals(_));
            // Refusals are not among those that wait: there is room for them apart.
            self.progress.end(if is_refusals { 0 } else { batch.work().len() });
            if is_refusals {
                queue.refusals_took(began.elapsed());
            }
            self.log(outcome.as_ref().err());
            let error = outcome.err().map(|error| AuditUnavailable::Failed(error.to_string()));
            batch.complete(Outcome::new(done, error));
            queue.recycle(batch);
        }
        if self.unsynced_since.is_some()
            && let Err(error) = self.sync()
        {
            self.log(Some(&error));
        }
        if !self.kept.is_empty() {
            tracing::error!(target = %self.target, mutations = self.kept.len(), "audit log closed without records of mutations");
        }
    }

    /// Does the work, for so many of those who wait for it.
    fn work(&mut self, work: &Work) -> (usize, io::Result<()>) {
        let (done, outcome) = match work {
            Work::Lines(lines) | Work::Refusals(lines) => self.record(lines),
            Work::Reopen => done(self.reopen().and_then(|()| self.flush())),
            Work::Flush => done(self.flush()),
        };
        let must_sync = match work {
            Work::Lines(_) | Work::Refusals(_) => self.sync_at().is_some_and(|at| at <= Instant::now()),
            Work::Reopen | Work::Flush => self.unsynced_since.is_some(),
        };
        match outcome {
            // What is written and could not be forced to the disk is not acknowledged. It is not written again either.
            Ok(()) if must_sync => match self.sync() {
                Ok(()) => (done, Ok(())),
                Err(error) => (0, Err(error)),
            },
            outcome => (done, outcome),
        }
    }

    /// When what was written is to be forced to the disk, if it is.
    fn sync_at(&self) -> Option<Instant> {
        let since = self.unsynced_since?;
        match self.fsync {
            Fsync::Never => None,
            Fsync::Interval => Some(since + FSYNC_INTERVAL),
            Fsync::Always => Some(since),
        }
    }

    /// Forces what was written to the disk. If that fails, the system may have dropped it, and a second try would not tell.
    fn sync(&mut self) -> io::Result<()> {
        self.unsynced_since = None;
        self.open.file.sync_data()
    }

    /// Writes lines. Decisions that cannot be written are dropped and counted, mutations are kept.
    fn record(&mut self, lines: &Lines) -> (usize, io::Result<()>) {
        let (written, outcome) = self.write(lines);
        let mut dropped = 0;
        for (kind, line) in lines.iter().skip(written) {
            match kind {
                Kind::Decision | Kind::Refusal => dropped += 1,
                Kind::Mutation => self.kept.push_back(line.to_owned()),
            }
        }
        self.progress.drop_decisions(dropped);
        (written, outcome)
    }

    /// Writes what is outstanding: the mutations that were kept, and how many decisions were dropped.
    fn flush(&mut self) -> io::Result<()> {
        self.write(&Lines::default()).1
    }

    /// Writes what is outstanding and lines, with one call where the system takes them so. The number is that of the lines which
    /// are written.
    fn write(&mut self, lines: &Lines) -> (usize, io::Result<()>) {
        let gap = match self.gap() {
            Ok(gap) => gap,
            Err(error) => return (0, Err(error)),
        };
        if lines.len() == 0 && self.kept.is_empty() && gap.is_none() {
            return (0, Ok(()));
        }
        if !self.target.is(&self.open) {
            if let Err(error) = self.reopen() {
                return (0, Err(error));
            }
            tracing::warn!(target = %self.target, "audit log moved or removed, reopened");
        }
        let before = self.chain.as_ref().map(Chain::position);
        self.compose(lines, gap);
        let (position, outcome) = self.append_to_what_stays();
        if outcome.is_err()
            && let Some((chain, before)) = self.chain.as_mut().zip(before)
        {
            match self.buffer.last_line(position) {
                Some(line) => chain.follow(line),
                None => chain.rewind(before),
            }
        }
        let mut written = 0;
        for source in self.buffer.whole(position) {
            match source {
                Source::Kept => drop(self.kept.pop_front()),
                Source::Gap(decisions) => self.progress.gap_recorded(decisions),
                Source::Batch => written += 1,
            }
        }
        (written, outcome)
    }

    /// The line that says how many decisions were dropped, if any were.
    fn gap(&self) -> io::Result<Option<(u64, Vec<u8>)>> {
        let Some(dropped) = self.progress.dropped() else { return Ok(None) };
        Ok(Some((dropped.decisions, gap_line(dropped.since, dropped.decisions)?)))
    }

    /// Fills the buffer. Kept mutations come first; the gap comes before the next decision, since it is about those before.
    fn compose(&mut self, lines: &Lines, mut gap: Option<(u64, Vec<u8>)>) {
        let Self { buffer, chain, kept, .. } = self;
        buffer.clear();
        for line in kept.iter() {
            buffer.add(Source::Kept, line, chain.as_mut());
        }
        for (kind, line) in lines.iter() {
            if kind != Kind::Mutation
                && let Some((decisions, gap)) = gap.take()
            {
                buffer.add(Source::Gap(decisions), &gap, chain.as_mut());
            }
            buffer.add(Source::Batch, line, chain.as_mut());
        }
        if let Some((decisions, gap)) = gap {
            buffer.add(Source::Gap(decisions), &gap, chain.as_mut());
        }
    }

    /// Writes the buffer; and again if the file went meanwhile, which no check before the write can know. Up to which position of
    /// the buffer it is in the file.
    fn append_to_what_stays(&mut self) -> (usize, io::Result<()>) {
        let (position, outcome) = self.append();
        if outcome.is_err() || !self.target.is_lost(&self.open) {
            return (position, outcome);
        }
        match self.reopen() {
            Ok(()) => self.append(),
            Err(error) => (0, Err(error)),
        }
    }

    /// Writes the buffer with one call, unless the system takes only a part of it.
    fn append(&mut self) -> (usize, io::Result<()>) {
        let Self { buffer, open, fsync, unsynced_since, .. } = self;
        let mut position = if open.torn { 0 } else { WriteBuffer::START };
        loop {
            let part = buffer.part(position, open.atomic_bytes);
            if part.is_empty() {
                return (position, Ok(()));
            }
            match open.file.write(part) {
                Ok(0) => return (position, Err(io::ErrorKind::WriteZero.into())),
                Ok(taken) => {
                    let taken = part.get(..taken).unwrap_or(part);
                    open.torn = taken.last() != Some(&b'\n');
                    position += taken.len();
                    if *fsync != Fsync::Never {
                        unsynced_since.get_or_insert_with(Instant::now);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (position, Err(error)),
            }
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        if self.target == AuditTarget::Stdout {
            return Ok(());
        }
        let opened = self.target.open()?;
        // What is in the file before is no more in reach afterwards.
        let synced = if self.unsynced_since.is_some() { self.sync() } else { Ok(()) };
        self.open = opened;
        synced
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
        self.progress.failing.store(self.failing, Ordering::Relaxed);
    }
}

/// How many of those who wait for one thing have it.
fn done(outcome: io::Result<()>) -> (usize, io::Result<()>) {
    (usize::from(outcome.is_ok()), outcome)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read as _, Write as _};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::path::Path;

    use super::*;
    use crate::audit::chain::{ChainCheck, ChainFinding, ChainKey};
    use crate::audit::username::UsernameKey;

    fn key() -> ChainKey {
        ChainKey::derived_from(UsernameKey::new(&[7; 32]).unwrap())
    }

    /// A writer to a file that is named by nobody else.
    fn writer(path: &Path) -> Writer {
        let target = AuditTarget::File(path.to_owned());
        let open = target.open().unwrap();
        let progress = Arc::new(Progress::new(&target));
        Writer::new(target, open, None, progress, Fsync::Never)
    }

    /// A writer to one end of a socket. When nobody reads the other, it takes a part of a write, then fails: what a full disk
    /// does, without a disk.
    fn to_a_socket() -> (Writer, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        let mut writer = writer(Path::new("/dev/null"));
        writer.open.file = fs::File::from(OwnedFd::from(ours));
        writer.target = AuditTarget::Stdout;
        (writer, theirs)
    }

    fn read(socket: &mut UnixStream) -> String {
        let mut text = String::new();
        assert_eq!(socket.read_to_string(&mut text).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        text
    }

    fn lines<'a>(lines: impl IntoIterator<Item = (Kind, &'a [u8])>) -> Lines {
        let mut collected = Lines::default();
        for (kind, line) in lines {
            collected.push(kind, line);
        }
        collected
    }

    fn decide(writer: &mut Writer, line: &[u8]) -> io::Result<()> {
        writer.record(&lines([(Kind::Decision, line)])).1
    }

    /// Checks the chain of whole lines.
    fn check(text: &str) -> Vec<ChainFinding> {
        let mut check = ChainCheck::new(key());
        let lines = text.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok());
        lines.enumerate().filter_map(|(number, line)| check.line(line.as_bytes(), number == 0)).collect()
    }

    #[test]
    fn the_rest_of_a_cut_line_is_never_glued_to_the_next() {
        let (mut writer, mut theirs) = to_a_socket();
        let long = vec![b'x'; 9_999_999];
        let error = decide(&mut writer, &long).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(writer.open.torn, "a part was taken");
        let cut = read(&mut theirs);
        assert!(!cut.is_empty() && !cut.contains('\n'));

        decide(&mut writer, b"{}").unwrap();
        let next = read(&mut theirs);
        let lines: Vec<&str> = next.split('\n').collect();
        assert_eq!((lines[0], lines[2], lines[3]), ("", "{}", ""), "{lines:?}");
        assert!(lines[1].contains(r#""kind":"gap""#) && lines[1].ends_with(r#""decisions_lost":1}"#), "{lines:?}");
    }

    #[test]
    fn of_a_batch_that_is_cut_what_is_whole_is_acknowledged_and_the_rest_is_counted_or_kept() {
        let (mut writer, mut theirs) = to_a_socket();
        writer.chain = Some(Chain::resume(key(), &AuditTarget::Stdout));
        let numbered: Vec<_> =
            (0..2000).map(|number| format!(r#"{{"n":{number},"of":"{}"}}"#, "x".repeat(999))).collect();
        let kind = |number: usize| if number.is_multiple_of(2) { Kind::Decision } else { Kind::Mutation };
        let batch = lines(numbered.iter().enumerate().map(|(number, line)| (kind(number), line.as_bytes())));
        let (written, outcome) = writer.record(&batch);
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(0 < written && written < 2000, "{written}");

        // What follows is written once there is room: what was kept, the gap, and only then decisions.
        let mut text = read(&mut theirs);
        while writer.flush().is_err() {
            text.push_str(&read(&mut theirs));
        }
        decide(&mut writer, br#"{"n":"last"}"#).unwrap();
        text.push_str(&read(&mut theirs));
        assert_eq!(check(&text), [ChainFinding::Note("the chain starts (stream)".to_owned())]);
        let found: Vec<serde_json::Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let found: Vec<String> = found
            .iter()
            .map(|record| match record.get("decisions_lost") {
                None => record["n"].to_string(),
                Some(lost) => format!("lost {lost}"),
            })
            .collect();
        let lost = (written..2000).filter(|number| kind(*number) == Kind::Decision).count();
        let whole = (0..2000).filter(|number| *number < written || kind(*number) == Kind::Mutation);
        let mut expected: Vec<String> = whole.map(|number| number.to_string()).collect();
        expected.extend([format!("lost {lost}"), "\"last\"".to_owned()]);
        assert_eq!(found, expected);
    }

    #[test]
    fn records_are_forced_to_the_disk_before_they_are_acknowledged_or_later_or_never() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        let one = lines([(Kind::Decision, b"{}".as_slice())]);
        let mut states = Vec::new();
        for fsync in [Fsync::Never, Fsync::Interval, Fsync::Always] {
            let mut writer = Writer { fsync, ..writer(&path) };
            assert_eq!(writer.work(&Work::Lines(one.clone())).0, 1);
            states.push((writer.unsynced_since.is_some(), writer.sync_at().is_some()));
            writer.unsynced_since = writer.unsynced_since.and_then(|since| since.checked_sub(FSYNC_INTERVAL));
            assert_eq!(writer.work(&Work::Lines(one.clone())).0, 1);
            assert!(writer.unsynced_since.is_none());
        }
        assert_eq!(states, [(false, false), (true, true), (false, false)]);

        // What cannot be forced to a disk is not acknowledged, and not written twice.
        let mut writer = Writer { fsync: Fsync::Always, ..writer(Path::new("/dev/null")) };
        let (acknowledged, outcome) = writer.work(&Work::Lines(one));
        assert_eq!((acknowledged, outcome.unwrap_err().kind()), (0, io::ErrorKind::InvalidInput));
        assert!(writer.kept.is_empty());
    }

    #[test]
    fn a_stream_takes_whole_lines_as_long_as_it_takes_any_at_once() {
        // What others write to the same pipe must not come in the middle of a line.
        let (mut writer, theirs) = to_a_socket();
        drop(theirs);
        let mut buffer = WriteBuffer::default();
        buffer.clear();
        for _ in 0..100 {
            buffer.add(Source::Batch, &[b'x'; 99], None);
        }
        writer.buffer = buffer;
        assert_eq!(writer.buffer.part(WriteBuffer::START, writer.open.atomic_bytes).len(), 4000);
    }

    #[test]
    fn the_gap_comes_before_the_next_decision_and_after_the_mutations_before_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        let mut writer = writer(&path);
        let kinds = |batch: &[(Kind, &[u8])], writer: &mut Writer| {
            fs::write(&path, "").unwrap();
            writer.progress.drop_decisions(1);
            assert!(writer.record(&lines(batch.iter().copied())).1.is_ok());
            assert_eq!(writer.progress.dropped(), None);
            let text = fs::read_to_string(&path).unwrap();
            text.lines().map(|line| if line.contains("gap") { "g" } else { line }.to_owned()).collect::<String>()
        };
        let decision = (Kind::Decision, b"d".as_slice());
        let mutation = (Kind::Mutation, b"m".as_slice());
        assert_eq!(kinds(&[decision, decision], &mut writer), "gdd");
        assert_eq!(kinds(&[mutation, decision, mutation], &mut writer), "mgdm");
        assert_eq!(kinds(&[mutation], &mut writer), "mg");
        assert_eq!(kinds(&[], &mut writer), "g");
    }

    #[test]
    fn a_line_that_an_earlier_process_left_unfinished_is_ended_first() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        for (found, expected) in [("", "{}\n"), ("{}\n", "{}\n{}\n"), ("{\"cu", "{\"cu\n{}\n")] {
            fs::File::create(&path).unwrap().write_all(found.as_bytes()).unwrap();
            decide(&mut writer(&path), b"{}").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        }
    }

    #[test]
    fn a_file_removed_while_a_batch_is_written_loses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        let mut writer = writer(&path);
        let batch = lines([(Kind::Decision, br#"{"n":1}"#.as_slice()), (Kind::Mutation, br#"{"n":2}"#)]);
        writer.chain = Some(Chain::resume(key(), &writer.target));
        writer.compose(&batch, None);
        // The check before the write has passed; then the file goes.
        fs::remove_file(&path).unwrap();
        let (position, outcome) = writer.append_to_what_stays();
        assert!(outcome.is_ok() && position == writer.buffer.bytes().len());
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        decide(&mut writer, br#"{"n":3}"#).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert_eq!(check(&text), [ChainFinding::Note("the chain starts (new_file)".to_owned())]);

        // A renamed file is not lost: what was written stands in it.
        fs::rename(&path, directory.path().join("audit.1")).unwrap();
        writer.compose(&batch, None);
        assert!(writer.append_to_what_stays().1.is_ok());
        assert!(!path.exists());
        decide(&mut writer, br#"{"n":4}"#).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
    }
}
