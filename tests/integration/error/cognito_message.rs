//! The one text of Cognito that reaches a caller, `cognito_message`, and what is masked in it.

use mfagate::api::Rpc;
use mfagate::api::v1::{
    EmailMfaConfiguration, EumsSmsConfiguration, MfaFactor, SetUserPoolMfaConfigRequest, SmsConfiguration,
    SmsMfaConfiguration, UserPoolMfaType, VerifySoftwareTokenRequest, WebAuthnConfiguration,
    verify_software_token_request,
};
use tonic::{Code, Status};

use crate::support::pool_config;
use crate::support::refusal::refused;
use crate::support::rpc_call::{call, operation, takes_token};
use crate::support::test_cognito::{POOL, USER};
use crate::support::test_service::TestService;

const ARN: &str = "arn:aws:iam::123456789012:role/secret-role";

/// The message that the caller receives.
fn message(answer: Result<(), Status>) -> String {
    let details = refused(answer, Code::InvalidArgument, "INVALID_PARAMETER");
    details.error_info().unwrap().metadata["cognito_message"].clone()
}

async fn inject_message(service: &TestService, rpc: Rpc, text: &str) {
    service.cognito.inject_error(operation(rpc), "InvalidParameterException", text).await;
}

#[tokio::test]
async fn a_message_without_anything_to_mask_is_passed_unchanged() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    for rpc in Rpc::ALL {
        inject_message(&service, rpc, "Value '7' at 'someMember' is not what it should be").await;
        let message = message(call(&service, rpc, &token).await);
        assert_eq!(message, "Value '7' at 'someMember' is not what it should be", "{}", rpc.name());
    }
}

#[tokio::test]
async fn credential_user_and_pool_are_masked_in_every_rpc() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    for rpc in Rpc::ALL {
        let named = if takes_token(rpc) { &token } else { USER };
        inject_message(&service, rpc, &format!("In {POOL}: '{named}' or {} is bad", named.to_uppercase())).await;
        let message = message(call(&service, rpc, &token).await);
        // A request for a pool's operation names no user.
        let wanted = if [Rpc::GetUserPoolMfaConfig, Rpc::SetUserPoolMfaConfig].contains(&rpc) {
            "In [masked]: 'testuser' or TESTUSER is bad"
        } else {
            "In [masked]: '[masked]' or [masked] is bad"
        };
        assert_eq!(message, wanted, "{}", rpc.name());
    }
}

#[tokio::test]
async fn arns_and_account_ids_are_masked_in_every_rpc() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    for rpc in Rpc::ALL {
        inject_message(&service, rpc, &format!("Role '{ARN}' of 210987654321 is bad")).await;
        let message = message(call(&service, rpc, &token).await);
        assert_eq!(message, "Role '[arn]' of [account] is bad", "{}", rpc.name());
    }
}

#[tokio::test]
async fn a_long_message_is_truncated_by_characters() {
    let service = TestService::start().await;
    for (sentence, length) in [("é".repeat(255), 255), ("💡".repeat(256), 256), ("é".repeat(300), 256)] {
        inject_message(&service, Rpc::AdminGetUser, &sentence).await;
        let message = message(call(&service, Rpc::AdminGetUser, "").await);
        service.cognito.clear_faults().await;
        assert_eq!((message.chars().count(), sentence.starts_with(&message)), (length, true));
    }
}

#[tokio::test]
async fn an_exception_without_a_message_has_none() {
    let service = TestService::start().await;
    inject_message(&service, Rpc::AdminGetUser, "").await;
    let details = refused(call(&service, Rpc::AdminGetUser, "").await, Code::InvalidArgument, "INVALID_PARAMETER");
    assert!(!details.error_info().unwrap().metadata.contains_key("cognito_message"));
}

#[tokio::test]
async fn code_and_device_are_masked() {
    let service = TestService::start().await;
    let token = service.cognito.token(USER).await;
    inject_message(&service, Rpc::VerifySoftwareToken, "654321 of Jané's phone is bad").await;
    let request = VerifySoftwareTokenRequest {
        credential: Some(verify_software_token_request::Credential::AccessToken(token)),
        user_code: "654321".to_owned(),
        friendly_device_name: Some("Jané's phone".to_owned()),
        ..Default::default()
    };
    let answer = service.software_tokens().verify_software_token(request).await.map(drop);
    assert_eq!(message(answer), "[masked] of [masked] is bad");
}

#[tokio::test]
async fn a_session_and_its_pool_are_masked() {
    let service = TestService::start().await;
    let session = "session-of-twenty-and-more";
    inject_message(&service, Rpc::VerifySoftwareToken, &format!("{session} in {POOL} is bad")).await;
    let request = VerifySoftwareTokenRequest {
        credential: Some(verify_software_token_request::Credential::Session(session.to_owned())),
        user_pool_id: POOL.to_owned(),
        user_code: "654321".to_owned(),
        ..Default::default()
    };
    let answer = service.software_tokens().verify_software_token(request).await.map(drop);
    assert_eq!(message(answer), "[masked] in [masked] is bad");
}

#[tokio::test]
async fn every_text_of_a_configuration_is_masked() {
    let service = TestService::start().await;
    let text = |text: &str| Some(text.to_owned());
    let request = |sms| SetUserPoolMfaConfigRequest {
        user_pool_id: POOL.to_owned(),
        mfa_configuration: UserPoolMfaType::Optional.into(),
        sms_mfa_configuration: Some(SmsMfaConfiguration {
            sms_authentication_message: text("sms-text {####}"),
            sms_configuration: Some(sms),
        }),
        software_token_mfa_configuration: None,
        email_mfa_configuration: Some(EmailMfaConfiguration {
            message: text("mail-text {####}"),
            subject: text("mail-subject"),
        }),
        web_authn_configuration: Some(WebAuthnConfiguration {
            relying_party_id: text("party.example.com"),
            ..pool_config::web_authn()
        }),
        unconfigured_factors: vec![MfaFactor::SoftwareToken.into()],
    };
    let sns = SmsConfiguration {
        sns_caller_arn: text(ARN),
        external_id: text("sns-external"),
        sns_region: text("sns-region"),
        eums_sms: None,
    };
    let eums = SmsConfiguration {
        eums_sms: Some(EumsSmsConfiguration {
            caller_arn: ARN.to_owned(),
            external_id: text("eums-external"),
            origination_identity: text("eums-origin"),
            configuration_set_name: text("eums-set"),
            in_entity_id: text("eums-entity"),
            in_template_id: text("eums-template"),
            region: text("eums-region"),
        }),
        ..Default::default()
    };
    for (sms, own) in [
        (sns, vec!["sns-external", "sns-region"]),
        (eums, vec!["eums-external", "eums-origin", "eums-set", "eums-entity", "eums-template", "eums-region"]),
    ] {
        let mut texts = vec!["sms-text {####}", "mail-text {####}", "mail-subject", "party.example.com"];
        texts.extend(own);
        for text in texts {
            inject_message(&service, Rpc::SetUserPoolMfaConfig, &format!("Value '{text}' is bad")).await;
            let answer = service.pool_configs().set_user_pool_mfa_config(request(sms.clone())).await.map(drop);
            service.cognito.clear_faults().await;
            assert_eq!(message(answer), "Value '[masked]' is bad", "{text}");
        }
    }
}
