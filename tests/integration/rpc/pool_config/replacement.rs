//! A configuration that is written is sent in full and read back.

use mfagate::api::v1::{
    EmailMfaConfiguration, GetUserPoolMfaConfigResponse, MfaFactor, SetUserPoolMfaConfigRequest, SmsConfiguration,
    SmsMfaConfiguration, UserPoolMfaType, UserVerification, WebAuthnConfiguration, WebAuthnFactorConfiguration,
};
use serde_json::{Value, json};

use super::{as_read, eums, everything, get, only, same, sent, set, sns, totp};
use crate::support::pool_config::{stated, web_authn};
use crate::support::refusal::invalid_fields;
use crate::support::test_cognito::POOL;
use crate::support::test_service::TestService;

#[tokio::test]
async fn the_configuration_of_the_demo_pool_is_read() {
    let service = TestService::start().await;
    let wanted = GetUserPoolMfaConfigResponse {
        mfa_configuration: UserPoolMfaType::Optional.into(),
        sms_mfa_configuration: Some(SmsMfaConfiguration {
            sms_authentication_message: Some("Your code is {####}".to_owned()),
            sms_configuration: Some(SmsConfiguration {
                sns_caller_arn: Some("arn:aws:iam::123456789012:role/demo-sms".to_owned()),
                external_id: Some("mfagate-demo".to_owned()),
                sns_region: Some("us-west-2".to_owned()),
                eums_sms: None,
            }),
        }),
        software_token_mfa_configuration: Some(totp(true)),
        email_mfa_configuration: Some(EmailMfaConfiguration {
            message: Some("Your code is {####}".to_owned()),
            subject: Some("Your code".to_owned()),
        }),
        web_authn_configuration: Some(WebAuthnConfiguration {
            relying_party_id: Some("localhost".to_owned()),
            user_verification: Some(UserVerification::Required.into()),
            factor_configuration: Some(WebAuthnFactorConfiguration::MultiFactorWithUserVerification.into()),
        }),
        unconfigured_factors: Vec::new(),
    };
    assert_eq!(get(&service).await.unwrap(), wanted);
    assert_eq!(service.cognito.bodies("GetUserPoolMfaConfig").await, [json!({ "UserPoolId": POOL })]);
}

#[tokio::test]
async fn every_member_is_written_returned_and_read_back() {
    for sms in [sns(), eums()] {
        let service = TestService::start().await;
        let request = everything(sms);
        let answer = set(&service, request.clone()).await.unwrap();
        assert_eq!(as_read(answer), same(request.clone()));
        assert_eq!(get(&service).await.unwrap(), same(request));
    }
}

#[tokio::test]
async fn every_member_reaches_cognito_under_its_name() {
    let service = TestService::start().await;
    set(&service, everything(sns())).await.unwrap();
    set(&service, everything(eums())).await.unwrap();
    let rest = |sms: Value| {
        json!({
            "UserPoolId": POOL,
            "MfaConfiguration": "OPTIONAL",
            "SmsMfaConfiguration": sms,
            "SoftwareTokenMfaConfiguration": { "Enabled": true },
            "EmailMfaConfiguration": { "Message": "Your code: {####}", "Subject": "A code" },
            "WebAuthnConfiguration": {
                "RelyingPartyId": "example.com",
                "UserVerification": "preferred",
                "FactorConfiguration": "SINGLE_FACTOR",
            },
        })
    };
    let sns = json!({
        "SmsAuthenticationMessage": "Code {####}, please",
        "SmsConfiguration": {
            "SnsCallerArn": "arn:aws:iam::123456789012:role/sms",
            "ExternalId": "external",
            "SnsRegion": "us-west-2",
        },
    });
    let eums = json!({
        "EumsSms": {
            "CallerArn": "arn:aws:iam::123456789012:role/eums",
            "ExternalId": "external",
            "OriginationIdentity": "+12065550100",
            "ConfigurationSetName": "set",
            "InEntityId": "entity",
            "InTemplateId": "template",
            "Region": "us-west-2",
        },
    });
    let mut sent = sent(&service).await;
    // The SDK cannot leave the ARN out; an empty one means the same.
    let arn = sent[1]["SmsMfaConfiguration"]["SmsConfiguration"].as_object_mut().unwrap().remove("SnsCallerArn");
    assert!(arn.is_none_or(|arn| arn == ""));
    assert_eq!(sent, [rest(sns), rest(json!({ "SmsConfiguration": eums }))]);
}

