//! What the program says of its readiness: what it lacks, and that it lacks it no longer.

use std::time::Duration;

use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::jwks_server::{JwksReply, JwksServer};
use crate::support::policy_fixture::PolicyFixture;
use crate::support::process::{Process, command_line};
use crate::support::serve_harness::{AWS_CREDENTIALS, ServeHarness, read_user};
use crate::support::test_cognito::{POOL, TestCognito};

const TIMEOUT: Duration = Duration::from_secs(30);

async fn health(channel: &Channel, name: &str) -> ServingStatus {
    let request = HealthCheckRequest { service: name.to_owned() };
    HealthClient::new(channel.clone()).check(request).await.unwrap().into_inner().status()
}

async fn until(channel: &Channel, name: &str, wanted: ServingStatus) {
    let wait = async { while health(channel, name).await != wanted {} };
    tokio::time::timeout(TIMEOUT, wait).await.unwrap();
}

#[tokio::test]
async fn without_aws_credentials_it_is_not_ready() {
    let cognito = TestCognito::start().await;
    let fixture = PolicyFixture::allow_all();
    let environment = [
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ];
    let mut process = Process::serve(&fixture, &cognito.url, &environment).await;
    process.wait_for_log("not ready missing=no AWS credentials").await;
    let channel = process.channel().await;
    assert_eq!(health(&channel, "").await, ServingStatus::NotServing);
    assert_eq!(health(&channel, "mfagate.v1.PoolConfigService").await, ServingStatus::NotServing);
    assert_eq!(health(&channel, "upstream").await, ServingStatus::Serving);
    assert_eq!(health(&channel, "audit").await, ServingStatus::Serving);
}

#[tokio::test]
async fn without_a_key_set_it_is_not_ready_until_one_was_read() {
    let fixture = PolicyFixture::allow_all();
    let keys = JwksServer::start(JwksReply::Status(503)).await;
    let options = fixture.options_with(&[("--jwks-file", ""), ("--jwks-url", &keys.url())]);
    let cognito = TestCognito::start().await;
    let mut process = Process::serve_with(&options, &cognito.url, AWS_CREDENTIALS).await;
    let channel = process.channel().await;
    assert_eq!(health(&channel, "").await, ServingStatus::NotServing);
    keys.reply_with(JwksReply::Body(fixture.read("jwks.json")));
    process.reload().await;
    until(&channel, "", ServingStatus::Serving).await;
    process.wait_for_log("ready again").await;
}

#[tokio::test]
async fn with_an_audit_log_that_cannot_be_written_it_is_not_ready_until_it_can_without_any_call() {
    let fixture = PolicyFixture::allow_all();
    let (directory, moved) = (fixture.path("records"), fixture.path("moved"));
    std::fs::create_dir(&directory).unwrap();
    let options = fixture.options_with_audit_log(&format!("{directory}/audit.jsonl"));
    let mut harness = ServeHarness::with_options(fixture, options).await;
    assert_eq!(health(&harness.channel, "").await, ServingStatus::Serving);

    std::fs::rename(&directory, &moved).unwrap();
    let bearer = harness.fixture.bearer("tests");
    read_user(harness.channel.clone(), Some(&bearer), POOL).await.unwrap();
    until(&harness.channel, "audit", ServingStatus::NotServing).await;
    until(&harness.channel, "", ServingStatus::NotServing).await;
    assert_eq!(health(&harness.channel, "upstream").await, ServingStatus::Serving);

    std::fs::rename(&moved, &directory).unwrap();
    until(&harness.channel, "", ServingStatus::Serving).await;
    until(&harness.channel, "audit", ServingStatus::Serving).await;
    harness.process.wait_for_log("ready again").await;
}

#[tokio::test]
async fn dev_is_ready_at_once() {
    let mut process = Process::start(&command_line(&["dev", "--listen", "127.0.0.1:0"], &[]), &[]);
    let channel = process.channel().await;
    for name in ["", "upstream", "audit"] {
        assert_eq!(health(&channel, name).await, ServingStatus::Serving, "{name}");
    }
}
