//! How long decisions take: by the number of policies, allowed and denied, and the answer before the body is read.
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

/// Whom policies are for by their scope.
#[derive(Clone, Copy)]
enum For {
    /// A group of callers each, as in the examples.
    Groups,
    /// Everybody, with the caller in the condition: the worst case, in which every policy must be evaluated.
    Everybody,
}

/// So many policies, of which one permits the caller, with a condition on the pool and the content.
#[expect(clippy::unwrap_used, reason = "a benchmark without policies cannot go on")]
fn policies(count: usize, whom: For) -> Policies {
    let (mut text, mut entities) = (String::new(), Vec::new());
    for number in 0..count {
        let group = format!("principal in Mfagate::CallerGroup::\"g{number}\"");
        let (scope, condition) = match whom {
            For::Groups => (group, String::new()),
            For::Everybody => ("principal".to_owned(), format!("{group} && ")),
        };
        writeln!(
            text,
            "@id(\"p{number}\") permit ({scope}, action in Mfagate::Action::\"Admin\", resource) \
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
    for (name, whom) in [("policies for groups", For::Groups), ("policies for everybody", For::Everybody)] {
        let mut group = criterion.benchmark_group(name);
        for count in [10, 100, 1000] {
            decisions_of(&mut group, count, &policies(count, whom));
        }
        group.finish();
    }
}

fn decisions_of(group: &mut BenchmarkGroup<'_, WallTime>, count: usize, policies: &Policies) {
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
    for (name, caller) in [("may ever, yes", &known), ("may ever, no", &unknown)] {
        group.bench_function(BenchmarkId::new(name, count), |bencher| {
            bencher.iter(|| policies.precheck(black_box(caller), Rpc::AdminGetUser));
        });
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
