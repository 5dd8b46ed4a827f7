//! Converts Cognito's responses into our messages. A value that we do not know becomes UNRECOGNIZED.
#![expect(clippy::wildcard_enum_match_arm, reason = "the SDK's enums are non-exhaustive")]

use aws_sdk_cognitoidentityprovider::operation::admin_get_user::AdminGetUserOutput;
use aws_sdk_cognitoidentityprovider::operation::admin_get_user_auth_factors::AdminGetUserAuthFactorsOutput;
use aws_sdk_cognitoidentityprovider::operation::get_user::GetUserOutput;
use aws_sdk_cognitoidentityprovider::operation::get_user_auth_factors::GetUserAuthFactorsOutput;
use aws_sdk_cognitoidentityprovider::operation::get_user_pool_mfa_config::GetUserPoolMfaConfigOutput;
use aws_sdk_cognitoidentityprovider::operation::list_web_authn_credentials::ListWebAuthnCredentialsOutput;
use aws_sdk_cognitoidentityprovider::operation::set_user_pool_mfa_config::SetUserPoolMfaConfigOutput;
use aws_sdk_cognitoidentityprovider::types::{
    AttributeType, AuthFactorType, DeliveryMediumType, EmailMfaConfigType, EumsSmsConfigurationType, MfaOptionType,
    SmsConfigurationType, SmsMfaConfigType, SoftwareTokenMfaConfigType, UserPoolMfaType, UserStatusType,
    UserVerificationType, WebAuthnConfigurationType, WebAuthnCredentialDescription, WebAuthnFactorConfigurationType,
};

use crate::api::v1;
use crate::domain::Factor;

pub(super) fn admin_user(user: AdminGetUserOutput) -> v1::AdminGetUserResponse {
    let (preferred_mfa_setting, unrecognized_preferred_mfa_setting) = preferred(user.preferred_mfa_setting);
    let (user_mfa_setting_list, unrecognized_user_mfa_setting_list) = enabled(user.user_mfa_setting_list);
    let attributes = user.user_attributes.as_deref().unwrap_or_default();
    v1::AdminGetUserResponse {
        phone_number: Some(contact(attributes, "phone_number", "phone_number_verified")),
        email: Some(contact(attributes, "email", "email_verified")),
        username: user.username,
        enabled: user.enabled,
        user_status: user_status(user.user_status.as_ref()).into(),
        preferred_mfa_setting,
        unrecognized_preferred_mfa_setting,
        user_mfa_setting_list,
        unrecognized_user_mfa_setting_list,
        mfa_options: user.mfa_options.unwrap_or_default().into_iter().map(mfa_option).collect(),
    }
}

pub(super) fn user(user: GetUserOutput) -> v1::GetUserResponse {
    let (preferred_mfa_setting, unrecognized_preferred_mfa_setting) = preferred(user.preferred_mfa_setting);
    let (user_mfa_setting_list, unrecognized_user_mfa_setting_list) = enabled(user.user_mfa_setting_list);
    v1::GetUserResponse {
        phone_number: Some(contact(&user.user_attributes, "phone_number", "phone_number_verified")),
        email: Some(contact(&user.user_attributes, "email", "email_verified")),
        username: user.username,
        preferred_mfa_setting,
        unrecognized_preferred_mfa_setting,
        user_mfa_setting_list,
        unrecognized_user_mfa_setting_list,
        mfa_options: user.mfa_options.unwrap_or_default().into_iter().map(mfa_option).collect(),
    }
}

pub(super) fn admin_auth_factors(factors: AdminGetUserAuthFactorsOutput) -> v1::AdminGetUserAuthFactorsResponse {
    let (preferred_mfa_setting, unrecognized_preferred_mfa_setting) = preferred(factors.preferred_mfa_setting);
    let (user_mfa_setting_list, unrecognized_user_mfa_setting_list) = enabled(factors.user_mfa_setting_list);
    v1::AdminGetUserAuthFactorsResponse {
        username: factors.username,
        preferred_mfa_setting,
        unrecognized_preferred_mfa_setting,
        user_mfa_setting_list,
        unrecognized_user_mfa_setting_list,
        configured_user_auth_factors: auth_factor_list(factors.configured_user_auth_factors),
    }
}

