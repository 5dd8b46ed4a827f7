//! Writes the lines of the log on a thread of its own: a reader that is slow, or does not read at all, blocks no call.
//!
//! A line after a pause is written at once. Those that follow within a moment are written together, since waking the thread takes
//! longer than to write a line; a warning or an error wakes it whenever it comes.

use std::fmt;
use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long lines wait for others. Nobody who reads along notices.
const LINGER: Duration = Duration::from_millis(2);

/// The size of lines that wait for no others, in bytes: a pipe's buffer.
const WRITE_BYTES: usize = 64 * 1024;

/// The maximum size of the lines that wait to be written, in bytes: some ten thousand.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// How much of it is for warnings and errors only, in bytes: they must not drown in what anybody can cause.
const RESERVED_BYTES: usize = MAX_BYTES / 4;

/// How often it is logged that lines were dropped.
const DROP_INTERVAL: Duration = Duration::from_secs(1);

/// How long the exit waits for the reader of the last lines.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Where lines are added. Clones add to the same lines.
#[derive(Clone, Debug)]
pub(super) struct LogWriter(Arc<LineQueue>);

/// The thread. Dropping it writes what is left.
#[derive(Debug)]
pub(super) struct WriterThread(Arc<LineQueue>);

/// Lines that wait to be written.
#[derive(Debug, Default)]
struct LineQueue {
    state: Mutex<State>,
    added: Condvar,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// In the order in which they were added.
    waiting: Vec<u8>,
    /// Warnings and errors that came while so much waits that they would be late.
    urgent: Vec<u8>,
    /// Whether more than one write of lines is on its way.
    behind: bool,
    phase: Phase,
    /// Lines that were dropped and not reported yet.
    dropped: u64,
    closed: bool,
}

/// What the thread does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// It writes, or is about to.
    Writing,
    /// It has just written, and looks again in a moment.
    Lingering,
    /// It waits for a line.
    #[default]
    Asleep,
    /// It writes no more.
    Ended,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { waiting, urgent, behind, phase, dropped, closed } = self;
        let mut state = f.debug_struct("State");
        state
            .field("waiting_bytes", &waiting.len())
            .field("urgent_bytes", &urgent.len())
            .field("behind", behind)
            .field("phase", phase);
        state.field("dropped", dropped).field("closed", closed).finish()
    }
}

/// Starts the thread, which writes to `out`.
pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<(LogWriter, WriterThread)> {
    let lines = Arc::new(LineQueue::default());
    let written = Arc::clone(&lines);
    thread::Builder::new().name("log".to_owned()).spawn(move || written.write_to(out))?;
    Ok((LogWriter(Arc::clone(&lines)), WriterThread(lines)))
}

impl LineQueue {
    fn add(&self, line: &[u8], is_urgent: bool) {
        let mut state = self.lock();
        // A reader that keeps up sees all lines in order.
        let overtakes = is_urgent && (state.behind || !state.urgent.is_empty() || state.waiting.len() >= WRITE_BYTES);
        let ended = state.phase == Phase::Ended;
        let (queue, limit) = if overtakes {
            (&mut state.urgent, RESERVED_BYTES)
        } else {
            (&mut state.waiting, MAX_BYTES - RESERVED_BYTES)
        };
        if queue.len() + line.len() > limit || ended {
            state.dropped += 1;
            return;
        }
        queue.extend_from_slice(line);
        let wakes = match state.phase {
            Phase::Asleep => true,
            Phase::Lingering => is_urgent || state.waiting.len() >= WRITE_BYTES,
            Phase::Writing | Phase::Ended => false,
        };
        if wakes {
            state.phase = Phase::Writing;
            drop(state);
            self.added.notify_one();
        }
    }

