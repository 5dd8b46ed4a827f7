//! Registering, listing and deleting passkeys, with an authenticator in software.

use aws_lc_rs::digest;
use ciborium::cbor;
use data_encoding::BASE64URL_NOPAD;
use mfagate::embedded::demo;
use mfagate::proto::v1::{
    CompleteWebAuthnRegistrationRequest, DeleteWebAuthnCredentialRequest, ListWebAuthnCredentialsRequest,
    ListWebAuthnCredentialsResponse, StartWebAuthnRegistrationRequest, WebAuthnCredential,
};
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Timestamp};
use serde_json::{Value, json};
use tonic::{Code, Response, Status};

use crate::support::refusal::refused;
use crate::support::test_cognito::{POOL, USER};
use crate::support::test_service::TestService;

/// Converts a JSON value to a protobuf value.
fn to_proto(value: Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(truth) => Kind::BoolValue(truth),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap()),
        Value::String(text) => Kind::StringValue(text),
        Value::Array(values) => Kind::ListValue(ListValue { values: values.into_iter().map(to_proto).collect() }),
        Value::Object(_) => Kind::StructValue(to_struct(value)),
    };
    prost_types::Value { kind: Some(kind) }
}

fn to_struct(value: Value) -> Struct {
    let Value::Object(members) = value else { panic!("{value} is no object") };
    Struct { fields: members.into_iter().map(|(name, value)| (name, to_proto(value))).collect() }
}

/// Converts a protobuf value to JSON; every number is whole here.
fn to_json(value: &prost_types::Value) -> Value {
    match value.kind.as_ref().unwrap() {
        Kind::NullValue(_) => Value::Null,
        Kind::BoolValue(truth) => json!(truth),
        Kind::NumberValue(number) => json!(number.to_string().parse::<i64>().unwrap()),
        Kind::StringValue(text) => json!(text),
        Kind::ListValue(list) => list.values.iter().map(to_json).collect(),
        Kind::StructValue(object) => object_to_json(object),
    }
}

fn object_to_json(object: &Struct) -> Value {
    object.fields.iter().map(|(name, value)| (name.clone(), to_json(value))).collect()
}

/// An authenticator, and the page that it is used on. The defaults fit the demo pool.
#[derive(Clone, Copy, Debug)]
struct Authenticator {
    id: &'static [u8],
    origin: &'static str,
    relying_party: &'static str,
    algorithm: i64,
    format: &'static str,
}

impl Authenticator {
    fn new(id: &'static [u8]) -> Self {
        Self { id, origin: "http://localhost:3000", relying_party: "localhost", algorithm: -7, format: "none" }
    }

