//! The running program: what it prints, how it shuts down, and what it serves besides the RPCs.

use std::collections::BTreeSet;

use mfagate::api::Rpc;
use mfagate::api::v1::mfa_preference_service_client::MfaPreferenceServiceClient;
use mfagate::api::v1::{AdminGetUserRequest, AdminSetUserMfaPreferenceRequest, MfaFactor, SmsMfaSettings};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use crate::support::loopback::{listen, url_of};
use crate::support::policy_fixture::PolicyFixture;
use crate::support::process::Process;
use crate::support::raw_h2::{RawClient, framed, grpc_request};
use crate::support::refusal::refused;
use crate::support::serve_harness::AWS_CREDENTIALS;
use crate::support::test_cognito::{POOL, TestCognito, USER};

fn read_user() -> AdminGetUserRequest {
    AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: USER.to_owned() }
}

fn prefer_sms() -> AdminSetUserMfaPreferenceRequest {
    AdminSetUserMfaPreferenceRequest {
        user_pool_id: POOL.to_owned(),
        username: USER.to_owned(),
        sms_mfa_settings: Some(SmsMfaSettings { enabled: Some(true), preferred_mfa: Some(true) }),
        ..Default::default()
    }
}

#[tokio::test]
async fn dev_prints_the_addresses_a_token_and_the_sample_request_of_aws_first() {
    let mut process = Process::dev(&[], &[]).await;
    let address = process.address().await.to_string();
    let endpoint = process.banner_value("embedded Cognito");
    let token = process.banner_value("export TOKEN=");
    let text = process.stdout();

    assert_eq!(process.banner_value("gRPC"), address);
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
    process.terminate().await;
}

#[tokio::test]
async fn the_printed_token_belongs_to_the_demo_user() {
    let mut process = Process::dev(&[], &[]).await;
    let access_token = process.banner_value("export TOKEN=");
    let mut client = MfaPreferenceServiceClient::new(process.channel().await);
    let user = client.get_user(mfagate::api::v1::GetUserRequest { access_token }).await.unwrap().into_inner();
    assert_eq!(user.username, USER);
}

#[tokio::test]
async fn the_soft_limit_of_open_files_is_raised_to_the_hard_one() {
    let process = Process::dev_with_open_files(200).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.id())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let [soft, hard, _] = line.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{line}") };
    assert_eq!(soft, hard);
}

#[tokio::test]
async fn sigint_and_sigterm_stop_the_program_with_success() {
    for signal in ["INT", "TERM"] {
        let process = Process::dev(&[], &[]).await;
        process.signal(signal).await;
        let exit = process.wait().await;
        assert_eq!(exit.status.code(), Some(0), "{exit:?}");
        assert!(exit.stderr.contains(&format!("SIG{signal}")), "{exit:?}");
    }
}

#[tokio::test]
async fn serve_exits_with_success_too() {
    let fixture = PolicyFixture::allow_all();
    let process = Process::serve(&fixture, "http://127.0.0.1:9", &[]).await;
    process.signal("TERM").await;
    let exit = process.wait().await;
    assert_eq!(exit.status.code(), Some(0), "{exit:?}");
}

/// A Cognito that responds when the test says so.
struct HeldCognito {
    listener: TcpListener,
}

impl HeldCognito {
    async fn start() -> Self {
        Self { listener: listen().await }
    }

    fn url(&self) -> String {
        url_of(&self.listener)
    }

    /// The connection of a request that has arrived and waits for its response.
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
    let cognito = HeldCognito::start().await;
    let mut process = Process::dev_with_cognito(&cognito.url(), &[]).await;
    let address = process.address().await;
    let mut client = MfaPreferenceServiceClient::new(process.channel().await);
    let call = tokio::spawn(async move { client.admin_set_user_mfa_preference(prefer_sms()).await });
    let mut request = cognito.request().await;

    process.signal("TERM").await;
    process.wait_for_log("draining").await;
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    request.write_all(EMPTY_ANSWER).await.unwrap();
    call.await.unwrap().unwrap();

    let exit = process.wait().await;
    assert_eq!(exit.status.code(), Some(0), "{exit:?}");
    assert!(exit.stderr.contains("drained"), "{exit:?}");
}

