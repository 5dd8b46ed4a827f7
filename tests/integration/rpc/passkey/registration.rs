//! Registering a passkey.

use cognito_emulator::demo;
use data_encoding::BASE64URL_NOPAD;
use mfagate::api::v1::{CompleteWebAuthnRegistrationRequest, WebAuthnCredential};
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Timestamp};
use serde_json::json;
use tonic::Code;

use super::{complete, list, register, start};
use crate::support::authenticator::{Authenticator, object_to_json, to_struct};
use crate::support::refusal::{invalid_fields, refused};
use crate::support::test_cognito::{POOL, USER};
use crate::support::test_service::TestService;

#[tokio::test]
async fn a_passkey_is_registered_and_read_back() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    register(&service, &token, Authenticator::new(b"first")).await.unwrap();

    let mut listed = list(&service, &token).await.unwrap();
    let created: Timestamp = listed[0].created_at.take().unwrap();
    assert!(created.seconds > 1_700_000_000, "{created}");
    let wanted = WebAuthnCredential {
        credential_id: BASE64URL_NOPAD.encode(b"first"),
        friendly_credential_name: "Passkey".to_owned(),
        relying_party_id: "localhost".to_owned(),
        authenticator_attachment: Some("platform".to_owned()),
        authenticator_transports: vec!["internal".to_owned(), "hybrid".to_owned()],
        created_at: None,
    };
    assert_eq!(listed, [wanted]);
}

#[tokio::test]
async fn the_options_reach_the_caller_as_cognito_returned_them() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    let options = object_to_json(&start(&service, &token).await.unwrap());
    assert_eq!(options["rp"]["id"], "localhost");
    assert_eq!(options["user"]["name"], USER);
    assert_eq!(
        options["pubKeyCredParams"],
        json!([
            { "type": "public-key", "alg": -7 },
            { "type": "public-key", "alg": -257 },
        ])
    );
    assert_eq!(options["authenticatorSelection"]["requireResidentKey"], true);
    assert_eq!(service.cognito.bodies("StartWebAuthnRegistration").await, [json!({ "AccessToken": token })]);
}

#[tokio::test]
async fn every_kind_of_json_passes_in_both_directions() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    let document = json!({
        "null": null, "truth": [true, false], "text": "jané 💡", "empty": {}, "list": [],
        "numbers": [0, -7, 60_000, 9_007_199_254_740_991_i64, -9_007_199_254_740_991_i64],
        "nested": { "deep": [{ "er": 1 }] },
    });
    let body = json!({ "CredentialCreationOptions": document });
    service
        .cognito
        .inject_fault(json!({ "kind": "replace", "operation": "StartWebAuthnRegistration", "body": body }))
        .await;
    assert_eq!(object_to_json(&start(&service, &token).await.unwrap()), document);

    service
        .cognito
        .inject_fault(json!({ "kind": "replace", "operation": "CompleteWebAuthnRegistration", "body": {} }))
        .await;
    complete(&service, &token, to_struct(document.clone())).await.unwrap();
    let sent = service.cognito.bodies("CompleteWebAuthnRegistration").await;
    assert_eq!(sent, [json!({ "AccessToken": token, "Credential": document })]);
}

#[tokio::test]
async fn a_fraction_stays_a_fraction() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    service
        .cognito
        .inject_fault(json!({ "kind": "replace", "operation": "CompleteWebAuthnRegistration", "body": {} }))
        .await;
    complete(&service, &token, to_struct(json!({ "half": 0.5, "tiny": -1e-7 }))).await.unwrap();
    let sent = service.cognito.bodies("CompleteWebAuthnRegistration").await;
    assert_eq!(sent[0]["Credential"], json!({ "half": 0.5, "tiny": -1e-7 }));
}

#[tokio::test]
async fn a_credential_without_a_value_or_with_an_infinite_number_is_refused_and_not_sent() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    let infinite = prost_types::Value { kind: Some(Kind::NumberValue(f64::INFINITY)) };
    let list = prost_types::Value { kind: Some(Kind::ListValue(ListValue { values: vec![infinite] })) };
    let deep = Struct { fields: [("deep".to_owned(), list)].into() };
    for credential in [None, Some(Struct::default()), Some(deep)] {
        let request = CompleteWebAuthnRegistrationRequest { access_token: token.clone(), credential };
        let answer = service.passkeys().complete_web_authn_registration(request).await;
        assert_eq!(invalid_fields(answer), ["credential"]);
    }
    assert!(service.cognito.requests("CompleteWebAuthnRegistration").await.is_empty());
}

