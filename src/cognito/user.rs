//! The operations on a user's factors: preferences, legacy settings, and reads of one user.

use aws_sdk_cognitoidentityprovider::types::{
    AttributeType, DeliveryMediumType, EmailMfaSettingsType, MfaOptionType, SmsMfaSettingsType,
    SoftwareTokenMfaSettingsType, WebAuthnMfaSettingsType,
};

use crate::api::v1;
use crate::cognito::convert;
use crate::cognito::pool_client::PoolClient;
use crate::cognito::send::{Sent, texts};
use crate::domain::text::{AccessToken, Username};
use crate::domain::{Before, Factor, Findings, Operation};
use crate::error::Error;
use crate::request::preference::{FactorSetting, Preference, SmsToPhoneNumber};

/// A user's settings with every flag decided: what Cognito's SDK can send.
#[derive(Debug)]
struct SdkSettings {
    sms: Option<SmsMfaSettingsType>,
    software_token: Option<SoftwareTokenMfaSettingsType>,
    email: Option<EmailMfaSettingsType>,
    web_authn: Option<WebAuthnMfaSettingsType>,
}

impl PoolClient {
    /// `AdminGetUser`.
    pub async fn admin_get_user(&self, username: &Username) -> Result<v1::AdminGetUserResponse, Error> {
        let user = self
            .send(Operation::AdminGetUser, texts([username.as_str()]), |client, config| {
                let call = client.admin_get_user().user_pool_id(self.user_pool_id()).username(username.as_str());
                call.customize().config_override(config).send()
            })
            .await?;
        self.require(Operation::AdminGetUser, "username", !user.username.is_empty())?;
        let attributes = user.user_attributes.as_deref().unwrap_or_default();
        self.find(found(&user.username, attributes, user.user_mfa_setting_list(), user.preferred_mfa_setting()));
        Ok(convert::admin_user(user))
    }

    /// `GetUser`.
    pub async fn get_user(&self, token: &AccessToken) -> Result<v1::GetUserResponse, Error> {
        let user = self
            .send(Operation::GetUser, texts([token.as_str()]), |client, config| {
                client.get_user().access_token(token.as_str()).customize().config_override(config).send()
            })
            .await?;
        self.require(Operation::GetUser, "username", !user.username.is_empty())?;
        let (enabled, preferred) = (user.user_mfa_setting_list(), user.preferred_mfa_setting());
        self.find(found(&user.username, &user.user_attributes, enabled, preferred));
        Ok(convert::user(user))
    }

    /// `AdminGetUserAuthFactors`.
    pub async fn admin_get_user_auth_factors(
        &self,
        username: &Username,
    ) -> Result<v1::AdminGetUserAuthFactorsResponse, Error> {
        let operation = Operation::AdminGetUserAuthFactors;
        let factors = self
            .send(operation, texts([username.as_str()]), |client, config| {
                let call = client.admin_get_user_auth_factors();
                let call = call.user_pool_id(self.user_pool_id()).username(username.as_str());
                call.customize().config_override(config).send()
            })
            .await?;
        self.require(operation, "username", !factors.username.is_empty())?;
        Ok(convert::admin_auth_factors(factors))
    }

    /// `GetUserAuthFactors`.
    pub async fn get_user_auth_factors(&self, token: &AccessToken) -> Result<v1::GetUserAuthFactorsResponse, Error> {
        let factors = self
            .send(Operation::GetUserAuthFactors, texts([token.as_str()]), |client, config| {
                client.get_user_auth_factors().access_token(token.as_str()).customize().config_override(config).send()
            })
            .await?;
        self.require(Operation::GetUserAuthFactors, "username", !factors.username.is_empty())?;
        let (enabled, preferred) = (factors.user_mfa_setting_list(), factors.preferred_mfa_setting());
        self.find(found(&factors.username, &[], enabled, preferred));
        Ok(convert::auth_factors(factors))
    }

    /// `AdminSetUserMFAPreference`, after `AdminGetUser` if the preference is to be kept.
    pub async fn admin_set_user_mfa_preference(
        &self,
        username: &Username,
        preference: Preference,
    ) -> Result<(), Error> {
        let current = if preference.needs_current() {
            self.admin_get_user(username).await?.preferred_mfa_setting()
        } else {
            v1::MfaFactor::Unspecified
        };
        let only_disables = preference.only_disables();
        let settings = SdkSettings::new(preference, current);
        let operation = Operation::AdminSetUserMfaPreference;
        let request = Sent { texts: texts([username.as_str()]), only_disables, ..Sent::default() };
        self.send(operation, request, |client, config| {
            client
                .admin_set_user_mfa_preference()
                .user_pool_id(self.user_pool_id())
                .username(username.as_str())
                .set_sms_mfa_settings(settings.sms)
                .set_software_token_mfa_settings(settings.software_token)
                .set_email_mfa_settings(settings.email)
                .set_web_authn_mfa_settings(settings.web_authn)
                .customize()
                .config_override(config)
                .send()
        })
        .await?;
        Ok(())
    }

