//! `GetUserPoolMfaConfig` and `SetUserPoolMfaConfig`.

use serde_json::{Map, Value};

use crate::model::input::Input;
use crate::operation::call::{Call, Outcome};
use crate::protocol::Failure;
use crate::state::pool::{MfaConfiguration, MfaMode, Pool};

pub(super) fn get(call: &mut Call<'_>) -> Outcome {
    Ok(call.pool()?.mfa_configuration())
}

/// A full replacement (P1): what the request leaves out is dropped (P6, P18), MFA itself included.
pub(super) fn set(call: &mut Call<'_>) -> Outcome {
    let (input, now) = (call.input, call.state.now());
    let pool = call.pool()?;
    let mode = MfaMode::named(input.optional_text("MfaConfiguration"));
    let (software_token, email, web_authn) = (
        input.value("SoftwareTokenMfaConfiguration"),
        input.value("EmailMfaConfiguration"),
        input.value("WebAuthnConfiguration"),
    );
    let sms = input.structure("SmsMfaConfiguration");
    // P2; P3: passkeys are exempt, since they are no second factor by themselves.
    if mode == MfaMode::Off && (sms.is_some() || software_token.is_some() || email.is_some()) {
        return Err(Failure::invalid_parameter(
            "Invalid MFA configuration given, can't turn off MFA and configure an MFA together.",
        ));
    }
    let mut changed = Pool {
        settings: settings_with_sms(pool, mode, sms)?,
        mfa: MfaConfiguration {
            mode,
            software_token: software_token.cloned(),
            email: email.cloned(),
            web_authn: web_authn.cloned(),
        },
        ..pool.clone()
    };
    if mode != MfaMode::Off {
        check_factors(&changed)?;
    }
    changed.modified = now;
    *pool = changed;
    Ok(pool.mfa_configuration())
}

/// Refuses to create a pool with an MFA configuration that it could not be given later.
pub(super) fn check_new_pool(pool: &Pool) -> Result<(), Failure> {
    if let Some(sms) = pool.settings().structure("SmsConfiguration") {
        check_sms_channel(pool, sms)?;
    } else if pool.auto_verifies("phone_number") {
        return Err(phone_needs_sms());
    }
    if pool.mfa.mode == MfaMode::Off {
        return Ok(());
    }
    if !pool.has_sms() {
        return Err(Failure::invalid_parameter(
            "SMS configuration and Auto verification for phone_number are required when MFA is \
             required/optional",
        ));
    }
    check_factors(pool)
}

/// The settings with the SMS channel of the request.
fn settings_with_sms(pool: &Pool, mode: MfaMode, sms: Option<Input<'_>>) -> Result<Map<String, Value>, Failure> {
    let mut settings = pool.settings.clone();
    let Some(sms) = sms else {
        let verifies_phones = pool.auto_verifies("phone_number");
        if mode == MfaMode::Off {
            // P12a: the pool keeps its channel, but P5: one that verifies phones is not turned off without saying so,
            // and P2 leaves no way to say so.
            return if verifies_phones { Err(phone_needs_sms()) } else { Ok(settings) };
        }
        // P12: what counts is the verification of phones, not the mode before.
        if verifies_phones && pool.has_sms() {
            return Err(Failure::invalid_parameter(
                "Can't turn off SMS_MFA when SMS configuration is set for the user pool",
            ));
        }
        settings.remove("SmsConfiguration");
        settings.remove("SmsAuthenticationMessage");
        return Ok(settings);
    };
    if let Some(channel) = sms.structure("SmsConfiguration") {
        check_sms_channel(pool, channel)?;
        settings.insert("SmsConfiguration".to_owned(), Value::Object(channel.0.clone()));
    } else if !pool.has_sms() {
        return Err(Failure::invalid_parameter("SMS configuration is required when SMS MFA is turned on"));
    }
    match sms.value("SmsAuthenticationMessage") {
        Some(message) => settings.insert("SmsAuthenticationMessage".to_owned(), message.clone()),
        None => settings.remove("SmsAuthenticationMessage"),
    };
    Ok(settings)
}

