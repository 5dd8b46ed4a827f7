//! The traffic of a load: in closed loop, or in open loop at a rate; warm-up, measurement, percentiles.
//!
//! In open loop calls start on a fixed schedule, however long others take, and a latency counts from the start that was intended:
//! what waits for a stalled service waits in the figures too (coordinated omission).

use std::fs::File;
use std::future::Future;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use serde::{Deserialize, Serialize};
use tokio::io::unix::AsyncFd;
use tokio::task::JoinSet;

use crate::Failure;
use crate::control::{Control, Event, Latency, Measured};

/// Nanoseconds; two digits beyond the largest error of a clock that matters here.
const SIGNIFICANT_DIGITS: u8 = 3;

/// A traffic, warmed up for some time before it is measured.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Traffic {
    pub(crate) warm_up: Duration,
    pub(crate) shape: Shape,
}

/// Its shape.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) enum Shape {
    /// So many callers, each of which calls as soon as its last call has ended.
    Closed { callers: u64, until: Until },
    /// So many calls a second, independent of each other.
    Open { rate: u32, time: Duration },
}

/// When a closed loop ends.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) enum Until {
    After(Duration),
    Calls(u64),
}

impl Traffic {
    /// Calls `call` with the number of the caller or call, warms up, reports that it is ready, measures, and reports the end.
    pub(crate) async fn run<Calling>(
        self,
        mut control: Control,
        call: impl Fn(u64) -> Calling + Clone + Send + Sync + 'static,
    ) -> Result<(), Failure>
    where
        Calling: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        self.shape.lasting(self.warm_up).measure(call.clone()).await?;
        control.ready().await?;
        let started = Instant::now();
        let latencies = self.shape.measure(call).await?;
        let seconds = started.elapsed().as_secs_f64();
        Control::report(&Event::Ended(Measured { calls: latencies.len(), seconds, latency: percentiles(&latencies) }))
    }
}

impl Shape {
    /// The same for some time.
    fn lasting(self, time: Duration) -> Self {
        match self {
            Self::Closed { callers, .. } => Self::Closed { callers, until: Until::After(time) },
            Self::Open { rate, .. } => Self::Open { rate, time },
        }
    }

    async fn measure<Calling>(
        self,
        call: impl Fn(u64) -> Calling + Clone + Send + Sync + 'static,
    ) -> Result<Histogram<u64>, Failure>
    where
        Calling: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        match self {
            Self::Closed { callers, until } => closed(callers, until, call).await,
            Self::Open { rate, time } => open(rate, time, call).await,
        }
    }
}

async fn closed<Calling>(
    callers: u64,
    until: Until,
    call: impl Fn(u64) -> Calling + Clone + Send + Sync + 'static,
) -> Result<Histogram<u64>, Failure>
where
    Calling: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let started = Instant::now();
    let begun = Arc::new(AtomicU64::new(0));
    let mut tasks: JoinSet<Result<Histogram<u64>, Failure>> = JoinSet::new();
    for caller in 0..callers {
        let (call, begun) = (call.clone(), Arc::clone(&begun));
        tasks.spawn(async move {
            let mut latencies = Histogram::new(SIGNIFICANT_DIGITS)?;
            loop {
                let goes_on = match until {
                    Until::After(time) => started.elapsed() < time,
                    Until::Calls(calls) => begun.fetch_add(1, Ordering::Relaxed) < calls,
                };
                if !goes_on {
                    return Ok(latencies);
                }
                let called = Instant::now();
                call(caller).await?;
                latencies.record(nanoseconds(called.elapsed()))?;
            }
        });
    }
    let mut all = Histogram::new(SIGNIFICANT_DIGITS)?;
    while let Some(latencies) = tasks.join_next().await {
        all.add(latencies??)?;
    }
    Ok(all)
}

async fn open<Calling>(
    rate: u32,
    time: Duration,
    call: impl Fn(u64) -> Calling + Clone + Send + Sync + 'static,
) -> Result<Histogram<u64>, Failure>
where
    Calling: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let interval = Duration::from_secs(1) / rate;
    let started = Instant::now();
    let mut timer = Timer::every(interval)?;
    let mut latencies = Histogram::new(SIGNIFICANT_DIGITS)?;
    let mut tasks: JoinSet<Result<Duration, Failure>> = JoinSet::new();
    let (mut number, mut intended) = (0, started + interval);
    while intended <= started + time {
        timer.wait().await?;
        let now = Instant::now();
        while intended <= now {
            let (calling, start) = (call(number), intended);
            tasks.spawn(async move {
                calling.await?;
                Ok(start.elapsed())
            });
            (number, intended) = (number + 1, intended + interval);
        }
        while let Some(latency) = tasks.try_join_next() {
            latencies.record(nanoseconds(latency??))?;
        }
    }
    while let Some(latency) = tasks.join_next().await {
        latencies.record(nanoseconds(latency??))?;
    }
    Ok(latencies)
}

/// A timer that is exact to microseconds: the runtime's own is to milliseconds.
struct Timer(AsyncFd<File>);

impl Timer {
    #[expect(deprecated, reason = "a file owns its descriptor, and what replaces it needs unsafe code")]
    fn every(interval: Duration) -> io::Result<Self> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        timer.set(Expiration::Interval(TimeSpec::from_duration(interval)), TimerSetTimeFlags::empty())?;
        Ok(Self(AsyncFd::new(File::from(OwnedFd::from(timer)))?))
    }

    /// Waits until it has expired since the last time.
    async fn wait(&mut self) -> io::Result<()> {
        loop {
            let mut ready = self.0.readable_mut().await?;
            let mut expirations = [0; 8];
            if let Ok(read) = ready.try_io(|timer| timer.get_mut().read_exact(&mut expirations)) {
                return read;
            }
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "a latency is far below 2^53 ns")]
fn percentiles(latencies: &Histogram<u64>) -> Latency {
    let microseconds = |nanoseconds| nanoseconds as f64 / 1000.0;
    let at = |quantile| microseconds(latencies.value_at_quantile(quantile));
    Latency { p50: at(0.5), p99: at(0.99), p99_9: at(0.999), max: microseconds(latencies.max()) }
}
