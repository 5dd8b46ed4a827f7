//! The MFA configuration of a pool as a caller sets it.

use crate::api::v1;
use crate::domain::MfaConfiguration;
use crate::domain::text::{
    Arn, EmailMessage, EmailSubject, FreeText, OptionalArn, RegionCode, RelyingPartyId, SmsMessage, Text,
};
use crate::request::check::Violations;

/// The whole new MFA configuration of a pool. `None` is not sent to Cognito, which then drops what it has.
#[derive(Clone, Debug)]
pub struct PoolMfaConfig {
    /// Whether users are asked for a second factor.
    pub mfa_configuration: MfaConfiguration,
    /// SMS messages.
    pub sms: Option<SmsMfa>,
    /// Whether users may enrol a software token.
    pub software_token: Option<bool>,
    /// E-mail messages.
    pub email: Option<EmailMfa>,
    /// Passkeys.
    pub web_authn: Option<WebAuthn>,
}

/// `SmsMfaConfigType`.
#[derive(Clone, Debug)]
pub struct SmsMfa {
    /// The text of the message.
    pub message: Option<SmsMessage>,
    /// How messages are sent.
    pub configuration: Option<Sms>,
}

/// `SmsConfigurationType`.
#[derive(Clone, Debug)]
pub struct Sms {
    /// The role for Amazon SNS.
    pub sns_caller_arn: Option<OptionalArn>,
    /// The external id in the role's trust policy.
    pub external_id: Option<FreeText>,
    /// The Region of Amazon SNS.
    pub sns_region: Option<RegionCode>,
    /// AWS End User Messaging.
    pub eums_sms: Option<EumsSms>,
}

/// `EumsSmsConfigurationType`.
#[derive(Clone, Debug)]
pub struct EumsSms {
    /// The role that Cognito assumes.
    pub caller_arn: Arn,
    /// The external id in the role's trust policy.
    pub external_id: Option<FreeText>,
    /// Where messages come from.
    pub origination_identity: Option<FreeText>,
    /// The configuration set.
    pub configuration_set_name: Option<FreeText>,
    /// The entity id for India.
    pub in_entity_id: Option<FreeText>,
    /// The template id for India.
    pub in_template_id: Option<FreeText>,
    /// The Region to send from.
    pub region: Option<RegionCode>,
}

/// `EmailMfaConfigType`.
#[derive(Clone, Debug)]
pub struct EmailMfa {
    /// The text of the message.
    pub message: Option<EmailMessage>,
    /// The subject of the message.
    pub subject: Option<EmailSubject>,
}

/// `WebAuthnConfigurationType`.
#[derive(Clone, Debug)]
pub struct WebAuthn {
    /// The domain that passkeys are for.
    pub relying_party_id: Option<RelyingPartyId>,
    /// Whether passkeys that cannot verify their user are refused (`required`) or accepted (`preferred`).
    pub user_verification_required: Option<bool>,
    /// Whether a passkey that verified its user satisfies MFA by itself.
    pub multi_factor: Option<bool>,
}

impl PoolMfaConfig {
    /// Parses everything but the pool id, which comes with the permit.
    pub fn parse(violations: &mut Violations, request: v1::SetUserPoolMfaConfigRequest) -> Option<Self> {
        let mfa_configuration = parse_mfa_configuration(violations, request.mfa_configuration);
        if mfa_configuration == Some(MfaConfiguration::Off) {
            let factors = [
                ("sms_mfa_configuration", request.sms_mfa_configuration.is_some()),
                ("software_token_mfa_configuration", request.software_token_mfa_configuration.is_some()),
                ("email_mfa_configuration", request.email_mfa_configuration.is_some()),
            ];
            for (field, _) in factors.into_iter().filter(|(_, present)| *present) {
                violations.push(field, "must be left out while mfa_configuration is USER_POOL_MFA_TYPE_OFF");
            }
        }
        check_completeness(violations, &request, mfa_configuration);
        let sms = request.sms_mfa_configuration.map(|sms| SmsMfa::parse(violations, sms));
        let email = request.email_mfa_configuration.map(|email| EmailMfa {
            message: violations.optional("email_mfa_configuration.message", email.message),
            subject: violations.optional("email_mfa_configuration.subject", email.subject),
        });
        let web_authn = request.web_authn_configuration.map(|web_authn| WebAuthn::parse(violations, web_authn));
        let software_token = request
            .software_token_mfa_configuration
            .and_then(|token| violations.stated("software_token_mfa_configuration.enabled", token.enabled));
        Some(Self { mfa_configuration: mfa_configuration?, sms, software_token, email, web_authn })
    }
}