#[tokio::test]
async fn what_is_unconfigured_is_not_sent_and_is_dropped() {
    let service = TestService::start().await;
    let channel = get(&service).await.unwrap().sms_mfa_configuration;
    assert!(channel.is_some());
    let answer = set(&service, only(UserPoolMfaType::Off)).await.unwrap();
    assert_eq!(sent(&service).await, [json!({ "UserPoolId": POOL, "MfaConfiguration": "OFF" })]);
    // OFF keeps the pool's SMS channel, and nothing else.
    let kept = stated(SetUserPoolMfaConfigRequest { sms_mfa_configuration: channel, ..only(UserPoolMfaType::Off) });
    assert_eq!(as_read(answer), same(kept.clone()));
    assert_eq!(get(&service).await.unwrap(), same(kept));

    let request = stated(SetUserPoolMfaConfigRequest {
        software_token_mfa_configuration: Some(totp(true)),
        ..only(UserPoolMfaType::On)
    });
    set(&service, request.clone()).await.unwrap();
    assert_eq!(get(&service).await.unwrap(), same(request));
}

#[tokio::test]
async fn an_empty_block_is_sent_as_one_and_a_factor_without_block_or_list_is_dropped() {
    let service = TestService::start().await;
    let request = SetUserPoolMfaConfigRequest {
        sms_mfa_configuration: Some(SmsMfaConfiguration::default()),
        software_token_mfa_configuration: Some(totp(false)),
        email_mfa_configuration: Some(EmailMfaConfiguration::default()),
        web_authn_configuration: Some(WebAuthnConfiguration::default()),
        unconfigured_factors: Vec::new(),
        ..only(UserPoolMfaType::Optional)
    };
    set(&service, request).await.unwrap();
    let wanted = json!({
        "UserPoolId": POOL,
        "MfaConfiguration": "OPTIONAL",
        "SmsMfaConfiguration": {},
        "SoftwareTokenMfaConfiguration": { "Enabled": false },
        "EmailMfaConfiguration": {},
        "WebAuthnConfiguration": {},
    });
    assert_eq!(sent(&service).await, [wanted]);

    let request = SetUserPoolMfaConfigRequest {
        software_token_mfa_configuration: Some(totp(true)),
        unconfigured_factors: Vec::new(),
        ..only(UserPoolMfaType::On)
    };
    set(&service, request.clone()).await.unwrap();
    assert_eq!(get(&service).await.unwrap(), same(stated(request)));
}

#[tokio::test]
async fn beside_a_list_of_unconfigured_factors_each_factor_is_required() {
    let service = TestService::start().await;
    let lost = SetUserPoolMfaConfigRequest { sms_mfa_configuration: None, ..everything(sns()) };
    for (unconfigured, fields) in [
        (vec![MfaFactor::Email], vec!["sms_mfa_configuration", "unconfigured_factors[0]"]),
        (vec![MfaFactor::Sms, MfaFactor::WebAuthn], vec!["unconfigured_factors[1]"]),
        (vec![MfaFactor::Sms, MfaFactor::Unspecified], vec!["unconfigured_factors[1]"]),
    ] {
        let unconfigured_factors = unconfigured.into_iter().map(i32::from).collect();
        let request = SetUserPoolMfaConfigRequest { unconfigured_factors, ..lost.clone() };
        assert_eq!(invalid_fields(set(&service, request).await), fields);
    }
    let off = SetUserPoolMfaConfigRequest {
        unconfigured_factors: vec![MfaFactor::SoftwareToken.into()],
        ..only(UserPoolMfaType::Off)
    };
    assert_eq!(invalid_fields(set(&service, off).await), ["web_authn_configuration"]);
    assert!(sent(&service).await.is_empty());
}

