//! Reads the MFA configuration of a pool, as requested or as read from Cognito, off its message.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::v1;
use crate::domain::text::{Arn, OptionalArn, RelyingPartyId, Text};
use crate::domain::{Factor, FactorConfiguration, MfaConfiguration, PoolMfa, UserVerification, sha256};

/// The parts of a configuration, which request and response name alike.
struct Parts<'a> {
    mfa_configuration: v1::UserPoolMfaType,
    sms: Option<&'a v1::SmsMfaConfiguration>,
    software_token: bool,
    email: Option<&'a v1::EmailMfaConfiguration>,
    web_authn: Option<&'a v1::WebAuthnConfiguration>,
}

impl From<&v1::SetUserPoolMfaConfigRequest> for PoolMfa {
    fn from(request: &v1::SetUserPoolMfaConfigRequest) -> Self {
        Parts {
            mfa_configuration: request.mfa_configuration(),
            sms: request.sms_mfa_configuration.as_ref(),
            software_token: request.software_token_mfa_configuration.is_some_and(|token| token.enabled()),
            email: request.email_mfa_configuration.as_ref(),
            web_authn: request.web_authn_configuration.as_ref(),
        }
        .into()
    }
}

impl From<&v1::GetUserPoolMfaConfigResponse> for PoolMfa {
    fn from(response: &v1::GetUserPoolMfaConfigResponse) -> Self {
        Parts {
            mfa_configuration: response.mfa_configuration(),
            sms: response.sms_mfa_configuration.as_ref(),
            software_token: response.software_token_mfa_configuration.is_some_and(|token| token.enabled()),
            email: response.email_mfa_configuration.as_ref(),
            web_authn: response.web_authn_configuration.as_ref(),
        }
        .into()
    }
}

impl From<Parts<'_>> for PoolMfa {
    fn from(parts: Parts<'_>) -> Self {
        let Parts { mfa_configuration: mode, sms, software_token, email, web_authn } = parts;
        let offered = [
            (Factor::SmsMfa, sms.is_some()),
            (Factor::SoftwareTokenMfa, software_token),
            (Factor::EmailOtp, email.is_some()),
            (Factor::WebAuthn, web_authn.is_some()),
        ];
        let factors: BTreeSet<_> =
            offered.into_iter().filter_map(|(factor, offered)| offered.then_some(factor)).collect();
        let texts = [
            ("sms_authentication_message", sms.and_then(|sms| sms.sms_authentication_message.as_deref())),
            ("email_message", email.and_then(|email| email.message.as_deref())),
            ("email_subject", email.and_then(|email| email.subject.as_deref())),
        ];
        let texts: BTreeMap<_, _> =
            texts.into_iter().filter_map(|(field, text)| Some((field, sha256(text?)))).collect();
        let sender = sms.and_then(|sms| sms.sms_configuration.as_ref());
        Self {
            mfa_configuration: mfa_configuration(mode),
            factors,
            sms_role_arn: sender.and_then(role_arn),
            relying_party_id: web_authn
                .and_then(|passkeys| RelyingPartyId::parse(passkeys.relying_party_id.clone()?).ok())
                .map(Text::into_string),
            user_verification: web_authn.and_then(|passkeys| user_verification(passkeys.user_verification())),
            factor_configuration: web_authn.and_then(|passkeys| factor_configuration(passkeys.factor_configuration())),
            texts,
            sms_external_id: sender.and_then(external_id).map(sha256),
        }
    }
}

/// The role that messages are sent with. A request with a role for each service is invalid. Each is parsed as the request's own
/// field is: what Cognito gets, a policy has seen, and of what is no ARN nothing is repeated.
fn role_arn(sms: &v1::SmsConfiguration) -> Option<String> {
    let sns = sms.sns_caller_arn.as_ref().filter(|arn| !arn.is_empty()).cloned();
    let eums = sms.eums_sms.as_ref().map(|eums| eums.caller_arn.clone());
    match (sns, eums) {
        (Some(arn), _) => OptionalArn::parse(arn).ok().map(Text::into_string),
        (None, Some(arn)) => Arn::parse(arn).ok().map(Text::into_string),
        (None, None) => None,
    }
}

fn external_id(sms: &v1::SmsConfiguration) -> Option<&str> {
    let eums = sms.eums_sms.as_ref().and_then(|eums| eums.external_id.as_deref());
    sms.external_id.as_deref().or(eums)
}

fn mfa_configuration(value: v1::UserPoolMfaType) -> Option<MfaConfiguration> {
    match value {
        v1::UserPoolMfaType::Off => Some(MfaConfiguration::Off),
        v1::UserPoolMfaType::On => Some(MfaConfiguration::On),
        v1::UserPoolMfaType::Optional => Some(MfaConfiguration::Optional),
        v1::UserPoolMfaType::Unspecified | v1::UserPoolMfaType::Unrecognized => None,
    }
}

fn user_verification(value: v1::UserVerification) -> Option<UserVerification> {
    match value {
        v1::UserVerification::Required => Some(UserVerification::Required),
        v1::UserVerification::Preferred => Some(UserVerification::Preferred),
        v1::UserVerification::Unspecified | v1::UserVerification::Unrecognized => None,
    }
}

fn factor_configuration(value: v1::WebAuthnFactorConfiguration) -> Option<FactorConfiguration> {
    match value {
        v1::WebAuthnFactorConfiguration::SingleFactor => Some(FactorConfiguration::SingleFactor),
        v1::WebAuthnFactorConfiguration::MultiFactorWithUserVerification => {
            Some(FactorConfiguration::MultiFactorWithUserVerification)
        }
        v1::WebAuthnFactorConfiguration::Unspecified | v1::WebAuthnFactorConfiguration::Unrecognized => None,
    }
}
