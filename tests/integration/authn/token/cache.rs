//! Tokens that come again: their signature is not verified again, and everything that can have changed meanwhile is.

use mfagate::authn::token::{JwksSource, Rejection, TokenError, TokenVerifier};
use serde_json::json;

use super::{Service, TestClock, authorization, claims, claims_with, options, refused};
use crate::support::jwks_server::JwksReply;
use crate::support::token_issuer::{SigningKey, jwks};

#[tokio::test]
async fn a_token_that_comes_again_is_remembered_once() {
    let key = SigningKey::ed25519("k");
    let service = Service::start(&[&key]).await;
    assert_eq!(service.verifier.cached_tokens(), 0);
    let first = service.verify(&key.token(&claims())).await.unwrap();
    assert_eq!(service.verifier.cached_tokens(), 1);
    let other = service.verify(&key.token(&claims_with(&json!({ "sub": "billing" })))).await.unwrap();
    assert_eq!((first.name.as_str(), other.name.as_str()), ("payments", "billing"));
    assert_eq!(service.verifier.cached_tokens(), 2);
}

#[tokio::test]
async fn a_remembered_token_ends_with_its_key() {
    let (key, other) = (SigningKey::ed25519("k"), SigningKey::ed25519("other"));
    let service = Service::start(&[&key, &other]).await;
    let token = key.token(&claims());
    assert!(service.verify(&token).await.is_ok());

    service.server.reply_with(JwksReply::Body(jwks(&[&other])));
    service.verifier.reload().await.unwrap();
    assert_eq!(service.verify(&token).await, refused(Rejection::UnknownKey), "withdrawn");

    service.server.reply_with(JwksReply::Body(jwks(&[&key, &other])));
    service.verifier.reload().await.unwrap();
    assert!(service.verify(&token).await.is_ok(), "back again");

    let successor = SigningKey::ed25519("k");
    service.server.reply_with(JwksReply::Body(jwks(&[&successor, &other])));
    service.verifier.reload().await.unwrap();
    assert_eq!(service.verify(&token).await, refused(Rejection::Signature), "another key has its id");
    assert!(service.verify(&successor.token(&claims())).await.is_ok());
}

#[tokio::test]
async fn a_token_that_was_refused_is_accepted_once_its_key_is_published() {
    let (key, predecessor) = (SigningKey::ed25519("k"), SigningKey::ed25519("k"));
    let service = Service::start(&[&predecessor]).await;
    let token = key.token(&claims());
    assert_eq!(service.verify(&token).await, refused(Rejection::Signature));
    service.server.reply_with(JwksReply::Body(jwks(&[&key])));
    service.verifier.reload().await.unwrap();
    assert!(service.verify(&token).await.is_ok());
}

#[tokio::test]
async fn the_times_of_a_remembered_token_are_checked_whenever_it_comes() {
    let key = SigningKey::ed25519("k");
    let service = Service::start(&[&key]).await;
    let token = key.token(&claims());
    assert!(service.verify(&token).await.is_ok());
    service.clock.set_back(31);
    assert_eq!(service.verify(&token).await, refused(Rejection::NotYetValid));
    service.clock.advance(31 + 3600 + 29);
    assert!(service.verify(&token).await.is_ok());
    service.clock.advance(1);
    assert_eq!(service.verify(&token).await, Err(TokenError::Expired));
    assert_eq!(service.verifier.cached_tokens(), 0, "it is of no use any more");
}

#[tokio::test]
async fn the_certificate_of_a_remembered_token_is_checked_whenever_it_comes() {
    let key = SigningKey::ed25519("k");
    let service = Service::start(&[&key]).await;
    let token = key.token(&claims_with(&json!({ "cnf": { "x5t#S256": "ours" } })));
    let headers = authorization(&format!("Bearer {token}"));
    let beside = async |thumbprint| service.verifier.verify_beside(&headers, thumbprint).await.map(Option::unwrap);
    for _ in 0..2 {
        assert!(beside(Some("ours")).await.is_ok());
        assert_eq!(beside(Some("theirs")).await, refused(Rejection::Confirmation));
        assert_eq!(beside(None).await, refused(Rejection::Confirmation));
    }
}

#[tokio::test]
async fn no_part_of_a_remembered_token_makes_another_one_valid() {
    let key = SigningKey::p256("k");
    let service = Service::start(&[&key]).await;
    let (token, other) = (key.token(&claims()), key.token(&claims_with(&json!({ "sub": "admin" }))));
    assert!(service.verify(&token).await.is_ok());
    let parts: Vec<&str> = token.split('.').collect();
    let others: Vec<&str> = other.split('.').collect();
    for forged in [[parts[0], others[1], parts[2]], [parts[0], parts[1], others[2]]] {
        assert_eq!(service.verify(&forged.join(".")).await, refused(Rejection::Signature));
    }
    for malformed in [format!("{token}."), format!("{token} "), token.to_lowercase(), token[1..].to_owned()] {
        assert!(service.verify(&malformed).await.is_err(), "{malformed}");
    }
    assert!(service.verify(&token).await.is_ok());
}

#[tokio::test]
async fn what_is_remembered_is_bounded_and_forged_tokens_displace_no_others() {
    let (key, stranger) = (SigningKey::ed25519("k"), SigningKey::ed25519("k"));
    let service = Service::with(&[&key], |options| options.cache_size = 16).await;
    let ours = key.token(&claims());
    assert!(service.verify(&ours).await.is_ok());
    for number in 0..500 {
        let forged = stranger.token(&claims_with(&json!({ "jti": number })));
        assert_eq!(service.verify(&forged).await, refused(Rejection::Signature));
    }
    let with_forged = service.verifier.cached_tokens();
    assert!(with_forged <= 1 + 16, "{with_forged}");
    for number in 0..500 {
        assert!(service.verify(&key.token(&claims_with(&json!({ "jti": number })))).await.is_ok());
    }
    let tokens = service.verifier.cached_tokens();
    assert!((16..=2 * 16).contains(&tokens), "{tokens}");
}

#[tokio::test]
async fn a_large_token_is_accepted_and_not_remembered() {
    let key = SigningKey::ed25519("k");
    let service = Service::start(&[&key]).await;
    let large = key.token(&claims_with(&json!({ "groups": ["g".repeat(4096)] })));
    assert!(service.verify(&large).await.is_ok());
    assert_eq!(service.verifier.cached_tokens(), 0);
}

#[tokio::test]
async fn a_cache_of_no_tokens_remembers_none() {
    let key = SigningKey::ed25519("k");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.json");
    std::fs::write(&path, jwks(&[&key])).unwrap();
    let mut options = options(JwksSource::File(path), &TestClock::new());
    options.cache_size = 0;
    let verifier = TokenVerifier::start(options).await.unwrap();
    assert!(super::verify(&verifier, &key.token(&claims())).await.is_ok());
    assert!(super::verify(&verifier, &SigningKey::ed25519("k").token(&claims())).await.is_err());
    assert_eq!(verifier.cached_tokens(), 0);
}
