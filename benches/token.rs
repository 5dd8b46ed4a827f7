//! Benchmarks of token verification: accepted tokens by algorithm, and rejected ones.
#![expect(clippy::unwrap_used, reason = "a failure ends the run")]

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/integration/support/token_issuer.rs"]
mod token_issuer;

use std::hint::black_box;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue, header};
use mfagate::authn::token::{Clock, JwksRefresh, JwksSource, TokenOptions, TokenVerifier};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use token_issuer::{ISSUER, SigningKey, jwks};

fn authorization(token: &str) -> HeaderMap {
    HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap())])
}

fn claims() -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    json!({ "sub": "1example23456789", "token_use": "access", "scope": "mfagate/read mfagate/write", "auth_time": now,
        "iss": ISSUER, "exp": now + 3600, "iat": now, "version": 2, "jti": "11111111-2222-4333-8444-555555555555",
        "client_id": "1example23456789" })
}

fn verification(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let keys = [SigningKey::rsa("rsa"), SigningKey::p256("p256"), SigningKey::ed25519("ed25519")];
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.json");
    std::fs::write(&path, jwks(&keys.iter().collect::<Vec<_>>())).unwrap();
    let start = |cache_size| {
        let options = TokenOptions {
            issuer: ISSUER.to_owned(),
            audience: "client_id=1example23456789".parse().unwrap(),
            caller_claim: "client_id".to_owned(),
            caller_prefix: None,
            keys: JwksSource::File(path.clone()),
            refresh: JwksRefresh { file: Duration::from_hours(1), ..JwksRefresh::default() },
            cache_size,
            clock: Clock::default(),
        };
        runtime.block_on(TokenVerifier::start(options)).unwrap()
    };
    let verifier = start(0);
    let remembering = start(1024);

    let mut group = criterion.benchmark_group("token");
    for key in &keys {
        let headers = authorization(&key.token(&claims()));
        group.bench_function(format!("accepted {}", key.algorithm()), |bencher| {
            bencher.to_async(&runtime).iter(async || verifier.verify(black_box(&headers)).await.unwrap());
        });
        group.bench_function(format!("remembered {}", key.algorithm()), |bencher| {
            bencher.to_async(&runtime).iter(async || remembering.verify(black_box(&headers)).await.unwrap());
        });
    }
    let [rsa, ..] = &keys;
    let headers = authorization(&rsa.token(&claims()));
    group.bench_function("first of a new verifier RS256", |bencher| {
        bencher.iter_batched(
            || start(0),
            |verifier| runtime.block_on(verifier.verify(black_box(&headers))).unwrap(),
            criterion::BatchSize::PerIteration,
        );
    });

    let unsigned = token_issuer::signing_input(&json!({ "alg": "none", "kid": "rsa" }), &claims());
    let unknown = rsa.token_with(&json!({ "alg": "RS256", "kid": "unknown" }), &claims());
    let forged = SigningKey::rsa("rsa").token(&claims());
    let large = "x".repeat(1024 * 1024);
    for (name, token) in
        [("alg none", format!("{unsigned}.")), ("unknown kid", unknown), ("forged RS256", forged), ("1 MB", large)]
    {
        let headers = authorization(&token);
        group.bench_function(format!("rejected {name}"), |bencher| {
            bencher.to_async(&runtime).iter(async || verifier.verify(black_box(&headers)).await.unwrap_err());
        });
    }
    let headers = authorization(&SigningKey::rsa("rsa").token(&claims()));
    group.bench_function("remembered as forged RS256", |bencher| {
        bencher.to_async(&runtime).iter(async || remembering.verify(black_box(&headers)).await.unwrap_err());
    });
    group.finish();
}

criterion_group!(benches, verification);
criterion_main!(benches);
