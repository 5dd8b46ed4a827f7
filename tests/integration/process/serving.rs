//! The real program: what it prints, what it refuses, how it ends, and what it serves beside the RPCs.

use mfagate::api::Rpc;
use mfagate::api::v1::mfa_preference_service_client::MfaPreferenceServiceClient;
use mfagate::api::v1::{AdminGetUserRequest, AdminSetUserMfaPreferenceRequest, SmsMfaSettings};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use crate::support::loopback::{listen, url_of};
use crate::support::policy_fixture::PolicyEnforcer;
use crate::support::process::Binary;
use crate::support::raw_h2::{Wire, framed, post};
use crate::support::refusal::refused;
use crate::support::test_cognito::{POOL, TestCognito, USER};

fn read_user() -> AdminGetUserRequest {
    AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: USER.to_owned() }
}

fn prefer_sms() -> AdminSetUserMfaPreferenceRequest {
    AdminSetUserMfaPreferenceRequest {
        user_pool_id: POOL.to_owned(),
        username: USER.to_owned(),
        sms_mfa_settings: Some(SmsMfaSettings { enabled: true, preferred_mfa: Some(true) }),
        ..Default::default()
    }
}

#[tokio::test]
async fn dev_prints_the_addresses_a_token_and_the_sample_request_of_aws_first() {
    let mut binary = Binary::dev(&[], &[]).await;
    let address = binary.address().await.to_string();
    let endpoint = binary.greeted("embedded Cognito");
    let token = binary.greeted("export TOKEN=");
    let text = binary.stdout();

    assert_eq!(binary.greeted("gRPC"), address);
    let cognito = TestCognito::at(&endpoint);
    assert_eq!(cognito.requests("Nothing").await.len(), 0);
    assert_eq!(token.split('.').count(), 3);

    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("grpcurl ")).collect();
    let (_, first) = lines[0].split_once("-d '").unwrap();
    let (body, rest) = first.split_once("' ").unwrap();
    let sample = json!({
        "user_pool_id": "us-west-2_EXAMPLE",
        "username": "testuser",
        "sms_mfa_settings": { "enabled": true, "preferred_mfa": true },
        "software_token_mfa_settings": { "enabled": true, "preferred_mfa": false },
    });
    assert_eq!(serde_json::from_str::<serde_json::Value>(body).unwrap(), sample);
    assert_eq!(rest, format!("{address} mfagate.v1.MfaPreferenceService/AdminSetUserMfaPreference"));
    assert!(lines[1].ends_with("MfaPreferenceService/AdminGetUser"), "{text}");
    assert!(lines.iter().all(|line| line.contains("-plaintext") && line.contains(&address)), "{text}");
    binary.end().await;
}

#[tokio::test]
async fn the_printed_token_is_one_of_the_demo_user() {
    let mut binary = Binary::dev(&[], &[]).await;
    let access_token = binary.greeted("export TOKEN=");
    let mut client = MfaPreferenceServiceClient::new(binary.channel().await);
    let user = client.get_user(mfagate::api::v1::GetUserRequest { access_token }).await.unwrap().into_inner();
    assert_eq!(user.username, USER);
}

#[tokio::test]
async fn interrupt_and_terminate_end_the_program_with_success() {
    for signal in ["INT", "TERM"] {
        let binary = Binary::dev(&[], &[]).await;
        binary.signal(signal).await;
        let ended = binary.ended().await;
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        assert!(ended.stderr.contains(&format!("SIG{signal}")), "{ended:?}");
    }
}

