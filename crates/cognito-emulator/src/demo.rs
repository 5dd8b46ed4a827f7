//! The demo pool, on which the sample requests of the AWS documentation work as written.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::password::PasswordHash;
use crate::protocol::Failure;
use crate::random;
use crate::state::State;
use crate::state::client::Client;
use crate::state::pool::{MfaConfiguration, MfaMode, Pool};
use crate::state::user::{SoftwareToken, Status, User};

/// The pool of AWS's sample requests.
pub const POOL_ID: &str = "us-west-2_EXAMPLE";
/// The app client: no secret, password flows allowed.
pub const CLIENT_ID: &str = "1example23456789";
/// A confirmed user with a verified phone number, e-mail address and authenticator app, and no factor turned on.
pub const USERNAME: &str = "testuser";
/// A confirmed user without a phone number, an e-mail address or any factor.
pub const NEW_USERNAME: &str = "newuser";
/// The password of both demo users. It protects nothing.
pub const PASSWORD: &str = "Demo-Passw0rd!";

/// Adds the demo pool unless it exists.
pub(crate) fn seed(state: &mut State) -> Result<(), Failure> {
    if state.pools.contains_key(POOL_ID) {
        return Ok(());
    }
    let now = state.now();
    let pool = Pool {
        id: POOL_ID.to_owned(),
        region: "us-west-2".to_owned(),
        created: now,
        modified: now,
        settings: members(json!({
            "PoolName": "demo",
            "UserPoolTier": "ESSENTIALS",
            "AutoVerifiedAttributes": ["email"],
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
        clients: BTreeMap::from([(CLIENT_ID.to_owned(), client(now))]),
        users: users(now)?,
    };
    state.pools.insert(POOL_ID.to_owned(), pool);
    Ok(())
}

fn client(now: Duration) -> Client {
    Client {
        id: CLIENT_ID.to_owned(),
        secret: None,
        created: now,
        settings: members(json!({
            "UserPoolId": POOL_ID,
            "ClientName": "demo",
            "ExplicitAuthFlows": [
                "ALLOW_USER_PASSWORD_AUTH",
                "ALLOW_ADMIN_USER_PASSWORD_AUTH",
                "ALLOW_REFRESH_TOKEN_AUTH",
            ],
        })),
    }
}

fn users(now: Duration) -> Result<BTreeMap<String, User>, Failure> {
    let password = PasswordHash::new(PASSWORD)?;
    let mut enrolled = User::new(USERNAME.to_owned(), random::uuid()?, Status::Confirmed, now);
    for (name, value) in [
        ("email", "testuser@example.com"),
        ("email_verified", "true"),
        ("phone_number", "+12065550100"),
        ("phone_number_verified", "true"),
    ] {
        enrolled.attributes.insert(name.to_owned(), value.to_owned());
    }
    enrolled.password = Some(password.clone());
    enrolled.software_token = Some(SoftwareToken { secret: random::totp_secret()?, verified: true, used_step: None });
    let mut new = User::new(NEW_USERNAME.to_owned(), random::uuid()?, Status::Confirmed, now);
    new.password = Some(password);
    Ok([enrolled, new].into_iter().map(|user| (user.username.clone(), user)).collect())
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}