#[tokio::test]
async fn a_configuration_that_was_read_is_accepted_as_it_is() {
    let software_token = Some(totp(true));
    for configured in [
        None,
        Some(everything(sns())),
        Some(everything(eums())),
        Some(only(UserPoolMfaType::Off)),
        Some(SetUserPoolMfaConfigRequest { web_authn_configuration: Some(web_authn()), ..only(UserPoolMfaType::Off) }),
        Some(SetUserPoolMfaConfigRequest {
            software_token_mfa_configuration: software_token,
            ..only(UserPoolMfaType::On)
        }),
    ] {
        let service = TestService::start().await;
        if let Some(configured) = configured {
            set(&service, only(UserPoolMfaType::Off)).await.unwrap();
            set(&service, stated(configured)).await.unwrap();
        }
        let read = get(&service).await.unwrap();
        let is_off = read.mfa_configuration() == UserPoolMfaType::Off;
        let back = SetUserPoolMfaConfigRequest {
            user_pool_id: POOL.to_owned(),
            mfa_configuration: read.mfa_configuration,
            // Cognito refuses OFF beside the channel, and keeps it.
            sms_mfa_configuration: read.sms_mfa_configuration.clone().filter(|_| !is_off),
            software_token_mfa_configuration: read.software_token_mfa_configuration,
            email_mfa_configuration: read.email_mfa_configuration.clone(),
            web_authn_configuration: read.web_authn_configuration.clone(),
            unconfigured_factors: read.unconfigured_factors.clone(),
        };
        set(&service, back).await.unwrap();
        assert_eq!(get(&service).await.unwrap(), read);
    }
}

#[tokio::test]
async fn off_together_with_passkeys_is_accepted() {
    let service = TestService::start().await;
    let channel = get(&service).await.unwrap().sms_mfa_configuration;
    let request = stated(SetUserPoolMfaConfigRequest {
        web_authn_configuration: Some(WebAuthnConfiguration {
            relying_party_id: Some("example.com".to_owned()),
            user_verification: Some(UserVerification::Required.into()),
            factor_configuration: None,
        }),
        ..only(UserPoolMfaType::Off)
    });
    set(&service, request.clone()).await.unwrap();
    let kept = stated(SetUserPoolMfaConfigRequest { sms_mfa_configuration: channel, ..request });
    assert_eq!(get(&service).await.unwrap(), same(kept));
}

#[tokio::test]
async fn values_that_mfagate_does_not_know_are_unrecognized_and_absent_ones_unspecified() {
    let service = TestService::start().await;
    let body = json!({
        "MfaConfiguration": "SOMETIMES",
        "WebAuthnConfiguration": { "UserVerification": "never", "FactorConfiguration": "THREE" },
    });
    service.cognito.inject_fault(json!({ "kind": "replace", "count": 1, "body": body })).await;
    let read = get(&service).await.unwrap();
    assert_eq!(read.mfa_configuration(), UserPoolMfaType::Unrecognized);
    let passkeys = read.web_authn_configuration.unwrap();
    assert_eq!(passkeys.user_verification(), UserVerification::Unrecognized);
    assert_eq!(passkeys.factor_configuration(), WebAuthnFactorConfiguration::Unrecognized);

    service.cognito.inject_fault(json!({ "kind": "replace", "count": 1, "body": {} })).await;
    let unconfigured = GetUserPoolMfaConfigResponse { unconfigured_factors: vec![2, 3, 4, 5], ..Default::default() };
    assert_eq!(get(&service).await.unwrap(), unconfigured);
}