pub(super) fn auth_factors(factors: GetUserAuthFactorsOutput) -> v1::GetUserAuthFactorsResponse {
    let (preferred_mfa_setting, unrecognized_preferred_mfa_setting) = preferred(factors.preferred_mfa_setting);
    let (user_mfa_setting_list, unrecognized_user_mfa_setting_list) = enabled(factors.user_mfa_setting_list);
    v1::GetUserAuthFactorsResponse {
        username: factors.username,
        preferred_mfa_setting,
        unrecognized_preferred_mfa_setting,
        user_mfa_setting_list,
        unrecognized_user_mfa_setting_list,
        configured_user_auth_factors: auth_factor_list(factors.configured_user_auth_factors),
    }
}

pub(super) fn pool_mfa_config(config: GetUserPoolMfaConfigOutput) -> v1::GetUserPoolMfaConfigResponse {
    let unconfigured_factors = unconfigured_factors([
        (v1::MfaFactor::Sms, config.sms_mfa_configuration.is_some()),
        (v1::MfaFactor::SoftwareToken, config.software_token_mfa_configuration.is_some()),
        (v1::MfaFactor::Email, config.email_mfa_configuration.is_some()),
        (v1::MfaFactor::WebAuthn, config.web_authn_configuration.is_some()),
    ]);
    v1::GetUserPoolMfaConfigResponse {
        mfa_configuration: mfa_configuration(config.mfa_configuration.as_ref()).into(),
        sms_mfa_configuration: config.sms_mfa_configuration.map(sms_mfa),
        software_token_mfa_configuration: config.software_token_mfa_configuration.as_ref().map(software_token_mfa),
        email_mfa_configuration: config.email_mfa_configuration.map(email_mfa),
        web_authn_configuration: config.web_authn_configuration.map(web_authn),
        unconfigured_factors,
    }
}

pub(super) fn pool_mfa_config_set(config: SetUserPoolMfaConfigOutput) -> v1::SetUserPoolMfaConfigResponse {
    let unconfigured_factors = unconfigured_factors([
        (v1::MfaFactor::Sms, config.sms_mfa_configuration.is_some()),
        (v1::MfaFactor::SoftwareToken, config.software_token_mfa_configuration.is_some()),
        (v1::MfaFactor::Email, config.email_mfa_configuration.is_some()),
        (v1::MfaFactor::WebAuthn, config.web_authn_configuration.is_some()),
    ]);
    v1::SetUserPoolMfaConfigResponse {
        mfa_configuration: mfa_configuration(config.mfa_configuration.as_ref()).into(),
        sms_mfa_configuration: config.sms_mfa_configuration.map(sms_mfa),
        software_token_mfa_configuration: config.software_token_mfa_configuration.as_ref().map(software_token_mfa),
        email_mfa_configuration: config.email_mfa_configuration.map(email_mfa),
        web_authn_configuration: config.web_authn_configuration.map(web_authn),
        unconfigured_factors,
    }
}

/// The factors that are not configured, so that a configuration that was read can be sent back as it is.
fn unconfigured_factors(factors: [(v1::MfaFactor, bool); 4]) -> Vec<i32> {
    factors.into_iter().filter(|(_, is_configured)| !is_configured).map(|(factor, _)| factor.into()).collect()
}

pub(super) fn web_authn_credentials(response: ListWebAuthnCredentialsOutput) -> v1::ListWebAuthnCredentialsResponse {
    v1::ListWebAuthnCredentialsResponse {
        credentials: response.credentials.into_iter().map(web_authn_credential).collect(),
        next_token: response.next_token,
    }
}

