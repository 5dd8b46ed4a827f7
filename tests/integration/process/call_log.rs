//! Every WARN and ERROR line of the log says what it is about: a line of a call names caller, RPC and pool, and where AWS is the
//! cause, its endpoint and operation; a line of no call names its file or source. No cause is said twice.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use mfagate::api::Rpc;
use regex::Regex;
use serde_json::{Value, json};
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

use crate::support::certificate_authority::{CertificateAuthority, uri};
use crate::support::fake_sts::{FakeSts, ROLE, StsReply};
use crate::support::grpcurl::call_json;
use crate::support::loopback::unused_url;
use crate::support::policy_fixture::{ALLOW_ALL, PolicyFixture};
use crate::support::process::{Process, command_line};
use crate::support::rpc_call::{operation, takes_token};
use crate::support::serve_harness::AWS_CREDENTIALS;
use crate::support::test_cognito::{NEW_USER, POOL, TestCognito, USER};

/// The name of every caller here.
const CALLER: &str = "support";

/// A message of `rpc` that calls its operation and no other.
fn message(rpc: Rpc, token: &str) -> Value {
    let mut message = if rpc.name().contains("UserPool") {
        json!({ "user_pool_id": POOL })
    } else if takes_token(rpc) {
        json!({ "access_token": token })
    } else {
        json!({ "user_pool_id": POOL, "username": USER })
    };
    let more = match rpc {
        Rpc::AdminSetUserMfaPreference | Rpc::SetUserMfaPreference => {
            json!({ "sms_mfa_settings": { "enabled": true, "preferred_mfa": true } })
        }
        Rpc::AssociateSoftwareToken => json!({ "allow_reenrolment": true, "account_name": "a" }),
        Rpc::VerifySoftwareToken => json!({ "user_code": "123456" }),
        Rpc::CompleteWebAuthnRegistration => json!({ "credential": { "id": "AAAA" } }),
        Rpc::DeleteWebAuthnCredential => json!({ "credential_id": "AAAA" }),
        Rpc::SetUserPoolMfaConfig => json!({
            "mfa_configuration": "USER_POOL_MFA_TYPE_ON", "software_token_mfa_configuration": { "enabled": true },
            "sms_mfa_configuration": {},
        }),
        Rpc::AdminSetUserSettings | Rpc::SetUserSettings => json!({ "clear_mfa_options": true }),
        Rpc::AdminGetUser
        | Rpc::AdminGetUserAuthFactors
        | Rpc::AdminDeleteSoftwareToken
        | Rpc::GetUser
        | Rpc::GetUserAuthFactors
        | Rpc::StartWebAuthnRegistration
        | Rpc::ListWebAuthnCredentials
        | Rpc::GetUserPoolMfaConfig => json!({}),
    };
    message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    message
}

/// Whether an operator must act, or the service is degraded. What a caller or a user must mend is logged at INFO.
fn is_degraded(status: &Status) -> bool {
    let details = status.get_error_details();
    !["CALLER", "END_USER"].contains(&details.error_info().unwrap().metadata["fault"].as_str())
}

async fn call(channel: Channel, rpc: Rpc, authorization: Option<&str>, token: &str) -> Result<(), Status> {
    let mut headers = Request::new(());
    if let Some(authorization) = authorization {
        headers.metadata_mut().insert("authorization", authorization.parse().unwrap());
    }
    call_json(channel, rpc.path(), headers, &message(rpc, token)).await
}

/// Responses of Cognito, and what is in their place, for which somebody else than the caller is to blame.
fn faults() -> Vec<Value> {
    let codes = [
        "AccessDeniedException",
        "UnrecognizedClientException",
        "RequestTimeTooSkewed",
        "OptInRequired",
        "SerializationException",
        "UnknownOperationException",
        "BrandNewException",
        "InternalErrorException",
        "ServiceUnavailable",
        "TooManyRequestsException",
        "OperationNotEnabledException",
        "UserLambdaValidationException",
        "InvalidSmsRoleAccessPolicyException",
    ];
    let errors = codes.map(|code| json!({ "kind": "error", "code": code, "message": "said: said" }));
    let others = [
        json!({ "kind": "reset" }),
        json!({ "kind": "html" }),
        json!({ "kind": "truncated_json" }),
        json!({ "kind": "no_answer" }),
        json!({ "kind": "replace", "body": {} }),
        json!({ "kind": "replace", "body": "text" }),
        json!({ "kind": "replace", "body": { "Username": [] } }),
    ];
    errors.into_iter().chain(others).collect()
}