/// Checks a request that lists what it leaves unconfigured: each factor must be in a block or in the list, so that a block that
/// was lost on the way is not taken for one that is to be removed. OFF needs no list of the factors that it excludes.
fn check_completeness(
    violations: &mut Violations,
    request: &v1::SetUserPoolMfaConfigRequest,
    mfa_configuration: Option<MfaConfiguration>,
) {
    use v1::MfaFactor::{Email, Sms, SoftwareToken, WebAuthn};
    let unconfigured = &request.unconfigured_factors;
    if unconfigured.is_empty() {
        return;
    }
    let is_off = mfa_configuration == Some(MfaConfiguration::Off);
    let software_token = request.software_token_mfa_configuration.is_some();
    let factors = [
        (Sms, "sms_mfa_configuration", request.sms_mfa_configuration.is_some(), !is_off),
        (SoftwareToken, "software_token_mfa_configuration", software_token, !is_off),
        (Email, "email_mfa_configuration", request.email_mfa_configuration.is_some(), !is_off),
        (WebAuthn, "web_authn_configuration", request.web_authn_configuration.is_some(), true),
    ];
    for (factor, field, is_configured, is_required) in factors {
        if is_required && !is_configured && !unconfigured.contains(&factor.into()) {
            violations.push(field, format!("is required, or {} in unconfigured_factors", factor.as_str_name()));
        }
    }
    for (position, factor) in unconfigured.iter().enumerate() {
        let field = || format!("unconfigured_factors[{position}]");
        match factors.iter().find(|(known, ..)| i32::from(*known) == *factor) {
            None => violations.push(field(), "must be SMS, SOFTWARE_TOKEN, EMAIL or WEB_AUTHN"),
            Some((_, configured, true, _)) => violations.push(field(), format!("must be absent beside {configured}")),
            Some((_, _, false, _)) => {}
        }
    }
}

fn parse_mfa_configuration(violations: &mut Violations, value: i32) -> Option<MfaConfiguration> {
    match v1::UserPoolMfaType::try_from(value) {
        Ok(v1::UserPoolMfaType::Off) => return Some(MfaConfiguration::Off),
        Ok(v1::UserPoolMfaType::On) => return Some(MfaConfiguration::On),
        Ok(v1::UserPoolMfaType::Optional) => return Some(MfaConfiguration::Optional),
        // Cognito treats a missing value as OFF, which would switch the pool's MFA off by accident.
        Ok(v1::UserPoolMfaType::Unspecified) => violations.push(
            "mfa_configuration",
            "is required: USER_POOL_MFA_TYPE_OFF, USER_POOL_MFA_TYPE_ON or USER_POOL_MFA_TYPE_OPTIONAL",
        ),
        Ok(v1::UserPoolMfaType::Unrecognized) | Err(_) => violations.push(
            "mfa_configuration",
            "must be USER_POOL_MFA_TYPE_OFF, USER_POOL_MFA_TYPE_ON or USER_POOL_MFA_TYPE_OPTIONAL",
        ),
    }
    None
}

impl SmsMfa {
    fn parse(violations: &mut Violations, sms: v1::SmsMfaConfiguration) -> Self {
        Self {
            message: violations
                .optional("sms_mfa_configuration.sms_authentication_message", sms.sms_authentication_message),
            configuration: sms.sms_configuration.map(|configuration| Sms::parse(violations, configuration)),
        }
    }
}

impl Sms {
    fn parse(violations: &mut Violations, sms: v1::SmsConfiguration) -> Self {
        const PATH: &str = "sms_mfa_configuration.sms_configuration";
        let sends_by_sns = sms.sns_caller_arn.as_ref().is_some_and(|arn| !arn.is_empty());
        if sends_by_sns == sms.eums_sms.is_some() {
            violations.push(PATH, "must have either sns_caller_arn or eums_sms");
        }
        Self {
            sns_caller_arn: violations.optional(&format!("{PATH}.sns_caller_arn"), sms.sns_caller_arn),
            external_id: violations.optional(&format!("{PATH}.external_id"), sms.external_id),
            sns_region: violations.optional(&format!("{PATH}.sns_region"), sms.sns_region),
            eums_sms: sms.eums_sms.and_then(|eums| EumsSms::parse(violations, eums)),
        }
    }
}

