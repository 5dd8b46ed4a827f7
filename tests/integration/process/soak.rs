//! An hour of everything at once, good and bad: the process holds no more at the end than after the first minutes.
//!
//! `.ci/soak [SECONDS]` runs it.
#![expect(clippy::cast_precision_loss, reason = "KiB and seconds")]

use std::collections::BTreeMap;
use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mfagate::api::v1::AdminGetUserRequest;
use mfagate::api::v1::mfa_preference_service_client::MfaPreferenceServiceClient;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};
use tonic_types::StatusExt as _;

use crate::support::policy_fixture::{PolicyFixture, claims_for};
use crate::support::process::Process;
use crate::support::seeded::Seeded;
use crate::support::serve_harness::{AWS_CREDENTIALS, read_user, set_sms};
use crate::support::test_cognito::{POOL, TestCognito};
use crate::support::usage::Usage;

const CALLERS: usize = 16;
/// How often what the process holds is looked at.
const SAMPLES: Duration = Duration::from_millis(500);
/// The part of the time in which caches fill and the allocator finds its size: a third.
const WARM_UP: u32 = 3;
/// How much more may be held at the end than after the warm-up, by the line through all samples.
const MAX_FILES: f64 = 16.0;
/// Those that read files and names for the runtime come and go: the runtime keeps each for ten seconds.
const MAX_THREADS: f64 = 4.0;
const MAX_MEMORY_KIB: f64 = 16.0 * 1024.0;

/// One of the numbers.
type Held = fn(&Usage) -> usize;

/// What callers share.
struct Soak {
    fixture: PolicyFixture,
    cognito: TestCognito,
    address: String,
    channel: Mutex<Channel>,
    numbers: AtomicUsize,
    /// How often calls ended in what.
    ended: std::sync::Mutex<BTreeMap<String, usize>>,
}

impl Soak {
    async fn connect(&self) -> Channel {
        Endpoint::from_shared(self.address.clone()).unwrap().connect().await.unwrap()
    }

    /// One call, which may be good, forbidden, faulted or abandoned, on the connection of all or on one of its own.
    async fn call(&self, random: &mut Seeded) {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let kind = random.below(100);
        if kind < 2 {
            *self.channel.lock().await = self.connect().await;
        }
        let channel = if kind < 10 { self.connect().await } else { self.channel.lock().await.clone() };
        let caller = format!("caller-{}", random.below(2_000));
        let token = match random.below(20) {
            0 => "not.a.token".to_owned(),
            1 => self.fixture.sign(&claims_for(&caller, json!({ "exp": 1 }))),
            _ => self.fixture.token(&caller, json!({})),
        };
        let authorization = format!("Bearer {token}");
        let region = random.below(200);
        let ended = match kind {
            0..40 => read_user(channel, Some(&authorization), POOL).await.map(drop),
            40..70 => set_sms(channel, &authorization, number.is_multiple_of(2), "soak").await,
            // Made up Regions and pools.
            70..80 => read_user(channel, Some(&authorization), &format!("un-soak-{region}_POOL")).await.map(drop),
            80..90 => {
                let mut request =
                    Request::new(AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: "u".repeat(1000) });
                request.metadata_mut().insert("authorization", authorization.parse().unwrap());
                MfaPreferenceServiceClient::new(channel).admin_get_user(request).await.map(drop)
            }
            _ => {
                let kinds = ["reset", "html", "throttling", "truncated_json"];
                let fault = kinds[usize::try_from(random.below(4)).unwrap()];
                self.cognito.inject_fault(json!({ "kind": fault, "count": 1, "operation": "AdminGetUser" })).await;
                let call = read_user(channel, Some(&authorization), POOL);
                // The caller leaves, sooner or later.
                let patience = Duration::from_millis(random.below(20));
                tokio::time::timeout(patience, call).await.map_or(Ok(()), |answer| answer.map(drop))
            }
        };
        let reason = ended.map_or_else(
            |status| status.get_error_details().error_info().map_or("no reason", |info| &info.reason).to_owned(),
            |()| "OK".to_owned(),
        );
        *self.ended.lock().unwrap().entry(reason).or_default() += 1;
    }
}

/// The slope of the line through the points, by least squares: a change for each second.
fn slope(points: &[(f64, f64)]) -> f64 {
    let number = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / number;
    let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
    let above: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let below: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    above / below
}

/// What the process holds, again and again until the end.
async fn samples(process: &Process, started: Instant, lasts: Duration) -> Vec<(f64, Usage)> {
    let (mut samples, mut ticks) = (Vec::new(), tokio::time::interval(SAMPLES));
    while started.elapsed() < lasts {
        ticks.tick().await;
        if started.elapsed() > lasts / WARM_UP {
            samples.push((started.elapsed().as_secs_f64(), Usage::of(process)));
        }
    }
    samples
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a soak, which .ci/soak runs"]
async fn soak() {
    let seconds = env::var("MFAGATE_SOAK_SECONDS").map_or(3600, |seconds| seconds.parse().unwrap());
    let lasts = Duration::from_secs(seconds);
    let policies = "@id(\"most\") permit (principal, action, resource) unless { principal has token && principal.token like \"*7\" };";
    let (fixture, cognito) = (PolicyFixture::with(policies), TestCognito::start().await);
    let options = fixture.options_with(&[("--audit-log", "/dev/null")]);
    let mut process = Process::serve_with(&options, &cognito.url, AWS_CREDENTIALS).await;
    let address = format!("http://{}", process.address().await);
    let channel = Mutex::new(process.channel().await);
    let (numbers, ended) = (AtomicUsize::default(), std::sync::Mutex::default());
    let soak = Arc::new(Soak { fixture, cognito, address, channel, numbers, ended });

    let started = Instant::now();
    let mut callers = JoinSet::new();
    for seed in 0..CALLERS {
        let (soak, mut random) = (Arc::clone(&soak), Seeded::new(u64::try_from(seed).unwrap()));
        callers.spawn(async move {
            while started.elapsed() < lasts {
                soak.call(&mut random).await;
            }
        });
    }
    let samples = samples(&process, started, lasts).await;
    callers.join_all().await;

    println!("{:?} ended in {:?}", soak.numbers, soak.ended.lock().unwrap());
    println!("after the warm-up {}; at the end {}", samples[0].1, samples[samples.len() - 1].1);
    let measured = samples[samples.len() - 1].0 - samples[0].0;
    let mut grown = Vec::new();
    let held: [(&str, Held, f64); 3] = [
        ("open files", |usage| usage.open_files, MAX_FILES),
        ("threads", |usage| usage.threads, MAX_THREADS),
        ("KiB", |usage| usage.memory_kib, MAX_MEMORY_KIB),
    ];
    for (name, of, most) in held {
        let points: Vec<_> = samples.iter().map(|(at, usage)| (*at, of(usage) as f64)).collect();
        let slope = slope(&points);
        println!(
            "{name}: {:+.1} an hour, {:+.1} in the {measured:.0} s that were measured",
            slope * 3600.0,
            slope * measured
        );
        if slope * measured > most {
            grown.push(name);
        }
    }
    assert!(grown.is_empty(), "more is held at the end: {grown:?}");
    process.terminate().await;
}
