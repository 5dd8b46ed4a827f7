//! The role that is assumed for each caller, before an STS over real HTTP: by itself and through the program.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::config::{
    self, BehaviorVersion, IdentityCache, ProvideCredentials as _, Region, SharedCredentialsProvider,
};
use axum::Router;
use axum::http::HeaderMap;
use axum::routing::post;
use mfagate::api::v1::AdminGetUserRequest;
use mfagate::cognito::{AssumedRole, Credentials, Endpoint, RoleOptions, SessionName};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tonic::{Code, Request};

use crate::support::fake_sts::{AssumeRoleRequest, FakeSts, HOUR, ROLE, StsReply, access_key};
use crate::support::loopback::serve;
use crate::support::policy_fixture::PolicyFixture;
use crate::support::process::{Process, command_line};
use crate::support::refusal::refused;
use crate::support::serve_harness::{read_user, set_sms};
use crate::support::test_cognito::{POOL, TestCognito, USER};
use crate::support::test_service::untimed_client;

const MINUTE: Duration = Duration::from_mins(1);

async fn key_of(provider: &SharedCredentialsProvider) -> Result<String, String> {
    let keys = provider.provide_credentials().await.map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        source.unwrap_or_else(|| error.to_string())
    })?;
    Ok(keys.access_key_id().to_owned())
}

#[tokio::test]
async fn each_caller_signs_with_a_session_of_its_own_through_one_client() {
    let signatures = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&signatures);
    let cognito = serve(Router::new().route(
        "/",
        post(move |headers: HeaderMap| {
            let token = headers["x-amz-security-token"].to_str().unwrap().to_owned();
            seen.lock().unwrap().push((access_key(&headers), token));
            async { ([("content-type", "application/x-amz-json-1.1")], "{}") }
        }),
    ))
    .await;
    // As in `Cognito`: one client and one identity cache for all callers.
    let shared = config::Builder::new()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .identity_cache(IdentityCache::lazy().build())
        .credentials_provider(config::Credentials::new("base", "base", None, None, "test"))
        .region(Region::new("eu-west-1"))
        .endpoint_url(cognito);
    let client = Client::from_conf(shared.build());

    let sts = FakeSts::start().await;
    let role = sts.role();
    let call = async |caller: &str| {
        let config = config::Builder::new().credentials_provider(role.for_caller(caller));
        let call = client.admin_delete_software_token().user_pool_id("eu-west-1_Ab1").username("alice");
        call.customize().config_override(config).send().await.unwrap();
    };
    for caller in ["payments", "support", "payments", "spiffe://example.org/desk", "support"] {
        call(caller).await;
    }

    let desk = SessionName::of("spiffe://example.org/desk");
    let desk = desk.as_str();
    let expected = [("1", "payments"), ("2", "support"), ("1", "payments"), ("3", desk), ("2", "support")];
    let expected: Vec<_> =
        expected.map(|(number, name)| (format!("ASIA{number}{name}"), format!("token-of-{name}"))).into();
    assert_eq!(*signatures.lock().unwrap(), expected);
    let asked = |session: &str| AssumeRoleRequest {
        session: session.to_owned(),
        role: ROLE.to_owned(),
        access_key: "development".to_owned(),
    };
    assert_eq!(sts.requests(), ["payments", "support", desk].map(asked));
    assert!(desk.starts_with("example.org-desk-"), "{desk}");
}

#[tokio::test]
async fn concurrent_calls_share_one_request_and_its_failure() {
    let sts = FakeSts::start().await;
    let role = Arc::new(sts.role());
    for (answer, expected) in [
        (StsReply::Refuse, Err("sts refused to assume the role: AccessDenied".to_owned())),
        (StsReply::Malformed, Err("sts returned no credentials".to_owned())),
        (StsReply::Grant(HOUR), Ok("payments")),
    ] {
        sts.reply_with(answer);
        sts.hold();
        let before = sts.request_count();
        let mut callers = JoinSet::new();
        // On this single-threaded runtime, each has begun to wait before the reply is released.
        for _ in 0..8 {
            let provider = role.for_caller("payments");
            callers.spawn(async move { key_of(&provider).await });
        }
        sts.wait_for_requests(before + 1).await;
        sts.release();
        while let Some(outcome) = callers.join_next().await {
            match (&outcome.unwrap(), &expected) {
                (Ok(key), Ok(name)) => assert_eq!(*key, format!("ASIA{}{name}", before + 1)),
                (Err(error), Err(expected)) => assert_eq!(error, expected),
                (outcome, expected) => panic!("{outcome:?} instead of {expected:?}"),
            }
        }
        assert_eq!(sts.request_count(), before + 1);
    }
}

