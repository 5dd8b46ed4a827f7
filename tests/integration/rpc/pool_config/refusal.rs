//! Configurations that are refused, by mfagate and by Cognito.

use cognito_emulator::demo;
use mfagate::api::v1::{
    EmailMfaConfiguration, EumsSmsConfiguration, GetUserPoolMfaConfigRequest, SetUserPoolMfaConfigRequest,
    SmsConfiguration, SmsMfaConfiguration, UserPoolMfaType, WebAuthnConfiguration,
};
use serde_json::json;
use tonic::Code;

use super::{everything, get, only, sent, set, sns, totp};
use crate::support::pool_config::stated;
use crate::support::refusal::{invalid_fields, refused};
use crate::support::test_service::TestService;

#[tokio::test]
async fn an_unspecified_mfa_mode_is_refused_and_not_sent() {
    let service = TestService::start().await;
    for mode in [0, 1, 77, -1] {
        let request = stated(SetUserPoolMfaConfigRequest {
            software_token_mfa_configuration: Some(totp(true)),
            ..SetUserPoolMfaConfigRequest { mfa_configuration: mode, ..only(UserPoolMfaType::Off) }
        });
        assert_eq!(invalid_fields(set(&service, request).await), ["mfa_configuration"]);
    }
    assert!(sent(&service).await.is_empty());
}

#[tokio::test]
async fn off_together_with_a_factor_is_refused_and_not_sent() {
    let service = TestService::start().await;
    for (request, field) in [
        (
            SetUserPoolMfaConfigRequest { sms_mfa_configuration: Some(sns()), ..only(UserPoolMfaType::Off) },
            "sms_mfa_configuration",
        ),
        (
            SetUserPoolMfaConfigRequest {
                software_token_mfa_configuration: Some(totp(false)),
                ..only(UserPoolMfaType::Off)
            },
            "software_token_mfa_configuration",
        ),
        (
            SetUserPoolMfaConfigRequest {
                email_mfa_configuration: Some(EmailMfaConfiguration::default()),
                ..only(UserPoolMfaType::Off)
            },
            "email_mfa_configuration",
        ),
    ] {
        assert_eq!(invalid_fields(set(&service, stated(request)).await), [field]);
    }
    assert!(sent(&service).await.is_empty());
}

#[tokio::test]
async fn every_violation_of_a_configuration_is_named_with_its_path() {
    let service = TestService::start().await;
    let request = SetUserPoolMfaConfigRequest {
        user_pool_id: "nowhere".to_owned(),
        mfa_configuration: 0,
        sms_mfa_configuration: Some(SmsMfaConfiguration {
            sms_authentication_message: Some("no place for it".to_owned()),
            sms_configuration: Some(SmsConfiguration {
                sns_caller_arn: Some("no arn".to_owned()),
                external_id: None,
                sns_region: Some("us".to_owned()),
                eums_sms: Some(EumsSmsConfiguration { region: Some("us".to_owned()), ..Default::default() }),
            }),
        }),
        software_token_mfa_configuration: None,
        email_mfa_configuration: Some(EmailMfaConfiguration {
            message: Some("none".to_owned()),
            subject: Some(String::new()),
        }),
        web_authn_configuration: Some(WebAuthnConfiguration {
            relying_party_id: Some(String::new()),
            user_verification: Some(0),
            factor_configuration: Some(9),
        }),
        unconfigured_factors: vec![0, 2, 9],
    };
    let mut fields = invalid_fields(set(&service, request).await);
    fields.sort();
    let sms = "sms_mfa_configuration.sms_configuration";
    let mut wanted = [
        "email_mfa_configuration.message".to_owned(),
        "email_mfa_configuration.subject".to_owned(),
        "mfa_configuration".to_owned(),
        "software_token_mfa_configuration".to_owned(),
        "unconfigured_factors[0]".to_owned(),
        "unconfigured_factors[1]".to_owned(),
        "unconfigured_factors[2]".to_owned(),
        "sms_mfa_configuration.sms_authentication_message".to_owned(),
        sms.to_owned(),
        format!("{sms}.eums_sms.caller_arn"),
        format!("{sms}.eums_sms.region"),
        format!("{sms}.sns_caller_arn"),
        format!("{sms}.sns_region"),
        "user_pool_id".to_owned(),
        "web_authn_configuration.factor_configuration".to_owned(),
        "web_authn_configuration.relying_party_id".to_owned(),
        "web_authn_configuration.user_verification".to_owned(),
    ];
    wanted.sort();
    assert_eq!(fields, wanted);
}