#[tokio::test]
async fn the_running_calls_of_all_workers_are_drained() {
    let cognito = HeldCognito::start().await;
    let mut process = Process::dev_with_cognito(&cognito.url(), &["--workers", "3", "--drain-timeout", "5m"]).await;
    let (mut calls, mut requests) = (JoinSet::new(), Vec::new());
    // All are open at once, so that each worker has two.
    for _ in 0..6 {
        let mut client = MfaPreferenceServiceClient::new(process.channel().await);
        calls.spawn(async move { client.admin_set_user_mfa_preference(prefer_sms()).await });
        requests.push(cognito.request().await);
    }

    process.signal("TERM").await;
    process.wait_for_log("draining").await;
    for mut request in requests {
        request.write_all(EMPTY_ANSWER).await.unwrap();
    }
    for ended in calls.join_all().await {
        ended.unwrap();
    }
    let exit = process.wait().await;
    assert_eq!(exit.status.code(), Some(0), "{exit:?}");
    assert!(exit.stderr.contains("drained"), "{exit:?}");
}

#[tokio::test]
async fn a_call_that_does_not_finish_is_aborted_at_the_drain_timeout() {
    let cognito = HeldCognito::start().await;
    let arguments = ["--operation-timeout", "5m", "--drain-timeout", "50ms"];
    let mut process = Process::dev_with_cognito(&cognito.url(), &arguments).await;
    let mut client = MfaPreferenceServiceClient::new(process.channel().await);
    let call = tokio::spawn(async move { client.admin_set_user_mfa_preference(prefer_sms()).await });
    let _request = cognito.request().await;

    process.signal("TERM").await;
    let exit = process.wait().await;
    assert_eq!(exit.status.code(), Some(0), "{exit:?}");
    assert!(exit.stderr.contains("drain timeout, aborting calls"), "{exit:?}");
    call.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn a_second_signal_stops_the_program_at_once() {
    let cognito = HeldCognito::start().await;
    let arguments = ["--operation-timeout", "5m", "--drain-timeout", "5m"];
    let mut process = Process::dev_with_cognito(&cognito.url(), &arguments).await;
    let mut client = MfaPreferenceServiceClient::new(process.channel().await);
    let call = tokio::spawn(async move { client.admin_set_user_mfa_preference(prefer_sms()).await });
    let _request = cognito.request().await;

    process.signal("INT").await;
    process.wait_for_log("draining").await;
    process.signal("INT").await;
    let exit = process.wait().await;
    assert_eq!(exit.status.code(), Some(0), "{exit:?}");
    assert!(exit.stderr.contains("second signal"), "{exit:?}");
    call.await.unwrap().unwrap_err();
}

/// The last record, after the program has ended while a change was in flight: what it says of the change.
async fn record_of_an_abandoned_change(drain_timeout: &str, signals: usize) {
    let (fixture, cognito) = (PolicyFixture::allow_all(), HeldCognito::start().await);
    let limits = ["--operation-timeout", "5m", "--drain-timeout", drain_timeout].map(str::to_owned);
    let options = [fixture.options(), limits.to_vec()].concat();
    let mut process = Process::serve_with(&options, &cognito.url(), AWS_CREDENTIALS).await;
    let client = process.channel().await;
    let mut client = MfaPreferenceServiceClient::with_interceptor(client, fixture.as_caller("caller"));
    let call = tokio::spawn(async move { client.admin_set_user_mfa_preference(prefer_sms()).await });
    let _request = cognito.request().await;

    for _ in 0..signals {
        process.signal("TERM").await;
        process.wait_for_log("draining").await;
    }
    let exit = process.wait().await;
    assert_eq!(exit.status.code(), Some(0), "{exit:?}");
    let records = fixture.records();
    let [decision, mutation] = &records[..] else { panic!("{records:?}") };
    assert_eq!(mutation["kind"], "mutation");
    assert_eq!(mutation["request_id"], decision["request_id"]);
    let outcome = json!({ "code": "DEADLINE_EXCEEDED", "reason": "DEADLINE_EXCEEDED", "change": "UNKNOWN" });
    assert_eq!(mutation["outcome"], outcome);
    // The log names it as well, for an operator without the audit log.
    let id = mutation["request_id"].as_str().unwrap();
    let line = exit.stderr.lines().find(|line| line.contains("mutation outcome unknown"));
    assert!(line.is_some_and(|line| line.contains(id)), "{exit:?}");
    call.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn a_change_that_outlives_the_drain_is_recorded_as_unknown() {
    record_of_an_abandoned_change("50ms", 1).await;
}

#[tokio::test]
async fn a_change_in_flight_at_a_second_signal_is_recorded_as_unknown() {
    record_of_an_abandoned_change("5m", 2).await;
}

#[tokio::test]
async fn a_change_whose_caller_has_left_is_waited_for() {
    let cognito = HeldCognito::start().await;
    let mut process = Process::dev_with_cognito(&cognito.url(), &["--operation-timeout", "5m"]).await;
    let mut client = MfaPreferenceServiceClient::new(process.channel().await);
    let call = tokio::spawn(async move { client.admin_set_user_mfa_preference(prefer_sms()).await });
    let mut request = cognito.request().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());

    process.signal("TERM").await;
    process.wait_for_log("draining").await;
    request.write_all(EMPTY_ANSWER).await.unwrap();
    let exit = process.wait().await;
    assert!(exit.stderr.contains("mutation succeeded"), "{exit:?}");
    assert!(exit.stderr.contains("drained"), "{exit:?}");
}

/// Terminates the program, which would exceed every timeout if anything were left to drain.
async fn terminates_at_once(process: Process) {
    process.signal("TERM").await;
    let exit = process.wait().await;
    assert_eq!(exit.status.code(), Some(0), "{exit:?}");
    assert!(exit.stderr.contains("drained"), "{exit:?}");
}

#[tokio::test]
async fn an_open_watch_is_told_of_the_shutdown_and_does_not_delay_it() {
    let mut process = Process::dev(&["--drain-timeout", "5m"], &[]).await;
    let mut health = HealthClient::new(process.channel().await);
    let mut watch = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let ending = tokio::spawn(terminates_at_once(process));
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert_eq!(watch.message().await.unwrap(), None);
    ending.await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_does_not_delay_the_shutdown() {
    let mut process = Process::dev(&["--drain-timeout", "5m"], &[]).await;
    let mut raw = RawClient::connect(process.address().await).await;
    raw.still_serves().await;
    terminates_at_once(process).await;
}

#[tokio::test]
async fn a_silent_connection_is_closed_at_the_drain_timeout() {
    let mut process = Process::dev(&["--drain-timeout", "50ms"], &[]).await;
    let _silent = TcpStream::connect(process.address().await).await.unwrap();
    process.signal("TERM").await;
    let exit = process.wait().await;
    assert_eq!(exit.status.code(), Some(0), "{exit:?}");
}

#[tokio::test]
async fn an_open_reflection_stream_is_closed_at_the_drain_timeout() {
    let mut process = Process::dev(&["--drain-timeout", "50ms"], &[]).await;
    let mut client = ServerReflectionClient::new(process.channel().await);
    let _answers = client.server_reflection_info(tokio_stream::pending()).await.unwrap();
    process.signal("TERM").await;
    let exit = process.wait().await;
    assert_eq!(exit.status.code(), Some(0), "{exit:?}");
}

#[tokio::test]
async fn the_data_file_keeps_the_state_across_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("state.json");
    let arguments = ["--data", data.to_str().unwrap()];

    let mut process = Process::dev(&arguments, &[]).await;
    let mut client = MfaPreferenceServiceClient::new(process.channel().await);
    client.admin_set_user_mfa_preference(prefer_sms()).await.unwrap();
    process.terminate().await;

    let mut process = Process::dev(&arguments, &[]).await;
    let mut client = MfaPreferenceServiceClient::new(process.channel().await);
    let user = client.admin_get_user(read_user()).await.unwrap().into_inner();
    assert_eq!(user.preferred_mfa_setting(), MfaFactor::Sms);
    process.terminate().await;
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
    let mut process = Process::dev(&[], &variables).await;
    let mut client = MfaPreferenceServiceClient::new(process.channel().await);
    client.admin_get_user(read_user()).await.unwrap();
    let accepted = tokio::select! {
        biased;
        accepted = stray.accept() => Some(accepted),
        () = std::future::ready(()) => None,
    };
    assert!(accepted.is_none());
    process.terminate().await;
}

#[tokio::test]
async fn a_request_id_is_ours_and_the_callers_own_is_logged_beside_it() {
    let mut process = Process::dev(&[], &[]).await;
    let mut client = MfaPreferenceServiceClient::new(process.channel().await);
    let mut request = Request::new(AdminGetUserRequest::default());
    request.metadata_mut().insert("x-request-id", "order-4711".parse().unwrap());
    let answer = client.admin_get_user(request).await;
    let headers = answer.as_ref().unwrap_err().metadata().clone();
    let details = refused(answer, Code::InvalidArgument, "REQUEST_INVALID");
    let ours = details.request_info().unwrap().request_id.clone();
    assert!(ours.len() == 32 && ours.bytes().all(|byte| byte.is_ascii_hexdigit()), "{ours}");
    assert_eq!(headers.get("x-request-id").unwrap(), ours.as_str());

    let mut answered = BTreeSet::from([ours.clone()]);
    for _ in 0..2 {
        let mut request = Request::new(read_user());
        request.metadata_mut().insert("x-request-id", "order-4711".parse().unwrap());
        let response = client.admin_get_user(request).await.unwrap();
        answered.insert(response.metadata().get("x-request-id").unwrap().to_str().unwrap().to_owned());
    }
    assert_eq!(answered.len(), 3, "a caller that repeats its own id gets another of ours: {answered:?}");

    let log = process.terminate().await.stderr;
    let line = log.lines().find(|line| line.contains("call failed")).unwrap();
    assert!(line.contains("caller_request_id=\"order-4711\"") && line.contains(&ours), "{line}");
}

#[tokio::test]
async fn a_request_id_that_is_unsafe_in_the_log_is_not_logged() {
    let mut process = Process::dev(&[], &[("RUST_LOG", "trace")]).await;
    let mut raw = RawClient::connect(process.address().await).await;
    let long = format!("hostile{}", "a".repeat(10_000));
    for id in ["hostile one", "hostile\ttwo", "hostile\"three", "hostile\u{e9}", &long] {
        let request = grpc_request(Rpc::AdminGetUser.path()).header("x-request-id", id.as_bytes()).body(()).unwrap();
        raw.refused(request, framed(b""), Code::InvalidArgument, "REQUEST_INVALID").await;
    }
    let exit = process.terminate().await;
    assert!(!exit.stderr.contains("hostile"), "{exit:?}");
}

#[tokio::test]
async fn a_path_that_is_not_an_rpc_is_not_in_the_log() {
    let mut process = Process::dev(&[], &[("RUST_LOG", "trace")]).await;
    let mut raw = RawClient::connect(process.address().await).await;
    let request = grpc_request("/hostile.Service/Hostile").body(()).unwrap();
    raw.refused(request, framed(b""), Code::Unimplemented, "RPC_UNKNOWN").await;
    let exit = process.terminate().await;
    assert!(!exit.stderr.contains("ostile"), "{exit:?}");
}

#[tokio::test]
async fn the_ready_file_of_dev_says_where_everything_is_and_is_there_only_while_it_is_true() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ready.json");
    let path = file.to_str().unwrap();
    std::fs::write(&file, "stale").unwrap();
    let mut process = Process::dev(&["--ready-file", path, "--embedded-issuer", "embedded"], &[]).await;
    while !file.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    // It appears as a whole, so the first reading is valid.
    let ready: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let text = |name: &str| ready[name].as_str().unwrap().to_owned();
    let token = text("access_token");
    assert_eq!(
        ready,
        json!({
            "grpc": process.address().await.to_string(),
            "cognito": process.banner_value("embedded Cognito"),
            "region": "us-west-2",
            "user_pool_id": POOL,
            "client_id": cognito_emulator::demo::CLIENT_ID,
            "username": USER,
            "password": cognito_emulator::demo::PASSWORD,
            "access_token": token,
        })
    );
    let claims = data_encoding::BASE64URL_NOPAD.decode(token.split('.').nth(1).unwrap().as_bytes()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["iss"], format!("{}/{POOL}", text("cognito")));
    let channel = process.channel().await;
    let request = mfagate::api::v1::GetUserRequest { access_token: token };
    let user = MfaPreferenceServiceClient::new(channel).get_user(request).await.unwrap().into_inner();
    assert_eq!(user.username, USER);
    process.terminate().await;
    assert!(!file.exists());
    assert!(std::fs::read_dir(directory.path()).unwrap().next().is_none(), "no draft is left");
}

#[tokio::test]
async fn a_ready_file_that_cannot_be_written_is_named() {
    let exit = Process::run(&["dev", "--listen", "127.0.0.1:0", "--ready-file", "/proc/no/ready.json"], &[]).await;
    assert_eq!(exit.status.code(), Some(1), "{exit:?}");
    assert!(exit.stderr.contains("the ready file /proc/no/ready.json cannot be written"), "{exit:?}");
}
