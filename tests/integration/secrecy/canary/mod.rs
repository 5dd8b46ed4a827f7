//! Canaries in every RPC of the real program at `RUST_LOG=trace`, in success and failure: none may appear in the log,
//! in the audit log, or in a response that should not hold it.

mod calls;
mod check;
mod dev;
mod serve;

use serde_json::json;

use crate::support::test_cognito::{POOL, TestCognito};

const USERNAME: &str = "canary-username";
const DEVICE: &str = "canary-device";
const EXTERNAL_ID: &str = "canary-external-id";
const DOCUMENT: &str = "canary-document";
const NEXT_TOKEN: &str = "canary-next-token";
const CREDENTIAL_ID: &str = "canary-credential-id";
const ACCOUNT: &str = "canary-account";
const ISSUER: &str = "canary-issuer";
const SESSION: &str = "canary-session-canary-session";
const CODE: &str = "918273";
/// A TOTP secret as Cognito returns it.
const SECRET: &str = "CANARYSECRETCANARYSECRET";
const PHONE: &str = "+canary-phone";
const PASSWORD: &str = "Canary-passw0rd!";
/// The key of the usernames in the audit log.
const USERNAME_KEY: &str = "canary-key-of-usernames-canary-key";
/// The most verbose log, and credentials as AWS would issue them, with a canary in each.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("RUST_LOG", "trace"),
    ("AWS_ACCESS_KEY_ID", "test"),
    ("AWS_SECRET_ACCESS_KEY", "canary-secret-access-key"),
    ("AWS_SESSION_TOKEN", "canary-session-token"),
];

/// Adds a user with a canary as its name to the demo pool, and returns an access token for it.
async fn plant_user(cognito: &TestCognito) -> String {
    let user = json!({ "UserPoolId": POOL, "Username": USERNAME, "MessageAction": "SUPPRESS" });
    cognito.perform("AdminCreateUser", user).await;
    let password = json!({ "UserPoolId": POOL, "Username": USERNAME, "Password": PASSWORD, "Permanent": true });
    cognito.perform("AdminSetUserPassword", password).await;
    cognito.token(USERNAME).await
}

/// The secret parts of a token: its claims, and its signature.
fn parts_of(token: &str) -> [&str; 2] {
    let mut parts = token.split('.').skip(1);
    [parts.next().unwrap(), parts.next().unwrap()]
}

/// The canaries of every test.
const KNOWN: [&str; 4] = ["canary", SECRET, PASSWORD, CODE];

/// Checks that a text holds no canary.
#[track_caller]
fn assert_holds_none<'a>(place: &str, text: &str, canaries: impl IntoIterator<Item = &'a str>) {
    for canary in canaries {
        let line = text.lines().find(|line| holds(line, canary));
        assert!(line.is_none(), "{canary} is in {place}: {line:?}");
    }
}

/// Whether `text` holds `canary`, whatever its case. Six digits count as a word only: clocks have digits, too.
fn holds(text: &str, canary: &str) -> bool {
    let (text, canary) = (text.to_lowercase(), canary.to_lowercase());
    let is_code = canary.len() == 6 && canary.bytes().all(|byte| byte.is_ascii_digit());
    let edge = |c: Option<char>| !is_code || c.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '.');
    text.match_indices(&canary).any(|(position, _)| {
        edge(text[..position].chars().next_back()) && edge(text[position + canary.len()..].chars().next())
    })
}
