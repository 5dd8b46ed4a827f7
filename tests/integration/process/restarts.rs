//! Two instances that are restarted one after the other, under load: a client with one retry has no failed call.
//!
//! The long form prints, and takes two minutes:
//!
//! `cargo test --test integration -- --ignored --nocapture a_hundred_restarts`

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tonic::Status;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::policy_fixture::PolicyFixture;
use crate::support::process::Process;
use crate::support::seeded::Seeded;
use crate::support::serve_harness::{AWS_CREDENTIALS, read_user, set_sms};
use crate::support::test_cognito::{POOL, TestCognito};

/// 200 calls a second.
const EVERY: Duration = Duration::from_millis(5);
const INSTANCES: usize = 2;
/// Calls at a time, so that a busy machine has fewer a second and none that waits.
const IN_FLIGHT: usize = 32;

/// An instance in the clients' list.
struct Seat {
    /// Each call that began while it was there holds it until it has ended.
    channel: Mutex<Arc<Channel>>,
    /// What its health says.
    serving: AtomicBool,
}

/// What became of the calls.
#[derive(Default)]
struct Counts {
    /// Failures at the first try, of a client that follows health and of one that does not.
    first: [AtomicUsize; 2],
    /// Failures of the retry as well.
    failed: Mutex<Vec<(Status, Status)>>,
}

/// What all calls share.
struct Load {
    seats: Vec<Arc<Seat>>,
    authorization: String,
    counts: Counts,
    ended: watch::Sender<usize>,
}

impl Seat {
    /// The instance of a process. The list follows its health from now on. Returns what calls may still hold of the one before.
    async fn take(self: &Arc<Self>, process: &mut Process) -> Weak<Channel> {
        let channel = process.channel().await;
        let watch = HealthClient::new(channel.clone()).watch(HealthCheckRequest::default()).await;
        let mut watch = watch.unwrap().into_inner();
        assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
        let before = Arc::downgrade(&mem::replace(&mut *self.channel.lock().unwrap(), Arc::new(channel)));
        self.serving.store(true, Ordering::SeqCst);
        let seat = Arc::clone(self);
        tokio::spawn(async move {
            let _changed_or_ended = watch.message().await;
            seat.serving.store(false, Ordering::SeqCst);
        });
        before
    }

    fn channel(&self) -> Arc<Channel> {
        Arc::clone(&self.channel.lock().unwrap())
    }
}

impl Load {
    /// A call: every fourth is a change.
    async fn send(&self, seat: &Seat, number: usize) -> Result<(), Status> {
        let channel = Channel::clone(&seat.channel());
        if number.is_multiple_of(4) {
            set_sms(channel, &self.authorization, true, "restart").await
        } else {
            read_user(channel, Some(&self.authorization), POOL).await.map(drop)
        }
    }

    /// One call with one retry, on the other instance.
    async fn call(&self, number: usize) {
        let _held = [0, 1].map(|seat| self.seats[seat].channel());
        let follows_health = (number / INSTANCES).is_multiple_of(2);
        let (next, other) = (&self.seats[number % INSTANCES], &self.seats[(number + 1) % INSTANCES]);
        let swapped = follows_health && !next.serving.load(Ordering::SeqCst);
        let (first, second) = if swapped { (other, next) } else { (next, other) };
        if let Err(status) = self.send(first, number).await {
            self.counts.first[usize::from(!follows_health)].fetch_add(1, Ordering::SeqCst);
            if let Err(again) = self.send(second, number).await {
                self.counts.failed.lock().unwrap().push((status, again));
            }
        }
        self.ended.send_modify(|ended| *ended += 1);
    }

    /// Calls until it is told to stop, and returns when the last call has ended.
    async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let (mut calls, mut ticks) = (JoinSet::new(), tokio::time::interval(EVERY));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut number, turns) = (0, Arc::new(Semaphore::new(IN_FLIGHT)));
        while !*stop.borrow_and_update() {
            ticks.tick().await;
            let (load, turn) = (Arc::clone(&self), Arc::clone(&turns).acquire_owned().await.unwrap());
            calls.spawn(async move {
                load.call(number).await;
                drop(turn);
            });
            number += 1;
            while calls.try_join_next().is_some_and(|ended| ended.is_ok()) {}
        }
        calls.join_all().await;
    }
}

/// An instance of the two, before that Cognito.
async fn start(fixture: &PolicyFixture, number: usize, cognito: &TestCognito) -> Process {
    let audit_log = fixture.path(&format!("audit-{number}.jsonl"));
    let options = fixture.options_with(&[
        ("--audit-log", audit_log.as_str()),
        ("--drain-delay", "200ms"),
        // Nothing fails because the machine is busy.
        ("--operation-timeout", "1m"),
        ("--default-deadline", "1m"),
        ("--drain-timeout", "1m"),
    ]);
    Process::serve_with(&options, &cognito.url, AWS_CREDENTIALS).await
}

async fn restart(restarts: usize, seed: u64) -> String {
    let (fixture, cognito) = (PolicyFixture::allow_all(), TestCognito::start().await);
    let (mut processes, mut seats, mut random) = (Vec::new(), Vec::new(), Seeded::new(seed));
    for number in 0..INSTANCES {
        let mut process = start(&fixture, number, &cognito).await;
        let channel = Mutex::new(Arc::new(process.channel().await));
        let seat = Arc::new(Seat { channel, serving: AtomicBool::new(false) });
        seat.take(&mut process).await;
        processes.push(process);
        seats.push(seat);
    }
    let authorization = fixture.bearer("caller");
    let (ended, mut calls) = watch::channel(0);
    let load = Arc::new(Load { seats, authorization, counts: Counts::default(), ended });
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(Arc::clone(&load).run(stopped));
    for restart in 0..restarts {
        let until = *calls.borrow() + usize::try_from(20 + random.below(80)).unwrap();
        calls.wait_for(|ended| *ended >= until).await.unwrap();
        let number = restart % INSTANCES;
        // While the first of the list is away, calls go to the other.
        let process = processes.remove(0);
        process.terminate().await;
        let mut process = start(&fixture, number, &cognito).await;
        let before = load.seats[number].take(&mut process).await;
        processes.push(process);
        // No call may find both of them away.
        calls.wait_for(|_| before.strong_count() == 0).await.unwrap();
    }
    stop.send(true).unwrap();
    running.await.unwrap();
    let [following, ignoring] = [0, 1].map(|client| load.counts.first[client].load(Ordering::SeqCst));
    let calls = *calls.borrow();
    let failed = load.counts.failed.lock().unwrap();
    assert!(failed.is_empty(), "seed {seed}: {} calls failed twice, the first {:?}", failed.len(), failed[0]);
    format!(
        "seed {seed}: {restarts} restarts, {calls} calls; failed without a retry: {following} where health is followed, {ignoring} \
         where it is not"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_with_one_retry_fails_while_instances_are_restarted() {
    println!("{}", restart(6, 1).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes two minutes, and prints"]
async fn a_hundred_restarts() {
    println!("{}", restart(100, 2).await);
}