#[tokio::test]
async fn credentials_are_renewed_before_they_expire_and_used_while_sts_fails() {
    let sts = FakeSts::start().await;
    let role = sts.role();
    let provider = role.for_caller("payments");

    sts.reply_with(StsReply::Grant(6 * MINUTE));
    assert_eq!(key_of(&provider).await.unwrap(), "ASIA1payments");
    assert_eq!(key_of(&provider).await.unwrap(), "ASIA1payments");
    assert_eq!(sts.request_count(), 1, "good for more than five minutes");

    let provider = role.for_caller("support");
    sts.reply_with(StsReply::Grant(4 * MINUTE));
    assert_eq!(key_of(&provider).await.unwrap(), "ASIA2support");
    // Renewal is not waited for, and its failure reaches nobody.
    sts.hold();
    sts.reply_with(StsReply::Refuse);
    assert_eq!(key_of(&provider).await.unwrap(), "ASIA2support");
    sts.wait_for_requests(3).await;
    assert_eq!(key_of(&provider).await.unwrap(), "ASIA2support");
    assert_eq!(sts.request_count(), 3, "one renewal at a time");
    sts.release();
    let renewed = async {
        loop {
            let asked = sts.request_count();
            let key = key_of(&provider).await.unwrap();
            if key != "ASIA2support" {
                break key;
            }
            // The failed renewal is followed by another, which is granted.
            if asked > 3 {
                sts.reply_with(StsReply::Grant(HOUR));
            }
            tokio::task::yield_now().await;
        }
    };
    let renewed = tokio::time::timeout(MINUTE, renewed).await.unwrap();
    assert!(renewed.ends_with("support"), "{renewed}");

    // Credentials that are about to expire are not used.
    let provider = role.for_caller("desk");
    sts.reply_with(StsReply::Grant(Duration::from_secs(20)));
    let first = key_of(&provider).await.unwrap();
    sts.reply_with(StsReply::Refuse);
    assert_eq!(key_of(&provider).await, Err("sts refused to assume the role: AccessDenied".to_owned()));
    sts.reply_with(StsReply::Grant(HOUR));
    assert_ne!(key_of(&provider).await.unwrap(), first);
}

#[tokio::test]
async fn a_caller_that_cannot_wait_leaves_the_credentials_for_the_next() {
    let sts = FakeSts::start().await;
    let role = sts.role();
    let provider = role.for_caller("payments");
    sts.hold();
    tokio::select! {
        outcome = key_of(&provider) => panic!("{outcome:?}"),
        () = sts.wait_for_requests(1) => {}
    }
    sts.release();
    assert_eq!(key_of(&provider).await.unwrap(), "ASIA1payments");
    assert_eq!(sts.request_count(), 1);
}

#[tokio::test]
async fn the_credentials_of_256_callers_are_kept_and_the_least_recently_used_are_evicted() {
    let sts = FakeSts::start().await;
    let role = sts.role();
    let call = async |number: usize| key_of(&role.for_caller(&format!("caller-{number}"))).await.unwrap();
    for number in 0..256 {
        call(number).await;
    }
    call(0).await;
    assert_eq!(sts.request_count(), 256);
    call(256).await;
    call(0).await;
    assert_eq!(sts.request_count(), 257, "the first was seen last");
    call(1).await;
    assert_eq!(sts.request_count(), 258, "the second made room");
}

#[tokio::test]
async fn an_unreachable_sts_is_reported_as_such_and_no_debug_text_holds_a_key() {
    let options = RoleOptions {
        arn: ROLE.parse().unwrap(),
        region: "eu-west-1".to_owned(),
        // Nothing listens on the discard port.
        endpoint: Endpoint::Url("http://127.0.0.1:9".to_owned()),
    };
    let role = AssumedRole::new(options, &Credentials::for_development());
    let error = key_of(&role.for_caller("payments")).await.unwrap_err();
    assert!(error.starts_with("sts is unreachable: "), "{error}");

    let sts = FakeSts::start().await;
    let role = sts.role();
    let provider = role.for_caller("payments");
    key_of(&provider).await.unwrap();
    let printed = format!("{role:?} {provider:?}");
    assert!(printed.contains("payments") && !printed.contains("canary") && !printed.contains("token-of"), "{printed}");
}