    /// `SetUserMFAPreference`, after `GetUser` if the preference is to be kept.
    pub async fn set_user_mfa_preference(&self, token: &AccessToken, preference: Preference) -> Result<(), Error> {
        let current = if preference.needs_current() {
            self.get_user(token).await?.preferred_mfa_setting()
        } else {
            v1::MfaFactor::Unspecified
        };
        let only_disables = preference.only_disables();
        let settings = SdkSettings::new(preference, current);
        let request = Sent { texts: texts([token.as_str()]), only_disables, ..Sent::default() };
        self.send(Operation::SetUserMfaPreference, request, |client, config| {
            client
                .set_user_mfa_preference()
                .access_token(token.as_str())
                .set_sms_mfa_settings(settings.sms)
                .set_software_token_mfa_settings(settings.software_token)
                .set_email_mfa_settings(settings.email)
                .set_web_authn_mfa_settings(settings.web_authn)
                .customize()
                .config_override(config)
                .send()
        })
        .await?;
        Ok(())
    }

    /// `AdminSetUserSettings`.
    pub async fn admin_set_user_settings(
        &self,
        username: &Username,
        options: &[SmsToPhoneNumber],
    ) -> Result<(), Error> {
        let operation = Operation::AdminSetUserSettings;
        self.send(operation, texts([username.as_str()]), |client, config| {
            client
                .admin_set_user_settings()
                .user_pool_id(self.user_pool_id())
                .username(username.as_str())
                .set_mfa_options(Some(options.iter().copied().map(to_mfa_option).collect()))
                .customize()
                .config_override(config)
                .send()
        })
        .await?;
        Ok(())
    }

    /// `SetUserSettings`.
    pub async fn set_user_settings(&self, token: &AccessToken, options: &[SmsToPhoneNumber]) -> Result<(), Error> {
        self.send(Operation::SetUserSettings, texts([token.as_str()]), |client, config| {
            client
                .set_user_settings()
                .access_token(token.as_str())
                .set_mfa_options(Some(options.iter().copied().map(to_mfa_option).collect()))
                .customize()
                .config_override(config)
                .send()
        })
        .await?;
        Ok(())
    }
}

impl SdkSettings {
    /// The settings with "keep the preference" replaced by whether the factor is the `current` one.
    fn new(preference: Preference, current: v1::MfaFactor) -> Self {
        let preferred =
            |setting: FactorSetting, factor| setting.preferred.unwrap_or(setting.enabled && current == factor);
        Self {
            sms: preference.sms.map(|setting| {
                let preferred = preferred(setting, v1::MfaFactor::Sms);
                SmsMfaSettingsType::builder().enabled(setting.enabled).preferred_mfa(preferred).build()
            }),
            software_token: preference.software_token.map(|setting| {
                let preferred = preferred(setting, v1::MfaFactor::SoftwareToken);
                SoftwareTokenMfaSettingsType::builder().enabled(setting.enabled).preferred_mfa(preferred).build()
            }),
            email: preference.email.map(|setting| {
                let preferred = preferred(setting, v1::MfaFactor::Email);
                EmailMfaSettingsType::builder().enabled(setting.enabled).preferred_mfa(preferred).build()
            }),
            web_authn: preference.web_authn.map(|enabled| WebAuthnMfaSettingsType::builder().enabled(enabled).build()),
        }
    }
}

/// What a read of a user found. Cognito's words for factors are free texts; one that is not known is left out.
fn found(username: &str, attributes: &[AttributeType], enabled: &[String], preferred: Option<&str>) -> Findings {
    let sub = attributes.iter().find(|attribute| attribute.name == "sub").and_then(|attribute| attribute.value.clone());
    let factors = enabled.iter().filter_map(|name| Factor::from_name(name)).collect();
    Findings {
        user_was_read: true,
        username: Some(username.to_owned()),
        sub,
        before: Some(Before::User { factors, preferred: preferred.and_then(Factor::from_name) }),
    }
}

fn to_mfa_option(_: SmsToPhoneNumber) -> MfaOptionType {
    MfaOptionType::builder().delivery_medium(DeliveryMediumType::Sms).attribute_name("phone_number").build()
}
