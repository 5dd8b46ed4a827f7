//! The canaries through `mfagate serve`: calls that succeed, fail and are denied, by a caller whose token, key and
//! credentials are canaries as well, and the audit log of all of them.

use std::collections::BTreeSet;

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use mfagate::api::Rpc;
use serde_json::{Value, json};
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

use super::calls::{Call, HeaderChannel, Headers, call_all, call_all_with_faults, calls, visible_text};
use super::{ENVIRONMENT, KNOWN, USERNAME, USERNAME_KEY, assert_holds_none, holds, parts_of, plant_user};
use crate::support::certificate_authority::{CertificateAuthority, payments};
use crate::support::policy_fixture::{ALLOW_ALL, PolicyFixture, bearer};
use crate::support::process::Process;
use crate::support::refusal::refused;
use crate::support::test_cognito::TestCognito;

/// `mfagate serve` over TLS at `RUST_LOG=trace`, and a caller with a certificate and a token.
struct CanaryRun {
    fixture: PolicyFixture,
    cognito: TestCognito,
    process: Process,
    channel: Channel,
    access_token: String,
    token: String,
}

impl CanaryRun {
    /// With these policies, and usernames recorded in this form.
    async fn start(policies: &str, audit_username: &str) -> Self {
        let (fixture, authority) = (PolicyFixture::with(policies), CertificateAuthority::new("the authority"));
        fixture.write_tls(&authority.server(), &authority.certificate);
        fixture.write("username.key", USERNAME_KEY);
        let key = fixture.path("username.key");
        let others = [("--audit-username", audit_username), ("--audit-username-key-file", &key)];
        let options = [fixture.options_with(&others), fixture.tls_options()].concat();
        let cognito = TestCognito::start().await;
        let access_token = plant_user(&cognito).await;
        let mut process = Process::serve_with(&options, &cognito.url, ENVIRONMENT).await;
        let client = authority.client(payments());
        let channel = authority.channel(process.address().await, Some(&client)).await.unwrap();
        let token = fixture.token("batch", canary_claims());
        Self { fixture, cognito, process, channel, access_token, token }
    }

    /// The connection of a caller with this `authorization` header, with canaries in other headers.
    fn channel(&self, authorization: &str) -> HeaderChannel {
        let headers = [
            ("authorization", authorization),
            ("cookie", "session=canary-cookie"),
            ("x-request-id", "canary, which is no request id"),
            ("traceparent", "00-canary-trace-01"),
            ("tracestate", "vendor=canary-state"),
            ("baggage", "user=canary-baggage"),
            ("x-amz-security-token", "canary-amz-token"),
            ("canary-header", "canary-header"),
        ];
        Headers::from_pairs(&headers).on(&self.channel)
    }

    /// The texts that must appear nowhere.
    fn secrets(&self) -> Vec<String> {
        let pem = self.fixture.read("server.key");
        let key = pem.lines().filter(|line| !line.is_empty() && !line.starts_with("-----"));
        let tokens = parts_of(&self.access_token).into_iter().chain(parts_of(&self.token));
        KNOWN.into_iter().chain(key).chain(tokens).map(str::to_owned).collect()
    }

    /// Terminates the program, looks for the canaries in everything that it wrote, and returns the records. `allowed`
    /// may appear in the audit log.
    async fn finish(self, allowed: &str) -> Vec<Value> {
        let secrets = self.secrets();
        let exit = self.process.terminate().await;
        let audit = self.fixture.read("audit.jsonl");
        let rest = if allowed.is_empty() { audit } else { audit.replace(allowed, "") };
        for (place, text) in [("stdout", &exit.stdout), ("stderr", &exit.stderr), ("the audit log", &rest)] {
            assert_holds_none(place, text, secrets.iter().map(String::as_str));
        }
        assert!(exit.stderr.contains("response sent"), "the log is not on: {}", exit.stderr);
        self.fixture.records()
    }
}

/// Claims that nobody needs to know.
fn canary_claims() -> Value {
    json!({
        "jti": "canary-token-id", "email": "canary@example.com", "scope": "canary-scope",
        "cognito:groups": ["canary-group"], "nickname": "canary-nickname",
    })
}

/// The RPCs that the records of one kind are about.
fn recorded(records: &[Value], kind: &str) -> BTreeSet<String> {
    let of_kind = records.iter().filter(|record| record["kind"] == kind);
    of_kind.filter_map(|record| record["rpc"].as_str().map(str::to_owned)).collect()
}

fn names(rpcs: impl IntoIterator<Item = Rpc>) -> BTreeSet<String> {
    rpcs.into_iter().map(|rpc| rpc.name().to_owned()).collect()
}

/// Every RPC has left its records: a search in nothing would find nothing.
fn assert_complete(records: &[Value]) {
    assert_eq!(recorded(records, "decision"), names(Rpc::ALL));
    assert_eq!(recorded(records, "mutation"), names(Rpc::ALL.into_iter().filter(|rpc| !rpc.is_read())));
    assert!(records.iter().all(|record| record["kind"] == "mutation" || record["authenticated"] == "both"));
}