/// The WARN and ERROR lines of a log, without colors.
fn warnings(log: &str) -> Vec<&str> {
    let level = Regex::new(r"^\S+ +(WARN|ERROR) ").unwrap();
    log.lines().filter(|line| level.is_match(line)).collect()
}

/// Checks every WARN and ERROR line, and returns how many are of calls.
#[track_caller]
fn check(log: &str, caller: &str) -> usize {
    let source =
        Regex::new(r"\b(source|target|certificate|policies|file|endpoint|peer|warning|missing|region|store|refused)=")
            .unwrap();
    let mut calls = 0;
    for line in warnings(log) {
        each_cause_is_said_once(line);
        let Some((_, of_call)) = line.split_once("call{") else {
            assert!(source.is_match(line), "neither a call nor a source: {line}");
            continue;
        };
        calls += 1;
        let (span, event) = of_call.split_once("}: ").unwrap();
        let rpc = Rpc::ALL.into_iter().find(|rpc| span.contains(&format!("rpc=\"{}\"", rpc.name())));
        assert!(rpc.is_some(), "no RPC: {line}");
        assert!(span.contains(&format!("caller=\"{caller}\"")), "no caller: {line}");
        assert!(span.contains(&format!("user_pool_id=\"{POOL}\"")), "no pool: {line}");
        assert!(span.contains("request_id=\""), "no request id: {line}");
        let is_ours = event.contains("AUDIT_UNAVAILABLE") || event.contains("audit log");
        for field in ["operation=\"", "endpoint=\""] {
            assert!(is_ours || event.contains(field), "no {field}: {line}");
        }
    }
    calls
}

