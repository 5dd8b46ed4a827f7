//! The operations on a user's factors: preferences, legacy settings, and reads of one user.

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::operation::admin_set_user_mfa_preference::AdminSetUserMfaPreferenceOutput;
use aws_sdk_cognitoidentityprovider::operation::admin_set_user_settings::AdminSetUserSettingsOutput;
use aws_sdk_cognitoidentityprovider::operation::set_user_mfa_preference::SetUserMfaPreferenceOutput;
use aws_sdk_cognitoidentityprovider::operation::set_user_settings::SetUserSettingsOutput;
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
#[derive(Clone, Debug)]
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
        let (name, wanted) = (username.clone(), settings.clone());
        let read_back = async move |client: Self| {
            let user = client.admin_get_user(&name).await?;
            let is_made = wanted.are_those_of(&user.user_mfa_setting_list, user.preferred_mfa_setting());
            Ok(is_made.then(|| AdminSetUserMfaPreferenceOutput::builder().build()))
        };
        let call = |client: &Client, config| {
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
        };
        self.send_and_read_back(operation, request, call, read_back).await?;
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
        let (owner, wanted) = (token.clone(), settings.clone());
        let read_back = async move |client: Self| {
            let user = client.get_user(&owner).await?;
            let is_made = wanted.are_those_of(&user.user_mfa_setting_list, user.preferred_mfa_setting());
            Ok(is_made.then(|| SetUserMfaPreferenceOutput::builder().build()))
        };
        let call = |client: &Client, config| {
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
        };
        self.send_and_read_back(Operation::SetUserMfaPreference, request, call, read_back).await?;
        Ok(())
    }

    /// `AdminSetUserSettings`.
    pub async fn admin_set_user_settings(
        &self,
        username: &Username,
        options: &[SmsToPhoneNumber],
    ) -> Result<(), Error> {
        let operation = Operation::AdminSetUserSettings;
        let (name, has_options) = (username.clone(), !options.is_empty());
        let read_back = async move |client: Self| {
            let user = client.admin_get_user(&name).await?;
            Ok((user.mfa_options.is_empty() != has_options).then(|| AdminSetUserSettingsOutput::builder().build()))
        };
        let call = |client: &Client, config| {
            client
                .admin_set_user_settings()
                .user_pool_id(self.user_pool_id())
                .username(username.as_str())
                .set_mfa_options(Some(options.iter().copied().map(to_mfa_option).collect()))
                .customize()
                .config_override(config)
                .send()
        };
        self.send_and_read_back(operation, texts([username.as_str()]), call, read_back).await?;
        Ok(())
    }

    /// `SetUserSettings`.
    pub async fn set_user_settings(&self, token: &AccessToken, options: &[SmsToPhoneNumber]) -> Result<(), Error> {
        let (owner, has_options) = (token.clone(), !options.is_empty());
        let read_back = async move |client: Self| {
            let user = client.get_user(&owner).await?;
            Ok((user.mfa_options.is_empty() != has_options).then(|| SetUserSettingsOutput::builder().build()))
        };
        let call = |client: &Client, config| {
            client
                .set_user_settings()
                .access_token(token.as_str())
                .set_mfa_options(Some(options.iter().copied().map(to_mfa_option).collect()))
                .customize()
                .config_override(config)
                .send()
        };
        self.send_and_read_back(Operation::SetUserSettings, texts([token.as_str()]), call, read_back).await?;
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

impl SdkSettings {
    /// Whether a user with these factors and this preference has the settings.
    fn are_those_of(&self, enabled: &[i32], preferred: v1::MfaFactor) -> bool {
        let sms = self.sms.as_ref().map(|sms| (sms.enabled, sms.preferred_mfa));
        let software_token = self.software_token.as_ref().map(|token| (token.enabled, token.preferred_mfa));
        let email = self.email.as_ref().map(|email| (email.enabled, email.preferred_mfa));
        let web_authn = self.web_authn.as_ref().map(|web_authn| (web_authn.enabled, false));
        let settings = [
            (v1::MfaFactor::Sms, sms),
            (v1::MfaFactor::SoftwareToken, software_token),
            (v1::MfaFactor::Email, email),
            (v1::MfaFactor::WebAuthn, web_authn),
        ];
        let is_so = |factor, (is_enabled, is_preferred)| {
            enabled.contains(&i32::from(factor)) == is_enabled && (preferred == factor) == is_preferred
        };
        settings.into_iter().all(|(factor, setting)| setting.is_none_or(|setting| is_so(factor, setting)))
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
