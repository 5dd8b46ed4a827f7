//! `SetUserMFAPreference` and `AdminSetUserMFAPreference`.

use crate::model::input::Input;
use crate::operation::call::{Call, Outcome, nothing};
use crate::operation::caller::{self, EVERY_STATE};
use crate::protocol::Failure;
use crate::state::pool::{MfaMode, Pool};
use crate::state::user::{Factor, User};

/// What a request changes about one factor.
#[derive(Clone, Copy, Debug)]
struct FactorChange {
    factor: Factor,
    enabled: Option<bool>,
    preferred: Option<bool>,
}

pub(super) fn set(call: &mut Call<'_>) -> Outcome {
    let bearer = caller::bearer(call, EVERY_STATE)?;
    let now = call.state.now();
    let input = call.input;
    let pool = call.state.pool(&bearer.pool_id, None)?;
    let user = apply_all(pool, pool.user(&bearer.username)?, input)?;
    pool.users.insert(user.username.clone(), User { modified: now, ..user });
    Ok(nothing())
}

pub(super) fn admin_set(call: &mut Call<'_>) -> Outcome {
    let now = call.state.now();
    let input = call.input;
    let pool = call.pool()?;
    let user = pool.user(input.text("Username")?)?;
    caller::check_state(user, EVERY_STATE)?;
    let user = apply_all(pool, user, input)?;
    pool.users.insert(user.username.clone(), User { modified: now, ..user });
    Ok(nothing())
}

/// The user with every change of the request applied, or a refusal: never a part of them.
fn apply_all(pool: &Pool, user: &User, input: Input<'_>) -> Result<User, Failure> {
    let changes = factor_changes(input);
    // U1: at most one preferred factor.
    if changes.iter().filter(|change| change.preferred == Some(true)).count() > 1 {
        return Err(Failure::invalid_parameter("Only one MFA method can be set as preferred"));
    }
    let mut user = user.clone();
    for change in &changes {
        apply(pool, &mut user, *change)?;
    }
    // U10: a passkey is a second factor only beside another one.
    if user.factors == [Factor::WebAuthn] {
        return Err(Failure::invalid_parameter("WEB_AUTHN requires at least one other MFA method to be turned on"));
    }
    Ok(user)
}

/// The blocks that are present (U4: an omitted block leaves its factor unchanged).
fn factor_changes(input: Input<'_>) -> Vec<FactorChange> {
    [
        ("SMSMfaSettings", Factor::Sms),
        ("SoftwareTokenMfaSettings", Factor::SoftwareToken),
        ("EmailMfaSettings", Factor::Email),
        ("WebAuthnMfaSettings", Factor::WebAuthn),
    ]
    .into_iter()
    .filter_map(|(name, factor)| {
        let block = input.structure(name)?;
        let (enabled, preferred) = (block.boolean("Enabled"), block.boolean("PreferredMfa"));
        Some(FactorChange { factor, enabled, preferred })
    })
    .collect()
}

fn apply(pool: &Pool, user: &mut User, change: FactorChange) -> Result<(), Failure> {
    let FactorChange { factor, enabled, preferred } = change;
    // U3.
    if preferred == Some(true) && enabled != Some(true) {
        return Err(Failure::invalid_parameter(format!("{} can not be preferred unless it is enabled", factor.name())));
    }
    // U11: in an ON pool every factor is on, and the user chooses only the preferred one.
    let on_by_pool = pool.mfa.mode == MfaMode::On;
    match enabled {
        Some(true) => {
            check_on(pool, user, factor)?;
            if !on_by_pool {
                user.turn_on(factor);
            }
        }
        Some(false) if on_by_pool => return Ok(()),
        // U5: also where the user never had the factor.
        Some(false) => user.turn_off(factor),
        None => {}
    }
    // U6: without PreferredMfa the preference stays, with false it is cleared.
    match preferred {
        Some(true) => user.preferred = Some(factor),
        Some(false) if user.preferred == Some(factor) => user.preferred = None,
        Some(false) | None => {}
    }
    Ok(())
}

/// U7, U8, U9, U10. Whether the pool offers the factor does not matter (U12), except for passkeys.
fn check_on(pool: &Pool, user: &User, factor: Factor) -> Result<(), Failure> {
    let (has_means, recovery) = match factor {
        Factor::Sms => (user.attribute("phone_number").is_some(), Some("verified_phone_number")),
        Factor::Email => (user.attribute("email").is_some(), Some("verified_email")),
        Factor::SoftwareToken => (user.has_set_up_software_token(), None),
        Factor::WebAuthn => return check_web_authn_on(pool),
    };
    if !has_means {
        return Err(Failure::invalid_parameter(format!(
            "User does not have delivery config set to turn on {}",
            factor.name()
        )));
    }
    if let Some(recovery) = recovery
        && pool.recovery_mechanisms() == [recovery]
    {
        return Err(Failure::invalid_parameter(format!(
            "{} can not be turned on when {recovery} is the only account recovery mechanism",
            factor.name()
        )));
    }
    Ok(())
}

fn check_web_authn_on(pool: &Pool) -> Result<(), Failure> {
    if pool.is_lite() {
        return Err(Failure::invalid_parameter(
            "WEB_AUTHN MFA is not available in the LITE feature plan of the user pool",
        ));
    }
    if !pool.offers_web_authn_factor() {
        return Err(Failure::invalid_parameter(
            "WEB_AUTHN MFA requires the user pool's WebAuthnConfiguration to have the \
             FactorConfiguration MULTI_FACTOR_WITH_USER_VERIFICATION",
        ));
    }
    Ok(())
}
