//! The data file: what it keeps across restarts, and what it refuses.

use std::path::Path;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use cognito_emulator::{Emulator, Options, demo};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::cognito::Cognito;

const POOL: &str = demo::POOL_ID;

fn options(path: &Path) -> Options {
    Options { data: Some(path.to_owned()), demo: true, ..Options::default() }
}

#[tokio::test]
async fn a_restart_keeps_users_preferences_tokens_and_the_clock() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cognito.json");
    let first = Cognito::with(options(&path)).await;
    let preference = json!({
        "UserPoolId": POOL, "Username": "testuser",
        "SMSMfaSettings": { "Enabled": true, "PreferredMfa": true },
    });
    first.ok("AdminSetUserMFAPreference", preference).await;
    let token = first.token(POOL, "testuser").await;
    first.advance(100).await;
    let app = format!("totp?user_pool_id={POOL}&username=testuser");
    let secret = first.control("GET", &app, &Value::Null).await["Secret"].clone();
    let zero = json!({ "advance_seconds": 0 });
    let before = first.control("POST", "clock", &zero).await["Now"].as_f64().unwrap();
    first.emulator.shutdown().await;

    let second = Cognito::with(options(&path)).await;
    let user = second.ok("GetUser", json!({ "AccessToken": token })).await;
    assert_eq!(user["PreferredMfaSetting"], "SMS_MFA");
    assert_eq!(second.control("GET", &app, &Value::Null).await["Secret"], secret);
    let after = second.control("POST", "clock", &zero).await["Now"].as_f64().unwrap();
    assert!(after >= before, "the moved clock went back");
}

#[tokio::test]
async fn each_change_is_in_the_file_before_it_is_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cognito.json");
    let cognito = Cognito::with(options(&path)).await;
    let created = cognito.ok("CreateUserPool", json!({ "PoolName": "kept" })).await;
    let id = created["UserPool"]["Id"].as_str().unwrap();
    let contents: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(contents["state"]["pools"][id]["settings"]["PoolName"], "kept");
    assert!(!contents.to_string().contains(demo::PASSWORD), "a password is in the file");
    let mut files: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["cognito.json"], "a draft was left behind");
}

#[tokio::test]
async fn the_key_of_the_file_is_the_one_that_signs() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cognito.json");
    Cognito::with(options(&path)).await.emulator.shutdown().await;
    let mut contents: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let own = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = own.as_der().unwrap();
    contents["key"] = Value::from(data_encoding::BASE64.encode(der.as_ref()));
    std::fs::write(&path, contents.to_string()).unwrap();

    let cognito = Cognito::with(options(&path)).await;
    let token = cognito.token(POOL, "testuser").await;
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = data_encoding::BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, own.public_key().as_ref());
    key.verify(signed.as_bytes(), &signature).unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cognito.json");
    Cognito::with(options(&path)).await.emulator.shutdown().await;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_file_with_something_else_in_it_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cognito.json");
    for contents in ["", "no JSON", "{}", r#"{"state":{"pools":{},"sessions":{},"outbox":[]},"key":"AAAA"}"#] {
        std::fs::write(&path, contents).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let error = Emulator::start(listener, options(&path)).await.unwrap_err();
        assert!(error.to_string().starts_with("the data file "), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), contents);
    }
}

#[tokio::test]
async fn a_change_that_cannot_be_kept_is_an_internal_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gone").join("cognito.json");
    let cognito = Cognito::with(options(&path)).await;
    let response = cognito.call("CreateUserPool", &json!({ "PoolName": "lost" })).await;
    assert_eq!((response.status, response.error().0.as_str()), (500, "InternalErrorException"));
    cognito.ok("AdminGetUser", json!({ "UserPoolId": POOL, "Username": "testuser" })).await;
}

#[tokio::test]
async fn a_file_whose_clock_is_beyond_the_bound_does_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cognito.json");
    let first = Cognito::with(options(&path)).await;
    first.advance(1).await;
    first.emulator.shutdown().await;
    let mut contents: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    contents["state"]["ahead"]["secs"] = json!(u64::MAX);
    std::fs::write(&path, contents.to_string()).unwrap();

    let second = Cognito::with(options(&path)).await;
    let token = second.token(POOL, "testuser").await;
    second.ok("GetUser", json!({ "AccessToken": token })).await;
    second.ok("AssociateSoftwareToken", json!({ "AccessToken": token })).await;
    second.control("POST", "clock", &json!({ "advance_seconds": 0 })).await;
}
