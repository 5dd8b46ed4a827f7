//! Listing passkeys, page by page.

use data_encoding::BASE64URL_NOPAD;
use mfagate::api::v1::{ListWebAuthnCredentialsRequest, ListWebAuthnCredentialsResponse};
use serde_json::json;
use tonic::Code;

use super::{page, register};
use crate::support::authenticator::Authenticator;
use crate::support::refusal::{invalid_fields, refused};
use crate::support::test_cognito::USER;
use crate::support::test_service::TestService;

#[tokio::test]
async fn passkeys_are_listed_a_page_at_a_time() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    for id in [b"one", b"two", b"six"] {
        register(&service, &token, Authenticator::new(id)).await.unwrap();
    }
    let request =
        |next_token| ListWebAuthnCredentialsRequest { access_token: token.clone(), next_token, max_results: Some(2) };
    let first = page(&service, request(None)).await.unwrap();
    let second = page(&service, request(first.next_token.clone())).await.unwrap();
    let ids = |page: &ListWebAuthnCredentialsResponse| {
        page.credentials.iter().map(|passkey| passkey.credential_id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&first), [BASE64URL_NOPAD.encode(b"one"), BASE64URL_NOPAD.encode(b"two")]);
    assert_eq!(ids(&second), [BASE64URL_NOPAD.encode(b"six")]);
    assert_eq!((first.next_token.is_some(), second.next_token), (true, None));
}

#[tokio::test]
async fn a_page_size_is_sent_only_if_given() {
    let service = TestService::start().await;
    let access_token = service.cognito.token(USER).await;
    for max_results in [None, Some(0), Some(20)] {
        let access_token = access_token.clone();
        page(&service, ListWebAuthnCredentialsRequest { access_token, max_results, next_token: None }).await.unwrap();
    }
    let wanted = [
        json!({ "AccessToken": access_token }),
        json!({ "AccessToken": access_token, "MaxResults": 0 }),
        json!({ "AccessToken": access_token, "MaxResults": 20 }),
    ];
    assert_eq!(service.cognito.bodies("ListWebAuthnCredentials").await, wanted);
}

#[tokio::test]
async fn a_page_size_or_token_outside_the_limits_is_refused_and_not_sent() {
    let service = TestService::start().await;
    let access_token = service.cognito.token(USER).await;
    for (max_results, next_token, fields) in [
        (Some(21), None, vec!["max_results"]),
        (Some(-1), Some("a b".to_owned()), vec!["next_token", "max_results"]),
        (None, Some(String::new()), vec!["next_token"]),
    ] {
        let request = ListWebAuthnCredentialsRequest { access_token: access_token.clone(), next_token, max_results };
        assert_eq!(invalid_fields(page(&service, request).await), fields);
    }
    assert!(service.cognito.requests("ListWebAuthnCredentials").await.is_empty());
}

#[tokio::test]
async fn a_page_token_that_cognito_did_not_issue_is_an_invalid_parameter_with_its_message() {
    let service = TestService::start().await;
    let access_token = service.cognito.token(USER).await;
    let request =
        ListWebAuthnCredentialsRequest { access_token, next_token: Some("nonsense".to_owned()), max_results: None };
    let details = refused(page(&service, request).await, Code::InvalidArgument, "INVALID_PARAMETER");
    assert_eq!(details.error_info().unwrap().metadata["cognito_message"], "Invalid pagination token.");
}