/// The recorded form of the canaries' username.
fn usernames(records: &[Value]) -> BTreeSet<String> {
    records.iter().filter_map(|record| record["username"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn neither_log_nor_record_holds_a_secret_of_successful_calls() {
    for form in ["hmac", "none"] {
        let run = CanaryRun::start(ALLOW_ALL, form).await;
        let channel = run.channel(&bearer(&run.token));
        call_all(&run.cognito, &channel, &run.access_token).await;
        // The credentials were really sent.
        let requests = run.cognito.requests("AdminGetUser").await;
        assert_eq!(requests[0]["Headers"]["x-amz-security-token"], "canary-session-token");
        let records = run.finish("").await;
        assert_complete(&records);
        let hashes = usernames(&records);
        let key = hmac::Key::new(hmac::HMAC_SHA256, USERNAME_KEY.as_bytes());
        let hash = HEXLOWER.encode(hmac::sign(&key, USERNAME.as_bytes()).as_ref());
        let expected: BTreeSet<String> = [hash].into_iter().filter(|_| form == "hmac").collect();
        assert_eq!(hashes, expected);
    }
}

#[tokio::test]
async fn a_plain_username_is_in_the_record_and_no_other_canary_is() {
    let run = CanaryRun::start(ALLOW_ALL, "plain").await;
    let channel = run.channel(&bearer(&run.token));
    call_all(&run.cognito, &channel, &run.access_token).await;
    let records = run.finish(USERNAME).await;
    assert_complete(&records);
    assert_eq!(usernames(&records), [USERNAME.to_owned()].into());
}

#[tokio::test]
async fn no_log_record_or_response_holds_a_secret_of_failed_calls() {
    let run = CanaryRun::start(ALLOW_ALL, "hmac").await;
    let channel = run.channel(&bearer(&run.token));
    let secrets = run.secrets();
    // The others are in the faulty responses of Cognito, and `call_all_with_faults` looks for them where they were sent.
    let ours = ["canary-secret", "canary-session-token", "canary-key", "canary-cookie", "canary-nickname"];
    let unsent = secrets.into_iter().filter(|secret| !KNOWN.contains(&secret.as_str()));
    let unsent: Vec<String> = unsent.chain(ours.map(str::to_owned)).collect();
    call_all_with_faults(&run.cognito, &channel, &run.access_token, &unsent).await;
    let records = run.finish("").await;
    assert_complete(&records);
    let failed = |record: &&Value| record["kind"] == "mutation" && record["outcome"]["code"] != "OK";
    assert!(records.iter().filter(failed).count() > 50);
}

/// Nothing is permitted in the demo pool; each RPC is permitted in another, so that the request is read.
const ELSEWHERE: &str = r#"permit (principal, action, resource == Mfagate::UserPool::"us-west-2_ELSEWHERE");"#;
/// Only a caller that does not exist is permitted anything.
const NOBODY: &str = r#"permit (principal == Mfagate::Caller::"nobody", action, resource);"#;

#[tokio::test]
async fn no_log_record_or_response_holds_a_secret_of_denied_calls() {
    for policies in [ELSEWHERE, NOBODY] {
        let run = CanaryRun::start(policies, "hmac").await;
        let channel = run.channel(&bearer(&run.token));
        let secrets = run.secrets();
        for Call { rpc, make, .. } in calls() {
            let status = make(channel.clone(), run.access_token.clone()).await.unwrap_err();
            assert_holds_none(rpc.name(), &visible_text(&status), secrets.iter().map(String::as_str));
            refused::<()>(Err(status), Code::PermissionDenied, "CALLER_FORBIDDEN");
        }
        let mut client = Grpc::new(channel);
        client.ready().await.unwrap();
        let path = "/canary.Service/Canary".parse().unwrap();
        let answer = client.unary(Request::new(()), path, ProstCodec::<(), ()>::default()).await;
        assert_holds_none(
            "the response",
            &visible_text(answer.as_ref().unwrap_err()),
            secrets.iter().map(String::as_str),
        );
        refused(answer, Code::PermissionDenied, "CALLER_FORBIDDEN");

        let records = run.finish("").await;
        assert_eq!(recorded(&records, "decision"), names(Rpc::ALL));
        assert!(records.len() == calls().len() + 1 && records.iter().all(|record| record["decision"] == "deny"));
        // A user is recorded only if the request was read.
        assert_eq!(usernames(&records).is_empty(), policies == NOBODY);
    }
}

#[tokio::test]
async fn no_log_record_or_response_holds_a_secret_of_unauthenticated_callers() {
    let run = CanaryRun::start(ALLOW_ALL, "hmac").await;
    let secrets = run.secrets();
    let false_token = PolicyFixture::allow_all().token("batch", canary_claims());
    let expired = run.fixture.token("batch", json!({ "exp": 1_000_000_000, "jti": "canary-token-id" }));
    let credentials = [
        bearer(&false_token),
        bearer(&expired),
        bearer("canary"),
        bearer("canary.canary.canary"),
        bearer(&format!("{}canary", run.token)),
        "Basic canary:canary".to_owned(),
        "canary".to_owned(),
    ];
    let parts = [&false_token, &expired].into_iter().flat_map(|token| parts_of(token));
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).chain(parts).collect();
    for authorization in &credentials {
        let channel = run.channel(authorization);
        for Call { rpc, make, .. } in calls() {
            let status = make(channel.clone(), run.access_token.clone()).await.unwrap_err();
            assert_holds_none(rpc.name(), &visible_text(&status), secrets.iter().copied());
            refused::<()>(Err(status), Code::Unauthenticated, "CALLER_UNAUTHENTICATED");
        }
    }
    let log = run.process.stderr();
    assert!(!secrets.iter().any(|secret| holds(&log, secret)), "{log}");
    let audit = run.fixture.read("audit.jsonl");
    assert_holds_none("the audit log", &audit, secrets.iter().copied());
    let records = run.finish("").await;
    assert_eq!(records.len(), credentials.len() * calls().len());
    assert!(records.iter().all(|record| record["decision"] == "unauthenticated" && record["caller"].is_null()));
}
