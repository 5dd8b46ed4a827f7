//! The parts that this program runs as, each in a process of its own.

use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

use crate::calls::CallKind;
use crate::load::Target;
use crate::traffic::Traffic;
use crate::{Failure, bare, load, naive, stub};

/// A part and its settings.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum Part {
    /// In Cognito's place.
    Stub,
    /// A loop over the SDK, which is its own load.
    Bare { kind: CallKind, traffic: Traffic },
    /// A façade without protection.
    Naive,
    /// gRPC clients.
    Load { target: Target, traffic: Traffic },
    /// Connections that do nothing.
    Idle { target: Target, connections: usize },
}

impl Part {
    /// The argument in front of a part.
    pub(crate) const ARGUMENT: &str = "part";
}

/// Runs a part, as the run passes it.
pub(crate) fn run(part: &str) -> Result<(), Failure> {
    match serde_json::from_str(part)? {
        Part::Stub => on_one_thread()?.block_on(stub::run()),
        // Spawned, since the thread that blocks is no worker.
        Part::Bare { kind, traffic } => one_worker()?.block_on(async { tokio::spawn(bare::run(kind, traffic)).await? }),
        Part::Naive => one_worker()?.block_on(naive::run()),
        Part::Load { target, traffic } => on_one_thread()?.block_on(load::run(target, traffic)),
        Part::Idle { target, connections } => on_one_thread()?.block_on(load::idle(target, connections)),
    }
}

/// The runtime of what is not measured.
fn on_one_thread() -> Result<Runtime, Failure> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// The runtime of a contestant: tokio's usual one, with one worker.
fn one_worker() -> Result<Runtime, Failure> {
    Ok(Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}
