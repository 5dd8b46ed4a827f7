//! A process that is measured or measures: its events, its CPU time, and its memory.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::Failure;
use crate::control::{Event, Measured};
use crate::part::Part;

/// How long a process may take for what takes it milliseconds on an idle machine.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(1);

/// A running process. It is killed when it is dropped.
pub(crate) struct Process {
    name: String,
    child: Child,
    clock: ClockId,
    stdin: ChildStdin,
    events: Lines<BufReader<ChildStdout>>,
}

/// Resident memory in KiB.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) resident: u64,
    pub(crate) peak: u64,
}

impl Process {
    /// A part, with an environment of its own.
    pub(crate) fn part(part: &Part, environment: &[(&str, &str)]) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(Part::ARGUMENT).arg(serde_json::to_string(part)?);
        let name = format!("{part:?}");
        let name = name.split_whitespace().next().unwrap_or_default().to_lowercase();
        Self::start(&name, command, environment)
    }

    /// A command, with an environment of its own.
    pub(crate) fn start(name: &str, mut command: Command, environment: &[(&str, &str)]) -> Result<Self, Failure> {
        let started = command
            .env_clear()
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child = started.map_err(|error| format!("{name} does not start: {error}"))?;
        let id = child.id().ok_or("it has no id")?;
        Ok(Self {
            name: name.to_owned(),
            clock: clock_getcpuclockid(Pid::from_raw(id.try_into()?))?,
            stdin: child.stdin.take().ok_or("it has no standard input")?,
            events: BufReader::new(child.stdout.take().ok_or("it has no standard output")?).lines(),
            child,
        })
    }

    /// Where a part listens.
    pub(crate) async fn address(&mut self) -> Result<SocketAddr, Failure> {
        match self.event(TIMEOUT).await? {
            Event::Listening { address } => Ok(address),
            other @ (Event::Ready | Event::Ended(_)) => Err(self.unexpected(&other)),
        }
    }

    /// Waits until a load is ready.
    pub(crate) async fn ready(&mut self, warm_up: Duration) -> Result<(), Failure> {
        match self.event(TIMEOUT + 2 * warm_up).await? {
            Event::Ready => Ok(()),
            other @ (Event::Listening { .. } | Event::Ended(_)) => Err(self.unexpected(&other)),
        }
    }

    /// Lets a load that is ready go on.
    pub(crate) async fn go_on(&mut self) -> Result<(), Failure> {
        self.stdin.write_all(b"\n").await?;
        Ok(self.stdin.flush().await?)
    }

    /// What a load has measured, for which it may take this long.
    pub(crate) async fn ended(&mut self, time: Duration) -> Result<Measured, Failure> {
        match self.event(TIMEOUT + time).await? {
            Event::Ended(measured) => Ok(measured),
            other @ (Event::Listening { .. } | Event::Ready) => Err(self.unexpected(&other)),
        }
    }

    async fn event(&mut self, patience: Duration) -> Result<Event, Failure> {
        let line = tokio::time::timeout(patience, self.events.next_line()).await;
        let line = line.map_err(|_| format!("{} is silent", self.name))??;
        let line = line.ok_or_else(|| format!("{} has ended", self.name))?;
        Ok(serde_json::from_str(&line)?)
    }

    fn unexpected(&self, event: &Event) -> Failure {
        format!("{} reports {event:?}", self.name).into()
    }

    /// Fails if it has ended.
    pub(crate) fn running(&mut self) -> Result<(), Failure> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("{} has ended: {status}", self.name).into()),
        }
    }

    /// The CPU time of all its threads, those that have ended included.
    pub(crate) fn cpu(&self) -> Result<Duration, Failure> {
        Ok(Duration::from(self.clock.now()?))
    }

    /// Its memory.
    pub(crate) fn memory(&self) -> Result<Memory, Failure> {
        let id = self.child.id().ok_or_else(|| format!("{} has ended", self.name))?;
        let read = || fs::read_to_string(format!("/proc/{id}/status"));
        // A program that is just being started, or ends, has none for a moment.
        let mut status = read()?;
        for _ in 0..1000 {
            if status.contains("VmRSS:") {
                break;
            }
            status = read()?;
        }
        let value = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok()).ok_or("the system reports no memory")
        };
        Ok(Memory { resident: value("VmRSS:")?, peak: value("VmHWM:")? })
    }

    /// Ends it.
    pub(crate) async fn stop(mut self) -> io::Result<()> {
        self.child.kill().await
    }
}
