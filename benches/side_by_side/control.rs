//! How a part and the run talk: events, a line of JSON each, on the part's standard output; permission to go on, a line each, on
//! its standard input, whose end ends the part.

use std::io::{self, BufRead as _, Write as _};
use std::net::SocketAddr;
use std::process;
use std::thread;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::Failure;

/// What a part reports.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// It listens.
    Listening { address: SocketAddr },
    /// It is warm, and goes on when it is told to.
    Ready,
    /// It has ended.
    Ended(Measured),
}

/// What a load has measured.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Measured {
    /// Calls with the expected response. A load with any other fails.
    pub(crate) calls: u64,
    pub(crate) seconds: f64,
    /// From the start of a call in closed loop, and from the intended start in open loop.
    pub(crate) latency: Latency,
}

/// Percentiles of latency in microseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p99_9: f64,
    pub(crate) max: f64,
}

/// A part's side.
#[derive(Debug)]
pub(crate) struct Control {
    permissions: UnboundedReceiver<()>,
}

impl Control {
    /// From now on the part ends when the run does.
    pub(crate) fn start() -> Self {
        let (permit, permissions) = unbounded_channel();
        thread::spawn(move || {
            for line in io::stdin().lock().lines() {
                if line.is_err() || permit.send(()).is_err() {
                    break;
                }
            }
            process::exit(0);
        });
        Self { permissions }
    }

    /// Reports an event.
    pub(crate) fn report(event: &Event) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(event)?)?;
        Ok(out.flush()?)
    }

    /// Reports that the part is ready, and waits until it may go on.
    pub(crate) async fn ready(&mut self) -> Result<(), Failure> {
        Self::report(&Event::Ready)?;
        self.permissions.recv().await.ok_or("the run has ended")?;
        Ok(())
    }
}

/// Says a line to a person. There is nobody to tell if that fails.
pub(crate) fn say(line: &str) {
    let _: io::Result<()> = writeln!(io::stderr(), "{line}");
}