/// Checks that no part of a cause is in it twice.
#[track_caller]
fn each_cause_is_said_once(line: &str) {
    let cause = Regex::new(r#" (?:cause|error)="?((?:[^"\\]|\\.)*)"#).unwrap();
    let Some(found) = cause.captures(line) else { return };
    let mut parts: Vec<_> = found[1].split(": ").collect();
    // Cognito's own sentence here repeats itself, and is not ours to change.
    parts.retain(|part| !part.starts_with("said"));
    let ours = parts.len();
    parts.sort_unstable();
    parts.dedup();
    assert!(parts.len() == ours, "parts of the cause are in it twice: {line}");
    // Nor does a part stand in another, as a code in parentheses.
    let within = |(position, part): (usize, &&str)| {
        let others = parts.iter().enumerate().filter(|(other, _)| *other != position);
        part.len() >= 8 && others.into_iter().any(|(_, other)| other.contains(*part))
    };
    assert!(!parts.iter().enumerate().any(within), "a part of the cause stands in another: {line}");
}

#[tokio::test]
async fn every_warning_of_a_failed_operation_names_caller_rpc_pool_endpoint_and_operation() {
    let (fixture, cognito) = (PolicyFixture::allow_all(), TestCognito::start().await);
    let options = [fixture.options(), ["--operation-timeout", "700ms"].map(str::to_owned).into()].concat();
    // The context does not depend on the level of the log.
    let environment = [AWS_CREDENTIALS, &[("RUST_LOG", "warn,mfagate::server=info")]].concat();
    let mut process = Process::serve_with(&options, &cognito.url, &environment).await;
    let (channel, authorization) = (process.channel().await, fixture.bearer(CALLER));
    let token = cognito.token(NEW_USER).await;
    let mut failed = 0;
    for fault in faults() {
        cognito.inject_fault(fault.clone()).await;
        let calls = Rpc::ALL.map(|rpc| {
            let (channel, authorization, token) = (channel.clone(), authorization.clone(), token.clone());
            tokio::spawn(async move { call(channel, rpc, Some(&authorization), &token).await })
        });
        for call in calls {
            failed += usize::from(call.await.unwrap().is_err_and(|status| is_degraded(&status)));
        }
        cognito.clear_faults().await;
    }
    let log = process.terminate().await.stderr;
    assert_eq!(check(&log, CALLER), failed, "a line for each failure");
    for rpc in Rpc::ALL {
        assert!(log.contains(&format!("operation=\"{}\"", operation(rpc))), "{}", rpc.name());
    }
    assert!(log.contains(&format!("endpoint=\"{}\"", cognito.url)), "{log}");
}

#[tokio::test]
async fn every_warning_about_credentials_names_the_same() {
    let (fixture, cognito, sts) = (PolicyFixture::allow_all(), TestCognito::start().await, FakeSts::start().await);
    let nowhere = unused_url();
    for (url, answers) in
        [(sts.url.as_str(), vec![StsReply::Refuse, StsReply::Malformed]), (&nowhere, vec![StsReply::Refuse])]
    {
        let role = ["--assume-role", ROLE, "--assume-role-region", "eu-west-1", "--sts-endpoint", url];
        let mut process =
            Process::serve_with(&command_line(&role, &fixture.options()), &cognito.url, AWS_CREDENTIALS).await;
        let channel = process.channel().await;
        for answer in answers {
            sts.reply_with(answer);
            for rpc in [Rpc::AdminGetUser, Rpc::SetUserPoolMfaConfig] {
                call(channel.clone(), rpc, Some(&fixture.bearer(CALLER)), "").await.unwrap_err();
            }
        }
        let log = process.terminate().await.stderr;
        check(&log, CALLER);
        let not_assumed: Vec<_> = warnings(&log).into_iter().filter(|line| line.contains("role not assumed")).collect();
        assert!(!not_assumed.is_empty(), "{log}");
        for line in not_assumed {
            assert!(line.contains(&format!("operation=\"AssumeRole\" endpoint=\"{url}\"")), "{line}");
        }
    }
}

#[tokio::test]
async fn every_warning_without_an_upstream_names_caller_rpc_and_pool() {
    let fixture = PolicyFixture::with(ALLOW_ALL);
    let cognito = TestCognito::start().await;
    let options = fixture.options_with_audit_log("/dev/full");
    let mut process = Process::serve_with(&options, &cognito.url, AWS_CREDENTIALS).await;
    let channel = process.channel().await;
    let token = cognito.token(USER).await;
    for rpc in Rpc::ALL.into_iter().filter(|rpc| !rpc.is_read()) {
        call(channel.clone(), rpc, Some(&fixture.bearer(CALLER)), &token).await.unwrap_err();
    }
    let writes = Rpc::ALL.into_iter().filter(|rpc| !rpc.is_read()).count();
    // Files that are rejected at a reload.
    fixture.write("policies/all.cedar", "permit (");
    fixture.write("jwks.json", "{}");
    process.signal("HUP").await;
    process.wait_for_log("reload incomplete").await;
    let log = process.terminate().await.stderr;
    let summary = |line: &&str| !line.contains("reload incomplete") && !line.contains("new policies rejected");
    let named: Vec<_> = log.lines().filter(summary).collect();
    assert_eq!(check(&named.join("\n"), CALLER), writes, "{log}");
    assert!(log.contains(&format!("{}:", fixture.path("policies/all.cedar"))), "{log}");
}

#[tokio::test]
async fn a_warning_of_dev_names_nobody_as_the_caller() {
    let cognito = TestCognito::start().await;
    let mut process = Process::dev_with_cognito(&cognito.url, &[]).await;
    cognito.inject_error("AdminGetUser", "AccessDeniedException", "").await;
    call(process.channel().await, Rpc::AdminGetUser, None, "").await.unwrap_err();
    assert_eq!(check(&process.terminate().await.stderr, "anonymous"), 1);
}

#[tokio::test]
async fn a_warning_about_a_certificate_names_the_peer() {
    let (authority, cognito) = (CertificateAuthority::new("the authority"), unused_url());
    let fixture = PolicyFixture::allow_all();
    fixture.write_tls(&authority.server(), &authority.certificate);
    let options = [fixture.options(), fixture.tls_options()].concat();
    let mut process = Process::serve_with(&options, &cognito, AWS_CREDENTIALS).await;
    let address = process.address().await;
    let two_names = authority.client(vec![uri("spiffe://example.com/a"), uri("spiffe://example.com/b")]);
    // In TLS 1.3 the client learns of it later.
    let _connection = authority.connect(address, Some(&two_names)).await;
    process.wait_for_log("client certificate of a trusted authority rejected").await;
    let log = process.terminate().await.stderr;
    let line = warnings(&log).into_iter().find(|line| line.contains("authority rejected")).unwrap();
    assert!(line.contains("handshake{peer=127.0.0.1:"), "{line}");
}

#[tokio::test]
async fn what_is_no_pool_id_is_not_logged() {
    let fixture = PolicyFixture::allow_all();
    let mut process = Process::serve(&fixture, &unused_url(), AWS_CREDENTIALS).await;
    let channel = process.channel().await;
    let claims = json!({ "iss": "https://example.com/canary pool" }).to_string();
    let token = format!("e30.{}.c2ln", BASE64URL_NOPAD.encode(claims.as_bytes()));
    call(channel, Rpc::GetUser, Some(&fixture.bearer(CALLER)), &token).await.unwrap_err();
    process.wait_for_log("user_pool_id=\"none\"").await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(!process.terminate().await.stderr.contains("canary"));
}