    fn write_to(&self, mut out: impl Write) {
        let mut batch = Vec::new();
        let mut reported: Option<Instant> = None;
        let mut urgent = Vec::new();
        while self.take(&mut batch) {
            let mut rest = batch.as_slice();
            loop {
                // What is urgent waits for one write at most, however much there is of the rest.
                mem::swap(&mut self.lock().urgent, &mut urgent);
                let (lines, others) = rest.split_at(whole_lines(rest));
                rest = others;
                if urgent.is_empty() && lines.is_empty() {
                    break;
                }
                // There is nowhere else to say that it failed.
                let _: io::Result<()> =
                    out.write_all(&urgent).and_then(|()| out.write_all(lines)).and_then(|()| out.flush());
                urgent.clear();
                if reported.is_none_or(|reported| reported.elapsed() >= DROP_INTERVAL) && self.report_dropped() {
                    reported = Some(Instant::now());
                }
            }
            batch.clear();
            // The room of a flood is given back.
            batch.shrink_to(WRITE_BYTES);
            urgent.shrink_to(WRITE_BYTES);
        }
        self.lock().phase = Phase::Ended;
        self.ended.notify_all();
    }

    /// Swaps the lines that wait into `batch`, once there are some; false when there are none and there will be none.
    fn take(&self, batch: &mut Vec<u8>) -> bool {
        let mut state = self.lock();
        state.phase = Phase::Lingering;
        while !state.closed {
            match state.phase {
                Phase::Writing | Phase::Ended => break,
                Phase::Lingering => {
                    let (after, wait) = self.added.wait_timeout(state, LINGER).unwrap_or_else(PoisonError::into_inner);
                    state = after;
                    if wait.timed_out() && state.phase == Phase::Lingering {
                        let is_empty = state.waiting.is_empty() && state.urgent.is_empty();
                        let next = if is_empty { Phase::Asleep } else { Phase::Writing };
                        state.phase = next;
                    }
                }
                Phase::Asleep => state = self.added.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
        state.phase = Phase::Writing;
        mem::swap(&mut state.waiting, batch);
        state.behind = batch.len() > WRITE_BYTES;
        !batch.is_empty() || !state.urgent.is_empty()
    }

    /// Logs how many lines were dropped since it was last logged, if any were.
    fn report_dropped(&self) -> bool {
        let lines = mem::take(&mut self.lock().dropped);
        if lines > 0 {
            tracing::warn!(lines, "log lines dropped, their reader is too slow");
        }
        lines > 0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The length of the lines at the beginning that are written at once.
fn whole_lines(lines: &[u8]) -> usize {
    if lines.len() <= WRITE_BYTES {
        return lines.len();
    }
    let is_end = |byte: &u8| *byte == b'\n';
    let (first, rest) = lines.split_at(WRITE_BYTES);
    match first.iter().rposition(is_end) {
        Some(end) => end + 1,
        None => rest.iter().position(is_end).map_or(lines.len(), |end| WRITE_BYTES + end + 1),
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        self.0.report_dropped();
        let mut state = self.0.lock();
        state.closed = true;
        self.0.added.notify_one();
        let running = |state: &mut State| state.phase != Phase::Ended;
        // A reader that does not read must not stop the exit.
        drop(self.0.ended.wait_timeout_while(state, CLOSE_TIMEOUT, running));
    }
}

/// One line.
#[derive(Debug)]
pub(super) struct Line<'a> {
    lines: &'a LineQueue,
    is_urgent: bool,
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lines.add(line, self.is_urgent);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { lines: &self.0, is_urgent: false }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Line<'a> {
        Line { lines: &self.0, is_urgent: *event.level() <= Level::WARN }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver, SyncSender};

    use super::*;

    /// A reader that takes a write when it is told to, and says what it took.
    struct Reader {
        permits: Receiver<()>,
        taken: mpsc::Sender<String>,
    }

    impl Write for Reader {
        fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
            self.permits.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            // The test may have ended.
            let _ = self.taken.send(String::from_utf8_lossy(lines).into_owned());
            Ok(lines.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn with_reader() -> (LogWriter, WriterThread, SyncSender<()>, Receiver<String>) {
        let (permit, permits) = mpsc::sync_channel(1000);
        let (taken, written) = mpsc::channel();
        let (writer, thread) = start(Reader { permits, taken }).unwrap();
        (writer, thread, permit, written)
    }

    fn read(written: &Receiver<String>) -> String {
        written.recv_timeout(Duration::from_secs(30)).unwrap()
    }

    impl LogWriter {
        fn add(&self, line: &str, is_urgent: bool) {
            Line { lines: &self.0, is_urgent }.write_all(line.as_bytes()).unwrap();
        }
    }

    #[test]
    fn lines_that_come_while_the_thread_writes_are_written_together_in_order() {
        let (writer, _thread, permit, written) = with_reader();
        writer.add("first\n", true);
        while !writer.0.lock().waiting.is_empty() {
            thread::yield_now();
        }
        for line in ["second\n", "third\n", "fourth\n"] {
            writer.add(line, line == "third\n");
        }
        permit.send(()).unwrap();
        permit.send(()).unwrap();
        assert_eq!(read(&written), "first\n");
        assert_eq!(read(&written), "second\nthird\nfourth\n");
    }

    #[test]
    fn a_line_after_a_pause_and_a_line_that_nothing_follows_are_written() {
        let (writer, _thread, permit, written) = with_reader();
        for round in 0..50 {
            permit.send(()).unwrap();
            writer.add(&format!("{round}\n"), false);
            assert_eq!(read(&written), format!("{round}\n"));
            // Half of the lines come while it lingers.
            if round % 2 == 0 {
                while writer.0.lock().phase != Phase::Asleep {
                    thread::yield_now();
                }
            }
        }
    }

    #[test]
    fn lines_that_nobody_reads_are_bounded_and_there_is_room_for_warnings() {
        let (writer, thread, permit, written) = with_reader();
        let line = format!("{}\n", "x".repeat(1023));
        for _ in 0..MAX_BYTES / 1024 * 2 {
            writer.add(&line, false);
        }
        writer.add("warning\n", true);
        {
            let state = writer.0.lock();
            let bytes = state.waiting.len();
            assert!((MAX_BYTES - RESERVED_BYTES - 1024..=MAX_BYTES).contains(&bytes), "{bytes}");
            assert!(state.dropped > 0 && state.urgent == b"warning\n");
        }
        for _ in 0..MAX_BYTES / 1024 {
            writer.add(&line, true);
        }
        assert!(writer.0.lock().urgent.len() <= RESERVED_BYTES);
        for _ in 0..200 {
            permit.send(()).unwrap();
        }
        drop(thread);
        let all: String = written.try_iter().collect();
        assert!(all.lines().any(|line| line == "warning"), "{} bytes", all.len());
    }

    #[test]
    fn a_warning_waits_for_one_write_however_much_waits_before_it_and_so_does_the_number_of_lines_dropped() {
        let (writer, _thread, permit, written) = with_reader();
        let line = format!("{}\n", "x".repeat(1023));
        writer.add(&line, false);
        while writer.0.lock().phase != Phase::Writing {
            thread::yield_now();
        }
        for _ in 0..1000 {
            writer.add(&line, false);
        }
        permit.send(()).unwrap();
        assert!(read(&written).starts_with('x'));
        // It is in the first of many writes now.
        while !writer.0.lock().waiting.is_empty() {
            thread::yield_now();
        }
        writer.add("warning\n", true);
        permit.send(()).unwrap();
        permit.send(()).unwrap();
        let first = read(&written);
        assert!(first.len() <= WRITE_BYTES && first.ends_with("x\n"), "{} bytes", first.len());
        assert_eq!(read(&written), "warning\n");
    }

    #[test]
    fn lines_are_cut_where_they_end() {
        assert_eq!(whole_lines(b"a\nb\n"), 4);
        let long = "x".repeat(WRITE_BYTES + 5);
        assert_eq!(whole_lines(long.as_bytes()), long.len());
        assert_eq!(whole_lines(format!("{long}\nnext\n").as_bytes()), long.len() + 1);
        assert_eq!(whole_lines(format!("a\n{long}\nnext\n").as_bytes()), 2);
    }

    #[test]
    fn a_reader_that_does_not_read_does_not_stop_the_exit() {
        let (writer, thread, _permit, _written) = with_reader();
        writer.add("line\n", false);
        drop(thread);
        assert_ne!(writer.0.lock().phase, Phase::Ended);
    }

    #[test]
    fn what_was_added_before_the_exit_is_written() {
        let (writer, thread, permit, written) = with_reader();
        permit.send(()).unwrap();
        permit.send(()).unwrap();
        writer.add("one\n", false);
        writer.add("two\n", false);
        drop(thread);
        assert_eq!(written.try_iter().collect::<String>(), "one\ntwo\n");
        assert_eq!(writer.0.lock().phase, Phase::Ended);
        writer.add("three\n", true);
        assert!(writer.0.lock().waiting.is_empty(), "nobody would write it");
    }
}
