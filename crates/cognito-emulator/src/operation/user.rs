//! The administrator's operations on users: create, update, disable, delete.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::operation::attribute;
use crate::operation::call::{Call, Outcome, nothing};
use crate::password::{self, PasswordHash};
use crate::protocol::Failure;
use crate::random;
use crate::state::pool::Pool;
use crate::state::user::{Status, User};

/// Appended to a random password so that it conforms to every policy.
const ALL_CLASSES: &str = "aA1!";

pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    let (input, now) = (call.input, call.state.now());
    let pool = call.pool()?;
    let attributes = attribute::read(pool, &input.structures("UserAttributes"))?;
    let given = input.text("Username")?;
    if input.optional_text("MessageAction") == Some("RESEND") {
        let user = pool.user_mut(given)?;
        if user.status != Status::ForceChangePassword {
            return Err(Failure::new(
                "UnsupportedUserStateException",
                "Resend not possible. User status is not FORCE_CHANGE_PASSWORD",
            ));
        }
        user.touch(now);
        return Ok(json!({ "User": user.profile() }));
    }
    let temporary = match input.optional_text("TemporaryPassword") {
        Some(temporary) => {
            password::check_policy(temporary, pool.password_policy())?;
            Some(temporary.to_owned())
        }
        // T14: the user can sign in with a code, and needs no password.
        None if pool.first_factors().contains(&"EMAIL_OTP") => None,
        None => Some(format!("{}{ALL_CLASSES}", random::alphanumeric::<16>()?)),
    };
    let mut user = new_user(pool, given, attributes, now)?;
    user.status = if temporary.is_some() { Status::ForceChangePassword } else { Status::Confirmed };
    user.password = temporary.map(|temporary| PasswordHash::new(&temporary)).transpose()?;
    let output = json!({ "User": user.profile() });
    pool.users.insert(user.username.clone(), user);
    Ok(output)
}

/// A new, unconfirmed user, named as the pool names its users.
pub(super) fn new_user(
    pool: &Pool,
    given: &str,
    mut attributes: BTreeMap<String, String>,
    now: Duration,
) -> Result<User, Failure> {
    let exists = || Failure::new("UsernameExistsException", "User account already exists");
    let sub = random::uuid()?;
    let signs_in_with = ["email", "phone_number"].into_iter().filter(|name| pool.username_is(name));
    let names: Vec<&str> = signs_in_with.collect();
    let username = if names.is_empty() {
        pool.fold(given)
    } else {
        let name = if given.contains('@') { "email" } else { "phone_number" };
        if !names.contains(&name) {
            return Err(Failure::invalid_parameter(format!(
                "Username should be {}.",
                if names.contains(&"email") { "an email" } else { "a phone number" }
            )));
        }
        attributes.entry(name.to_owned()).or_insert_with(|| given.to_owned());
        sub.clone()
    };
    if pool.users.contains_key(&username) || pool.resolve(given).is_some() {
        return Err(exists());
    }
    for name in names {
        if attributes.get(name).is_some_and(|value| pool.resolve(value).is_some()) {
            return Err(exists());
        }
    }
    let mut user = User::new(username, sub, Status::Unconfirmed, now);
    user.attributes.append(&mut attributes);
    Ok(user)
}

pub(super) fn set_password(call: &mut Call<'_>) -> Outcome {
    let (input, now) = (call.input, call.state.now());
    let password = input.text("Password")?;
    let pool = call.pool()?;
    pool.user(input.text("Username")?)?;
    password::check_policy(password, pool.password_policy())?;
    let hash = PasswordHash::new(password)?;
    let user = call.user()?;
    must_be_local(user)?;
    user.password = Some(hash);
    user.status =
        if input.boolean("Permanent") == Some(true) { Status::Confirmed } else { Status::ForceChangePassword };
    user.touch(now);
    Ok(nothing())
}

pub(super) fn update_attributes(call: &mut Call<'_>) -> Outcome {
    let (input, now) = (call.input, call.state.now());
    let pool = call.pool()?;
    pool.user(input.text("Username")?)?;
    let mut attributes = attribute::read(pool, &input.structures("UserAttributes"))?;
    let user = call.user()?;
    for name in ["email", "phone_number"] {
        // A new address is not verified unless the administrator says so.
        let changed = attributes.get(name).is_some_and(|value| user.attribute(name) != Some(value));
        if changed {
            attributes.entry(format!("{name}_verified")).or_insert_with(|| "false".to_owned());
        }
    }
    user.attributes.append(&mut attributes);
    user.attributes.retain(|_, value| !value.is_empty());
    user.touch(now);
    Ok(nothing())
}

pub(super) fn enable(call: &mut Call<'_>) -> Outcome {
    let now = call.state.now();
    let user = call.user()?;
    user.enabled = true;
    user.touch(now);
    Ok(nothing())
}

/// Also signs the user out.
pub(super) fn disable(call: &mut Call<'_>) -> Outcome {
    let now = call.state.now();
    let user = call.user()?;
    user.enabled = false;
    user.sign_out();
    user.touch(now);
    Ok(nothing())
}

pub(super) fn delete(call: &mut Call<'_>) -> Outcome {
    let username = call.user()?.username.clone();
    let pool = call.pool()?;
    let pool_id = pool.id.clone();
    pool.users.remove(&username);
    let is_theirs = |pool: &str, user: &str| pool == pool_id && user == username;
    call.state.sessions.retain(|_, session| !is_theirs(&session.pool_id, &session.username));
    Ok(nothing())
}

pub(super) fn reset_password(call: &mut Call<'_>) -> Outcome {
    let now = call.state.now();
    let user = call.user()?;
    user.must_be_enabled()?;
    must_be_local(user)?;
    if user.status == Status::ForceChangePassword {
        return Err(Failure::not_authorized("User password cannot be reset in the current state."));
    }
    user.must_be_confirmed()?;
    if !(user.has_verified("email") || user.has_verified("phone_number")) {
        return Err(Failure::invalid_parameter(
            "Cannot reset password for the user as there is no registered/verified email or \
             phone_number",
        ));
    }
    user.status = Status::ResetRequired;
    user.touch(now);
    Ok(nothing())
}

fn must_be_local(user: &User) -> Result<(), Failure> {
    if user.status == Status::ExternalProvider {
        return Err(Failure::not_authorized("Cannot modify a federated user's password."));
    }
    Ok(())
}