fn web_authn_credential(credential: WebAuthnCredentialDescription) -> v1::WebAuthnCredential {
    let created_at = prost_types::Timestamp {
        seconds: credential.created_at.secs(),
        nanos: i32::try_from(credential.created_at.subsec_nanos()).unwrap_or_default(),
    };
    v1::WebAuthnCredential {
        credential_id: credential.credential_id,
        friendly_credential_name: credential.friendly_credential_name,
        relying_party_id: credential.relying_party_id,
        authenticator_attachment: credential.authenticator_attachment,
        authenticator_transports: credential.authenticator_transports,
        created_at: Some(created_at),
    }
}

/// The preferred factor, and Cognito's word for it where we do not know it. No preference is an absent member in AWS and an empty
/// text in moto.
fn preferred(setting: Option<String>) -> (Option<i32>, Option<String>) {
    let setting = setting.filter(|setting| !setting.is_empty());
    let factor = setting.as_deref().map(mfa_factor);
    (factor.map(Into::into), setting.filter(|_| factor == Some(v1::MfaFactor::Unrecognized)))
}

/// The enabled factors, and Cognito's words for those that we do not know.
fn enabled(list: Option<Vec<String>>) -> (Vec<i32>, Vec<String>) {
    let mut list = list.unwrap_or_default();
    let factors = list.iter().map(|name| mfa_factor(name).into()).collect();
    list.retain(|name| mfa_factor(name) == v1::MfaFactor::Unrecognized);
    (factors, list)
}

fn mfa_factor(name: &str) -> v1::MfaFactor {
    match Factor::from_name(name) {
        None => v1::MfaFactor::Unrecognized,
        Some(Factor::SmsMfa) => v1::MfaFactor::Sms,
        Some(Factor::SoftwareTokenMfa) => v1::MfaFactor::SoftwareToken,
        Some(Factor::EmailOtp) => v1::MfaFactor::Email,
        Some(Factor::WebAuthn) => v1::MfaFactor::WebAuthn,
    }
}

fn contact(attributes: &[AttributeType], name: &str, verified: &str) -> v1::ContactAttribute {
    let value = |name| attributes.iter().find(|attribute| attribute.name == name).and_then(|found| found.value());
    v1::ContactAttribute {
        present: value(name).is_some_and(|value| !value.is_empty()),
        verified: value(verified).is_some_and(|value| value.eq_ignore_ascii_case("true")),
    }
}

fn mfa_option(option: MfaOptionType) -> v1::MfaOption {
    let delivery_medium = match option.delivery_medium {
        None => v1::DeliveryMedium::Unspecified,
        Some(DeliveryMediumType::Sms) => v1::DeliveryMedium::Sms,
        Some(DeliveryMediumType::Email) => v1::DeliveryMedium::Email,
        Some(_) => v1::DeliveryMedium::Unrecognized,
    };
    v1::MfaOption { delivery_medium: delivery_medium.into(), attribute_name: option.attribute_name.unwrap_or_default() }
}

fn auth_factor_list(factors: Option<Vec<AuthFactorType>>) -> Vec<i32> {
    factors.unwrap_or_default().iter().map(|factor| auth_factor(factor).into()).collect()
}

fn auth_factor(factor: &AuthFactorType) -> v1::AuthFactor {
    match factor {
        AuthFactorType::Password => v1::AuthFactor::Password,
        AuthFactorType::EmailOtp => v1::AuthFactor::EmailOtp,
        AuthFactorType::SmsOtp => v1::AuthFactor::SmsOtp,
        AuthFactorType::WebAuthn => v1::AuthFactor::WebAuthn,
        AuthFactorType::SoftwareToken => v1::AuthFactor::SoftwareToken,
        _ => v1::AuthFactor::Unrecognized,
    }
}

