//! What an investigator asks of the records of a running program: whose factor it was, what was there before, and whether
//! anything is missing.

use std::process::{Command, Output};

use mfagate::api::v1::mfa_preference_service_client::MfaPreferenceServiceClient;
use mfagate::api::v1::software_token_service_client::SoftwareTokenServiceClient;
use mfagate::api::v1::verify_software_token_request::Credential;
use mfagate::api::v1::{
    AdminSetUserMfaPreferenceRequest, SetUserMfaPreferenceRequest, SmsMfaSettings, VerifySoftwareTokenRequest,
};
use serde_json::{Value, json};
use tonic::Code;

use crate::support::policy_fixture::{ALLOW_ALL, PolicyFixture};
use crate::support::process::Process;
use crate::support::refusal::refused;
use crate::support::serve_harness::{AWS_CREDENTIALS, ServeHarness};
use crate::support::test_cognito::{NEW_USER, POOL, TestCognito, USER};

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A service whose records have the hashes of usernames.
async fn hashing() -> ServeHarness {
    let fixture = PolicyFixture::with(ALLOW_ALL);
    let options = hashing_options(&fixture);
    ServeHarness::with_options(fixture, options).await
}

fn hashing_options(fixture: &PolicyFixture) -> Vec<String> {
    fixture.write("username.key", KEY);
    let key = fixture.path("username.key");
    fixture.options_with(&[("--audit-username", "hmac"), ("--audit-username-key-file", &key)])
}

/// Runs a command of the program to its end.
fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mfagate")).args(arguments).output().unwrap()
}

