//! The program behind a proxy that cuts connections, answers in Cognito's place, or prints what it was sent.

use mfagate::api::v1::software_token_service_client::SoftwareTokenServiceClient;
use mfagate::api::v1::{
    AssociateSoftwareTokenRequest, VerifySoftwareTokenRequest, associate_software_token_request,
    verify_software_token_request,
};
use serde_json::{Value, json};
use tonic::Code;

use crate::support::certificate_authority::CertificateAuthority;
use crate::support::policy_fixture::PolicyFixture;
use crate::support::process::Process;
use crate::support::raw_cognito::{End, OK, RawCognito, Script};
use crate::support::refusal::refused;
use crate::support::rpc_call::unsigned_token;
use crate::support::serve_harness::{read_user, set_sms};
use crate::support::test_cognito::POOL;

const CREDENTIALS: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "AKIABASE"), ("AWS_SECRET_ACCESS_KEY", "secret"), ("RUST_LOG", "trace")];

fn script(start: &str) -> Script {
    Script { start: start.as_bytes().to_vec(), again: Vec::new(), end: End::Fin }
}

#[tokio::test]
async fn a_tls_connection_that_is_cut_is_unreachable_and_the_record_says_that_the_change_is_not_known() {
    let authority = CertificateAuthority::new("internal");
    let fixture = PolicyFixture::allow_all();
    fixture.write("roots.pem", &authority.certificate);
    let roots = fixture.path("roots.pem");
    let environment = [&CREDENTIALS[..], &[("SSL_CERT_FILE", &roots)]].concat();
    let of = fixture.bearer("payments");
    // Before the status line, in the headers, in the body.
    for start in ["", "HTTP/1.1 200 OK\r\ncontent-", &OK.replace("content-length: 2", "content-length: 20")] {
        for good in [0, 1] {
            let raw = RawCognito::start_tls(script(start), good, &authority).await;
            let mut process = Process::serve(&fixture, &raw.url, &environment).await;
            let channel = process.channel().await;
            if good == 1 {
                set_sms(channel.clone(), &of, true, "good").await.unwrap();
            }
            let answer = set_sms(channel.clone(), &of, true, "set").await;
            let details = refused(answer, Code::Unavailable, "COGNITO_UNREACHABLE");
            let metadata = &details.error_info().unwrap().metadata;
            assert_eq!((metadata["fault"].as_str(), metadata["outcome"].as_str()), ("AWS", "UNKNOWN"));
            assert_eq!(raw.requests_on_reused_connections(), good);
            let outcome = fixture.records().last().unwrap()["outcome"].clone();
            assert_eq!(outcome, json!({ "code": "UNAVAILABLE", "reason": "COGNITO_UNREACHABLE", "change": "UNKNOWN" }));

            let details = refused(read_user(channel, Some(&of), POOL).await, Code::Unavailable, "COGNITO_UNREACHABLE");
            assert!(!details.error_info().unwrap().metadata.contains_key("outcome"));
            process.terminate().await;
        }
    }
}

#[tokio::test]
async fn a_success_without_a_request_id_is_none_in_serve_and_passes_in_dev() {
    let without_id: String = OK.split_inclusive("\r\n").filter(|line| !line.starts_with("x-amzn")).collect();
    let raw = RawCognito::start(script(&without_id), 0).await;

    let fixture = PolicyFixture::allow_all();
    let mut process = Process::serve(&fixture, &raw.url, &CREDENTIALS).await;
    let answer = set_sms(process.channel().await, &fixture.bearer("payments"), true, "set").await;
    refused(answer, Code::Internal, "COGNITO_ANSWER_UNREADABLE");
    let record = fixture.records().last().unwrap().clone();
    assert_eq!(record["kind"], "mutation");
    let outcome = json!({ "code": "INTERNAL", "reason": "COGNITO_ANSWER_UNREADABLE", "change": "UNKNOWN" });
    assert_eq!(record["outcome"], outcome);
    process.terminate().await;

    let mut process = Process::dev_with_cognito(&raw.url, &[]).await;
    let channel = process.channel().await;
    for _ in 0..3 {
        set_sms(channel.clone(), "Bearer nobody", true, "set").await.unwrap();
    }
    let log = process.terminate().await.stderr;
    assert_eq!(log.matches("the endpoint sends no request ids").count(), 1, "{log}");
}

