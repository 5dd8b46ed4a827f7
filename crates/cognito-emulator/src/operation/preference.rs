//! This file performs `SetUserMFAPreference` and `AdminSetUserMFAPreference`.

use crate::model::input::Input;
use crate::operation::call::{Call, Outcome, nothing};
use crate::operation::caller::{self, EVERY_STATE};
use crate::protocol::Failure;
use crate::state::pool::{MfaMode, Pool};
use crate::state::user::{Factor, User};

/// The block of one factor, as it was sent.
#[derive(Clone, Copy, Debug)]
struct Wish {
    factor: Factor,
    enabled: Option<bool>,
    preferred: Option<bool>,
}

pub(super) fn set(call: &mut Call<'_>) -> Outcome {
    let bearer = caller::bearer(call, EVERY_STATE)?;
    let now = call.state.now();
    let input = call.input;
    let pool = call.state.pool(&bearer.pool_id, None)?;
    let user = wished(pool, pool.user(&bearer.username)?, input)?;
    pool.users.insert(user.username.clone(), User { modified: now, ..user });
    Ok(nothing())
}

pub(super) fn admin_set(call: &mut Call<'_>) -> Outcome {
    let now = call.state.now();
    let input = call.input;
    let pool = call.pool()?;
    let user = pool.user(input.text("Username")?)?;
    caller::must_be_usable(user, EVERY_STATE)?;
    let user = wished(pool, user, input)?;
    pool.users.insert(user.username.clone(), User { modified: now, ..user });
    Ok(nothing())
}

/// The user as the request wishes, or why not: all of it is done or nothing.
fn wished(pool: &Pool, user: &User, input: Input<'_>) -> Result<User, Failure> {
    let wishes = wishes(input);
    // U1: at most one preferred factor.
    if wishes.iter().filter(|wish| wish.preferred == Some(true)).count() > 1 {
        return Err(Failure::invalid_parameter("Only one MFA method can be set as preferred"));
    }
    let mut user = user.clone();
    for wish in &wishes {
        fulfil(pool, &mut user, *wish)?;
    }
    // U10: a passkey is a second factor only beside another one.
    if user.factors == [Factor::WebAuthn] {
        return Err(Failure::invalid_parameter("WEB_AUTHN requires at least one other MFA method to be turned on"));
    }
    Ok(user)
}

/// The blocks that are present (U4: an omitted block leaves its factor unchanged).
fn wishes(input: Input<'_>) -> Vec<Wish> {
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
        Some(Wish { factor, enabled, preferred })
    })
    .collect()
}

fn fulfil(pool: &Pool, user: &mut User, wish: Wish) -> Result<(), Failure> {
    let Wish { factor, enabled, preferred } = wish;
    // U3.
    if preferred == Some(true) && enabled != Some(true) {
        return Err(Failure::invalid_parameter(format!("{} can not be preferred unless it is enabled", factor.name())));
    }
    // U11: an ON pool has every factor on, and lets the user choose only the preferred one.
    let on_by_pool = pool.mfa.mode == MfaMode::On;
    match enabled {
        Some(true) => {
            may_turn_on(pool, user, factor)?;
            if !on_by_pool {
                user.turn_on(factor);
            }
        }
        Some(false) if on_by_pool => return Ok(()),
        Some(false) => {
            may_turn_off(user, factor)?;
            user.turn_off(factor);
        }
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

/// U7, U8, U9, U10. What the pool offers is not asked (U12), except for passkeys.
fn may_turn_on(pool: &Pool, user: &User, factor: Factor) -> Result<(), Failure> {
    let (has_means, recovery) = match factor {
        Factor::Sms => (user.attribute("phone_number").is_some(), Some("verified_phone_number")),
        Factor::Email => (user.attribute("email").is_some(), Some("verified_email")),
        Factor::SoftwareToken => (user.has_software_token(), None),
        Factor::WebAuthn => return may_turn_on_web_authn(pool),
    };
    if !has_means {
        return Err(no_delivery_config("on", factor));
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

fn may_turn_on_web_authn(pool: &Pool) -> Result<(), Failure> {
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

/// U5: turning off what the user never had is refused.
fn may_turn_off(user: &User, factor: Factor) -> Result<(), Failure> {
    if user.has_factor(factor) {
        return Ok(());
    }
    let has_means = match factor {
        Factor::Sms => user.attribute("phone_number").is_some(),
        Factor::Email => user.attribute("email").is_some(),
        Factor::WebAuthn => true,
        Factor::SoftwareToken => match &user.software_token {
            Some(token) if token.verified => true,
            Some(_) => {
                return Err(Failure::invalid_parameter("User has not verified software token mfa"));
            }
            None => {
                return Err(Failure::invalid_parameter("User has not set up software token mfa"));
            }
        },
    };
    if has_means { Ok(()) } else { Err(no_delivery_config("off", factor)) }
}

fn no_delivery_config(direction: &str, factor: Factor) -> Failure {
    Failure::invalid_parameter(format!("User does not have delivery config set to turn {direction} {}", factor.name()))
}