fn output(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn mutations(fixture: &PolicyFixture) -> Vec<Value> {
    fixture.records().into_iter().filter(|record| record["kind"] == "mutation").collect()
}

fn sms(preferred_mfa: Option<bool>) -> SmsMfaSettings {
    SmsMfaSettings { enabled: Some(true), preferred_mfa }
}

#[tokio::test]
async fn a_user_has_one_hash_whoever_changes_it_and_the_record_says_what_was_there() {
    let served = hashing().await;
    let key = served.fixture.path("username.key");
    let hash = |name: &str| output(&["audit", "hash", "--audit-username-key-file", &key, name]).trim_end().to_owned();
    let user = served.cognito.perform_on("AdminGetUser", USER).await;
    let attributes = user["UserAttributes"].as_array().unwrap();
    let sub = attributes.iter().find(|attribute| attribute["Name"] == "sub").unwrap()["Value"].as_str().unwrap();

    let caller = served.fixture.as_caller("support");
    let mut users = MfaPreferenceServiceClient::with_interceptor(served.channel.clone(), caller);
    let request = SetUserMfaPreferenceRequest {
        access_token: served.cognito.token(USER).await,
        sms_mfa_settings: Some(sms(Some(true))),
        ..Default::default()
    };
    users.set_user_mfa_preference(request).await.unwrap();
    // The sub stands for the username as an alias does. The preference is kept, so the user is read first.
    let request = AdminSetUserMfaPreferenceRequest {
        user_pool_id: POOL.to_owned(),
        username: sub.to_owned(),
        sms_mfa_settings: Some(sms(None)),
        ..Default::default()
    };
    users.admin_set_user_mfa_preference(request.clone()).await.unwrap();
    let request = AdminSetUserMfaPreferenceRequest {
        username: USER.to_owned(),
        sms_mfa_settings: Some(sms(Some(true))),
        ..request
    };
    users.admin_set_user_mfa_preference(request).await.unwrap();

    let records = mutations(&served.fixture);
    let [by_user, by_sub, by_name] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((&by_user["username"], &by_user["sub"]), (&json!(hash(USER)), &json!(hash(sub))));
    assert_eq!((&by_sub["username"], &by_sub["cognito_username"]), (&json!(hash(sub)), &json!(hash(USER))));
    assert_eq!(by_sub["sub"], json!(hash(sub)));
    assert_eq!(by_sub["before"], json!({ "factors": ["SMS_MFA"], "preferred": "SMS_MFA" }));
    // Nothing was read, so nothing but the request is known.
    assert_eq!((&by_name["username"], by_name.get("sub"), by_name.get("before")), (&json!(hash(USER)), None, None));
    // A claim is none before Cognito has accepted it.
    let decisions = served.fixture.records().into_iter().filter(|record| record["kind"] == "decision");
    assert_eq!(decisions.filter(|record| record.get("sub").is_some()).count(), 0);
    assert!(!served.fixture.read("audit.jsonl").contains(sub));
}

#[tokio::test]
async fn a_user_is_named_only_if_cognito_accepted_the_token() {
    let served = hashing().await;
    let caller = served.fixture.as_caller("support");
    let mut tokens = SoftwareTokenServiceClient::with_interceptor(served.channel.clone(), caller.clone());
    let mut users = MfaPreferenceServiceClient::with_interceptor(served.channel.clone(), caller);
    let token = served.cognito.token(NEW_USER).await;
    served.cognito.perform("AssociateSoftwareToken", json!({ "AccessToken": token })).await;
    let request = VerifySoftwareTokenRequest {
        credential: Some(Credential::AccessToken(token.clone())),
        user_code: "000000".to_owned(),
        ..Default::default()
    };
    refused(tokens.verify_software_token(request).await, Code::InvalidArgument, "USER_CODE_MISMATCH");
    // Everything but the signature is the user's.
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", signature.chars().rev().collect::<String>());
    let request = SetUserMfaPreferenceRequest {
        access_token: forged,
        sms_mfa_settings: Some(sms(Some(true))),
        ..Default::default()
    };
    refused(users.set_user_mfa_preference(request).await, Code::Unauthenticated, "USER_TOKEN_REJECTED");

    let records = mutations(&served.fixture);
    let [guessed, forged] = records.as_slice() else { panic!("{records:?}") };
    assert!(guessed["username"].is_string() && guessed["sub"].is_string(), "{guessed}");
    assert_eq!((forged.get("username"), forged.get("sub")), (None, None), "{forged}");
}

#[tokio::test]
async fn the_chain_goes_on_over_restart_and_rotation_and_shows_what_is_missing() {
    let fixture = PolicyFixture::with(ALLOW_ALL);
    let (options, cognito) = (hashing_options(&fixture), TestCognito::start().await);
    let (log, rotated, key) =
        (fixture.path("audit.jsonl"), fixture.path("audit.jsonl.1"), fixture.path("username.key"));
    let calls = async |fixture: PolicyFixture| {
        let mut process = Process::serve_with(&options, &cognito.url, AWS_CREDENTIALS).await;
        let channel = process.channel().await;
        let served = ServeHarness { fixture, cognito: cognito.clone(), process, channel };
        for _ in 0..2 {
            served.set_sms_as("support", true).await.unwrap();
        }
        served
    };
    let served = calls(fixture).await;
    let fixture = served.fixture;
    served.process.terminate().await;
    let served = calls(fixture).await;
    std::fs::rename(&log, &rotated).unwrap();
    for _ in 0..2 {
        served.set_sms_as("support", true).await.unwrap();
    }
    served.process.terminate().await;

    let verify = |files: &[&str]| {
        let output = run(&[&["audit", "verify", "--audit-username-key-file", &key], files].concat());
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, report) = verify(&[&rotated, &log]);
    assert_eq!(code, 0, "{report}");
    assert!(
        report.contains("audit.jsonl.1:1: note: the chain starts (new_file)\n12 records, 0 not chained, 0 breaks"),
        "{report}"
    );
    let (code, report) = verify(&[&log]);
    assert!(code == 0 && report.contains("continues an earlier file"), "{report}");

    let whole = std::fs::read_to_string(&rotated).unwrap();
    let lines: Vec<_> = whole.lines().collect();
    let edited = whole.replacen("\"code\":\"OK\"", "\"code\":\"INTERNAL\"", 1);
    let without_the_third = [&lines[..2], &lines[3..]].concat().join("\n") + "\n";
    let without_the_last = lines[..lines.len() - 1].join("\n") + "\n";
    for (changed, place) in
        [(edited, "audit.jsonl.1:3: "), (without_the_third, "audit.jsonl.1:3: "), (without_the_last, "audit.jsonl:1: ")]
    {
        std::fs::write(&rotated, changed).unwrap();
        let (code, report) = verify(&[&rotated, &log]);
        assert!(code == 2 && report.contains(&format!("{place}prev is not that of the record before")), "{report}");
        assert!(report.contains(" 1 breaks"), "{report}");
    }
}

#[tokio::test]
async fn a_decision_is_explained_from_its_record() {
    let served = hashing().await;
    served.set_sms_as("support", false).await.unwrap();
    let records = served.fixture.read("audit.jsonl");
    let (decision, mutation) = records.split_once('\n').unwrap();
    served.fixture.write("decision.json", decision);
    served.fixture.write("mutation.json", mutation);
    let (policies, line) = (served.fixture.path("policies"), served.fixture.path("decision.json"));
    let explained = output(&["policy", "explain", "--policies", &policies, "--record", &line]);
    for part in [
        "allow\n\ncaller      \"support\"",
        "action      AdminSetUserMfaPreference",
        "factors_disabled=SMS_MFA texts_changed=false weakens_mfa=true",
        "everything",
    ] {
        assert!(explained.contains(part), "no {part} in {explained}");
    }
    // What is given has precedence.
    let other = output(&["policy", "explain", "--policies", &policies, "--record", &line, "--caller", "helpdesk"]);
    assert!(other.contains("caller      \"helpdesk\""), "{other}");
    let wrong = run(&["policy", "explain", "--policies", &policies, "--record", &served.fixture.path("mutation.json")]);
    assert_eq!(wrong.status.code(), Some(2));
    let without = run(&["policy", "explain", "--policies", &policies]);
    assert!(String::from_utf8_lossy(&without.stderr).contains("--caller <NAME>"), "{without:?}");
}
