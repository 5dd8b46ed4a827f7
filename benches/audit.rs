//! Benchmarks of the audit log: the time until a decision is written, alone and with eight concurrent callers.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mfagate::api::Rpc;
use mfagate::audit::{
    AuditLog, AuditTarget, CallFields, CallerRecord, ChainKey, DecisionOutcome, DecisionRecord, Fsync, Policies,
    PoolId, UsernameForm, UsernameKey,
};
use mfagate::domain::{Caller, CertificateIdentity, Effect, Factor, RequestId, TraceId};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

const CALLERS: u64 = 8;

/// Builds a record as a call does, and waits until it is written.
async fn decide(log: &AuditLog) {
    let name = "spiffe://example.org/ns/prod/sa/account-settings";
    let caller = Caller {
        name: name.to_owned(),
        certificate: Some(CertificateIdentity { name: name.to_owned(), trust_domain: Some("example.org".to_owned()) }),
        token: None,
    };
    let record = DecisionRecord {
        call: Arc::new(CallFields {
            request_id: RequestId::parse("4bf92f3577b34da6a3ce929d0e0e4736"),
            caller_request_id: None,
            trace_id: TraceId::from_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            caller: CallerRecord::from(&caller),
            peer: Some(([127, 0, 0, 1], 4711).into()),
            target: Rpc::AdminSetUserMfaPreference.into(),
            user_pool_id: PoolId::of("us-west-2_EXAMPLE"),
            username: log.username("testuser"),
        }),
        effect: Some(Effect {
            factors_enabled: [Factor::SmsMfa, Factor::SoftwareTokenMfa].into(),
            preferred: Some(Factor::SmsMfa),
            ..Effect::default()
        }),
        before: None,
        outcome: DecisionOutcome::Allow,
        policies: Policies::new(["support-may-reset-totp"], "9f86d081884c7d659a2feaa0c55ad015"),
        duration: Duration::from_micros(80),
    };
    let written = log.decision(black_box(&record)).await;
    assert_eq!(written, Ok(()));
}

/// Writes `records` records, spread over `callers` concurrent tasks.
async fn decide_concurrently(log: &Arc<AuditLog>, callers: u64, records: u64) -> Duration {
    let started = Instant::now();
    let mut running = JoinSet::new();
    for caller in 0..callers {
        let log = Arc::clone(log);
        let share = records / callers + u64::from(caller < records % callers);
        running.spawn(async move {
            for _ in 0..share {
                decide(&log).await;
            }
        });
    }
    while let Some(result) = running.join_next().await {
        assert!(result.is_ok(), "{result:?}");
    }
    started.elapsed()
}

fn runtime() -> Runtime {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.unwrap_or_else(|error| unreachable!("no runtime: {error}"))
}

fn records(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap_or_else(|error| unreachable!("no directory: {error}"));
    let key = UsernameKey::new(&[7; 32]).unwrap_or_else(|error| unreachable!("no key: {error}"));
    let runtime = runtime();
    for (name, target) in [
        ("file", AuditTarget::File(directory.path().join("audit.jsonl"))),
        ("null", AuditTarget::File("/dev/null".into())),
    ] {
        let log = AuditLog::open(
            target,
            UsernameForm::Hmac(key.clone()),
            Some(ChainKey::derived_from(key.clone())),
            Fsync::Never,
        );
        let log = Arc::new(log.unwrap_or_else(|error| unreachable!("no log: {error}")));
        let mut group = criterion.benchmark_group(format!("audit record to a {name}"));
        group.throughput(Throughput::Elements(1));
        for callers in [1, CALLERS] {
            group.bench_function(format!("{callers} at a time"), |bencher| {
                bencher.to_async(&runtime).iter_custom(|records| {
                    let log = Arc::clone(&log);
                    async move { decide_concurrently(&log, callers, records).await }
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, records);
criterion_main!(benches);
