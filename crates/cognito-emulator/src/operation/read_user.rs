//! Reads of one user: `GetUser`, `GetUserAuthFactors` and their admin forms.

use serde_json::{Map, Value, json};

use crate::operation::call::{Call, Outcome};
use crate::operation::caller::{self, EVERY_STATE};
use crate::protocol::timestamp;
use crate::state::pool::{MfaMode, Pool};
use crate::state::user::{Factor, User};

pub(super) fn get_user(call: &mut Call<'_>) -> Outcome {
    let bearer = caller::bearer(call, EVERY_STATE)?;
    let user = call.state.user(&bearer.pool_id, &bearer.username)?;
    Ok(with_mfa(user, json!({ "Username": user.username, "UserAttributes": user.attribute_list() })))
}

pub(super) fn admin_get_user(call: &mut Call<'_>) -> Outcome {
    let user = call.user()?;
    Ok(with_mfa(
        user,
        json!({
            "Username": user.username,
            "UserAttributes": user.attribute_list(),
            "UserCreateDate": timestamp(user.created),
            "UserLastModifiedDate": timestamp(user.modified),
            "Enabled": user.enabled,
            "UserStatus": user.status.name(),
        }),
    ))
}

pub(super) fn get_auth_factors(call: &mut Call<'_>) -> Outcome {
    let bearer = caller::bearer(call, EVERY_STATE)?;
    let pool = call.state.pool(&bearer.pool_id, None)?;
    Ok(auth_factors(pool, pool.user(&bearer.username)?))
}

pub(super) fn admin_get_auth_factors(call: &mut Call<'_>) -> Outcome {
    let username = call.input.text("Username")?;
    let pool = call.pool()?;
    Ok(auth_factors(pool, pool.user(username)?))
}

/// Adds the legacy options and the preferences, two records that are independent of each other (B3).
fn with_mfa(user: &User, output: Value) -> Value {
    let mut output = with_preferences(user, output);
    if let (false, Some(members)) = (user.mfa_options.is_empty(), output.as_object_mut()) {
        members.insert("MFAOptions".to_owned(), json!(user.mfa_options));
    }
    output
}

/// Adds the preferences; what is not set is absent (B4).
fn with_preferences(user: &User, output: Value) -> Value {
    let mut members = match output {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    };
    if let Some(factor) = user.preferred {
        members.insert("PreferredMfaSetting".to_owned(), Value::from(factor.name()));
    }
    if !user.factors.is_empty() {
        let names = user.factors.iter().map(|factor| factor.name());
        members.insert("UserMFASettingList".to_owned(), names.collect());
    }
    Value::Object(members)
}

fn auth_factors(pool: &Pool, user: &User) -> Value {
    let factors = configured_factors(pool, user);
    with_preferences(user, json!({ "Username": user.username, "ConfiguredUserAuthFactors": factors }))
}

/// The factors that the user could sign in with now, as first or as second one.
fn configured_factors(pool: &Pool, user: &User) -> Vec<&'static str> {
    let allowed = pool.first_factors();
    // U15: in an OPTIONAL pool a user with MFA has only the password as a first factor.
    let only_password = pool.mfa.mode == MfaMode::Optional && !user.factors.is_empty();
    let first = |name: &str| allowed.contains(&name) && !only_password;
    let has_passkey = !user.passkeys.is_empty();
    [
        ("PASSWORD", user.password.is_some()),
        ("EMAIL_OTP", user.attribute("email").is_some() && (first("EMAIL_OTP") || user.has_factor(Factor::Email))),
        ("SMS_OTP", user.attribute("phone_number").is_some() && (first("SMS_OTP") || user.has_factor(Factor::Sms))),
        ("WEB_AUTHN", has_passkey && (first("WEB_AUTHN") || pool.offers_web_authn_factor())),
        ("SOFTWARE_TOKEN", user.has_software_token()),
    ]
    .into_iter()
    .filter_map(|(name, configured)| configured.then_some(name))
    .collect()
}
