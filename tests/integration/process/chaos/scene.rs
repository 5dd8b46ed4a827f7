//! What all tasks of the chaos share, health, and waiting with nothing wrong meanwhile.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::{Method, Uri};
use serde_json::{Value, json};
use tokio::sync::watch;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::process::chaos::callers::{CALLERS, Ended, GRACE, Phase, USERS, user};
use crate::process::chaos::reloading::{Version, entities, policies};
use crate::support::certificate_authority::CertificateAuthority;
use crate::support::fake_store::FakeStore;
use crate::support::policy_fixture::PolicyFixture;
use crate::support::process::Process;
use crate::support::serve_harness::AWS_CREDENTIALS;
use crate::support::test_cognito::{POOL, TestCognito};
use crate::support::token_issuer::{SigningKey, jwks};
use crate::support::usage::Usage;

/// The limit of a test's own steps, so that none hangs.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The pause between two checks of health, and between two reloads.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// How often each caller's calls have ended, and how many of the last of them as they must when nothing is wrong.
pub(super) type Counts = [(usize, usize); CALLERS.len()];

/// What health says: of the service, of Cognito, of the audit log.
pub(super) type Health = [ServingStatus; 3];

/// What all tasks share.
pub(super) struct Scene {
    pub(super) seed: u64,
    pub(super) fixture: PolicyFixture,
    /// What callers' tokens are signed with.
    pub(super) key: SigningKey,
    pub(super) authority: CertificateAuthority,
    pub(super) cognito: TestCognito,
    pub(super) store: FakeStore,
    pub(super) process: Process,
    pub(super) origin: Uri,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) counts: watch::Sender<Counts>,
    pub(super) health: watch::Sender<Health>,
    /// How long checks of health took.
    pub(super) probed: Mutex<Vec<Duration>>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) numbers: AtomicUsize,
    pub(super) users: AtomicUsize,
    pub(super) calls: Mutex<Vec<Ended>>,
    /// What must not be.
    pub(super) wrong: Mutex<Vec<String>>,
    /// The version of everything that is reloaded. Held while it is.
    pub(super) version: tokio::sync::Mutex<Version>,
    /// The number of reloads that have ended.
    pub(super) reloads: watch::Sender<usize>,
    /// The most that the process held while nothing was wrong.
    pub(super) held: Mutex<Option<Usage>>,
}

impl Scene {
    pub(super) async fn start(seed: u64) -> Arc<Self> {
        let fixture = PolicyFixture::with(&policies(0));
        let (key, authority) = (SigningKey::p256("callers"), CertificateAuthority::new("the authority"));
        fixture.write("jwks.json", &jwks(&[&key]));
        fixture.write("entities.json", &entities(0));
        fixture.write("chain.key", &"k".repeat(32));
        fixture.write_tls(&authority.server(), &authority.certificate);
        let (cognito, store) = (TestCognito::start().await, FakeStore::start().await);
        for number in 0..USERS {
            cognito.perform("AdminCreateUser", json!({ "UserPoolId": POOL, "Username": user(number) })).await;
        }
        cognito.call(Method::DELETE, "/_embedded/requests", Value::Null).await;
        let [entities, chain] = ["entities.json", "chain.key"].map(|file| fixture.path(file));
        let quota = "ALL=unlimited,USER_READ=1000/200,USER_RESOURCE_UPDATE=500/100,USER_POOL_RESOURCE_READ=500/100,\
                     USER_POOL_RESOURCE_UPDATE=500/100";
        let options = fixture.options_with(&[
            ("--entities", &entities),
            ("--audit-username", "plain"),
            ("--audit-chain-key-file", &chain),
            ("--quota", quota),
            ("--quota-store", &store.url),
            ("--replicas", "2"),
            // Longer than a busy machine needs.
            ("--operation-timeout", "3s"),
        ]);
        let options = [options, fixture.tls_options()].concat();
        let mut process = Process::serve_on_filling_disk(&options, &cognito.url, AWS_CREDENTIALS).await;
        let origin = format!("https://localhost:{}", process.address().await.port()).parse().unwrap();
        Arc::new(Self {
            seed,
            fixture,
            key,
            authority,
            cognito,
            store,
            process,
            origin,
            phase: watch::Sender::new(Phase::Calm),
            counts: watch::Sender::new([(0, 0); CALLERS.len()]),
            health: watch::Sender::new([ServingStatus::Unknown; 3]),
            probed: Mutex::default(),
            stop: watch::Sender::new(false),
            numbers: AtomicUsize::new(0),
            users: AtomicUsize::new(0),
            calls: Mutex::default(),
            wrong: Mutex::default(),
            version: tokio::sync::Mutex::default(),
            reloads: watch::Sender::new(0),
            held: Mutex::default(),
        })
    }