#[tokio::test]
async fn what_a_proxy_prints_of_tokens_and_people_is_in_no_log_and_no_response() {
    let secrets = [
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.Y2FuYXJ5",
        "AKIACANARY7EXAMPLE99",
        "AWS4-HMAC-SHA256 Credential=canary/20261126/us-west-2/cognito-idp/aws4_request, SignedHeaders=host, Signature=canary",
        "arn:aws:iam::123456789012:role/canary",
        "210987654321",
        "canary@example.com",
        "+14325550100",
    ];
    let all = secrets.join(" and ");
    let error = |code: &str, message: &str| {
        let body = json!({ "__type": code, "message": message }).to_string();
        let token = secrets[0];
        format!(
            "HTTP/1.1 400 Bad Request\r\nx-amzn-requestid: {token}\r\ncontent-type: application/x-amz-json-1.1\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for (answer, code, reason) in [
        (error("InvalidParameterException", &all), Code::InvalidArgument, "INVALID_PARAMETER"),
        (error("AccessDeniedException", &all), Code::Internal, "MFAGATE_ACCESS_DENIED"),
        (error(&all, &all), Code::Unknown, "COGNITO_CODE_UNRECOGNIZED"),
        (format!("HTTP/1.1 502 Bad Gateway\r\n\r\n<p>{all}</p>"), Code::Unavailable, "COGNITO_UNAVAILABLE"),
        (format!("{all}\r\n\r\n"), Code::Internal, "COGNITO_ANSWER_UNREADABLE"),
    ] {
        let raw = RawCognito::start(script(&answer), 0).await;
        let fixture = PolicyFixture::allow_all();
        let mut process = Process::serve(&fixture, &raw.url, &CREDENTIALS).await;
        let channel = process.channel().await;
        let status = set_sms(channel, &fixture.bearer("payments"), true, "set").await.unwrap_err();
        let told = format!("{status:?} {}", String::from_utf8_lossy(status.details()));
        refused::<()>(Err(status), code, reason);
        let records: Vec<Value> = fixture.records();
        let log = process.terminate().await.stderr;
        for secret in secrets.into_iter().chain(["canary", "Y2FuYXJ5"]) {
            for place in [&told, &log, &Value::from(records.clone()).to_string()] {
                assert!(!place.contains(secret), "{secret} of {reason} is in {place}");
            }
        }
    }
}

#[tokio::test]
async fn a_response_that_is_no_success_is_recorded_as_what_the_caller_is_told() {
    let token = unsigned_token(POOL);
    for (body, associated, verified) in [
        ("{}", "COGNITO_ANSWER_UNREADABLE", "TOTP_NOT_VERIFIED"),
        ("{\"Status\": \"eyJjYW5hcnkiOiIifQ.Y2FuYXJ5\"}", "COGNITO_ANSWER_UNREADABLE", "TOTP_NOT_VERIFIED"),
    ] {
        let answer =
            OK.replace("content-length: 2\r\n\r\n{}", &format!("content-length: {}\r\n\r\n{body}", body.len()));
        let raw = RawCognito::start(script(&answer), 0).await;
        let fixture = PolicyFixture::allow_all();
        let mut process = Process::serve(&fixture, &raw.url, &CREDENTIALS).await;
        let channel = process.channel().await;
        let mut client = SoftwareTokenServiceClient::with_interceptor(channel, fixture.as_caller("payments"));
        let recorded = || fixture.records().last().unwrap()["outcome"]["reason"].clone();

        let request = AssociateSoftwareTokenRequest {
            credential: Some(associate_software_token_request::Credential::AccessToken(token.clone())),
            account_name: Some("account".to_owned()),
            allow_reenrolment: true,
            ..Default::default()
        };
        let answer = client.associate_software_token(request).await;
        let details = refused(answer, Code::Internal, associated);
        assert_eq!(details.error_info().unwrap().metadata["outcome"], "UNKNOWN");
        assert_eq!(recorded(), associated);

        let request = VerifySoftwareTokenRequest {
            credential: Some(verify_software_token_request::Credential::AccessToken(token.clone())),
            user_code: "123456".to_owned(),
            ..Default::default()
        };
        refused(client.verify_software_token(request).await, Code::InvalidArgument, verified);
        assert_eq!(recorded(), verified);
        let log = process.terminate().await.stderr;
        assert!(!log.contains("Y2FuYXJ5"), "{log}");
    }
}
