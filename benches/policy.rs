//! Benchmarks of policy decisions by the number of policies: allowed, denied, and the precheck before the body is read.
//!
//! Read the figures as ratios within one run: machines differ, and so do hours.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use mfagate::api::Rpc;
use mfagate::authz::policy::Policies;
use mfagate::domain::{Caller, CertificateIdentity, Effect};

const POOL: &str = "eu-west-1_Shop01";

/// The callers in the scope of each policy.
#[derive(Clone, Copy)]
enum Scope {
    /// One group of callers, as in the examples.
    Groups,
    /// Everybody, with the group in the condition: the worst case, in which every policy is evaluated.
    Everybody,
}

/// A set of `count` policies with conditions on pool and request, one of which permits the caller.
#[expect(clippy::unwrap_used, reason = "a failure ends the run")]
fn policies(count: usize, scope: Scope) -> Policies {
    let (mut text, mut entities) = (String::new(), Vec::new());
    for number in 0..count {
        let group = format!("principal in Mfagate::CallerGroup::\"g{number}\"");
        let (principal, condition) = match scope {
            Scope::Groups => (group, String::new()),
            Scope::Everybody => ("principal".to_owned(), format!("{group} && ")),
        };
        writeln!(
            text,
            "@id(\"p{number}\") permit ({principal}, action in Mfagate::Action::\"Admin\", resource) \
             when {{ {condition}resource.region like \"eu-*\" }} unless {{ context.legacy }};"
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
    for (name, scope) in [("policies for groups", Scope::Groups), ("policies for everybody", Scope::Everybody)] {
        let mut group = criterion.benchmark_group(name);
        for count in [10, 100, 1000] {
            decide_with(&mut group, count, &policies(count, scope));
        }
        group.finish();
    }
}

fn decide_with(group: &mut BenchmarkGroup<'_, WallTime>, count: usize, policies: &Policies) {
    let (known, unknown, effect) = (caller("c5"), caller("nobody"), Effect::default());
    assert!(policies.decide(&known, Rpc::AdminGetUser, POOL, &effect).allowed, "the benchmark allows nothing");
    let mut decide = |name, caller: &Caller, pool: &str| {
        group.bench_function(BenchmarkId::new(name, count), |bencher| {
            bencher.iter(|| policies.decide(black_box(caller), Rpc::AdminGetUser, pool, &effect));
        });
    };
    decide("allow", &known, POOL);
    decide("deny by condition", &known, "us-east-1_Shop01");
    decide("deny unknown caller", &unknown, POOL);
    for (name, caller) in [("precheck, allowed", &known), ("precheck, denied", &unknown)] {
        group.bench_function(BenchmarkId::new(name, count), |bencher| {
            bencher.iter(|| policies.precheck(black_box(caller), Rpc::AdminGetUser));
        });
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
