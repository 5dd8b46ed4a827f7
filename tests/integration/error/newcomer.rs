//! The mistakes of newcomers in `docs/troubleshooting.md`: what grpcurl prints for each, its details left out.
//!
//! `conformance/test_grpcurl.py` makes the same calls with the real grpcurl.

use std::fs;
use std::path::Path;

use regex::Regex;
use serde_json::json;

use crate::support::grpcurl::Grpcurl;
use crate::support::policy_fixture::{PolicyFixture, bearer};
use crate::support::serve_harness::ServeHarness;
use crate::support::test_cognito::{POOL, USER};
use crate::support::test_service::TestService;

/// The caller of the document: it reads users of one pool.
const READER: &str = r#"
@id("support-reads")
permit (principal == Mfagate::Caller::"support", action == Mfagate::Action::"AdminGetUser",
        resource == Mfagate::UserPool::"us-west-2_EXAMPLE");
"#;

/// The section of the document whose calls `mfagate serve` answers; `mfagate dev` answers the others.
const SERVED: &str = "Access";

/// A mistake in the document.
struct Mistake {
    section: String,
    title: String,
    script: String,
    output: String,
}

/// Every mistake in the document, in order.
fn mistakes() -> Vec<Mistake> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/troubleshooting.md");
    let text = fs::read_to_string(file).unwrap();
    let block = Regex::new(r"(?ms)^\*\*([^*\n]+?)\.?\*\*.*?^```sh\n(.*?)^```\n```text\n(.*?)^```\n").unwrap();
    let mut found = Vec::new();
    for section in text.split("\n## ").skip(1) {
        let (name, text) = section.split_once('\n').unwrap();
        found.extend(block.captures_iter(text).map(|block| Mistake {
            section: name.to_owned(),
            title: block[1].to_owned(),
            script: block[2].to_owned(),
            output: block[3].to_owned(),
        }));
    }
    assert_eq!(found.len(), text.matches("```sh\n").count(), "a command without a title or an output");
    found
}

