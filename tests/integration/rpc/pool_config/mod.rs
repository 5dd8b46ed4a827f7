//! A pool's MFA configuration: read, and replaced in full.

mod recipe;
mod refusal;
mod replacement;

use mfagate::api::v1::{
    EmailMfaConfiguration, EumsSmsConfiguration, GetUserPoolMfaConfigRequest, GetUserPoolMfaConfigResponse,
    SetUserPoolMfaConfigRequest, SetUserPoolMfaConfigResponse, SmsConfiguration, SmsMfaConfiguration,
    SoftwareTokenMfaConfiguration, UserPoolMfaType, UserVerification, WebAuthnConfiguration,
    WebAuthnFactorConfiguration,
};
use serde_json::Value;
use tonic::{Response, Status};

use crate::support::pool_config::stated;
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

/// A request with nothing but the MFA mode, which leaves no factor configured.
fn only(mode: UserPoolMfaType) -> SetUserPoolMfaConfigRequest {
    stated(SetUserPoolMfaConfigRequest {
        user_pool_id: POOL.to_owned(),
        mfa_configuration: mode.into(),
        ..Default::default()
    })
}

fn totp(enabled: bool) -> SoftwareTokenMfaConfiguration {
    SoftwareTokenMfaConfiguration { enabled: Some(enabled) }
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
        unconfigured_factors: Vec::new(),
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
        unconfigured_factors: request.unconfigured_factors,
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
        unconfigured_factors: answer.unconfigured_factors,
    }
}

async fn sent(service: &TestService) -> Vec<Value> {
    service.cognito.bodies("SetUserPoolMfaConfig").await
}
