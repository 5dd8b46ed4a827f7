//! How long decisions take: by the number of policies, allowed and denied, and the answer before the body is read.
//!
//! Read the figures as ratios within one run: machines differ, and so do hours.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use mfagate::access::policy::Policies;
use mfagate::access::{Caller, CertificateIdentity, Effect};
use mfagate::proto::Rpc;

const POOL: &str = "eu-west-1_Shop01";

/// So many policies, of which one permits the caller: a group each, with a condition on the pool and the content.
#[expect(clippy::unwrap_used, reason = "a benchmark without policies cannot go on")]
fn policies(count: usize) -> Policies {
    let (mut text, mut entities) = (String::new(), Vec::new());
    for number in 0..count {
        writeln!(
            text,
            "@id(\"p{number}\") permit (principal in Mfagate::CallerGroup::\"g{number}\", \
             action in Mfagate::Action::\"Admin\", resource) \
             when {{ resource.region like \"eu-*\" }} unless {{ context.legacy }};"
        )
        .unwrap();
        let group = serde_json::json!({ "type": "Mfagate::CallerGroup", "id": format!("g{number}") });
        let caller = serde_json::json!({ "type": "Mfagate::Caller", "id": format!("c{number}") });
        entities.push(serde_json::json!({ "uid": group }));
        entities.push(serde_json::json!({ "uid": caller, "parents": [group] }));
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("entities.json");
    fs::write(directory.path().join("policies.cedar"), text).unwrap();
    fs::write(&file, serde_json::Value::from(entities).to_string()).unwrap();
    Policies::load(directory.path(), Some(&file)).unwrap()
}

fn caller(name: &str) -> Caller {
    let certificate = CertificateIdentity { name: name.to_owned(), trust_domain: None };
    Caller { name: name.to_owned(), certificate: Some(certificate), token: None }
}

fn decisions(criterion: &mut Criterion) {
    let (known, unknown, effect) = (caller("c5"), caller("nobody"), Effect::default());
    let mut group = criterion.benchmark_group("policies");
    for count in [10, 100, 1000] {
        let policies = policies(count);
        assert!(policies.decide(&known, Rpc::AdminGetUser, POOL, &effect).allowed, "the benchmark allows nothing");
        let mut decide = |name, caller: &Caller, rpc: Rpc, pool: &str| {
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| policies.decide(black_box(caller), rpc, pool, &effect));
            });
        };
        decide("allow", &known, Rpc::AdminGetUser, POOL);
        decide("deny_by_condition", &known, Rpc::AdminGetUser, "us-east-1_Shop01");
        decide("deny_unknown_caller", &unknown, Rpc::AdminGetUser, POOL);
        for (name, caller) in [("may_ever_yes", &known), ("may_ever_no", &unknown)] {
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| policies.may_ever(black_box(caller), Rpc::AdminGetUser));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, decisions);
criterion_main!(benches);
