//! The key URI for authenticator apps.

use mfagate::api::v1::AssociateSoftwareTokenRequest;

use super::{associate, by_session, by_token, parts, setup_session};
use crate::support::refusal::invalid_fields;
use crate::support::test_cognito::{NEW_USER, POOL};
use crate::support::test_service::TestService;

#[tokio::test]
async fn the_key_uri_names_pool_and_user_unless_the_request_does() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    let secret = associate(&service, by_token(&token)).await.unwrap();
    let parameters = |issuer: &str| {
        vec![("secret".to_owned(), secret.secret_code.clone()), ("issuer".to_owned(), issuer.to_owned())]
    };
    assert_eq!(parts(&secret.otpauth_uri), (format!("/{POOL}:{NEW_USER}"), parameters(POOL)));
}

#[tokio::test]
async fn the_key_uri_is_percent_encoded_and_has_no_plus_for_a_space() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    let (issuer, account_name) = ("Ex & Co/é?#", "jané +1@example.com&secret=A");
    let request = AssociateSoftwareTokenRequest {
        issuer: Some(issuer.to_owned()),
        account_name: Some(account_name.to_owned()),
        ..by_token(&token)
    };
    let secret = associate(&service, request).await.unwrap();
    let wanted = vec![("secret".to_owned(), secret.secret_code), ("issuer".to_owned(), issuer.to_owned())];
    assert_eq!(parts(&secret.otpauth_uri), (format!("/{issuer}:{account_name}"), wanted));
    assert!(secret.otpauth_uri.is_ascii() && !secret.otpauth_uri.contains('+'), "{}", secret.otpauth_uri);
}

#[tokio::test]
async fn the_key_uri_of_a_session_names_the_pool_twice() {
    let service = TestService::start().await;
    let session = setup_session(&service).await;
    let secret = associate(&service, by_session(&session)).await.unwrap();
    assert_eq!(parts(&secret.otpauth_uri).0, format!("/{POOL}:{POOL}"));
}

#[tokio::test]
async fn a_key_uri_label_with_a_colon_is_refused() {
    let service = TestService::start().await;
    let token = service.cognito.token(NEW_USER).await;
    let request = AssociateSoftwareTokenRequest {
        issuer: Some("a:b".to_owned()),
        account_name: Some(String::new()),
        ..by_token(&token)
    };
    assert_eq!(invalid_fields(associate(&service, request).await), ["issuer", "account_name"]);
    assert!(service.cognito.requests("AssociateSoftwareToken").await.is_empty());
}
