//! This file reads off a request what it would do, before anything of it is validated.
//!
//! Cognito is not asked: what could weaken MFA counts as weakening it, whatever the state is now.

use crate::api::v1;
use crate::domain::{Effect, EndUserProof, Factor, MfaConfiguration};
use crate::request::credential::WireCredential;
use crate::request::preference::FactorSettings;

/// The effect of setting preferences.
pub(super) fn of_preference(settings: FactorSettings, end_user: Option<EndUserProof>) -> Effect {
    let FactorSettings { sms, software_token, email, web_authn } = settings;
    let factors = [
        (Factor::SmsMfa, sms.map(|s| (s.enabled, s.preferred_mfa()))),
        (Factor::SoftwareTokenMfa, software_token.map(|s| (s.enabled, s.preferred_mfa()))),
        (Factor::EmailOtp, email.map(|s| (s.enabled, s.preferred_mfa()))),
        (Factor::WebAuthn, web_authn.map(|s| (s.enabled, false))),
    ];
    let mut effect = Effect { end_user, ..Effect::default() };
    for (factor, setting) in factors {
        let Some((enabled, preferred)) = setting else { continue };
        let factors = if enabled { &mut effect.factors_enabled } else { &mut effect.factors_disabled };
        factors.insert(factor);
        if preferred {
            effect.preferred = Some(factor);
        }
    }
    effect.weakens_mfa = !effect.factors_disabled.is_empty();
    effect
}

/// The effect of the legacy settings: an empty list switches legacy SMS MFA off.
pub(super) fn of_settings(options: &[v1::MfaOption], end_user: Option<EndUserProof>) -> Effect {
    let sms = std::iter::once(Factor::SmsMfa);
    let mut effect = Effect { end_user, legacy: true, ..Effect::default() };
    if options.is_empty() {
        effect.factors_disabled.extend(sms);
        effect.weakens_mfa = true;
    } else {
        effect.factors_enabled.extend(sms);
    }
    effect
}

/// The effect of an RPC that the signed-in user's own token is in and that takes nothing away.
pub(super) fn for_signed_in_user() -> Effect {
    Effect { end_user: Some(EndUserProof::AccessToken), ..Effect::default() }
}

/// The effect of an enrolment's RPC, by an access token or a session.
pub(super) fn of_enrolment(credential: &WireCredential) -> Effect {
    let proof = if credential.is_session() { EndUserProof::Session } else { EndUserProof::AccessToken };
    Effect { end_user: Some(proof), ..Effect::default() }
}

/// The effect of deleting a software token.
pub(super) fn of_token_deletion() -> Effect {
    Effect { factors_disabled: [Factor::SoftwareTokenMfa].into(), weakens_mfa: true, ..Effect::default() }
}

/// The effect of deleting a passkey, of which the user may have more.
pub(super) fn of_passkey_deletion() -> Effect {
    Effect { weakens_mfa: true, ..for_signed_in_user() }
}

/// The effect of replacing a pool's configuration: a factor that is left out is disabled. Only ON with every factor does not
/// weaken. Whether a factor was enabled before, Cognito alone knows.
pub(super) fn of_pool_config(request: &v1::SetUserPoolMfaConfigRequest) -> Effect {
    let factors = [
        (Factor::SmsMfa, request.sms_mfa_configuration.is_some()),
        (Factor::SoftwareTokenMfa, request.software_token_mfa_configuration.is_some_and(|token| token.enabled)),
        (Factor::EmailOtp, request.email_mfa_configuration.is_some()),
        (Factor::WebAuthn, request.web_authn_configuration.is_some()),
    ];
    let mut effect = Effect::default();
    for (factor, enabled) in factors {
        let factors = if enabled { &mut effect.factors_enabled } else { &mut effect.factors_disabled };
        factors.insert(factor);
    }
    effect.mfa_configuration = match request.mfa_configuration() {
        v1::UserPoolMfaType::Off => Some(MfaConfiguration::Off),
        v1::UserPoolMfaType::On => Some(MfaConfiguration::On),
        v1::UserPoolMfaType::Optional => Some(MfaConfiguration::Optional),
        v1::UserPoolMfaType::Unspecified | v1::UserPoolMfaType::Unrecognized => None,
    };
    effect.weakens_mfa = effect.mfa_configuration != Some(MfaConfiguration::On) || !effect.factors_disabled.is_empty();
    effect
}
