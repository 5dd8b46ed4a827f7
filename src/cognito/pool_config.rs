//! The operations on a pool's MFA configuration.

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::operation::get_user_pool_mfa_config::GetUserPoolMfaConfigOutput;
use aws_sdk_cognitoidentityprovider::operation::set_user_pool_mfa_config::SetUserPoolMfaConfigOutput;
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
        Ok(convert::pool_mfa_config(self.read_pool_mfa_config().await?))
    }

    async fn read_pool_mfa_config(&self) -> Result<GetUserPoolMfaConfigOutput, Error> {
        self.send(Operation::GetUserPoolMfaConfig, Vec::new(), |client, config| {
            let call = client.get_user_pool_mfa_config().user_pool_id(self.user_pool_id());
            call.customize().config_override(config).send()
        })
        .await
    }

    /// `SetUserPoolMfaConfig`: the configuration after the write. What is `None` is not sent.
    pub async fn set_user_pool_mfa_config(
        &self,
        config: PoolMfaConfig,
    ) -> Result<v1::SetUserPoolMfaConfigResponse, Error> {
        let operation = Operation::SetUserPoolMfaConfig;
        let request = config.texts();
        let PoolMfaConfig { mfa_configuration, sms, software_token, email, web_authn } = config;
        let wanted = SetUserPoolMfaConfigOutput::builder()
            .mfa_configuration(to_mfa_configuration(mfa_configuration))
            .set_sms_mfa_configuration(sms.as_ref().map(to_sms_mfa).transpose()?)
            .set_software_token_mfa_configuration(
                software_token.map(|enabled| SoftwareTokenMfaConfigType::builder().enabled(enabled).build()),
            )
            .set_email_mfa_configuration(email.as_ref().map(to_email_mfa))
            .set_web_authn_configuration(web_authn.as_ref().map(to_web_authn))
            .build();
        let sent = wanted.clone();
        let call = |client: &Client, overrides| {
            client
                .set_user_pool_mfa_config()
                .user_pool_id(self.user_pool_id())
                .set_mfa_configuration(sent.mfa_configuration)
                .set_sms_mfa_configuration(sent.sms_mfa_configuration)
                .set_software_token_mfa_configuration(sent.software_token_mfa_configuration)
                .set_email_mfa_configuration(sent.email_mfa_configuration)
                .set_web_authn_configuration(sent.web_authn_configuration)
                .customize()
                .config_override(overrides)
                .send()
        };
        let read_back = async move |client: Self| {
            let found = client.read_pool_mfa_config().await?;
            Ok(is_config(&wanted, &found).then_some(wanted))
        };
        let response = self.send_and_read_back(operation, request, call, read_back).await?;
        Ok(convert::pool_mfa_config_set(response))
    }
}

/// Whether a pool has this configuration, exactly: where Cognito fills in what was not sent, the outcome stays unknown. TOTP that was not
/// sent is off.
fn is_config(wanted: &SetUserPoolMfaConfigOutput, found: &GetUserPoolMfaConfigOutput) -> bool {
    let is_on = |software_token: Option<&SoftwareTokenMfaConfigType>| software_token.is_some_and(|token| token.enabled);
    wanted.mfa_configuration == found.mfa_configuration
        && wanted.sms_mfa_configuration == found.sms_mfa_configuration
        && is_on(wanted.software_token_mfa_configuration()) == is_on(found.software_token_mfa_configuration())
        && wanted.email_mfa_configuration == found.email_mfa_configuration
        && wanted.web_authn_configuration == found.web_authn_configuration
}

fn to_mfa_configuration(value: MfaConfiguration) -> UserPoolMfaType {
    match value {
        MfaConfiguration::Off => UserPoolMfaType::Off,
        MfaConfiguration::On => UserPoolMfaType::On,
        MfaConfiguration::Optional => UserPoolMfaType::Optional,
    }
}

fn to_sms_mfa(sms: &SmsMfa) -> Result<SmsMfaConfigType, Error> {
    let configuration = sms.configuration.as_ref().map(to_sms).transpose()?;
    Ok(SmsMfaConfigType::builder()
        .set_sms_authentication_message(owned(sms.message.as_ref()))
        .set_sms_configuration(configuration)
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
    let verification = web_authn
        .user_verification_required
        .map(|required| if required { UserVerificationType::Required } else { UserVerificationType::Preferred });
    let factor = web_authn.multi_factor.map(|multi_factor| {
        if multi_factor {
            WebAuthnFactorConfigurationType::MultiFactorWithUserVerification
        } else {
            WebAuthnFactorConfigurationType::SingleFactor
        }
    });
    WebAuthnConfigurationType::builder()
        .set_relying_party_id(owned(web_authn.relying_party_id.as_ref()))
        .set_user_verification(verification)
        .set_factor_configuration(factor)
        .build()
}
