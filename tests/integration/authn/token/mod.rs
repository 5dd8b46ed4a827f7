//! Token verification: what is accepted, what is refused and why, and where the keys come from.

mod cache;
mod caller;
mod keys;
mod rejection;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue, header};
use mfagate::authn::token::{Clock, JwksRefresh, JwksSource, Rejection, TokenError, TokenOptions, TokenVerifier};
use mfagate::domain::TokenIdentity;
use serde_json::{Value, json};

use crate::support::jwks_server::{JwksReply, JwksServer};
use crate::support::token_issuer::{ISSUER, SigningKey, jwks};

/// The initial time of the tests' clock.
const NOW: u64 = 1_900_000_000;

/// A clock that tests move.
#[derive(Clone)]
struct TestClock(Arc<AtomicU64>);

impl TestClock {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(NOW)))
    }

    fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    fn set_back(&self, seconds: u64) {
        self.0.fetch_sub(seconds, Ordering::SeqCst);
    }

    fn clock(&self) -> Clock {
        let seconds = Arc::clone(&self.0);
        Clock::new(move || UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::SeqCst)))
    }
}

/// Intervals so long that nothing is fetched in the background during a test.
fn times() -> JwksRefresh {
    let never = Duration::from_secs(1_000_000);
    JwksRefresh { url: never, file: never, without_keys: never, ..JwksRefresh::default() }
}

fn options(keys: JwksSource, clock: &TestClock) -> TokenOptions {
    TokenOptions {
        issuer: ISSUER.to_owned(),
        audience: "mfagate".parse().unwrap(),
        caller_claim: "sub".to_owned(),
        caller_prefix: None,
        keys,
        refresh: times(),
        cache_size: 1024,
        clock: clock.clock(),
    }
}

/// A verifier with the keys that a server publishes.
struct Service {
    verifier: TokenVerifier,
    server: JwksServer,
    clock: TestClock,
}

impl Service {
    async fn start(keys: &[&SigningKey]) -> Self {
        Self::with(keys, |_| {}).await
    }

    async fn with(keys: &[&SigningKey], change: impl FnOnce(&mut TokenOptions)) -> Self {
        let server = JwksServer::start(JwksReply::Body(jwks(keys))).await;
        let clock = TestClock::new();
        let mut options = options(JwksSource::Url(server.url().parse().unwrap()), &clock);
        change(&mut options);
        Self { verifier: TokenVerifier::start(options).await.unwrap(), server, clock }
    }

    async fn verify(&self, token: &str) -> Result<TokenIdentity, TokenError> {
        verify(&self.verifier, token).await
    }
}

/// The answer, which is the same when the token comes again and may be remembered.
async fn verify(verifier: &TokenVerifier, token: &str) -> Result<TokenIdentity, TokenError> {
    let headers = authorization(&format!("Bearer {token}"));
    let answer = verifier.verify(&headers).await;
    assert_eq!(verifier.verify(&headers).await, answer);
    if let Err(error) = &answer {
        // However the error is printed, the token cannot appear in it.
        let texts = format!("{error} {error:?}");
        assert!(token.split('.').all(|part| part.len() < 8 || !texts.contains(part)), "{texts}");
    }
    answer.map(Option::unwrap)
}

fn authorization(value: &str) -> HeaderMap {
    HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())])
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": "mfagate", "sub": "payments", "iat": NOW, "nbf": NOW, "exp": NOW + 3600 })
}

/// Valid claims with these changes.
fn claims_with(changes: &Value) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    claims
}

fn refused(cause: Rejection) -> Result<TokenIdentity, TokenError> {
    Err(TokenError::NotAccepted(cause))
}
