//! How much of a quota is used under five times the demand, how fairly, and how long an interactive call waits beside bulk. It prints,
//! and takes a minute:
//!
//! `cargo test --test integration -- --ignored --nocapture --test-threads=1 quota::measure`
#![expect(clippy::cast_precision_loss, reason = "numbers of some thousands")]

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{Caller, serve};
use crate::support::serve_harness::ServeHarness;

const CALLERS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
const RATE: u32 = 25;
const BURST: u32 = 5;
/// More than may wait at a time, so that no two reads are one.
const USERS: usize = 1009;
const WINDOW: Duration = Duration::from_secs(30);

/// A call that has ended: of whom, whether it was served, and how long it took.
type Ended = (&'static str, bool, Duration);

/// Calls so often for the window, as each of the callers in turn.
async fn calls(service: &ServeHarness, callers: &[Caller], every: Duration) -> JoinSet<Ended> {
    let (mut calls, mut ticks) = (JoinSet::new(), tokio::time::interval(every));
    let users = service.cognito.new_users(USERS).await;
    let started = Instant::now();
    for (caller, user) in callers.iter().cycle().zip(users.iter().cycle()) {
        ticks.tick().await;
        if started.elapsed() >= WINDOW {
            break;
        }
        let (name, call) = (caller.name, caller.read(service, user));
        calls.spawn(async move {
            let started = Instant::now();
            (name, call.await.is_ok(), started.elapsed())
        });
    }
    calls
}

#[tokio::test]
#[ignore = "a measurement, which prints"]
async fn five_times_the_demand() {
    let service = serve(&["--quota", &format!("USER_READ={RATE}/{BURST}")]).await;
    let callers = CALLERS.map(|name| Caller { name, priority: None, timeout: Duration::from_secs(2) });
    let started = Instant::now();
    let load = calls(&service, &callers, Duration::from_secs(1) / (5 * RATE)).await;
    let ended = load.join_all().await;
    // The last ones have waited beyond the window.
    let quota = started.elapsed().as_secs_f64() * f64::from(RATE);
    let served = CALLERS.map(|name| ended.iter().filter(|(of, ok, _)| *of == name && *ok).count() as f64);
    let (sum, squares) = (served.iter().sum::<f64>(), served.iter().map(|number| number * number).sum::<f64>());
    println!("{} calls; served {sum} of {quota:.0} and a burst of {BURST}: {:.1} %", ended.len(), 100.0 * sum / quota);
    println!("served by caller {served:?}: Jain's index {:.4}", sum * sum / (served.len() as f64 * squares));
}

#[tokio::test]
#[ignore = "a measurement, which prints"]
async fn interactive_beside_bulk() {
    let service = serve(&["--quota", &format!("USER_READ={RATE}/2")]).await;
    let bulk = [Caller { name: "job", priority: Some("bulk"), timeout: Duration::from_secs(5) }];
    let user = [Caller { name: "user", priority: None, timeout: Duration::from_secs(5) }];
    let every = Duration::from_secs(1) / (5 * RATE);
    let (bulk, user) = tokio::join!(calls(&service, &bulk, every), calls(&service, &user, Duration::from_millis(100)));
    let served = bulk.join_all().await.iter().filter(|(_, ok, _)| *ok).count();
    let mut took: Vec<_> = user.join_all().await;
    took.sort_by_key(|(_, _, took)| *took);
    let refused = took.iter().filter(|(_, ok, _)| !ok).count();
    let at = |share: usize| took[(took.len() - 1) * share / 100].2;
    println!(
        "interactive: {refused} of {} refused, p50 {:?}, p99 {:?}, max {:?}; an interval is {:?}; bulk served {served}",
        took.len(),
        at(50),
        at(99),
        at(100),
        Duration::from_secs(1) / RATE
    );
}
