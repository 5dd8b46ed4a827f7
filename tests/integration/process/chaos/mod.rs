//! Chaos under load: everything is reloaded again and again, the store of quotas is down, Cognito fails and the disk is full, all at
//! once, while callers read and change. Meanwhile each call ends in time with a reason that is documented, and no change is sent
//! without its record; afterwards all is as before.
//!
//! `cargo test --test integration -- --ignored --nocapture ten_times_chaos`

mod callers;
mod records;
mod reloading;
mod scene;

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::process::chaos::callers::{CALLERS, Phase};
use crate::process::chaos::scene::Scene;
use crate::support::disk::fill_disk;
use crate::support::fake_store::StoreState;
use crate::support::seeded::Seeded;
use crate::support::usage::Usage;

/// What may be held more than before. Connections to Cognito stay open, and threads that read files for ten seconds.
const MORE_FILES: usize = 16;
const MORE_THREADS: usize = 4;

const NOT_WRITABLE: &str = "audit log not writable, mutations are rejected";
const NOT_READY: &str = "not ready missing=";
const CIRCUIT_OPENED: &str = "Cognito does not respond, circuit opened";
const CIRCUIT_CLOSED: &str = "Cognito responds again, circuit closed";
const STORE_AWAY: &str = "quota store away, each replica has its part";
const STORE_BACK: &str = "quota store back, quota shared again";

async fn chaos(seed: u64) -> String {
    let scene = Scene::start(seed).await;
    let mut random = Seeded::new(seed);
    let mut running = JoinSet::new();
    for caller in 0..CALLERS.len() {
        running.spawn(Arc::clone(&scene).run(caller));
    }
    running.spawn(Arc::clone(&scene).probe());
    running.spawn(Arc::clone(&scene).reload());
    let auditing = tokio::spawn(Arc::clone(&scene).audit());
    let serving = ServingStatus::Serving;
    let mut steps = Steps { began: Instant::now(), steps: Vec::new() };

    scene.until("reloaded twice", || *scene.reloads.borrow() >= 2).await;
    scene.calls(3).await;
    scene.until("the store in use", || scene.store.granted() > 0).await;
    steps.end("calm");

    // One after the other, so that each thing is seen, and then all of them at once.
    scene.enter(Phase::Chaos).await;
    scene.store.set(StoreState::Silent);
    scene.cognito.inject_fault(faults(&mut random, 2_000)).await;
    scene.until("without the store", || scene.logged(STORE_AWAY) > 0).await;
    scene.calls(6).await;
    steps.end("faults");
    {
        // A new file would have room.
        let _not_rotated = scene.version.lock().await;
        let size = fs::metadata(scene.fixture.path("audit.jsonl")).unwrap().len();
        fill_disk(scene.process.id(), Some(size + 100 + random.below(900)));
        scene.until("full", || scene.logged(NOT_WRITABLE) > 0).await;
        // And none has from now on.
        fill_disk(scene.process.id(), Some(0));
    }
    scene.enter(Phase::Full).await;
    scene
        .until(
            "not ready",
            || matches!(*scene.health.borrow(), [ready, _, audit] if ready != serving && audit != serving),
        )
        .await;
    let reloads = *scene.reloads.borrow();
    scene.until("reloaded while full", || *scene.reloads.borrow() > reloads).await;
    steps.end("full");
    scene.store.set(StoreState::Down);
    scene.cognito.clear_faults().await;
    scene.cognito.inject_fault(json!([{ "kind": "reset", "operation": "AdminGetUser" }, { "kind": "html" }])).await;
    scene.until("circuit opened", || scene.logged(CIRCUIT_OPENED) > 0).await;
    scene.until("upstream not serving", || scene.health.borrow()[1] != serving).await;
    scene.calls(2).await;
    steps.end("all at once");

    // And now the other way round.
    scene.enter(Phase::Chaos).await;
    fill_disk(scene.process.id(), None);
    scene.until("writable again", || scene.health.borrow()[2] == serving).await;
    scene.calls(2).await;
    scene.cognito.clear_faults().await;
    scene.store.set(StoreState::Up);
    let (good, recovering) = (5, Instant::now());
    scene.until("all calls good", || scene.counts.borrow().iter().all(|(_, in_a_row)| *in_a_row >= good)).await;
    let events = [(CIRCUIT_OPENED, CIRCUIT_CLOSED), (STORE_AWAY, STORE_BACK)];
    scene.until("all back", || events.iter().all(|(bad, back)| scene.logged(bad) == scene.logged(back))).await;
    scene.until("healthy", || *scene.health.borrow() == [serving; 3]).await;
    let recovered = recovering.elapsed();
    steps.end("recovery");

    scene.enter(Phase::Calm).await;
    let (reloads, granted) = (*scene.reloads.borrow(), scene.store.granted());
    scene.calls(5).await;
    scene.until("reloaded again", || *scene.reloads.borrow() >= reloads + 2).await;
    scene.until("the store in use again", || scene.store.granted() > granted).await;
    let before = scene.held.lock().unwrap().unwrap();
    let settled = || {
        let now = Usage::of(&scene.process);
        now.threads <= before.threads + MORE_THREADS && now.open_files <= before.open_files + MORE_FILES
    };
    scene.until(&format!("back to {before}"), settled).await;
    let after = Usage::of(&scene.process);
    steps.end("calm again");

    scene.stop.send_replace(true);
    running.join_all().await;
    let received = auditing.await.unwrap();
    let report = scene.report();
    let scene = Arc::into_inner(scene).unwrap();
    assert!(scene.wrong.lock().unwrap().is_empty(), "{report}");
    let summary = format!(
        "seed {seed}: held {before}, then {after}; recovered in {recovered:?}; {:?}\n{}",
        steps.steps,
        scene.summary()
    );
    let checked = scene.end(&received).await;
    format!("{summary}{checked}")
}

/// Faults in an order that the seed determines, each for one request. Every second request is only late.
fn faults(random: &mut Seeded, number: usize) -> Value {
    let mut fault = || {
        let error = |code: &str, status: u16| json!({ "kind": "error", "code": code, "status": status });
        let mut fault = match random.below(14) {
            0 => json!({ "kind": "reset" }),
            1 => json!({ "kind": "html" }),
            2 => json!({ "kind": "no_answer" }),
            3 => json!({ "kind": "truncated_json" }),
            4 => json!({ "kind": "throttling" }),
            5 => error("InternalErrorException", 500),
            6 => error("ServiceUnavailableException", 503),
            _ => json!({ "kind": "latency", "delay_ms": random.below(150) }),
        };
        fault["count"] = 1.into();
        // Whether the change is made although its response is not one.
        fault["perform"] = (random.below(2) == 0).into();
        fault
    };
    (0..number).map(|_| fault()).collect()
}

/// What the steps were, and when each ended.
struct Steps {
    began: Instant,
    steps: Vec<String>,
}

impl Steps {
    fn end(&mut self, step: &str) {
        self.steps.push(format!("{step} {:.1?}", self.began.elapsed()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_everything_fails_at_once_calls_end_and_changes_are_recorded_and_afterwards_all_is_as_before() {
    println!("{}", chaos(1).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes three minutes, and prints"]
async fn ten_times_chaos() {
    for seed in 2..12 {
        println!("{}", chaos(seed).await);
    }
}