fn user_status(status: Option<&UserStatusType>) -> v1::UserStatus {
    match status {
        None => v1::UserStatus::Unspecified,
        Some(UserStatusType::Unconfirmed) => v1::UserStatus::Unconfirmed,
        Some(UserStatusType::Confirmed) => v1::UserStatus::Confirmed,
        Some(UserStatusType::Archived) => v1::UserStatus::Archived,
        Some(UserStatusType::Compromised) => v1::UserStatus::Compromised,
        Some(UserStatusType::UnknownValue) => v1::UserStatus::Unknown,
        Some(UserStatusType::ResetRequired) => v1::UserStatus::ResetRequired,
        Some(UserStatusType::ForceChangePassword) => v1::UserStatus::ForceChangePassword,
        Some(UserStatusType::ExternalProvider) => v1::UserStatus::ExternalProvider,
        Some(_) => v1::UserStatus::Unrecognized,
    }
}

fn mfa_configuration(value: Option<&UserPoolMfaType>) -> v1::UserPoolMfaType {
    match value {
        None => v1::UserPoolMfaType::Unspecified,
        Some(UserPoolMfaType::Off) => v1::UserPoolMfaType::Off,
        Some(UserPoolMfaType::On) => v1::UserPoolMfaType::On,
        Some(UserPoolMfaType::Optional) => v1::UserPoolMfaType::Optional,
        Some(_) => v1::UserPoolMfaType::Unrecognized,
    }
}

fn sms_mfa(sms: SmsMfaConfigType) -> v1::SmsMfaConfiguration {
    v1::SmsMfaConfiguration {
        sms_authentication_message: sms.sms_authentication_message,
        sms_configuration: sms.sms_configuration.map(sms_configuration),
    }
}

/// The SDK has an empty ARN where Cognito returned none.
fn sms_configuration(sms: SmsConfigurationType) -> v1::SmsConfiguration {
    v1::SmsConfiguration {
        sns_caller_arn: Some(sms.sns_caller_arn).filter(|arn| !arn.is_empty()),
        external_id: sms.external_id,
        sns_region: sms.sns_region,
        eums_sms: sms.eums_sms.map(eums_sms),
    }
}

fn eums_sms(eums: EumsSmsConfigurationType) -> v1::EumsSmsConfiguration {
    v1::EumsSmsConfiguration {
        caller_arn: eums.caller_arn,
        external_id: eums.external_id,
        origination_identity: eums.origination_identity,
        configuration_set_name: eums.configuration_set_name,
        in_entity_id: eums.in_entity_id,
        in_template_id: eums.in_template_id,
        region: eums.region,
    }
}

fn software_token_mfa(token: &SoftwareTokenMfaConfigType) -> v1::SoftwareTokenMfaConfiguration {
    v1::SoftwareTokenMfaConfiguration { enabled: Some(token.enabled) }
}

fn email_mfa(email: EmailMfaConfigType) -> v1::EmailMfaConfiguration {
    v1::EmailMfaConfiguration { message: email.message, subject: email.subject }
}

fn web_authn(web_authn: WebAuthnConfigurationType) -> v1::WebAuthnConfiguration {
    let user_verification = web_authn.user_verification.map(|value| match value {
        UserVerificationType::Required => v1::UserVerification::Required,
        UserVerificationType::Preferred => v1::UserVerification::Preferred,
        _ => v1::UserVerification::Unrecognized,
    });
    let factor_configuration = web_authn.factor_configuration.map(|value| match value {
        WebAuthnFactorConfigurationType::SingleFactor => v1::WebAuthnFactorConfiguration::SingleFactor,
        WebAuthnFactorConfigurationType::MultiFactorWithUserVerification => {
            v1::WebAuthnFactorConfiguration::MultiFactorWithUserVerification
        }
        _ => v1::WebAuthnFactorConfiguration::Unrecognized,
    });
    v1::WebAuthnConfiguration {
        relying_party_id: web_authn.relying_party_id,
        user_verification: user_verification.map(Into::into),
        factor_configuration: factor_configuration.map(Into::into),
    }
}
