//! A run: builds what is missing, measures in interleaved rounds, and reports.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use crate::Failure;
use crate::calls::{CallKind, OTHER_POOL, POOL};
use crate::contestant::{Contestant, Ground};
use crate::control::{Measured, say};
use crate::fixture::Fixture;
use crate::go::{self, Go};
use crate::load::Target;
use crate::machine::{self, Machine};
use crate::options::{Options, Section};
use crate::part::Part;
use crate::process::Process;
use crate::report::{BARE, CpuFigure, Report, Settings};
use crate::traffic::{Shape, Traffic, Until};
use crate::{latency, memory};

/// The status codes of gRPC that are expected.
const OK: u8 = 0;
const PERMISSION_DENIED: u8 = 7;
const UNAUTHENTICATED: u8 = 16;

/// Measures what the options ask for.
pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    // Ended by a signal, it drops and so kills the parts.
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    tokio::select! {
        outcome = measure(options) => outcome,
        _ = terminated.recv() => Err("terminated".into()),
        _ = interrupted.recv() => Err("interrupted".into()),
    }
}

async fn measure(options: Options) -> Result<(), Failure> {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (mut left_out, mut go_version, mut go_program) = (Vec::new(), None, None);
    if options.build || options.wants(Section::Go) {
        match go::build(&directory).await? {
            Go::Built { program, version } => (go_program, go_version) = (Some(program), Some(version)),
            Go::Missing(why) => left_out.push(format!("the façade in Go: {why}")),
        }
    }
    if options.build {
        for left_out in &left_out {
            say(&format!("left out: {left_out}"));
        }
        return Ok(());
    }
    raise_file_limit()?;
    let machine = Machine::read();
    let mut stub = Process::part(&Part::Stub, &[])?;
    let stub_address = stub.address().await?;
    let fixture = Fixture::new(&directory)?;
    let ground = Ground { stub: format!("http://{stub_address}"), fixture, directory };

    let contestants = contestants(&options, go_program);
    let mut cpu = Vec::new();
    for round in 1..=options.rounds() {
        measure_cpu(&options, &ground, &contestants, round, &mut cpu).await?;
    }
    let mut latency = Vec::new();
    if options.wants(Section::Latency) {
        for round in 1..=options.rounds() {
            latency::measure(&options, &ground, &cpu, round, &mut latency).await?;
        }
    }
    let mut memory = Vec::new();
    if options.wants(Section::Memory) {
        memory::measure(&options, &ground, &mut memory).await?;
    }
    stub.running()?;

    let settings = Settings {
        rounds: options.rounds(),
        seconds: options.time().as_secs_f64(),
        warm_up_seconds: options.warm_up().as_secs_f64(),
        calls: options.calls(),
        options,
    };
    let mut report = Report {
        machine,
        versions: machine::versions(go_version.as_deref()),
        settings,
        left_out,
        cpu,
        cpu_summary: Vec::new(),
        latency,
        latency_summary: Vec::new(),
        memory,
    };
    report.summarize();
    io::stdout().write_all(report.text().as_bytes())?;
    let json = &report.settings.options.json;
    if let Some(directory) = json.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(json, serde_json::to_string_pretty(&report)?)?;
    Ok(())
}

/// A service has a connection for half of the files that it may open.
fn raise_file_limit() -> Result<(), Failure> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

fn contestants(options: &Options, go: Option<PathBuf>) -> Vec<Contestant> {
    let mut contestants = Vec::new();
    if options.wants(Section::Naive) {
        contestants.push(Contestant::Naive);
    }
    contestants.extend(go.map(Contestant::Go));
    for binary in options.binaries() {
        if options.wants(Section::Mfagate) {
            contestants.push(Contestant::Serve(binary.clone()));
        }
        if options.wants(Section::Dev) {
            contestants.push(Contestant::Dev(binary));
        }
    }
    contestants
}