#[tokio::test]
async fn serve_ends_with_success_too() {
    let guard = PolicyEnforcer::open();
    let binary = Binary::serve(&guard, "http://127.0.0.1:9", &[]).await;
    binary.signal("TERM").await;
    let ended = binary.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

/// A Cognito that answers when it is told to.
struct Held {
    listener: TcpListener,
}

impl Held {
    async fn start() -> Self {
        Self { listener: listen().await }
    }

    fn url(&self) -> String {
        url_of(&self.listener)
    }

    /// The connection of a request that has come in and waits for its answer.
    async fn request(&self) -> TcpStream {
        let (mut stream, _) = self.listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        stream
    }
}

const EMPTY_ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: 2\r\n\r\n{}";

#[tokio::test]
async fn a_running_call_is_drained_while_no_new_connection_is_taken() {
    let cognito = Held::start().await;
    let mut binary = Binary::before(&cognito.url(), &[]).await;
    let address = binary.address().await;
    let mut client = MfaPreferenceServiceClient::new(binary.channel().await);
    let call = tokio::spawn(async move { client.admin_set_user_mfa_preference(prefer_sms()).await });
    let mut request = cognito.request().await;

    binary.signal("TERM").await;
    binary.logged("draining").await;
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    request.write_all(EMPTY_ANSWER).await.unwrap();
    call.await.unwrap().unwrap();

    let ended = binary.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stderr.contains("every call has ended"), "{ended:?}");
}

#[tokio::test]
async fn a_call_that_does_not_end_is_cut_off_when_the_time_to_drain_is_up() {
    let cognito = Held::start().await;
    let arguments = ["--operation-timeout", "5m", "--drain-timeout", "50ms"];
    let mut binary = Binary::before(&cognito.url(), &arguments).await;
    let mut client = MfaPreferenceServiceClient::new(binary.channel().await);
    let call = tokio::spawn(async move { client.admin_set_user_mfa_preference(prefer_sms()).await });
    let _request = cognito.request().await;

    binary.signal("TERM").await;
    let ended = binary.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stderr.contains("time to drain was up"), "{ended:?}");
    call.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn a_second_signal_ends_the_program_at_once() {
    let cognito = Held::start().await;
    let arguments = ["--operation-timeout", "5m", "--drain-timeout", "5m"];
    let mut binary = Binary::before(&cognito.url(), &arguments).await;
    let mut client = MfaPreferenceServiceClient::new(binary.channel().await);
    let call = tokio::spawn(async move { client.admin_set_user_mfa_preference(prefer_sms()).await });
    let _request = cognito.request().await;

    binary.signal("INT").await;
    binary.logged("draining").await;
    binary.signal("INT").await;
    let ended = binary.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stderr.contains("asked again"), "{ended:?}");
    call.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn a_change_whose_caller_has_left_is_waited_for() {
    let cognito = Held::start().await;
    let mut binary = Binary::before(&cognito.url(), &["--operation-timeout", "5m"]).await;
    let mut client = MfaPreferenceServiceClient::new(binary.channel().await);
    let call = tokio::spawn(async move { client.admin_set_user_mfa_preference(prefer_sms()).await });
    let mut request = cognito.request().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());

    binary.signal("TERM").await;
    binary.logged("draining").await;
    request.write_all(EMPTY_ANSWER).await.unwrap();
    let ended = binary.ended().await;
    assert!(ended.stderr.contains("cognito made a change"), "{ended:?}");
    assert!(ended.stderr.contains("every call has ended"), "{ended:?}");
}

/// Ends the program, which takes longer than any patience unless nothing is left to drain.
async fn ends_at_once(binary: Binary) {
    binary.signal("TERM").await;
    let ended = binary.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stderr.contains("every call has ended"), "{ended:?}");
}