    /// The `RegistrationResponseJSON` for these options.
    fn register(self, options: &Struct) -> Struct {
        let options = object_to_json(options);
        let client_data =
            json!({ "type": "webauthn.create", "challenge": options["challenge"], "origin": self.origin });
        let key = cbor!({ 1 => 2, 3 => self.algorithm, -1 => 1 }).unwrap();
        let mut data = digest::digest(&digest::SHA256, self.relying_party.as_bytes()).as_ref().to_vec();
        // User present, user verified, credential included; a counter and a model of zeros.
        data.push(0x45);
        data.extend([0; 20]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(self.id);
        ciborium::into_writer(&key, &mut data).unwrap();
        let object = ciborium::Value::Map(vec![
            ("fmt".into(), self.format.into()),
            ("attStmt".into(), ciborium::Value::Map(vec![])),
            ("authData".into(), ciborium::Value::Bytes(data)),
        ]);
        let mut attestation = Vec::new();
        ciborium::into_writer(&object, &mut attestation).unwrap();
        to_struct(json!({
            "id": BASE64URL_NOPAD.encode(self.id),
            "rawId": BASE64URL_NOPAD.encode(self.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": BASE64URL_NOPAD.encode(client_data.to_string().as_bytes()),
                "attestationObject": BASE64URL_NOPAD.encode(&attestation),
                "transports": ["internal", "hybrid"],
            },
        }))
    }
}

async fn start(service: &TestService, token: &str) -> Result<Struct, Status> {
    let request = StartWebAuthnRegistrationRequest { access_token: token.to_owned() };
    let answer = service.passkeys().start_web_authn_registration(request).await?.into_inner();
    Ok(answer.credential_creation_options.unwrap())
}

async fn complete(service: &TestService, token: &str, credential: Struct) -> Result<(), Status> {
    let (access_token, credential) = (token.to_owned(), Some(credential));
    let request = CompleteWebAuthnRegistrationRequest { access_token, credential };
    service.passkeys().complete_web_authn_registration(request).await.map(drop)
}

async fn list(service: &TestService, token: &str) -> Result<Vec<WebAuthnCredential>, Status> {
    let request = ListWebAuthnCredentialsRequest { access_token: token.to_owned(), ..Default::default() };
    Ok(page(service, request).await?.credentials)
}

async fn page(
    service: &TestService,
    request: ListWebAuthnCredentialsRequest,
) -> Result<ListWebAuthnCredentialsResponse, Status> {
    service.passkeys().list_web_authn_credentials(request).await.map(Response::into_inner)
}

async fn delete(service: &TestService, token: &str, id: &str) -> Result<(), Status> {
    let (access_token, credential_id) = (token.to_owned(), id.to_owned());
    let request = DeleteWebAuthnCredentialRequest { access_token, credential_id };
    service.passkeys().delete_web_authn_credential(request).await.map(drop)
}

async fn register(service: &TestService, token: &str, authenticator: Authenticator) -> Result<(), Status> {
    let options = start(service, token).await.unwrap();
    complete(service, token, authenticator.register(&options)).await
}

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
    for credential in [None, Some(deep)] {
        let request = CompleteWebAuthnRegistrationRequest { access_token: token.clone(), credential };
        let answer = service.passkeys().complete_web_authn_registration(request).await;
        let details = refused(answer, Code::InvalidArgument, "REQUEST_INVALID");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "credential");
    }
    assert!(service.cognito.requests("CompleteWebAuthnRegistration").await.is_empty());
}

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
        let details = refused(page(&service, request).await, Code::InvalidArgument, "REQUEST_INVALID");
        let violations = &details.bad_request().unwrap().field_violations;
        assert_eq!(violations.iter().map(|violation| violation.field.as_str()).collect::<Vec<_>>(), fields);
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
    let details = refused(delete(&service, &token, "").await, Code::InvalidArgument, "REQUEST_INVALID");
    assert_eq!(details.bad_request().unwrap().field_violations[0].field, "credential_id");
    assert!(service.cognito.requests("DeleteWebAuthnCredential").await.is_empty());
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

#[tokio::test]
async fn a_user_who_must_reset_the_password_is_a_failed_precondition() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    service.cognito.set_user_status(USER, "RESET_REQUIRED").await;
    let (code, reason) = (Code::FailedPrecondition, "PASSWORD_RESET_REQUIRED");
    refused(start(&service, &token).await, code, reason);
    refused(complete(&service, &token, Struct::default()).await, code, reason);
    refused(list(&service, &token).await, code, reason);
    refused(delete(&service, &token, "first").await, code, reason);
}

#[tokio::test]
async fn every_passkey_operation_reports_the_attempt_limit() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    service.cognito.inject_fault(json!({ "kind": "error", "code": "LimitExceededException" })).await;
    let (code, reason) = (Code::ResourceExhausted, "ATTEMPT_LIMIT_EXCEEDED");
    refused(start(&service, &token).await, code, reason);
    refused(complete(&service, &token, Struct::default()).await, code, reason);
    refused(list(&service, &token).await, code, reason);
    refused(delete(&service, &token, "first").await, code, reason);
}

#[tokio::test]
async fn an_expired_token_cannot_use_passkeys() {
    let service = TestService::start().await;
    let token = service.cognito.mint_token(json!({ "UserPoolId": POOL, "Username": USER, "ExpiresIn": -1 })).await;
    let (code, reason) = (Code::Unauthenticated, "USER_TOKEN_EXPIRED");
    refused(start(&service, &token).await, code, reason);
    refused(complete(&service, &token, Struct::default()).await, code, reason);
    refused(list(&service, &token).await, code, reason);
    refused(delete(&service, &token, "first").await, code, reason);
}