/// One round in closed loop.
async fn measure_cpu(
    options: &Options,
    ground: &Ground,
    contestants: &[Contestant],
    round: u32,
    figures: &mut Vec<CpuFigure>,
) -> Result<(), Failure> {
    let traffic = closed(options);
    if options.wants(Section::Bare) {
        for kind in [CallKind::Change, CallKind::Read] {
            let mut process = Process::part(&Part::Bare { kind, traffic }, &ground.environment())?;
            let (measured, cpu) = loaded(&mut process, None, traffic.warm_up, options.time()).await?;
            figures.push(figure(BARE.to_owned(), kind.to_string(), kind, round, &measured, cpu, &process)?);
            process.stop().await?;
        }
    }
    for contestant in contestants {
        let serving = contestant.start(ground, 1).await?;
        for (load, target) in loads(options, ground, contestant, serving.address) {
            say(&format!("round {round}: {}, {load}", contestant.name()));
            let mut load_part = Process::part(&Part::Load { target: target.clone(), traffic }, &[])?;
            let process = &serving.process;
            let (measured, cpu) = loaded(&mut load_part, Some(process), traffic.warm_up, options.time()).await?;
            figures.push(figure(contestant.name(), load, target.kind, round, &measured, cpu, process)?);
            load_part.stop().await?;
        }
        serving.stop().await?;
    }
    Ok(())
}

fn closed(options: &Options) -> Traffic {
    let shape = Shape::Closed { callers: options.callers(), until: Until::After(options.time()) };
    Traffic { warm_up: options.warm_up(), shape }
}

/// The loads of a contestant, each with its name.
fn loads(options: &Options, ground: &Ground, contestant: &Contestant, address: SocketAddr) -> Vec<(String, Target)> {
    let plain = Target {
        address,
        tls_ca: None,
        connections: options.connections,
        kind: CallKind::Change,
        user_pool_id: POOL.to_owned(),
        authorization: None,
        expected: OK,
    };
    let read = |target: &Target| Target { kind: CallKind::Read, ..target.clone() };
    match contestant {
        Contestant::Naive | Contestant::Go(_) | Contestant::Dev(_) => {
            vec![("change".to_owned(), plain.clone()), ("read".to_owned(), read(&plain))]
        }
        Contestant::Serve(_) => {
            let change = authorized_change(options, ground, address);
            let denied = Target { user_pool_id: OTHER_POOL.to_owned(), expected: PERMISSION_DENIED, ..change.clone() };
            let no_token = Target { authorization: None, expected: UNAUTHENTICATED, ..change.clone() };
            let forged = Target { authorization: Some(ground.fixture.forged.clone()), ..no_token.clone() };
            vec![
                ("read".to_owned(), read(&change)),
                ("change".to_owned(), change),
                ("denied on the pool".to_owned(), denied),
                ("no token".to_owned(), no_token),
                ("forged token".to_owned(), forged),
            ]
        }
    }
}

/// The change that `serve` permits, over TLS.
pub(crate) fn authorized_change(options: &Options, ground: &Ground, address: SocketAddr) -> Target {
    Target {
        address,
        tls_ca: Some(ground.fixture.path("ca.pem")),
        connections: options.connections,
        kind: CallKind::Change,
        user_pool_id: POOL.to_owned(),
        authorization: Some(ground.fixture.authorization.clone()),
        expected: OK,
    }
}

/// Runs a load to its end: what it measured, and the CPU time meanwhile of `service`, or its own where it has none.
pub(crate) async fn loaded(
    load: &mut Process,
    service: Option<&Process>,
    warm_up: Duration,
    time: Duration,
) -> Result<(Measured, Duration), Failure> {
    load.ready(warm_up).await?;
    let before = service.map_or_else(|| load.cpu(), Process::cpu)?;
    load.go_on().await?;
    let measured = load.ended(time).await?;
    let after = service.map_or_else(|| load.cpu(), Process::cpu)?;
    Ok((measured, after.saturating_sub(before)))
}

/// CPU time in microseconds a call.
#[expect(clippy::cast_precision_loss, reason = "no run has 2^53 calls")]
pub(crate) fn per_call(cpu: Duration, calls: u64) -> f64 {
    cpu.as_secs_f64() * 1e6 / calls as f64
}

#[expect(clippy::cast_precision_loss, reason = "no run has 2^53 calls")]
fn figure(
    contestant: String,
    load: String,
    kind: CallKind,
    round: u32,
    measured: &Measured,
    cpu: Duration,
    process: &Process,
) -> Result<CpuFigure, Failure> {
    Ok(CpuFigure {
        contestant,
        load,
        kind,
        round,
        calls: measured.calls,
        seconds: measured.seconds,
        cpu_us_per_call: per_call(cpu, measured.calls),
        calls_per_second: measured.calls as f64 / measured.seconds,
        latency_us: measured.latency,
        memory_kib: process.memory()?,
    })
}
