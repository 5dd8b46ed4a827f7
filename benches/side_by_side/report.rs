//! The results: every figure as JSON, and medians and ratios as text.

use std::fmt::Write as _;

use serde::Serialize;

use crate::calls::CallKind;
use crate::control::Latency;
use crate::machine::{Machine, Versions};
use crate::options::Options;
use crate::process::Memory;

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) versions: Versions,
    pub(crate) settings: Settings,
    /// What was not measured, and why.
    pub(crate) left_out: Vec<String>,
    pub(crate) cpu: Vec<CpuFigure>,
    pub(crate) cpu_summary: Vec<CpuSummary>,
    pub(crate) latency: Vec<LatencyFigure>,
    pub(crate) latency_summary: Vec<LatencySummary>,
    pub(crate) memory: Vec<MemoryFigure>,
}

/// The settings, with the defaults that depend on others.
#[derive(Debug, Serialize)]
pub(crate) struct Settings {
    pub(crate) options: Options,
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
    pub(crate) warm_up_seconds: f64,
    pub(crate) calls: u64,
}

/// One measurement in closed loop.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CpuFigure {
    pub(crate) contestant: String,
    pub(crate) load: String,
    pub(crate) kind: CallKind,
    pub(crate) round: u32,
    pub(crate) calls: u64,
    pub(crate) seconds: f64,
    pub(crate) cpu_us_per_call: f64,
    pub(crate) calls_per_second: f64,
    pub(crate) latency_us: Latency,
    pub(crate) memory_kib: Memory,
}

/// One load of one contestant over all rounds.
#[derive(Debug, Serialize)]
pub(crate) struct CpuSummary {
    pub(crate) contestant: String,
    pub(crate) load: String,
    pub(crate) cpu_us_per_call: Spread,
    /// To the same call of the bare loop in the same round.
    pub(crate) ratio_to_bare: Option<Spread>,
    /// To the same call of the façade in Go in the same round.
    pub(crate) ratio_to_go: Option<Spread>,
    pub(crate) calls_per_second: f64,
    pub(crate) resident_mib: f64,
}

/// One measurement in open loop.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LatencyFigure {
    pub(crate) contestant: String,
    pub(crate) workers: usize,
    pub(crate) rate: u32,
    /// Whether the rate is 90 % of what one core does.
    pub(crate) near_capacity: bool,
    pub(crate) round: u32,
    pub(crate) calls: u64,
    pub(crate) cpu_us_per_call: f64,
    /// From the intended start.
    pub(crate) latency_us: Latency,
}

/// Medians over all rounds.
#[derive(Debug, Serialize)]
pub(crate) struct LatencySummary {
    pub(crate) contestant: String,
    pub(crate) workers: usize,
    pub(crate) rate: u32,
    pub(crate) latency_us: Latency,
    /// Over the bare loop at the same rate in the same round.
    pub(crate) added_us: Option<Latency>,
}

/// Memory of `serve` at some point.
#[derive(Debug, Serialize)]
pub(crate) struct MemoryFigure {
    pub(crate) contestant: String,
    pub(crate) when: String,
    pub(crate) memory_kib: Memory,
}

/// Median, least and greatest.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` of nothing.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let median = *values.get(values.len() / 2)?;
        Some(Self { median, min: *values.first()?, max: *values.last()? })
    }
}

/// The name of the bare loop and of the façade in Go in the results.
pub(crate) const BARE: &str = "bare";
const GO: &str = "go";

impl Report {
    /// Medians and ratios of what was measured.
    pub(crate) fn summarize(&mut self) {
        self.cpu_summary = summarize_cpu(&self.cpu);
        self.latency_summary = summarize_latency(&self.latency);
    }