#[tokio::test]
async fn what_grpcurl_prints_of_each_mistake_is_what_the_document_says() {
    let mistakes = mistakes();
    assert!(mistakes.len() >= 20, "{} mistakes", mistakes.len());
    let (service, served) = (TestService::start().await, ServeHarness::with(READER).await);
    let token = service.cognito.token(USER).await;
    let caller = served.fixture.token("support", json!({}));
    let expired = served.fixture.token("support", json!({ "exp": 1_000_000_000 }));
    let variables = [("TOKEN", &*token), ("CALLER_TOKEN", &*caller), ("EXPIRED_TOKEN", &*expired)];
    let mut wrong = Vec::new();
    for Mistake { section, title, script, output } in mistakes {
        let channel = if section == SERVED { served.channel.clone() } else { service.channel() };
        let printed = Grpcurl::parse(&script, &variables).refusal(channel).await;
        if printed != output {
            wrong.push(format!("{title}:\n{printed}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // What the policies refuse reaches nothing.
    assert_eq!(served.cognito.operations().await, Vec::<String>::new());
}

#[tokio::test]
async fn that_a_token_has_expired_is_said_only_once_its_signature_is_verified() {
    let served = ServeHarness::with(READER).await;
    let (own, other) = (&served.fixture, PolicyFixture::with(READER));
    let unsigned = format!("{}.AAAA", own.token("support", json!({ "exp": 1 })).rsplit_once('.').unwrap().0);
    let uniform = "caller not authenticated: send a client certificate or a bearer token that mfagate accepts";
    for (authorization, message, cause) in [
        (
            Some(bearer(&own.token("support", json!({ "exp": 1 })))),
            "caller not authenticated: the bearer token has expired; send a new one",
            "cause=\"expired\"",
        ),
        (Some(bearer(&other.token("support", json!({ "exp": 1 })))), uniform, "the signature is wrong"),
        (Some(bearer(&unsigned)), uniform, "the signature is wrong"),
        (Some(bearer(&own.token("support", json!({ "exp": 1, "aud": "another" })))), uniform, "the audience"),
        (Some(bearer(&own.token("support", json!({ "nbf": 9_000_000_000_u64 })))), uniform, "nbf is in the future"),
        (Some(bearer(&own.token("support", json!({ "iss": "https://another" })))), uniform, "iss is not the issuer"),
        (Some(bearer("a.b.c")), uniform, "malformed: "),
        (Some("Basic c3VwcG9ydDo=".to_owned()), uniform, "it is not a bearer token"),
        (None, uniform, "no certificate and no token"),
    ] {
        let seen = served.process.stderr().len();
        let status = served.read(authorization.as_deref(), POOL).await.unwrap_err();
        assert_eq!(status.message(), message, "{cause}");
        // The log is written by a thread of its own.
        while !served.process.stderr().split_at(seen).1.contains("call failed") {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let log = served.process.stderr();
        assert!(log.split_at(seen).1.contains(cause), "{cause}: {log}");
    }
}

#[tokio::test]
async fn no_message_of_a_denial_names_a_policy_or_the_pool() {
    let served = ServeHarness::with(READER).await;
    let status = served.read_as("support", "us-west-2_OTHER").await.unwrap_err();
    let told = format!("{status:?} {}", String::from_utf8_lossy(status.details()));
    assert!(told.contains("AdminGetUser needs the permission AdminGetUser"), "{told}");
    for hidden in ["support", "OTHER", "polic"] {
        assert!(!told.contains(hidden), "{hidden} is in {told}");
    }
}

#[tokio::test]
async fn every_conflict_with_the_settings_of_a_pool_says_what_to_change() {
    let service = TestService::start().await;
    for (said, remedy) in [
        ("SMS configuration is required when phone_number is selected for auto verification", "AutoVerifiedAttributes"),
        ("Can't turn off SMS_MFA when SMS configuration is set for the user pool", "send sms_mfa_configuration"),
        ("Cannot set EmailMfaConfiguration when it contains an EmailSendingAccount of COGNITO_DEFAULT", "DEVELOPER"),
        ("AccountRecoverySetting is not set or contains only verified_email", "AccountRecoverySetting"),
        ("Only PASSWORD and WEB_AUTHN can be enabled as an auth factor if MFA is enabled", "AllowedFirstAuthFactors"),
        ("Cannot turn MFA functionality ON, once the user pool has been created", "USER_POOL_MFA_TYPE_OPTIONAL"),
    ] {
        service.cognito.inject_error("SetUserPoolMfaConfig", "InvalidParameterException", said).await;
        let command = r#"grpcurl -d '{"user_pool_id": "us-west-2_EXAMPLE", "mfa_configuration": "USER_POOL_MFA_TYPE_ON",
            "software_token_mfa_configuration": {"enabled": true}}' a mfagate.v1.PoolConfigService/SetUserPoolMfaConfig"#;
        let printed = Grpcurl::parse(command, &[]).refusal(service.channel()).await;
        service.cognito.clear_faults().await;
        let start = "ERROR:\n  Code: FailedPrecondition\n  Message: the MFA configuration contradicts other settings of the pool: ";
        assert!(printed.starts_with(start) && printed.contains(remedy), "{said}: {printed}");
    }
}

#[tokio::test]
async fn a_denial_of_a_path_without_an_rpc_says_so() {
    let served = ServeHarness::with(READER).await;
    let caller = served.fixture.as_caller("support");
    let channel = tonic::service::interceptor::InterceptedService::new(served.channel.clone(), caller);
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let path = "/mfagate.v1.MfaPreferenceService/AdminGetUsers".parse().unwrap();
    let status = client.unary(tonic::Request::new(()), path, codec).await.unwrap_err();
    let wanted = "permission denied, or mfagate has no such RPC; check the service and method names";
    assert_eq!((status.code(), status.message()), (tonic::Code::PermissionDenied, wanted));
}