#[tokio::test]
async fn an_open_watch_learns_of_the_end_and_does_not_hold_it_up() {
    let mut binary = Binary::dev(&["--drain-timeout", "5m"], &[]).await;
    let mut health = HealthClient::new(binary.channel().await);
    let mut watch = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let ending = tokio::spawn(ends_at_once(binary));
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert_eq!(watch.message().await.unwrap(), None);
    ending.await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_the_end_up() {
    let mut binary = Binary::dev(&["--drain-timeout", "5m"], &[]).await;
    let mut wire = Wire::connect(binary.address().await).await;
    wire.still_serves().await;
    ends_at_once(binary).await;
}

#[tokio::test]
async fn a_connection_that_never_spoke_is_cut_off() {
    let mut binary = Binary::dev(&["--drain-timeout", "50ms"], &[]).await;
    let _silent = TcpStream::connect(binary.address().await).await.unwrap();
    binary.signal("TERM").await;
    let ended = binary.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

#[tokio::test]
async fn a_reflection_stream_that_stays_open_is_cut_off() {
    let mut binary = Binary::dev(&["--drain-timeout", "50ms"], &[]).await;
    let mut client = ServerReflectionClient::new(binary.channel().await);
    let _answers = client.server_reflection_info(tokio_stream::pending()).await.unwrap();
    binary.signal("TERM").await;
    let ended = binary.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

#[tokio::test]
async fn the_data_file_keeps_the_state_across_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("state.json");
    let arguments = ["--data", data.to_str().unwrap()];

    let mut binary = Binary::dev(&arguments, &[]).await;
    let mut client = MfaPreferenceServiceClient::new(binary.channel().await);
    client.admin_set_user_mfa_preference(prefer_sms()).await.unwrap();
    binary.end().await;

    let mut binary = Binary::dev(&arguments, &[]).await;
    let mut client = MfaPreferenceServiceClient::new(binary.channel().await);
    let user = client.admin_get_user(read_user()).await.unwrap().into_inner();
    assert_eq!(user.preferred_mfa_setting.as_deref(), Some("SMS_MFA"));
    binary.end().await;
}

#[tokio::test]
async fn stray_endpoint_variables_of_the_sdk_are_ignored() {
    let stray = listen().await;
    let url = url_of(&stray);
    let variables = [
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", &url),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_MAX_ATTEMPTS", "50"),
        ("HTTP_PROXY", &url),
        ("http_proxy", &url),
    ];
    let mut binary = Binary::dev(&[], &variables).await;
    let mut client = MfaPreferenceServiceClient::new(binary.channel().await);
    client.admin_get_user(read_user()).await.unwrap();
    let accepted = tokio::select! {
        biased;
        accepted = stray.accept() => Some(accepted),
        () = std::future::ready(()) => None,
    };
    assert!(accepted.is_none());
    binary.end().await;
}

#[tokio::test]
async fn the_request_id_of_the_caller_is_answered_and_logged() {
    let mut binary = Binary::dev(&[], &[]).await;
    let mut client = MfaPreferenceServiceClient::new(binary.channel().await);
    let mut request = Request::new(AdminGetUserRequest::default());
    request.metadata_mut().insert("x-request-id", "order-4711".parse().unwrap());
    let answer = client.admin_get_user(request).await;
    let headers = answer.as_ref().unwrap_err().metadata().clone();
    let details = refused(answer, Code::InvalidArgument, "REQUEST_INVALID");
    assert_eq!(details.request_info().unwrap().request_id, "order-4711");
    assert_eq!(headers.get("x-request-id").unwrap(), "order-4711");

    let mut request = Request::new(read_user());
    request.metadata_mut().insert("x-request-id", "order-4712".parse().unwrap());
    let answered = client.admin_get_user(request).await.unwrap();
    assert_eq!(answered.metadata().get("x-request-id").unwrap(), "order-4712");

    let log = binary.end().await.stderr;
    let line = log.lines().find(|line| line.contains("call failed")).unwrap();
    assert!(line.contains("order-4711"), "{line}");
}

#[tokio::test]
async fn a_request_id_that_could_not_stand_in_the_log_is_not_there() {
    let mut binary = Binary::dev(&[], &[("RUST_LOG", "trace")]).await;
    let mut wire = Wire::connect(binary.address().await).await;
    let long = format!("hostile{}", "a".repeat(10_000));
    for id in ["hostile one", "hostile\ttwo", "hostile\"three", "hostile\u{e9}", &long] {
        let request = post(Rpc::AdminGetUser.path()).header("x-request-id", id.as_bytes()).body(()).unwrap();
        wire.refused(request, framed(b""), Code::InvalidArgument, "REQUEST_INVALID").await;
    }
    let ended = binary.end().await;
    assert!(!ended.stderr.contains("hostile"), "{ended:?}");
}

#[tokio::test]
async fn a_path_that_is_no_rpc_is_not_in_the_log() {
    let mut binary = Binary::dev(&[], &[("RUST_LOG", "trace")]).await;
    let mut wire = Wire::connect(binary.address().await).await;
    let request = post("/hostile.Service/Hostile").body(()).unwrap();
    wire.refused(request, framed(b""), Code::Unimplemented, "RPC_UNKNOWN").await;
    let ended = binary.end().await;
    assert!(!ended.stderr.contains("ostile"), "{ended:?}");
}
