//! A pool's MFA configuration: read, and replaced in full.

use mfagate::proto::v1::{
    EmailMfaConfiguration, EumsSmsConfiguration, GetUserPoolMfaConfigRequest, GetUserPoolMfaConfigResponse,
    SetUserPoolMfaConfigRequest, SetUserPoolMfaConfigResponse, SmsConfiguration, SmsMfaConfiguration,
    SoftwareTokenMfaConfiguration, UserPoolMfaType, UserVerification, WebAuthnConfiguration,
    WebAuthnFactorConfiguration,
};
use serde_json::{Value, json};
use tonic::{Code, Response, Status};

use crate::support::refusal::refused;
use crate::support::test_cognito::POOL;
use crate::support::test_service::TestService;

async fn get(service: &TestService) -> Result<GetUserPoolMfaConfigResponse, Status> {
    let request = GetUserPoolMfaConfigRequest { user_pool_id: POOL.to_owned() };
    service.pool_configs().get_user_pool_mfa_config(request).await.map(Response::into_inner)
}

async fn set(
    service: &TestService,
    request: SetUserPoolMfaConfigRequest,
) -> Result<SetUserPoolMfaConfigResponse, Status> {
    service.pool_configs().set_user_pool_mfa_config(request).await.map(Response::into_inner)
}

/// A request with nothing but the MFA mode.
fn only(mode: UserPoolMfaType) -> SetUserPoolMfaConfigRequest {
    SetUserPoolMfaConfigRequest { user_pool_id: POOL.to_owned(), mfa_configuration: mode.into(), ..Default::default() }
}

fn totp(enabled: bool) -> SoftwareTokenMfaConfiguration {
    SoftwareTokenMfaConfiguration { enabled }
}

fn sns() -> SmsMfaConfiguration {
    SmsMfaConfiguration {
        sms_authentication_message: Some("Code {####}, please".to_owned()),
        sms_configuration: Some(SmsConfiguration {
            sns_caller_arn: Some("arn:aws:iam::123456789012:role/sms".to_owned()),
            external_id: Some("external".to_owned()),
            sns_region: Some("us-west-2".to_owned()),
            eums_sms: None,
        }),
    }
}

fn eums() -> SmsMfaConfiguration {
    SmsMfaConfiguration {
        sms_authentication_message: None,
        sms_configuration: Some(SmsConfiguration {
            eums_sms: Some(EumsSmsConfiguration {
                caller_arn: "arn:aws:iam::123456789012:role/eums".to_owned(),
                external_id: Some("external".to_owned()),
                origination_identity: Some("+12065550100".to_owned()),
                configuration_set_name: Some("set".to_owned()),
                in_entity_id: Some("entity".to_owned()),
                in_template_id: Some("template".to_owned()),
                region: Some("us-west-2".to_owned()),
            }),
            ..Default::default()
        }),
    }
}

/// A configuration with every member of all factors.
fn everything(sms: SmsMfaConfiguration) -> SetUserPoolMfaConfigRequest {
    SetUserPoolMfaConfigRequest {
        sms_mfa_configuration: Some(sms),
        software_token_mfa_configuration: Some(totp(true)),
        email_mfa_configuration: Some(EmailMfaConfiguration {
            message: Some("Your code: {####}".to_owned()),
            subject: Some("A code".to_owned()),
        }),
        web_authn_configuration: Some(WebAuthnConfiguration {
            relying_party_id: Some("example.com".to_owned()),
            user_verification: Some(UserVerification::Preferred.into()),
            factor_configuration: Some(WebAuthnFactorConfiguration::SingleFactor.into()),
        }),
        ..only(UserPoolMfaType::Optional)
    }
}

fn same(request: SetUserPoolMfaConfigRequest) -> GetUserPoolMfaConfigResponse {
    GetUserPoolMfaConfigResponse {
        mfa_configuration: request.mfa_configuration,
        sms_mfa_configuration: request.sms_mfa_configuration,
        software_token_mfa_configuration: request.software_token_mfa_configuration,
        email_mfa_configuration: request.email_mfa_configuration,
        web_authn_configuration: request.web_authn_configuration,
    }
}

