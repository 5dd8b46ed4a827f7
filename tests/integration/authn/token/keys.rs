//! The issuer's keys: fetched, rotated, withdrawn, and kept when the endpoint fails.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use mfagate::authn::token::{JwksError, JwksSource, JwksSourceError, Rejection, TokenOptions, TokenVerifier};
use mfagate::reload::Reload;
use serde_json::{Value, json};

use super::{Service, TestClock, authorization, claims, options, refused, verify};
use crate::support::jwks_server::{JwksReply, JwksServer};
use crate::support::loopback::reserve_port;
use crate::support::token_issuer::{SigningKey, jwks};

#[tokio::test]
async fn made_up_key_ids_cause_at_most_one_fetch_in_thirty_seconds() {
    let key = SigningKey::ed25519("k");
    let service = Service::start(&[&key]).await;
    let made_up = ["../../etc/passwd", "k/../k", "' OR 1=1 --", "k\u{0}", "http://127.0.0.1/", "K", &"k".repeat(4000)];
    let try_all = async || {
        for id in made_up {
            let token = key.token_with(&json!({ "alg": "EdDSA", "kid": id }), &claims());
            assert_eq!(service.verify(&token).await, refused(Rejection::UnknownKey), "{id}");
        }
    };
    try_all().await;
    assert_eq!(service.server.requested_paths(), ["/keys"], "the fetch at the start was a moment ago");
    service.clock.advance(30);
    try_all().await;
    service.clock.advance(29);
    try_all().await;
    assert_eq!(service.server.requested_paths(), ["/keys", "/keys"]);
    service.clock.advance(1);
    try_all().await;
    assert_eq!(service.server.requested_paths(), ["/keys", "/keys", "/keys"]);
    assert!(service.verify(&key.token(&claims())).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_rotate_under_load_with_one_fetch_and_no_refusal() {
    let (old, new) = (SigningKey::ed25519("old"), SigningKey::ed25519("new"));
    let service = Arc::new(Service::start(&[&old]).await);
    service.server.reply_with(JwksReply::Body(jwks(&[&old, &new])));
    service.clock.advance(60);

    let mut calls = tokio::task::JoinSet::new();
    for call in 0..400 {
        let token = if call % 2 == 0 { old.token(&claims()) } else { new.token(&claims()) };
        let service = Arc::clone(&service);
        calls.spawn(async move { service.verify(&token).await });
    }
    while let Some(answer) = calls.join_next().await {
        assert_eq!(answer.unwrap().unwrap().name, "payments");
    }
    assert_eq!(service.server.requested_paths().len(), 2, "the start and one fetch for all who waited");
}

#[tokio::test]
async fn a_withdrawn_key_is_dropped_by_the_next_background_fetch() {
    let (old, new) = (SigningKey::ed25519("old"), SigningKey::ed25519("new"));
    let service = Service::with(&[&old], |options| options.refresh.url = Duration::from_millis(5)).await;
    assert!(service.verify(&old.token(&claims())).await.is_ok());
    service.server.reply_with(JwksReply::Body(jwks(&[&new])));
    // The first of these may still have read the old reply; the last began when the one before was in use.
    service.server.wait_for_requests(service.server.requested_paths().len() + 3).await;
    assert!(service.verify(&new.token(&claims())).await.is_ok());
    assert_eq!(service.verify(&old.token(&claims())).await, refused(Rejection::UnknownKey));
}

/// Whether a fault is the expected one.
type Check = fn(&JwksSourceError) -> bool;

#[tokio::test]
async fn the_last_valid_keys_stay_in_use_when_the_endpoint_fails() {
    let (key, other) = (SigningKey::ed25519("k"), SigningKey::ed25519("other"));
    let times = |options: &mut TokenOptions| options.refresh.timeout = Duration::from_millis(200);
    let service = Service::with(&[&key], times).await;
    let huge = json!({ "keys": [other.jwk()], "padding": "x".repeat(256 * 1024) }).to_string();
    let duplicate = json!({ "keys": [other.jwk(), SigningKey::p256("other").jwk()] }).to_string();
    let answers: [(JwksReply, Check); 9] = [
        (JwksReply::Stalled, |fault| matches!(fault, JwksSourceError::TimedOut)),
        (JwksReply::Body(huge), |fault| matches!(fault, JwksSourceError::TooLarge)),
        (JwksReply::Body("<html>".to_owned()), |fault| matches!(fault, JwksSourceError::Jwks(JwksError::NotAKeySet))),
        (JwksReply::Body("[]".to_owned()), |fault| matches!(fault, JwksSourceError::Jwks(JwksError::NotAKeySet))),
        (JwksReply::Body("{\"keys\":[]}".to_owned()), |fault| {
            matches!(fault, JwksSourceError::Jwks(JwksError::NoUsableKey))
        }),
        (JwksReply::Body(duplicate), |fault| matches!(fault, JwksSourceError::Jwks(JwksError::DuplicateKeyId))),
        (JwksReply::Status(500), |fault| matches!(fault, JwksSourceError::Status(status) if status.as_u16() == 500)),
        (JwksReply::Status(204), |fault| matches!(fault, JwksSourceError::Status(status) if status.as_u16() == 204)),
        (JwksReply::Redirect("/moved", jwks(&[&other])), |fault| matches!(fault, JwksSourceError::Status(_))),
    ];
    for (answer, expected) in answers {
        service.server.reply_with(answer.clone());
        let fault = service.verifier.reload().await.unwrap_err();
        assert!(expected(&fault), "{answer:?}: {fault}");
        service.clock.advance(60);
        assert!(service.verify(&key.token(&claims())).await.is_ok(), "{answer:?}");
        assert_eq!(service.verify(&other.token(&claims())).await, refused(Rejection::UnknownKey), "{answer:?}");
    }
    assert!(
        service.server.requested_paths().iter().all(|path| path == "/keys"),
        "{:?}",
        service.server.requested_paths()
    );

    service.server.reply_with(JwksReply::Body(jwks(&[&other])));
    assert_eq!(service.verifier.reload().await.unwrap(), Reload::Replaced);
    assert!(service.verify(&other.token(&claims())).await.is_ok());
}

#[tokio::test]
async fn known_keys_are_used_at_once_while_the_endpoint_is_slow() {
    let (key, unknown) = (SigningKey::ed25519("k"), SigningKey::ed25519("unknown"));
    let service = Arc::new(Service::start(&[&key]).await);
    service.server.reply_with(JwksReply::Stalled);
    service.clock.advance(60);
    let waiting = tokio::spawn({
        let (service, token) = (Arc::clone(&service), unknown.token(&claims()));
        async move { service.verify(&token).await }
    });
    service.server.wait_for_requests(2).await;
    // The fetch is in flight and ends in seconds at the earliest.
    for _ in 0..10 {
        assert!(service.verify(&key.token(&claims())).await.is_ok());
    }
    assert!(!waiting.is_finished());
    waiting.abort();
}

#[tokio::test]
async fn a_caller_who_leaves_does_not_cancel_the_fetch_that_others_need() {
    let (old, new) = (SigningKey::ed25519("old"), SigningKey::ed25519("new"));
    let service = Arc::new(Service::start(&[&old]).await);
    service.server.reply_with(JwksReply::Body(jwks(&[&old, &new])));
    service.clock.advance(60);
    let token = old.token_with(&json!({ "alg": "EdDSA", "kid": "made up" }), &claims());
    let headers = authorization(&format!("Bearer {token}"));
    {
        let leaving = service.verifier.verify(&headers);
        tokio::pin!(leaving);
        // Polled once and dropped, as when the client resets the call. That uses up the fetch of these thirty seconds.
        let first = std::future::poll_fn(|context| std::task::Poll::Ready(leaving.as_mut().poll(context))).await;
        assert!(first.is_pending());
    }
    service.server.wait_for_requests(2).await;
    assert!(service.verify(&new.token(&claims())).await.is_ok());
    assert_eq!(service.server.requested_paths().len(), 2);
}

#[tokio::test]
async fn an_endpoint_that_is_down_at_startup_is_retried_until_it_is_up() {
    let key = SigningKey::ed25519("k");
    let port = reserve_port();
    let address = port.local_addr().unwrap();
    let clock = TestClock::new();
    let mut options = options(JwksSource::Url(format!("http://{address}/keys").parse().unwrap()), &clock);
    options.refresh.without_keys = Duration::from_millis(5);
    let verifier = TokenVerifier::start(options).await.unwrap();
    assert_eq!(verify(&verifier, &key.token(&claims())).await, refused(Rejection::UnknownKey));
    assert!(matches!(verifier.reload().await, Err(JwksSourceError::Request(_))));

    let server = JwksServer::start_on(port.listen(16).unwrap(), JwksReply::Body(jwks(&[&key])));
    server.wait_for_requests(1).await;
    // The fetch that was seen holds the lock that this one waits for.
    verifier.reload().await.unwrap();
    assert!(verify(&verifier, &key.token(&claims())).await.is_ok());
}

#[tokio::test]
async fn keys_for_other_uses_and_keys_that_anyone_can_sign_with_are_ignored() {
    let (key, other) = (SigningKey::p256("k"), SigningKey::rsa("other"));
    let service = Service::start(&[]).await;
    let changed = |field: &str, value: Value| {
        let mut jwk = other.jwk();
        jwk[field] = value;
        jwk
    };
    for ignored in [
        changed("use", json!("enc")),
        changed("key_ops", json!(["encrypt"])),
        changed("alg", json!("HS256")),
        changed("alg", json!("RSA-OAEP")),
        changed("alg", json!("RS512")),
        changed("alg", json!("unheard of")),
        changed("alg", json!(7)),
        changed("d", json!("AQAB")),
        changed("kty", json!("new")),
        changed("n", json!(BASE64URL_NOPAD.encode(&[0xFF; 128]))),
        changed("n", json!("not base64url!")),
        changed("kid", Value::Null),
        json!({ "kty": "oct", "kid": "other", "k": "AAAA", "alg": "HS256" }),
        json!({ "kty": "EC", "crv": "P-384", "kid": "other", "x": "AA", "y": "AA" }),
        json!("text"),
    ] {
        service.server.reply_with(JwksReply::Body(json!({ "keys": [ignored, key.jwk()] }).to_string()));
        assert_eq!(service.verifier.reload().await.unwrap(), Reload::Replaced, "{ignored}");
        assert!(service.verify(&key.token(&claims())).await.is_ok(), "{ignored}");
        assert_eq!(service.verify(&other.token(&claims())).await, refused(Rejection::UnknownKey), "{ignored}");
    }
}

#[tokio::test]
async fn a_key_file_must_be_valid_at_startup_and_its_keys_stay_when_it_turns_invalid() {
    let (old, new) = (SigningKey::ed25519("old"), SigningKey::ed25519("new"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.json");
    let clock = TestClock::new();
    let options = || options(JwksSource::File(path.clone()), &clock);
    assert!(matches!(TokenVerifier::start(options()).await, Err(JwksSourceError::Unreadable(_))));
    std::fs::write(&path, "{}").unwrap();
    assert!(matches!(TokenVerifier::start(options()).await, Err(JwksSourceError::Jwks(JwksError::NotAKeySet))));

    std::fs::write(&path, jwks(&[&old])).unwrap();
    let verifier = TokenVerifier::start(options()).await.unwrap();
    assert!(verify(&verifier, &old.token(&claims())).await.is_ok());
    assert_eq!(verifier.reload().await.unwrap(), Reload::Unchanged);

    std::fs::remove_file(&path).unwrap();
    assert!(matches!(verifier.reload().await, Err(JwksSourceError::Unreadable(_))));
    std::fs::write(&path, "x".repeat(256 * 1024 + 1)).unwrap();
    assert!(matches!(verifier.reload().await, Err(JwksSourceError::TooLarge)));
    assert!(verify(&verifier, &old.token(&claims())).await.is_ok());

    std::fs::write(&path, jwks(&[&new])).unwrap();
    assert_eq!(verifier.reload().await.unwrap(), Reload::Replaced);
    assert!(verify(&verifier, &new.token(&claims())).await.is_ok());
    assert_eq!(verify(&verifier, &old.token(&claims())).await, refused(Rejection::UnknownKey));
}

#[tokio::test]
async fn a_changed_key_file_is_noticed() {
    let (old, new) = (SigningKey::ed25519("old"), SigningKey::ed25519("new"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.json");
    std::fs::write(&path, jwks(&[&old])).unwrap();
    let clock = TestClock::new();
    let mut options = options(JwksSource::File(path.clone()), &clock);
    options.refresh.file = Duration::from_millis(1);
    let verifier = TokenVerifier::start(options).await.unwrap();
    let replacement = directory.path().join("new.json");
    std::fs::write(&replacement, jwks(&[&new])).unwrap();
    std::fs::rename(replacement, &path).unwrap();
    // The clock stands still, so no unknown key makes the file be read: only the background task does.
    let headers = authorization(&format!("Bearer {}", new.token(&claims())));
    let noticed = async { while verifier.verify(&headers).await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(30), noticed).await.expect("the change is noticed");
}

#[test]
fn a_key_set_is_fetched_over_https_or_from_loopback() {
    for url in ["https://issuer.example/keys", "http://127.0.0.1:1/k", "http://localhost/k", "http://[::1]:80/k"] {
        assert!(url.parse::<mfagate::authn::token::JwksUrl>().is_ok(), "{url}");
    }
    for url in [
        "http://issuer.example/keys",
        "http://localhost.example/keys",
        "http://127.0.0.1@issuer.example/keys",
        "https://user:password@issuer.example/keys",
        "http://0.0.0.0/keys",
        "file:///keys",
        "ftp://127.0.0.1/keys",
        "/keys",
        "127.0.0.1",
        "",
    ] {
        assert!(url.parse::<mfagate::authn::token::JwksUrl>().is_err(), "{url}");
    }
}