    pub(super) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    pub(super) fn stopped(&self) -> bool {
        *self.stop.borrow()
    }

    pub(super) fn wrong(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }

    pub(super) fn logged(&self, event: &str) -> usize {
        self.process.stderr().matches(event).count()
    }

    /// Waits for something, with nothing wrong meanwhile.
    pub(super) async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let started = Instant::now();
        while !condition() {
            assert!(started.elapsed() < TIMEOUT, "still not {what}: {}", self.report());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(self.wrong.lock().unwrap().is_empty(), "until {what}: {}", self.report());
    }

    /// Waits until so many more calls of each caller have ended.
    pub(super) async fn calls(&self, number: usize) {
        let before = *self.counts.borrow();
        let ended = || self.counts.borrow().iter().zip(before).all(|(now, before)| now.0 >= before.0 + number);
        self.until(&format!("{number} more calls of each caller"), ended).await;
    }

    /// From now on calls begin in that phase. Done when those that began before have ended.
    pub(super) async fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
        self.calls(1).await;
    }

    /// Asks for health, until it is told to stop.
    pub(super) async fn probe(self: Arc<Self>) {
        let mut health = HealthClient::with_origin(self.authority.untimed(None), self.origin.clone());
        while !self.stopped() {
            let (before, mut said) = (self.phase(), [ServingStatus::Unknown; 3]);
            for (name, said) in ["", "upstream", "audit"].into_iter().zip(&mut said) {
                let (request, began) = (HealthCheckRequest { service: name.to_owned() }, Instant::now());
                match tokio::time::timeout(GRACE, health.check(request)).await {
                    Ok(Ok(answer)) => *said = answer.into_inner().status(),
                    other => self.wrong(format!("health of {name:?}: {other:?}")),
                }
                self.probed.lock().unwrap().push(began.elapsed());
            }
            if before == Phase::Calm && self.phase() == Phase::Calm && said != [ServingStatus::Serving; 3] {
                self.wrong(format!("health says {said:?} while nothing is wrong"));
            }
            self.health.send_replace(said);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What an assertion tells.
    pub(super) fn report(&self) -> String {
        let (wrong, log) = (self.wrong.lock().unwrap(), self.process.stderr());
        let last: Vec<_> = log.lines().rev().take(30).collect();
        let first: Vec<_> = wrong.iter().take(20).collect();
        format!("seed {}; {} wrong: {first:#?}\n{}{last:#?}", self.seed, wrong.len(), self.summary())
    }

    /// How often calls that began in a phase ended in what.
    pub(super) fn summary(&self) -> String {
        let mut ended: BTreeMap<(Phase, String), BTreeMap<String, usize>> = BTreeMap::new();
        for call in &*self.calls.lock().unwrap() {
            let reasons = ended.entry((call.phase, format!("{:?}", call.role))).or_default();
            *reasons.entry(call.reason.clone()).or_default() += 1;
        }
        let lines = ended.iter().map(|((phase, role), reasons)| format!("{phase:?} {role}: {reasons:?}\n"));
        lines.collect()
    }
}