#[tokio::test]
async fn a_pool_that_asks_for_mfa_needs_a_factor() {
    let service = TestService::start().await;
    set(&service, only(UserPoolMfaType::Off)).await.unwrap();
    for mode in [UserPoolMfaType::On, UserPoolMfaType::Optional] {
        refused(set(&service, only(mode)).await, Code::InvalidArgument, "POOL_MFA_COMBINATION_INVALID");
    }
}

#[tokio::test]
async fn a_pool_whose_other_settings_forbid_it_names_the_conflict() {
    let service = TestService::start().await;
    let without_sms = stated(SetUserPoolMfaConfigRequest {
        user_pool_id: demo::OTHER_POOL_ID.to_owned(),
        software_token_mfa_configuration: Some(totp(true)),
        ..only(UserPoolMfaType::Optional)
    });
    let details = refused(set(&service, without_sms).await, Code::FailedPrecondition, "POOL_SETTINGS_CONFLICT");
    assert_eq!(details.error_info().unwrap().metadata["conflict"], "SMS_CONFIGURATION");

    for (settings, conflict) in [
        (json!({ "PoolName": "mail by cognito" }), "EMAIL_SENDING_ACCOUNT"),
        (
            json!({
                "PoolName": "own mail",
                "EmailConfiguration": {
                    "EmailSendingAccount": "DEVELOPER",
                    "SourceArn": "arn:aws:ses:us-west-2:123456789012:identity/a@example.com",
                },
            }),
            "ACCOUNT_RECOVERY",
        ),
    ] {
        let created = service.cognito.perform("CreateUserPool", settings).await;
        let request = SetUserPoolMfaConfigRequest {
            user_pool_id: created["UserPool"]["Id"].as_str().unwrap().to_owned(),
            ..everything(sns())
        };
        let details = refused(set(&service, request).await, Code::FailedPrecondition, "POOL_SETTINGS_CONFLICT");
        assert_eq!(details.error_info().unwrap().metadata["conflict"], conflict);
    }
}

#[tokio::test]
async fn a_plan_without_the_feature_is_a_failed_precondition() {
    let service = TestService::start().await;
    let lite = json!({ "PoolName": "lite", "UserPoolTier": "LITE" });
    let created = service.cognito.perform("CreateUserPool", lite).await;
    let user_pool_id = created["UserPool"]["Id"].as_str().unwrap().to_owned();
    let request = SetUserPoolMfaConfigRequest { user_pool_id, ..everything(sns()) };
    refused(set(&service, request).await, Code::FailedPrecondition, "FEATURE_UNAVAILABLE_IN_TIER");
}

#[tokio::test]
async fn a_pool_that_does_not_exist_is_not_found() {
    let service = TestService::start().await;
    let user_pool_id = "us-west-2_NOWHERE".to_owned();
    let request = SetUserPoolMfaConfigRequest { user_pool_id: user_pool_id.clone(), ..everything(sns()) };
    refused(set(&service, request).await, Code::NotFound, "RESOURCE_NOT_FOUND");
    let request = GetUserPoolMfaConfigRequest { user_pool_id };
    let answer = service.pool_configs().get_user_pool_mfa_config(request).await;
    refused(answer, Code::NotFound, "RESOURCE_NOT_FOUND");
}

#[tokio::test]
async fn the_other_refusals_of_a_configuration_are_distinguished() {
    let service = TestService::start().await;
    for (cognito_code, code, reason) in [
        ("ConcurrentModificationException", Code::Aborted, "CONCURRENT_MODIFICATION"),
        ("InvalidSmsRoleAccessPolicyException", Code::FailedPrecondition, "SMS_ROLE_INVALID"),
        ("InvalidSmsRoleTrustRelationshipException", Code::FailedPrecondition, "SMS_ROLE_INVALID"),
        ("NotAuthorizedException", Code::FailedPrecondition, "TARGET_REFUSED"),
    ] {
        service.cognito.inject_error("SetUserPoolMfaConfig", cognito_code, "").await;
        refused(set(&service, everything(sns())).await, code, reason);
        service.cognito.clear_faults().await;
    }
    service.cognito.inject_error("GetUserPoolMfaConfig", "NotAuthorizedException", "").await;
    refused(get(&service).await, Code::FailedPrecondition, "TARGET_REFUSED");
}