/// A write's response as that of a read, to compare them.
fn as_read(answer: SetUserPoolMfaConfigResponse) -> GetUserPoolMfaConfigResponse {
    GetUserPoolMfaConfigResponse {
        mfa_configuration: answer.mfa_configuration,
        sms_mfa_configuration: answer.sms_mfa_configuration,
        software_token_mfa_configuration: answer.software_token_mfa_configuration,
        email_mfa_configuration: answer.email_mfa_configuration,
        web_authn_configuration: answer.web_authn_configuration,
    }
}

async fn sent(service: &TestService) -> Vec<Value> {
    service.cognito.bodies("SetUserPoolMfaConfig").await
}

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
async fn what_is_left_out_is_not_sent_and_is_dropped() {
    let service = TestService::start().await;
    let answer = set(&service, only(UserPoolMfaType::Off)).await.unwrap();
    assert_eq!(sent(&service).await, [json!({ "UserPoolId": POOL, "MfaConfiguration": "OFF" })]);
    assert_eq!(as_read(answer), same(only(UserPoolMfaType::Off)));
    assert_eq!(get(&service).await.unwrap(), same(only(UserPoolMfaType::Off)));

    let request =
        SetUserPoolMfaConfigRequest { software_token_mfa_configuration: Some(totp(true)), ..only(UserPoolMfaType::On) };
    set(&service, request.clone()).await.unwrap();
    assert_eq!(get(&service).await.unwrap(), same(request));
}

#[tokio::test]
async fn an_empty_block_is_sent_as_one() {
    let service = TestService::start().await;
    let request = SetUserPoolMfaConfigRequest {
        sms_mfa_configuration: Some(SmsMfaConfiguration::default()),
        software_token_mfa_configuration: Some(totp(false)),
        email_mfa_configuration: Some(EmailMfaConfiguration::default()),
        web_authn_configuration: Some(WebAuthnConfiguration::default()),
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
}

#[tokio::test]
async fn an_unspecified_mfa_mode_is_refused_and_not_sent() {
    let service = TestService::start().await;
    for mode in [0, 1, 77, -1] {
        let request = SetUserPoolMfaConfigRequest {
            software_token_mfa_configuration: Some(totp(true)),
            ..SetUserPoolMfaConfigRequest { mfa_configuration: mode, ..only(UserPoolMfaType::Off) }
        };
        let details = refused(set(&service, request).await, Code::InvalidArgument, "REQUEST_INVALID");
        let violations = &details.bad_request().unwrap().field_violations;
        assert_eq!(violations.iter().map(|v| v.field.as_str()).collect::<Vec<_>>(), ["mfa_configuration"]);
    }
    assert!(sent(&service).await.is_empty());
}

#[tokio::test]
async fn off_together_with_a_factor_is_refused_and_not_sent() {
    let service = TestService::start().await;
    for (request, field) in [
        (
            SetUserPoolMfaConfigRequest {
                sms_mfa_configuration: Some(SmsMfaConfiguration::default()),
                ..only(UserPoolMfaType::Off)
            },
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
        let details = refused(set(&service, request).await, Code::InvalidArgument, "REQUEST_INVALID");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, field);
    }
    assert!(sent(&service).await.is_empty());
}

#[tokio::test]
async fn off_together_with_passkeys_is_accepted() {
    let service = TestService::start().await;
    let request = SetUserPoolMfaConfigRequest {
        web_authn_configuration: Some(WebAuthnConfiguration {
            relying_party_id: Some("example.com".to_owned()),
            user_verification: Some(UserVerification::Required.into()),
            factor_configuration: None,
        }),
        ..only(UserPoolMfaType::Off)
    };
    set(&service, request.clone()).await.unwrap();
    assert_eq!(get(&service).await.unwrap(), same(request));
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
    };
    let details = refused(set(&service, request).await, Code::InvalidArgument, "REQUEST_INVALID");
    let mut fields: Vec<_> =
        details.bad_request().unwrap().field_violations.iter().map(|violation| violation.field.clone()).collect();
    fields.sort();
    let sms = "sms_mfa_configuration.sms_configuration";
    let mut wanted = [
        "email_mfa_configuration.message".to_owned(),
        "email_mfa_configuration.subject".to_owned(),
        "mfa_configuration".to_owned(),
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
    let without_sms = SetUserPoolMfaConfigRequest {
        software_token_mfa_configuration: Some(totp(true)),
        ..only(UserPoolMfaType::Optional)
    };
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
    assert_eq!(get(&service).await.unwrap(), GetUserPoolMfaConfigResponse::default());
}