#[tokio::test]
async fn a_passkey_that_does_not_fit_the_pool_is_an_invalid_argument() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    let fitting = Authenticator::new(b"first");
    for (authenticator, reason) in [
        (Authenticator { relying_party: "example.com", ..fitting }, "WEB_AUTHN_RELYING_PARTY_MISMATCH"),
        (Authenticator { origin: "https://example.com", ..fitting }, "WEB_AUTHN_ORIGIN_NOT_ALLOWED"),
        (Authenticator { algorithm: -8, ..fitting }, "WEB_AUTHN_CREDENTIAL_NOT_SUPPORTED"),
        (Authenticator { format: "packed", ..fitting }, "WEB_AUTHN_CREDENTIAL_NOT_SUPPORTED"),
    ] {
        refused(register(&service, &token, authenticator).await, Code::InvalidArgument, reason);
    }
    assert_eq!(list(&service, &token).await.unwrap(), []);
}

#[tokio::test]
async fn a_passkey_completed_through_another_app_client_is_an_invalid_argument() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    let client = json!({ "UserPoolId": POOL, "ClientName": "another" });
    let client = service.cognito.perform("CreateUserPoolClient", client).await;
    let client = client["UserPoolClient"]["ClientId"].as_str().unwrap();
    assert_ne!(client, demo::CLIENT_ID);
    let other = json!({ "UserPoolId": POOL, "Username": USER, "ClientId": client });
    let other = service.cognito.mint_token(other).await;

    let options = start(&service, &token).await.unwrap();
    let answer = complete(&service, &other, Authenticator::new(b"first").register(&options)).await;
    refused(answer, Code::InvalidArgument, "WEB_AUTHN_CLIENT_MISMATCH");
}

#[tokio::test]
async fn a_registration_that_was_not_started_is_a_failed_precondition() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    let reason = "WEB_AUTHN_CHALLENGE_NOT_FOUND";
    let options = start(&service, &token).await.unwrap();
    let credential = Authenticator::new(b"first").register(&options);
    service.cognito.advance_clock(180).await;
    refused(complete(&service, &token, credential).await, Code::FailedPrecondition, reason);

    let options = start(&service, &token).await.unwrap();
    let credential = Authenticator::new(b"first").register(&options);
    complete(&service, &token, credential.clone()).await.unwrap();
    refused(complete(&service, &token, credential).await, Code::FailedPrecondition, reason);
}

#[tokio::test]
async fn a_pool_without_passkeys_is_a_failed_precondition() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    let options = start(&service, &token).await.unwrap();
    let credential = Authenticator::new(b"first").register(&options);
    service.cognito.perform("SetUserPoolMfaConfig", json!({ "UserPoolId": POOL, "MfaConfiguration": "OFF" })).await;
    refused(start(&service, &token).await, Code::FailedPrecondition, "WEB_AUTHN_NOT_ENABLED");
    refused(complete(&service, &token, credential).await, Code::FailedPrecondition, "WEB_AUTHN_NOT_ENABLED");
}

#[tokio::test]
async fn a_pool_without_a_relying_party_is_a_failed_precondition() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    let config = json!({
        "UserPoolId": POOL,
        "MfaConfiguration": "OFF",
        "WebAuthnConfiguration": { "FactorConfiguration": "MULTI_FACTOR_WITH_USER_VERIFICATION" },
    });
    service.cognito.perform("SetUserPoolMfaConfig", config).await;
    refused(start(&service, &token).await, Code::FailedPrecondition, "WEB_AUTHN_CONFIGURATION_MISSING");
}

#[tokio::test]
async fn a_user_with_the_maximum_of_passkeys_is_a_limit_without_retry() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    for id in b"abcdefghijklmnopqrst".chunks(1) {
        register(&service, &token, Authenticator::new(id)).await.unwrap();
    }
    let details = refused(start(&service, &token).await, Code::ResourceExhausted, "ATTEMPT_LIMIT_EXCEEDED");
    assert!(details.retry_info().is_none());
    assert_eq!(list(&service, &token).await.unwrap().len(), 20);
}
