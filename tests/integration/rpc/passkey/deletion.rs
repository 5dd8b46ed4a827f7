//! Deleting a passkey.

use data_encoding::BASE64URL_NOPAD;
use tonic::Code;

use super::{delete, list, register};
use crate::support::authenticator::Authenticator;
use crate::support::refusal::{invalid_fields, refused};
use crate::support::test_cognito::USER;
use crate::support::test_service::TestService;

#[tokio::test]
async fn a_passkey_is_deleted_once() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    register(&service, &token, Authenticator::new(b"first")).await.unwrap();
    register(&service, &token, Authenticator::new(b"second")).await.unwrap();
    let id = BASE64URL_NOPAD.encode(b"first");
    delete(&service, &token, &id).await.unwrap();
    let left = list(&service, &token).await.unwrap();
    assert_eq!(
        left.iter().map(|passkey| passkey.credential_id.clone()).collect::<Vec<_>>(),
        [BASE64URL_NOPAD.encode(b"second")]
    );
    refused(delete(&service, &token, &id).await, Code::NotFound, "RESOURCE_NOT_FOUND");
}

#[tokio::test]
async fn a_passkey_without_an_id_is_refused_and_not_sent() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    assert_eq!(invalid_fields(delete(&service, &token, "").await), ["credential_id"]);
    assert!(service.cognito.requests("DeleteWebAuthnCredential").await.is_empty());
}