impl EumsSms {
    fn parse(violations: &mut Violations, eums: v1::EumsSmsConfiguration) -> Option<Self> {
        let path = |field| format!("sms_mfa_configuration.sms_configuration.eums_sms.{field}");
        let caller_arn = violations.required(&path("caller_arn"), eums.caller_arn);
        let external_id = violations.optional(&path("external_id"), eums.external_id);
        let origination_identity = violations.optional(&path("origination_identity"), eums.origination_identity);
        let configuration_set_name = violations.optional(&path("configuration_set_name"), eums.configuration_set_name);
        let in_entity_id = violations.optional(&path("in_entity_id"), eums.in_entity_id);
        let in_template_id = violations.optional(&path("in_template_id"), eums.in_template_id);
        let region = violations.optional(&path("region"), eums.region);
        Some(Self {
            caller_arn: caller_arn?,
            external_id,
            origination_identity,
            configuration_set_name,
            in_entity_id,
            in_template_id,
            region,
        })
    }
}

impl WebAuthn {
    fn parse(violations: &mut Violations, web_authn: v1::WebAuthnConfiguration) -> Self {
        Self {
            relying_party_id: violations
                .optional("web_authn_configuration.relying_party_id", web_authn.relying_party_id),
            user_verification_required: web_authn.user_verification.and_then(|value| {
                match v1::UserVerification::try_from(value) {
                    Ok(v1::UserVerification::Required) => Some(true),
                    Ok(v1::UserVerification::Preferred) => Some(false),
                    Ok(v1::UserVerification::Unspecified | v1::UserVerification::Unrecognized) | Err(_) => {
                        violations.push(
                            "web_authn_configuration.user_verification",
                            "must be USER_VERIFICATION_REQUIRED or USER_VERIFICATION_PREFERRED",
                        );
                        None
                    }
                }
            }),
            multi_factor: web_authn.factor_configuration.and_then(|value| {
                match v1::WebAuthnFactorConfiguration::try_from(value) {
                    Ok(v1::WebAuthnFactorConfiguration::SingleFactor) => Some(false),
                    Ok(v1::WebAuthnFactorConfiguration::MultiFactorWithUserVerification) => Some(true),
                    Ok(
                        v1::WebAuthnFactorConfiguration::Unspecified | v1::WebAuthnFactorConfiguration::Unrecognized,
                    )
                    | Err(_) => {
                        violations.push(
                            "web_authn_configuration.factor_configuration",
                            "must be WEB_AUTHN_FACTOR_CONFIGURATION_SINGLE_FACTOR or \
                             WEB_AUTHN_FACTOR_CONFIGURATION_MULTI_FACTOR_WITH_USER_VERIFICATION",
                        );
                        None
                    }
                }
            }),
        }
    }
}

impl PoolMfaConfig {
    /// Every text that the caller sent, to be masked where Cognito repeats it.
    pub fn texts(&self) -> Vec<String> {
        let sms = self.sms.as_ref();
        let configuration = sms.and_then(|sms| sms.configuration.as_ref());
        let eums = configuration.and_then(|configuration| configuration.eums_sms.as_ref());
        let email = self.email.as_ref();
        let texts = [
            sms.and_then(|sms| sms.message.as_ref()).map(Text::as_str),
            configuration.and_then(|sms| sms.sns_caller_arn.as_ref()).map(Text::as_str),
            configuration.and_then(|sms| sms.external_id.as_ref()).map(Text::as_str),
            configuration.and_then(|sms| sms.sns_region.as_ref()).map(Text::as_str),
            eums.map(|eums| eums.caller_arn.as_str()),
            eums.and_then(|eums| eums.external_id.as_ref()).map(Text::as_str),
            eums.and_then(|eums| eums.origination_identity.as_ref()).map(Text::as_str),
            eums.and_then(|eums| eums.configuration_set_name.as_ref()).map(Text::as_str),
            eums.and_then(|eums| eums.in_entity_id.as_ref()).map(Text::as_str),
            eums.and_then(|eums| eums.in_template_id.as_ref()).map(Text::as_str),
            eums.and_then(|eums| eums.region.as_ref()).map(Text::as_str),
            email.and_then(|email| email.message.as_ref()).map(Text::as_str),
            email.and_then(|email| email.subject.as_ref()).map(Text::as_str),
            self.web_authn.as_ref().and_then(|w| w.relying_party_id.as_ref()).map(Text::as_str),
        ];
        texts.into_iter().flatten().map(str::to_owned).collect()
    }
}
