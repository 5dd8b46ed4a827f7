//! Limits on what a caller can make mfagate hold or return.
#![expect(deprecated, reason = "the legacy RPCs are deprecated and still served")]

use std::collections::BTreeMap;

use mfagate::api::v1::{AdminSetUserSettingsRequest, CompleteWebAuthnRegistrationRequest, DeliveryMedium, MfaOption};
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};

use crate::support::refusal::invalid_fields;
use crate::support::test_cognito::{POOL, USER};
use crate::support::test_service::TestService;

fn text(value: &str) -> Value {
    Value { kind: Some(Kind::StringValue(value.to_owned())) }
}

fn credential_of(values: Vec<Value>) -> Struct {
    let list = Value { kind: Some(Kind::ListValue(ListValue { values })) };
    Struct { fields: BTreeMap::from([("list".to_owned(), list)]) }
}

#[tokio::test]
async fn too_many_options_are_one_violation() {
    let service = TestService::start().await;
    let request = |mfa_options| AdminSetUserSettingsRequest {
        user_pool_id: POOL.to_owned(),
        username: USER.to_owned(),
        mfa_options,
        clear_mfa_options: false,
    };
    let answer = service.preferences().admin_set_user_settings(request(vec![MfaOption::default(); 8_000])).await;
    assert_eq!(invalid_fields(answer), ["mfa_options"]);

    let good = MfaOption { delivery_medium: DeliveryMedium::Sms.into(), attribute_name: "phone_number".to_owned() };
    service.preferences().admin_set_user_settings(request(vec![good; 16])).await.unwrap();
}

#[tokio::test]
async fn a_credential_beyond_the_limits_is_refused_and_not_sent() {
    let service = TestService::start().await;
    let access_token = service.cognito.token(USER).await;
    for credential in [credential_of(vec![text("a"); 300]), credential_of(vec![text(&"a".repeat(70_000))])] {
        let credential = Some(credential);
        let request = CompleteWebAuthnRegistrationRequest { access_token: access_token.clone(), credential };
        let answer = service.passkeys().complete_web_authn_registration(request).await;
        assert_eq!(invalid_fields(answer), ["credential"]);
    }
    assert!(service.cognito.requests("CompleteWebAuthnRegistration").await.is_empty());
}
