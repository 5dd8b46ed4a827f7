//! `SignUp` and `AdminConfirmSignUp`.

use serde_json::json;

use crate::operation::call::{Call, Outcome, nothing};
use crate::operation::{attribute, user};
use crate::password::{self, PasswordHash};
use crate::protocol::Failure;
use crate::state::user::Status;

pub(super) fn sign_up(call: &mut Call<'_>) -> Outcome {
    let (input, now) = (call.input, call.state.now());
    let client_id = input.text("ClientId")?;
    let username = input.text("Username")?;
    let pool = call.state.pool_of_client(client_id)?;
    pool.client(client_id)?.check_secret_hash(username, input.optional_text("SecretHash"))?;
    let admin_only = pool.settings().structure("AdminCreateUserConfig");
    if admin_only.and_then(|config| config.boolean("AllowAdminCreateUserOnly")) == Some(true) {
        return Err(Failure::not_authorized("SignUp is not permitted for this user pool"));
    }
    let Some(password) = input.optional_text("Password") else {
        return Err(Failure::invalid_parameter("Password is required for this user pool"));
    };
    password::check_policy(password, pool.password_policy())?;
    let attributes = attribute::read(pool, &input.structures("UserAttributes"))?;
    let mut user = user::new_user(pool, username, attributes, now)?;
    user.password = Some(PasswordHash::new(password)?);
    let output = json!({ "UserConfirmed": false, "UserSub": user.sub() });
    pool.users.insert(user.username.clone(), user);
    Ok(output)
}

pub(super) fn admin_confirm(call: &mut Call<'_>) -> Outcome {
    let now = call.state.now();
    let user = call.user()?;
    if user.status != Status::Unconfirmed {
        return Err(Failure::not_authorized(format!(
            "User cannot be confirmed. Current status is {}",
            user.status.name()
        )));
    }
    user.status = Status::Confirmed;
    user.touch(now);
    Ok(nothing())
}
