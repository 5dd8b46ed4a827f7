//! Latency in open loop: of the bare loop, and of an authorised change.

use std::time::Duration;

use crate::Failure;
use crate::calls::CallKind;
use crate::contestant::{Contestant, Ground};
use crate::control::say;
use crate::options::{Binary, Options};
use crate::part::Part;
use crate::process::Process;
use crate::report::{BARE, CpuFigure, LatencyFigure, Spread};
use crate::run::{authorized_change, loaded, per_call};
use crate::traffic::{Shape, Traffic};

/// The part of one core's capacity that counts as near it.
const NEAR_CAPACITY: f64 = 0.9;

/// One round.
pub(crate) async fn measure(
    options: &Options,
    ground: &Ground,
    cpu: &[CpuFigure],
    round: u32,
    figures: &mut Vec<LatencyFigure>,
) -> Result<(), Failure> {
    let traffic = open(options, options.rate);
    let mut bare = Process::part(&Part::Bare { kind: CallKind::Change, traffic }, &ground.environment())?;
    let (measured, used) = loaded(&mut bare, None, traffic.warm_up, options.time()).await?;
    bare.stop().await?;
    figures.push(LatencyFigure {
        contestant: BARE.to_owned(),
        workers: 1,
        rate: options.rate,
        near_capacity: false,
        round,
        calls: measured.calls,
        cpu_us_per_call: per_call(used, measured.calls),
        latency_us: measured.latency,
    });
    for binary in options.binaries() {
        for workers in [1, 2] {
            figures.push(of_change(options, ground, &binary, workers, options.rate, round).await?);
        }
        if let Some(capacity) = capacity(cpu, &binary.name) {
            let figure = of_change(options, ground, &binary, 1, capacity, round).await?;
            figures.push(LatencyFigure { near_capacity: true, ..figure });
        }
    }
    Ok(())
}

/// So many changes a second keep one core almost busy.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive rate far below 2^32")]
fn capacity(cpu: &[CpuFigure], contestant: &str) -> Option<u32> {
    let changes = cpu.iter().filter(|figure| figure.contestant == contestant && figure.load == "change");
    let cpu_us = Spread::of(changes.map(|figure| figure.cpu_us_per_call))?.median;
    Some((NEAR_CAPACITY * 1e6 / cpu_us) as u32)
}

fn open(options: &Options, rate: u32) -> Traffic {
    Traffic { warm_up: options.warm_up(), shape: Shape::Open { rate: rate.max(1), time: options.time() } }
}

async fn of_change(
    options: &Options,
    ground: &Ground,
    binary: &Binary,
    workers: usize,
    rate: u32,
    round: u32,
) -> Result<LatencyFigure, Failure> {
    say(&format!("round {round}: {}, {rate}/s in open loop, {workers} worker(s)", binary.name));
    let traffic = open(options, rate);
    let serving = Contestant::Serve(binary.clone()).start(ground, workers).await?;
    let target = authorized_change(options, ground, serving.address);
    let mut load = Process::part(&Part::Load { target, traffic }, &[])?;
    let patience = options.time() + Duration::from_mins(1);
    let (measured, used) = loaded(&mut load, Some(&serving.process), traffic.warm_up, patience).await?;
    load.stop().await?;
    serving.stop().await?;
    Ok(LatencyFigure {
        contestant: binary.name.clone(),
        workers,
        rate,
        near_capacity: false,
        round,
        calls: measured.calls,
        cpu_us_per_call: per_call(used, measured.calls),
        latency_us: measured.latency,
    })
}
