//! Pool configurations that state every factor, as mfagate requires.

use mfagate::api::v1::{
    MfaFactor, SetUserPoolMfaConfigRequest, SmsConfiguration, SmsMfaConfiguration, UserVerification,
    WebAuthnConfiguration, WebAuthnFactorConfiguration,
};

/// The request, with the factors that it does not configure listed as such.
pub(crate) fn stated(request: SetUserPoolMfaConfigRequest) -> SetUserPoolMfaConfigRequest {
    let factors = [
        (MfaFactor::Sms, request.sms_mfa_configuration.is_some()),
        (MfaFactor::SoftwareToken, request.software_token_mfa_configuration.is_some()),
        (MfaFactor::Email, request.email_mfa_configuration.is_some()),
        (MfaFactor::WebAuthn, request.web_authn_configuration.is_some()),
    ];
    let unconfigured = factors.into_iter().filter(|(_, is_configured)| !is_configured);
    SetUserPoolMfaConfigRequest {
        unconfigured_factors: unconfigured.map(|(factor, _)| factor.into()).collect(),
        ..request
    }
}

/// SMS messages by Amazon SNS, and nothing that may be left out.
pub(crate) fn sms() -> SmsMfaConfiguration {
    let sns_caller_arn = Some("arn:aws:iam::123456789012:role/sms".to_owned());
    let sms_configuration = Some(SmsConfiguration { sns_caller_arn, ..Default::default() });
    SmsMfaConfiguration { sms_authentication_message: None, sms_configuration }
}

/// Passkeys that count as MFA.
pub(crate) fn web_authn() -> WebAuthnConfiguration {
    WebAuthnConfiguration {
        relying_party_id: Some("example.com".to_owned()),
        user_verification: Some(UserVerification::Required.into()),
        factor_configuration: Some(WebAuthnFactorConfiguration::MultiFactorWithUserVerification.into()),
    }
}