    /// The table.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _: std::fmt::Result = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let Machine { cpu, cores, kernel, load_average } = &self.machine;
        writeln!(text, "{cpu}, {cores} cores, Linux {kernel}, load average {load_average}")?;
        let versions: Vec<String> = self.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        writeln!(text, "{}", versions.join(", "))?;
        let Settings { options, rounds, seconds, .. } = &self.settings;
        let (connections, streams) = (options.connections, options.streams);
        writeln!(
            text,
            "{rounds} rounds of {seconds} s; {connections} connections with {streams} calls in flight each"
        )?;
        for left_out in &self.left_out {
            writeln!(text, "left out: {left_out}")?;
        }
        if !self.cpu_summary.is_empty() {
            writeln!(
                text,
                "\nCPU a call, one worker{:>15}{:>18}{:>9}{:>9}{:>10}{:>8}",
                "µs", "min to max", "× bare", "× go", "calls/s", "MiB"
            )?;
        }
        for row in &self.cpu_summary {
            let ratio = |ratio: Option<Spread>| ratio.map_or("-".to_owned(), |ratio| format!("{:.2}", ratio.median));
            let Spread { median, min, max } = row.cpu_us_per_call;
            writeln!(
                text,
                "  {:<27}{median:>8.1}{:>18}{:>9}{:>9}{:>10.0}{:>8.1}",
                format!("{}, {}", row.contestant, row.load),
                format!("{min:.1} to {max:.1}"),
                ratio(row.ratio_to_bare),
                ratio(row.ratio_to_go),
                row.calls_per_second,
                row.resident_mib
            )?;
        }
        if !self.latency_summary.is_empty() {
            writeln!(
                text,
                "\nlatency of a change in open loop, ms{:>19}{:>10}{:>10}{:>10}",
                "p50", "p99", "p99.9", "max"
            )?;
        }
        for row in &self.latency_summary {
            let name = format!("{}, {} worker(s), {}/s", row.contestant, row.workers, row.rate);
            writeln!(text, "  {name:<43}{}", milliseconds(&row.latency_us))?;
            if let Some(added) = &row.added_us {
                writeln!(text, "  {:<43}{}", "  over the bare loop", milliseconds(added))?;
            }
        }
        if !self.memory.is_empty() {
            writeln!(text, "\nmemory of serve, MiB{:>33}{:>10}", "resident", "peak")?;
        }
        for row in &self.memory {
            let Memory { resident, peak } = row.memory_kib;
            let name = format!("{}, {}", row.contestant, row.when);
            writeln!(text, "  {name:<43}{:>8.1}{:>10.1}", mib(resident), mib(peak))?;
        }
        Ok(())
    }
}

fn milliseconds(latency: &Latency) -> String {
    let Latency { p50, p99, p99_9, max } = latency;
    format!("{:>10.3}{:>10.3}{:>10.3}{:>10.3}", p50 / 1e3, p99 / 1e3, p99_9 / 1e3, max / 1e3)
}

#[expect(clippy::cast_precision_loss, reason = "no memory has 2^53 KiB")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

fn summarize_cpu(figures: &[CpuFigure]) -> Vec<CpuSummary> {
    let first = figures.first().map_or(0, |figure| figure.round);
    let rows = figures.iter().filter(|figure| figure.round == first);
    let summary = rows.filter_map(|row| {
        let of_row = || figures.iter().filter(|other| other.contestant == row.contestant && other.load == row.load);
        let ratio = |contestant: &str| {
            Spread::of(of_row().filter_map(|figure| {
                let same = |other: &&CpuFigure| {
                    other.contestant == contestant
                        && other.round == figure.round
                        && other.load == figure.kind.to_string()
                };
                Some(figure.cpu_us_per_call / figures.iter().find(same)?.cpu_us_per_call)
            }))
        };
        Some(CpuSummary {
            contestant: row.contestant.clone(),
            load: row.load.clone(),
            cpu_us_per_call: Spread::of(of_row().map(|figure| figure.cpu_us_per_call))?,
            ratio_to_bare: ratio(BARE),
            ratio_to_go: ratio(GO),
            calls_per_second: Spread::of(of_row().map(|figure| figure.calls_per_second))?.median,
            resident_mib: Spread::of(of_row().map(|figure| mib(figure.memory_kib.resident)))?.median,
        })
    });
    summary.collect()
}

fn summarize_latency(figures: &[LatencyFigure]) -> Vec<LatencySummary> {
    let first = figures.first().map_or(0, |figure| figure.round);
    let rows = figures.iter().filter(|figure| figure.round == first);
    let summary = rows.map(|row| {
        let of_row = figures.iter().filter(|other| {
            other.contestant == row.contestant
                && other.workers == row.workers
                && other.near_capacity == row.near_capacity
        });
        let of_row: Vec<&LatencyFigure> = of_row.collect();
        let added = of_row.iter().filter_map(|figure| {
            let same = |other: &&LatencyFigure| {
                other.contestant == BARE && other.round == figure.round && other.rate == figure.rate
            };
            Some(figure.latency_us.minus(&figures.iter().find(same)?.latency_us))
        });
        let added: Vec<Latency> = if row.contestant == BARE { Vec::new() } else { added.collect() };
        LatencySummary {
            contestant: row.contestant.clone(),
            workers: row.workers,
            rate: row.rate,
            latency_us: Latency::median(&of_row.iter().map(|figure| figure.latency_us).collect::<Vec<_>>()),
            added_us: (!added.is_empty()).then(|| Latency::median(&added)),
        }
    });
    summary.collect()
}

impl Latency {
    fn minus(&self, other: &Self) -> Self {
        Self {
            p50: self.p50 - other.p50,
            p99: self.p99 - other.p99,
            p99_9: self.p99_9 - other.p99_9,
            max: self.max - other.max,
        }
    }

    /// The median of each percentile.
    fn median(all: &[Self]) -> Self {
        let median =
            |value: fn(&Self) -> f64| Spread::of(all.iter().map(value)).map_or(f64::NAN, |spread| spread.median);
        Self {
            p50: median(|latency| latency.p50),
            p99: median(|latency| latency.p99),
            p99_9: median(|latency| latency.p99_9),
            max: median(|latency| latency.max),
        }
    }
}
