//! The caller that a valid token names.

use http::HeaderMap;
use mfagate::authn::token::{Rejection, TokenOptions};
use mfagate::domain::TokenIdentity;
use serde_json::json;

use super::{NOW, Service, claims, claims_with, refused};
use crate::support::token_issuer::{ISSUER, SigningKey};

#[tokio::test]
async fn a_valid_token_of_each_accepted_algorithm_names_its_caller() {
    let (rsa, p256, ed25519) = (SigningKey::rsa("r"), SigningKey::p256("p"), SigningKey::ed25519("e"));
    let service = Service::start(&[&rsa, &p256, &ed25519]).await;
    let claims = claims_with(&json!({ "scope": "mfagate/read mfagate/write", "groups": ["support"] }));
    let named = TokenIdentity {
        name: "payments".to_owned(),
        issuer: ISSUER.to_owned(),
        scopes: ["mfagate/read", "mfagate/write"].map(str::to_owned).into(),
        groups: ["support".to_owned()].into(),
    };
    for key in [&rsa, &p256, &ed25519] {
        assert_eq!(service.verify(&key.token(&claims)).await, Ok(named.clone()), "{}", key.algorithm());
    }
    let pss = rsa.token_with(&json!({ "alg": "PS256", "kid": "r" }), &claims);
    assert_eq!(service.verify(&pss).await, Ok(named));
    assert_eq!(service.server.requested_paths(), ["/keys"], "known keys are not fetched again");
}

#[tokio::test]
async fn the_caller_is_named_by_the_configured_claim() {
    let key = SigningKey::ed25519("k");
    let service = Service::with(&[&key], |options| options.caller_claim = "client_id".to_owned()).await;
    let token = key.token(&claims_with(&json!({ "client_id": "abc" })));
    assert_eq!(service.verify(&token).await.unwrap().name, "abc");
    assert_eq!(service.verify(&key.token(&claims())).await, refused(Rejection::Claim("client_id".to_owned())));
}

#[tokio::test]
async fn cognitos_client_credentials_tokens_are_recognised_by_a_claim_other_than_aud() {
    let key = SigningKey::rsa("k");
    // The claims that Cognito's documentation shows for the client credentials grant.
    let token = key.token_with(
        &json!({ "alg": "RS256", "kid": "k" }),
        &json!({ "sub": "abc", "token_use": "access", "scope": "mfagate/call", "auth_time": NOW, "iss": ISSUER,
            "exp": NOW + 3600, "iat": NOW, "version": 2, "jti": "1", "client_id": "abc" }),
    );
    for audience in ["client_id=abc", "scope=mfagate/call"] {
        let service = Service::with(&[&key], |options| options.audience = audience.parse().unwrap()).await;
        assert_eq!(service.verify(&token).await.unwrap().name, "abc", "{audience}");
    }
    for audience in ["abc", "client_id=ab", "scope=mfagate", "jti=abc"] {
        let service = Service::with(&[&key], |options| options.audience = audience.parse().unwrap()).await;
        assert_eq!(service.verify(&token).await, refused(Rejection::Audience), "{audience}");
    }
}

#[tokio::test]
async fn the_token_of_a_user_does_not_name_the_client_that_the_user_signed_in_with() {
    let key = SigningKey::rsa("k");
    let clients = |options: &mut TokenOptions| {
        options.audience = "client_id=abc".parse().unwrap();
        options.caller_claim = "client_id".to_owned();
    };
    let claims = json!({ "sub": "user-1", "token_use": "access", "scope": "aws.cognito.signin.user.admin", "iss": ISSUER,
        "exp": NOW + 3600, "client_id": "abc", "username": "alice" });
    let token = key.token(&claims);
    assert_eq!(Service::with(&[&key], clients).await.verify(&token).await, refused(Rejection::User));
    // Where users are the callers, it names the user.
    let users = |options: &mut TokenOptions| {
        clients(options);
        options.caller_claim = "username".to_owned();
    };
    assert_eq!(Service::with(&[&key], users).await.verify(&token).await.unwrap().name, "alice");
}

#[tokio::test]
async fn a_prefix_precedes_the_name_from_every_token() {
    let key = SigningKey::ed25519("k");
    let service = Service::with(&[&key], |options| options.caller_prefix = "token:".parse().ok()).await;
    assert_eq!(service.verify(&key.token(&claims())).await.unwrap().name, "token:payments");
}

#[tokio::test]
async fn a_request_without_an_authorization_header_names_nobody() {
    let service = Service::start(&[&SigningKey::ed25519("k")]).await;
    assert_eq!(service.verifier.verify(&HeaderMap::new()).await, Ok(None));
}
