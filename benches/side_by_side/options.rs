//! The options.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use serde::Serialize;

/// Compares the cost of a call: mfagate, the bare SDK, and façades without protection.
#[derive(Clone, Debug, Parser, Serialize)]
#[command(name = "side_by_side")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Options {
    /// A short run of everything: one round, a second a measurement.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Only these, separated by commas. Ratios need `bare`.
    #[arg(long, value_delimiter = ',', value_name = "PART")]
    pub(crate) only: Vec<Section>,

    /// Rounds. [default: 5, quick: 1]
    #[arg(long)]
    rounds: Option<u32>,

    /// Seconds a measurement. [default: 5, quick: 1]
    #[arg(long)]
    seconds: Option<f64>,

    /// Connections of a load.
    #[arg(long, default_value_t = 4)]
    pub(crate) connections: usize,

    /// Calls in flight on each connection, in closed loop. The bare loop has as many in all.
    #[arg(long, default_value_t = 8)]
    pub(crate) streams: usize,

    /// Calls over which memory is observed. [default: 200000, quick: 10000]
    #[arg(long)]
    calls: Option<u64>,

    /// Calls a second of the open loop.
    #[arg(long, default_value_t = 2000)]
    pub(crate) rate: u32,

    /// Idle TLS connections.
    #[arg(long, default_value_t = 1000)]
    pub(crate) idle_connections: usize,

    /// A binary to measure, by default this build's. May be repeated: all are measured in the same rounds.
    #[arg(long, value_name = "[NAME=]PATH")]
    pub(crate) mfagate: Vec<Binary>,

    /// Where to write every figure.
    #[arg(long, default_value = "target/side_by_side.json")]
    pub(crate) json: PathBuf,

    /// Only build what a run needs.
    #[arg(long)]
    pub(crate) build: bool,

    /// Measure nothing: `cargo test --benches` passes it.
    #[arg(long, hide = true)]
    #[serde(skip)]
    pub(crate) test: bool,

    /// `cargo bench` passes it.
    #[arg(long, hide = true)]
    #[serde(skip)]
    bench: bool,
}

/// What can be measured alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Section {
    /// CPU of the SDK without gRPC.
    Bare,
    /// CPU of the façade in Rust without protection.
    Naive,
    /// CPU of the façade in Go without protection.
    Go,
    /// CPU of `mfagate serve`.
    Mfagate,
    /// CPU of `mfagate dev`.
    Dev,
    /// Latency in open loop.
    Latency,
    /// Memory: idle, with idle connections, over many calls.
    Memory,
}

/// A binary of mfagate, and its name in the results.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Binary {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

impl FromStr for Binary {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, path) = text.split_once('=').unwrap_or((text, text));
        let path = PathBuf::from(path);
        if !path.is_file() {
            return Err(format!("{} is not a file", path.display()));
        }
        Ok(Self { name: name.to_owned(), path })
    }
}

impl Options {
    /// Whether it is to be measured.
    pub(crate) fn wants(&self, section: Section) -> bool {
        self.only.is_empty() || self.only.contains(&section)
    }

    pub(crate) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 }).max(1)
    }

    /// The time of a measurement.
    pub(crate) fn time(&self) -> Duration {
        Duration::try_from_secs_f64(self.seconds.unwrap_or(if self.quick { 1.0 } else { 5.0 })).unwrap_or_default()
    }

    /// How long a load runs before it is measured.
    pub(crate) fn warm_up(&self) -> Duration {
        (self.time() / 4).max(Duration::from_millis(300))
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.unwrap_or(if self.quick { 10_000 } else { 200_000 })
    }

    /// The calls in flight in closed loop.
    pub(crate) fn callers(&self) -> u64 {
        (self.connections * self.streams) as u64
    }

    /// The binaries to measure.
    pub(crate) fn binaries(&self) -> Vec<Binary> {
        if self.mfagate.is_empty() {
            return vec![Binary { name: "mfagate".to_owned(), path: env!("CARGO_BIN_EXE_mfagate").into() }];
        }
        self.mfagate.clone()
    }
}