#[tokio::test]
async fn a_refusal_of_sts_is_remembered_and_asked_about_ever_less_often() {
    let sts = FakeSts::start().await;
    for reply in [StsReply::Refuse, StsReply::Malformed] {
        sts.reply_with(reply);
        let (role, before) = (sts.role_with_pauses(), sts.request_count());
        let mut callers = JoinSet::new();
        for _ in 0..50 {
            let provider = role.for_caller("payments");
            callers.spawn(async move { key_of(&provider).await.unwrap_err() });
        }
        let errors: BTreeSet<String> = callers.join_all().await.into_iter().collect();
        assert_eq!((errors.len(), sts.request_count() - before), (1, 1), "{errors:?}");
        // Another caller's session may be allowed what this one is not.
        sts.reply_with(StsReply::Grant(HOUR));
        key_of(&role.for_caller("support")).await.unwrap();
        key_of(&role.for_caller("payments")).await.unwrap_err();
    }

    // One more after each pause, which doubles: at 0, 20, 60, 140, 300, 620 ms.
    sts.reply_with(StsReply::Refuse);
    let (role, before) = (sts.role_with_pauses().with_first_pause(Duration::from_millis(20)), sts.request_count());
    let started = Instant::now();
    let mut calls = 0;
    while started.elapsed() < Duration::from_millis(700) {
        key_of(&role.for_caller("payments")).await.unwrap_err();
        calls += 1;
    }
    let asked = sts.request_count() - before;
    assert!((2..=6).contains(&asked) && calls > 50, "{asked} requests for {calls} calls");
    // The refusal does not outlive what it is about.
    sts.reply_with(StsReply::Grant(HOUR));
    let granted = async { while key_of(&role.for_caller("payments")).await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(30), granted).await.unwrap();
}

/// The program's own credentials.
const AWS_CREDENTIALS: &[(&str, &str)] = &[
    ("AWS_ACCESS_KEY_ID", "AKIABASE"),
    ("AWS_SECRET_ACCESS_KEY", "secret-canary-of-the-base"),
    ("AWS_SESSION_TOKEN", "token-of-the-base"),
    ("RUST_LOG", "trace"),
];

/// `mfagate serve` that assumes the role at this STS, before that Cognito.
async fn serve_assuming(fixture: &PolicyFixture, cognito: &TestCognito, sts: &FakeSts, more: &[&str]) -> Process {
    let role = ["--assume-role", ROLE, "--assume-role-region", "eu-west-1", "--sts-endpoint", &sts.url];
    let options = command_line(&[&role, more].concat(), &fixture.options());
    Process::serve_with(&options, &cognito.url, AWS_CREDENTIALS).await
}

/// Terminates the program, checks everything that it wrote for secrets, and returns its log.
async fn end_without_secrets(process: Process, fixture: &PolicyFixture) -> String {
    let exit = process.terminate().await;
    let told = fixture.read("audit.jsonl") + &exit.stdout + &exit.stderr;
    for secret in ["secret-canary", "token-of-"] {
        assert!(!told.contains(secret), "{secret} is in {told}");
    }
    exit.stderr
}

#[tokio::test]
async fn the_program_signs_with_a_session_of_each_caller() {
    let (fixture, cognito, sts) = (PolicyFixture::allow_all(), TestCognito::start().await, FakeSts::start().await);
    let mut process = serve_assuming(&fixture, &cognito, &sts, &[]).await;
    let channel = process.channel().await;
    let of = |name: &str| fixture.bearer(name);
    for name in ["payments", "support", "payments"] {
        set_sms(channel.clone(), &of(name), true, "set").await.unwrap();
        assert_eq!(read_user(channel.clone(), Some(&of(name)), POOL).await.unwrap(), USER);
    }

    let asked = |session: &str| AssumeRoleRequest {
        session: session.to_owned(),
        role: ROLE.to_owned(),
        access_key: "AKIABASE".to_owned(),
    };
    assert_eq!(sts.requests(), ["payments", "support"].map(asked));
    for operation in ["AdminSetUserMFAPreference", "AdminGetUser"] {
        let requests = cognito.requests(operation).await;
        let signed: Vec<_> = requests.iter().map(|request| signed_with(&request["Headers"])).collect();
        let by = |key: &str, name: &str| (key.to_owned(), format!("token-of-{name}"));
        let payments = by("ASIA1payments", "payments");
        assert_eq!(signed, [payments.clone(), by("ASIA2support", "support"), payments], "{operation}");
    }
    let log = end_without_secrets(process, &fixture).await;
    assert_eq!(log.matches("role assumed").count(), 2, "{log}");
}

