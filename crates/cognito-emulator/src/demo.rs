//! The demo pools, on which the samples of the AWS documentation work as written.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::password::PasswordHash;
use crate::protocol::Failure;
use crate::random;
use crate::state::State;
use crate::state::client::Client;
use crate::state::pool::{MfaConfiguration, MfaMode, Pool};
use crate::state::user::{Factor, SoftwareToken, Status, User};

/// The pool of AWS's sample requests.
pub const POOL_ID: &str = "us-west-2_EXAMPLE";
/// The pool of AWS's older samples: it verifies phone numbers, and has the users `diego@example.com` and `jane@example.com`.
pub const OTHER_POOL_ID: &str = "us-west-2_aaaaaaaaa";
/// The app client: no secret, password flows allowed.
pub const CLIENT_ID: &str = "1example23456789";
/// The app client of the sample of `SignUp`.
const SIGN_UP_CLIENT_ID: &str = "3n4b5urk1ft4fl3mg5e62d9ado";
/// A confirmed user with a verified phone number, e-mail address and authenticator app, and no factor turned on.
pub const USERNAME: &str = "testuser";
/// A confirmed user without a phone number, an e-mail address or any factor.
pub const NEW_USERNAME: &str = "newuser";
/// A confirmed user like [`USERNAME`], whose authenticator app is turned on.
pub const ENROLLED_USERNAME: &str = "diego@example.com";
/// The password of the demo users. It protects nothing.
pub const PASSWORD: &str = "Demo-Passw0rd!";
/// The password of [`ENROLLED_USERNAME`], from the sample of `AdminInitiateAuth`.
pub const ENROLLED_PASSWORD: &str = "My@Example$Password3!";

/// Adds the demo pools that do not exist.
pub(crate) fn seed(state: &mut State) -> Result<(), Failure> {
    let now = state.now();
    if !state.pools.contains_key(POOL_ID) {
        let users = [enrolled_user(now)?, new_user(now)?, user_with_factor(now)?];
        state.pools.insert(POOL_ID.to_owned(), pool(POOL_ID, &[CLIENT_ID, SIGN_UP_CLIENT_ID], users.into(), now));
    }
    if !state.pools.contains_key(OTHER_POOL_ID) {
        let users = [user_with_factor(now)?, unconfirmed_user(now)?];
        state.pools.insert(OTHER_POOL_ID.to_owned(), pool(OTHER_POOL_ID, &[], users.into(), now));
    }
    Ok(())
}

fn pool(id: &str, clients: &[&str], users: Vec<User>, now: Duration) -> Pool {
    // The other pool verifies phones, so that it has a conflict to show.
    let verified = if id == POOL_ID { json!(["email"]) } else { json!(["email", "phone_number"]) };
    Pool {
        id: id.to_owned(),
        region: "us-west-2".to_owned(),
        created: now,
        modified: now,
        settings: members(json!({
            "PoolName": if id == POOL_ID { "demo" } else { "demo of older samples" },
            "UserPoolTier": "ESSENTIALS",
            "AutoVerifiedAttributes": verified,
            "Schema": [{ "Name": "CustomAttr1", "AttributeDataType": "String", "Mutable": true }],
            "EmailConfiguration": {
                "EmailSendingAccount": "DEVELOPER",
                "SourceArn": "arn:aws:ses:us-west-2:123456789012:identity/no-reply@example.com",
            },
            "SmsConfiguration": {
                "SnsCallerArn": "arn:aws:iam::123456789012:role/demo-sms",
                "ExternalId": "mfagate-demo",
                "SnsRegion": "us-west-2",
            },
            "SmsAuthenticationMessage": "Your code is {####}",
            // Recovery by phone excludes SMS MFA, recovery by e-mail alone excludes e-mail MFA.
            "AccountRecoverySetting": { "RecoveryMechanisms": [{ "Priority": 1, "Name": "admin_only" }] },
        })),
        mfa: MfaConfiguration {
            mode: MfaMode::Optional,
            software_token: Some(json!({ "Enabled": true })),
            email: Some(json!({ "Message": "Your code is {####}", "Subject": "Your code" })),
            web_authn: Some(json!({
                "RelyingPartyId": "localhost",
                "UserVerification": "required",
                "FactorConfiguration": "MULTI_FACTOR_WITH_USER_VERIFICATION",
            })),
        },
        clients: clients.iter().map(|client_id| ((*client_id).to_owned(), client(client_id, id, now))).collect(),
        users: users.into_iter().map(|user| (user.username.clone(), user)).collect::<BTreeMap<_, _>>(),
    }
}

fn client(id: &str, pool_id: &str, now: Duration) -> Client {
    Client {
        id: id.to_owned(),
        secret: None,
        created: now,
        settings: members(json!({
            "UserPoolId": pool_id,
            "ClientName": "demo",
            "ExplicitAuthFlows": [
                "ALLOW_USER_PASSWORD_AUTH",
                "ALLOW_ADMIN_USER_PASSWORD_AUTH",
                "ALLOW_REFRESH_TOKEN_AUTH",
            ],
        })),
    }
}

fn user(name: &str, status: Status, password: &str, now: Duration) -> Result<User, Failure> {
    let mut user = User::new(name.to_owned(), random::uuid()?, status, now);
    user.password = Some(PasswordHash::new(password)?);
    Ok(user)
}

fn enrolled_user(now: Duration) -> Result<User, Failure> {
    let user = user(USERNAME, Status::Confirmed, PASSWORD, now)?;
    enrolled(user, "testuser@example.com", "+12065550100", None)
}

fn new_user(now: Duration) -> Result<User, Failure> {
    user(NEW_USERNAME, Status::Confirmed, PASSWORD, now)
}

fn user_with_factor(now: Duration) -> Result<User, Failure> {
    let user = user(ENROLLED_USERNAME, Status::Confirmed, ENROLLED_PASSWORD, now)?;
    let mut user = enrolled(user, "diego@example.com", "+12065550101", Some("MyAuthenticatorApp"))?;
    user.turn_on(Factor::SoftwareToken);
    Ok(user)
}

fn unconfirmed_user(now: Duration) -> Result<User, Failure> {
    let mut user = user("jane@example.com", Status::Unconfirmed, PASSWORD, now)?;
    user.attributes.insert("email".to_owned(), "jane@example.com".to_owned());
    Ok(user)
}

/// The user with everything that a factor needs.
fn enrolled(mut user: User, email: &str, phone_number: &str, device: Option<&str>) -> Result<User, Failure> {
    for (name, value) in [
        ("email", email),
        ("email_verified", "true"),
        ("phone_number", phone_number),
        ("phone_number_verified", "true"),
    ] {
        user.attributes.insert(name.to_owned(), value.to_owned());
    }
    user.software_token = Some(SoftwareToken {
        secret: random::totp_secret()?,
        verified: true,
        replaces_verified: false,
        device_name: device.map(str::to_owned),
        used_step: None,
    });
    Ok(user)
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}
