//! Cognito is slow for a while: health stays reachable, no call fails, and calls are fast again as soon as Cognito is.
//!
//! `cargo test --test integration -- --ignored --nocapture half_a_minute_of_brown_out`

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::percentiles::Percentiles;
use crate::support::policy_fixture::PolicyFixture;
use crate::support::serve_harness::{ServeHarness, read_user_named, set_sms};
use crate::support::test_cognito::POOL;

/// Calls at a rate, and when each of them began and how long it took.
struct Load {
    calls: JoinSet<(Instant, Duration)>,
    ticks: tokio::time::Interval,
    ended: Arc<watch::Sender<usize>>,
    authorization: Arc<str>,
}

/// So many that reads of the same one seldom meet.
const USERS: usize = 40;

impl Load {
    fn at(every: Duration, authorization: &str) -> Self {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Self {
            calls: JoinSet::new(),
            ticks,
            ended: Arc::new(watch::Sender::new(0)),
            authorization: authorization.into(),
        }
    }

    /// Begins so many calls, every fourth of which is a change.
    async fn begin(&mut self, number: usize, service: &ServeHarness) {
        for number in 0..number {
            self.ticks.tick().await;
            let (channel, authorization) = (service.channel.clone(), Arc::clone(&self.authorization));
            let ended = Arc::clone(&self.ended);
            self.calls.spawn(async move {
                let began = Instant::now();
                if number.is_multiple_of(4) {
                    set_sms(channel, &authorization, true, "slow").await.unwrap();
                } else {
                    let user = format!("user-{}", number % USERS);
                    read_user_named(channel, Some(&authorization), POOL, &user).await.unwrap();
                }
                ended.send_modify(|ended| *ended += 1);
                (began, began.elapsed())
            });
        }
    }
}

/// How long checks of health take, one after the other until it is told to stop.
async fn probe(service: &ServeHarness, mut stop: watch::Receiver<bool>) -> Percentiles {
    let mut health = HealthClient::new(service.channel.clone());
    let (mut took, mut ticks) = (Vec::new(), tokio::time::interval(Duration::from_millis(20)));
    while !*stop.borrow_and_update() {
        ticks.tick().await;
        let started = Instant::now();
        health.check(HealthCheckRequest::default()).await.unwrap();
        took.push(started.elapsed());
    }
    Percentiles::of(took)
}

/// So much latency, while so many calls begin; half of the checks of health may take so long.
async fn brown_out(latency: Duration, every: Duration, calls: usize, healthy: Duration) -> String {
    let fixture = PolicyFixture::allow_all();
    // Nothing fails because the machine is busy.
    let options = fixture.options_with(&[("--operation-timeout", "1m"), ("--default-deadline", "1m")]);
    let service = ServeHarness::with_options(fixture, options).await;
    service.cognito.new_users(USERS).await;
    let mut load = Load::at(every, &service.fixture.bearer("caller"));
    load.begin(50, &service).await;
    let delay = u64::try_from(latency.as_millis()).unwrap();
    service.cognito.inject_fault(json!({ "kind": "latency", "delay_ms": delay })).await;
    let browned = Instant::now();
    let ended = *load.ended.borrow();
    let (stop, stopped) = watch::channel(false);
    let browning = async {
        load.begin(calls, &service).await;
        stop.send(true).unwrap();
    };
    let (probed, ()) = tokio::join!(probe(&service, stopped), browning);
    let in_flight = calls + 50 - *load.ended.borrow();
    let ended = *load.ended.borrow() - ended;
    service.cognito.clear_faults().await;
    let cleared = Instant::now();
    load.begin(100, &service).await;

    let all = load.calls.join_all().await;
    let took = |from: Instant, to: Instant| {
        let within = all.iter().filter(|(began, _)| *began > from && *began < to);
        Percentiles::of(within.map(|(_, took)| *took).collect())
    };
    let (during, after) = (took(browned, cleared), took(cleared, Instant::now()));
    assert!(during.at(50) >= latency, "Cognito was not slow: {during}");
    assert!(probed.at(50) < healthy, "checks of health {probed}");
    assert!(after.at(99) < latency, "calls afterwards {after}");
    format!(
        "latency {latency:?}: calls {during}; {ended} ended during it, {in_flight} in flight at its end; checks of health {probed}; \
         calls afterwards {after}"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brown_out_of_cognito_leaves_health_and_fails_nothing_and_is_over_when_it_is_over() {
    // A check that waited for calls would take longer, and on a busy machine one that does not takes more than in the long form.
    println!("{}", brown_out(Duration::from_secs(2), Duration::from_millis(25), 120, Duration::from_secs(1)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes half a minute, and prints"]
async fn half_a_minute_of_brown_out() {
    println!(
        "{}",
        brown_out(Duration::from_millis(4500), Duration::from_millis(20), 1_500, Duration::from_millis(50)).await
    );
}