#[tokio::test]
async fn all_workers_share_the_session_of_a_caller() {
    let (fixture, cognito, sts) = (PolicyFixture::allow_all(), TestCognito::start().await, FakeSts::start().await);
    let mut process = serve_assuming(&fixture, &cognito, &sts, &["--workers", "4"]).await;
    let payments = fixture.bearer("payments");
    // All are open at once, so that each worker has two.
    let mut channels = Vec::new();
    for _ in 0..8 {
        let channel = process.channel().await;
        set_sms(channel.clone(), &payments, true, "set").await.unwrap();
        channels.push(channel);
    }
    assert_eq!(sts.request_count(), 1);
    end_without_secrets(process, &fixture).await;
}

/// The access key and the session token of a request that Cognito has received.
fn signed_with(headers: &Value) -> (String, String) {
    let signature = headers["authorization"].as_str().unwrap();
    let (_, credential) = signature.split_once("Credential=").unwrap();
    let (key, _) = credential.split_once('/').unwrap();
    (key.to_owned(), headers["x-amz-security-token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_role_that_sts_refuses_is_mfagates_own_failure_and_is_recorded() {
    let (fixture, cognito, sts) = (PolicyFixture::allow_all(), TestCognito::start().await, FakeSts::start().await);
    let mut process = serve_assuming(&fixture, &cognito, &sts, &[]).await;
    let channel = process.channel().await;
    // A failure is remembered for each caller.
    for (answer, caller, cause) in [
        (StsReply::Refuse, "support", "sts refused to assume the role: AccessDenied"),
        (StsReply::Malformed, "desk", "sts returned no credentials"),
    ] {
        sts.reply_with(answer);
        let refusal = set_sms(channel.clone(), &fixture.bearer(caller), true, "set").await;
        let told = format!("{refusal:?}");
        assert!(!told.contains("sts") && !told.contains("AccessDenied") && !told.contains("iam"), "{told}");
        let details = refused(refusal, Code::Internal, "MFAGATE_DISPATCH_FAILED");
        assert_eq!(details.error_info().unwrap().metadata["fault"], "MFAGATE");
        process.wait_for_next_log(cause).await;
        process.wait_for_next_log("call failed").await;

        let [.., decision, mutation] = &fixture.records()[..] else { panic!("too few records") };
        assert_eq!((&decision["kind"], &decision["decision"]), (&json!("decision"), &json!("allow")));
        assert_eq!((&mutation["kind"], &mutation["caller_request_id"]), (&json!("mutation"), &json!("set")));
        assert_eq!(mutation["outcome"], json!({ "code": "INTERNAL", "reason": "MFAGATE_DISPATCH_FAILED" }));
    }
    assert_eq!(cognito.requests("AdminSetUserMFAPreference").await, Vec::<Value>::new());
    // No other credentials stand in for those that were refused, and a later try may succeed.
    sts.reply_with(StsReply::Grant(HOUR));
    let support = fixture.bearer("support");
    let granted = async { while set_sms(channel.clone(), &support, true, "set").await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(30), granted).await.unwrap();
    let log = end_without_secrets(process, &fixture).await;
    let failed = log.lines().find(|line| line.contains("call failed")).unwrap();
    assert!(failed.contains("ERROR") && failed.contains("AccessDenied"), "{failed}");
}

#[tokio::test]
async fn a_change_that_times_out_on_sts_is_recorded_and_the_late_reply_is_used() {
    let (fixture, cognito, sts) = (PolicyFixture::allow_all(), TestCognito::start().await, FakeSts::start().await);
    let mut process = serve_assuming(&fixture, &cognito, &sts, &["--operation-timeout", "1s"]).await;
    let channel = process.channel().await;
    let support = fixture.bearer("support");
    sts.hold();
    // Not `DEADLINE_EXCEEDED`, which would mean that the change may have been made.
    refused(set_sms(channel.clone(), &support, true, "set").await, Code::Internal, "MFAGATE_DISPATCH_FAILED");
    let outcome = fixture.records().last().unwrap()["outcome"].clone();
    assert_eq!(outcome, json!({ "code": "INTERNAL", "reason": "MFAGATE_DISPATCH_FAILED" }));
    // A caller whose own deadline was the shorter one is told so.
    let mut request = Request::new(AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: USER.to_owned() });
    request.metadata_mut().insert("authorization", support.parse().unwrap());
    request.metadata_mut().insert("grpc-timeout", "900m".parse().unwrap());
    let answer = untimed_client(process.address().await).admin_get_user(request).await;
    refused(answer, Code::DeadlineExceeded, "NO_TIME_LEFT");
    assert_eq!(cognito.requests("AdminSetUserMFAPreference").await, Vec::<Value>::new());

    sts.release();
    process.wait_for_next_log("role assumed").await;
    set_sms(channel, &support, true, "set").await.unwrap();
    assert_eq!(sts.request_count(), 1);
    end_without_secrets(process, &fixture).await;
}
