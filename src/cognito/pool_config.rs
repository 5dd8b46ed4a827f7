//! The operations on a pool's MFA configuration.

use aws_sdk_cognitoidentityprovider::types::{
    EmailMfaConfigType, EumsSmsConfigurationType, SmsConfigurationType, SmsMfaConfigType, SoftwareTokenMfaConfigType,
    UserPoolMfaType, UserVerificationType, WebAuthnConfigurationType, WebAuthnFactorConfigurationType,
};

use crate::api::v1::{self, ErrorReason};
use crate::cognito::convert;
use crate::cognito::pool_client::PoolClient;
use crate::cognito::send::owned;
use crate::domain::{MfaConfiguration, Operation};
use crate::error::Error;
use crate::request::pool_config::{EmailMfa, EumsSms, PoolMfaConfig, Sms, SmsMfa, WebAuthn};

impl PoolClient {
    /// `GetUserPoolMfaConfig`.
    pub async fn get_user_pool_mfa_config(&self) -> Result<v1::GetUserPoolMfaConfigResponse, Error> {
        let response = self
            .send(Operation::GetUserPoolMfaConfig, Vec::new(), |client, config| {
                let call = client.get_user_pool_mfa_config().user_pool_id(self.user_pool_id());
                call.customize().config_override(config).send()
            })
            .await?;
        Ok(convert::pool_mfa_config(response))
    }

    /// `SetUserPoolMfaConfig`: the configuration after the write. What is `None` is not sent.
    pub async fn set_user_pool_mfa_config(
        &self,
        config: PoolMfaConfig,
    ) -> Result<v1::SetUserPoolMfaConfigResponse, Error> {
        let operation = Operation::SetUserPoolMfaConfig;
        let request = config.texts();
        let PoolMfaConfig { mfa_configuration, sms, software_token, email, web_authn } = config;
        let sms = sms.as_ref().map(to_sms_mfa).transpose()?;
        let response = self
            .send(operation, request, |client, overrides| {
                client
                    .set_user_pool_mfa_config()
                    .user_pool_id(self.user_pool_id())
                    .mfa_configuration(to_mfa_configuration(mfa_configuration))
                    .set_sms_mfa_configuration(sms)
                    .set_software_token_mfa_configuration(
                        software_token.map(|enabled| SoftwareTokenMfaConfigType::builder().enabled(enabled).build()),
                    )
                    .set_email_mfa_configuration(email.as_ref().map(to_email_mfa))
                    .set_web_authn_configuration(web_authn.as_ref().map(to_web_authn))
                    .customize()
                    .config_override(overrides)
                    .send()
            })
            .await?;
        Ok(convert::pool_mfa_config_set(response))
    }
}

fn to_mfa_configuration(value: MfaConfiguration) -> UserPoolMfaType {
    match value {
        MfaConfiguration::Off => UserPoolMfaType::Off,
        MfaConfiguration::On => UserPoolMfaType::On,
        MfaConfiguration::Optional => UserPoolMfaType::Optional,
    }
}

fn to_sms_mfa(sms: &SmsMfa) -> Result<SmsMfaConfigType, Error> {
    Ok(SmsMfaConfigType::builder()
        .set_sms_authentication_message(owned(sms.message.as_ref()))
        .sms_configuration(to_sms(&sms.configuration)?)
        .build())
}

fn to_sms(sms: &Sms) -> Result<SmsConfigurationType, Error> {
    let eums_sms = sms.eums_sms.as_ref().map(to_eums_sms).transpose()?;
    Ok(SmsConfigurationType::builder()
        .set_sns_caller_arn(owned(sms.sns_caller_arn.as_ref()))
        .set_external_id(owned(sms.external_id.as_ref()))
        .set_sns_region(owned(sms.sns_region.as_ref()))
        .set_eums_sms(eums_sms)
        .build())
}

fn to_eums_sms(eums: &EumsSms) -> Result<EumsSmsConfigurationType, Error> {
    EumsSmsConfigurationType::builder()
        .caller_arn(eums.caller_arn.as_str())
        .set_external_id(owned(eums.external_id.as_ref()))
        .set_origination_identity(owned(eums.origination_identity.as_ref()))
        .set_configuration_set_name(owned(eums.configuration_set_name.as_ref()))
        .set_in_entity_id(owned(eums.in_entity_id.as_ref()))
        .set_in_template_id(owned(eums.in_template_id.as_ref()))
        .set_region(owned(eums.region.as_ref()))
        .build()
        .map_err(|error| {
            let error = error.to_string();
            Error::new(ErrorReason::MfagateRequestRejected).operation(Operation::SetUserPoolMfaConfig).cause(error)
        })
}

fn to_email_mfa(email: &EmailMfa) -> EmailMfaConfigType {
    EmailMfaConfigType::builder()
        .set_message(owned(email.message.as_ref()))
        .set_subject(owned(email.subject.as_ref()))
        .build()
}

fn to_web_authn(web_authn: &WebAuthn) -> WebAuthnConfigurationType {
    let verification = if web_authn.user_verification_required {
        UserVerificationType::Required
    } else {
        UserVerificationType::Preferred
    };
    let factor = if web_authn.multi_factor {
        WebAuthnFactorConfigurationType::MultiFactorWithUserVerification
    } else {
        WebAuthnFactorConfigurationType::SingleFactor
    };
    WebAuthnConfigurationType::builder()
        .relying_party_id(web_authn.relying_party_id.as_str())
        .user_verification(verification)
        .factor_configuration(factor)
        .build()
}