fn check_sms_channel(pool: &Pool, channel: Input<'_>) -> Result<(), Failure> {
    let own = channel.structure("EumsSms");
    if channel.optional_text("SnsCallerArn").is_none_or(str::is_empty) && own.is_none() {
        return Err(Failure::invalid_parameter("SmsConfiguration requires SnsCallerArn or EumsSms"));
    }
    if own.and_then(|own| own.optional_text("Region")).is_some_and(|region| region != pool.region) {
        return Err(Failure::invalid_parameter("The Region of EumsSms must be the Region of the user pool"));
    }
    Ok(())
}

fn check_factors(pool: &Pool) -> Result<(), Failure> {
    if pool.offers_email() {
        check_email(pool)?;
    }
    // P4.
    if !(pool.has_sms() || pool.offers_email() || pool.offers_software_token()) {
        return Err(Failure::invalid_parameter(
            "Invalid MFA Configuration given. SMS MFA, Email MFA, or Software Token MFA must be enabled",
        ));
    }
    // P9.
    if pool.has_sms() && pool.recovery_mechanisms().contains(&"verified_phone_number") {
        return Err(Failure::invalid_parameter(
            "Invalid account recovery setting parameter. Account Recovery Setting cannot use \
             verified_phone_number as a recovery mechanism when SMS MFA is configured.",
        ));
    }
    check_web_authn_factor(pool)?;
    check_first_factors(pool)
}

/// P15, then P7: the tier, the sender, the recovery.
fn check_email(pool: &Pool) -> Result<(), Failure> {
    if pool.is_lite() {
        return Err(unavailable_in_tier("Email MFA"));
    }
    if !pool.sends_own_email() {
        return Err(Failure::invalid_parameter(
            "Cannot set EmailMfaConfiguration when user pool EmailConfiguration contains an \
             EmailSendingAccount of COGNITO_DEFAULT",
        ));
    }
    let recovery = pool.recovery_mechanisms();
    if recovery.is_empty() || recovery == ["verified_email"] {
        return Err(Failure::invalid_parameter(
            "Cannot set EmailMfaConfiguration when user pool AccountRecoverySetting is not set or \
             contains only verified_email",
        ));
    }
    Ok(())
}

/// P15 for passkeys as a second factor.
fn check_web_authn_factor(pool: &Pool) -> Result<(), Failure> {
    if pool.offers_web_authn_factor() && pool.is_lite() {
        return Err(unavailable_in_tier("WebAuthn MFA"));
    }
    Ok(())
}

/// P8.
fn check_first_factors(pool: &Pool) -> Result<(), Failure> {
    let first = pool.first_factors();
    if pool.mfa.mode != MfaMode::On {
        return Ok(());
    }
    if first.iter().any(|factor| !["PASSWORD", "WEB_AUTHN"].contains(factor)) {
        return Err(Failure::invalid_parameter(
            "Only PASSWORD and WEB_AUTHN (if configured) can be enabled as an auth factor if MFA \
             is enabled",
        ));
    }
    if first.contains(&"WEB_AUTHN") && !pool.offers_web_authn_factor() {
        return Err(Failure::invalid_parameter(
            "Cannot set WebAuthn factor configuration to SINGLE_FACTOR if MFA is required and WebAuthn is an allowed \
             first auth factor",
        ));
    }
    Ok(())
}

/// P5.
fn phone_needs_sms() -> Failure {
    Failure::invalid_parameter("SMS configuration is required when phone_number is selected for auto verification")
}

fn unavailable_in_tier(feature: &str) -> Failure {
    Failure::new(
        "FeatureUnavailableInTierException",
        format!("{feature} is not available in the LITE feature plan of the user pool"),
    )
}
