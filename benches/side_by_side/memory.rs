//! Memory of `serve`: idle, with idle TLS connections, and over many calls.

use std::time::Duration;

use crate::Failure;
use crate::contestant::{Contestant, Ground, Serving};
use crate::control::say;
use crate::options::{Binary, Options};
use crate::part::Part;
use crate::process::Process;
use crate::report::MemoryFigure;
use crate::run::{authorized_change, loaded};
use crate::traffic::{Shape, Traffic, Until};

/// How long memory may settle before it is read.
const SETTLING: Duration = Duration::from_millis(500);

/// The calls between two readings.
const STEP: u64 = 100_000;

/// A service is far faster than one call in this time, however busy the machine is.
const TIME_PER_CALL: Duration = Duration::from_millis(10);

/// Measures every binary.
pub(crate) async fn measure(
    options: &Options,
    ground: &Ground,
    figures: &mut Vec<MemoryFigure>,
) -> Result<(), Failure> {
    for binary in options.binaries() {
        say(&format!("{}: memory", binary.name));
        let contestant = Contestant::Serve(binary.clone());
        let serving = contestant.start(ground, 1).await?;
        tokio::time::sleep(SETTLING).await;
        figures.push(read(&binary, "idle".to_owned(), &serving)?);
        idle_connections(options, ground, &binary, &serving, figures).await?;
        serving.process.stop().await?;

        let serving = contestant.start(ground, 1).await?;
        calls(options, ground, &binary, &serving, figures).await?;
        serving.stop().await?;
    }
    Ok(())
}

async fn idle_connections(
    options: &Options,
    ground: &Ground,
    binary: &Binary,
    serving: &Serving,
    figures: &mut Vec<MemoryFigure>,
) -> Result<(), Failure> {
    let connections = options.idle_connections;
    let target = authorized_change(options, ground, serving.address);
    let mut idle = Process::part(&Part::Idle { target, connections }, &[])?;
    idle.ready(Duration::ZERO).await?;
    tokio::time::sleep(SETTLING).await;
    figures.push(read(binary, format!("{connections} idle connections"), serving)?);
    idle.go_on().await?;
    idle.ended(Duration::ZERO).await?;
    Ok(idle.stop().await?)
}

async fn calls(
    options: &Options,
    ground: &Ground,
    binary: &Binary,
    serving: &Serving,
    figures: &mut Vec<MemoryFigure>,
) -> Result<(), Failure> {
    let all = options.calls();
    let mut made = 0;
    while made < all {
        let step = STEP.min(all - made);
        let target = authorized_change(options, ground, serving.address);
        let shape = Shape::Closed { callers: options.callers(), until: Until::Calls(step) };
        let traffic = Traffic { warm_up: Duration::ZERO, shape };
        let mut load = Process::part(&Part::Load { target, traffic }, &[])?;
        let patience = TIME_PER_CALL * u32::try_from(step)?;
        let (measured, _) = loaded(&mut load, Some(&serving.process), Duration::ZERO, patience).await?;
        load.stop().await?;
        made += measured.calls;
        figures.push(read(binary, format!("after {made} calls"), serving)?);
    }
    Ok(())
}

fn read(binary: &Binary, when: String, serving: &Serving) -> Result<MemoryFigure, Failure> {
    Ok(MemoryFigure { contestant: binary.name.clone(), when, memory_kib: serving.process.memory()? })
}
