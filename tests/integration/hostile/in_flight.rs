//! What may be in flight at a time: operations of Cognito, and watches of health.

use std::time::Duration;

use mfagate::api::v1::mfa_preference_service_client::MfaPreferenceServiceClient;
use mfagate::api::v1::{AdminGetUserRequest, AdminSetUserMfaPreferenceRequest};
use mfagate::cognito::OperationLimits;
use serde_json::json;
use tokio::task::{JoinHandle, JoinSet};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::policy_fixture::PolicyFixture;
use crate::support::refusal::refused;
use crate::support::rpc_call::ANY_SETTING;
use crate::support::serve_harness::{ServeHarness, read_user};
use crate::support::test_cognito::{POOL, TestCognito, USER};
use crate::support::test_service::TestService;

/// The limit of a test's own steps, so that none hangs.
const TIMEOUT: Duration = Duration::from_secs(30);

fn read(service: &TestService) -> JoinHandle<Result<(), Status>> {
    read_of(service, USER)
}

fn read_of(service: &TestService, user: &str) -> JoinHandle<Result<(), Status>> {
    let mut client = service.preferences();
    let request = AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: user.to_owned() };
    tokio::spawn(async move { client.admin_get_user(request).await.map(drop) })
}

fn change(service: &TestService) -> JoinHandle<Result<(), Status>> {
    let mut client = service.preferences();
    let request = AdminSetUserMfaPreferenceRequest {
        user_pool_id: POOL.to_owned(),
        username: USER.to_owned(),
        sms_mfa_settings: Some(ANY_SETTING),
        ..Default::default()
    };
    tokio::spawn(async move { client.admin_set_user_mfa_preference(request).await.map(drop) })
}

/// Waits until Cognito has received so many requests.
async fn received(cognito: &TestCognito, operation: &str, number: usize) {
    let wait = async { while cognito.requests(operation).await.len() < number {} };
    tokio::time::timeout(TIMEOUT, wait).await.unwrap();
}

/// Waits until the service has room again.
async fn until_served<T>(mut call: impl AsyncFnMut() -> Result<T, Status>) {
    let wait = async { while call().await.is_err() {} };
    tokio::time::timeout(TIMEOUT, wait).await.unwrap();
}

#[track_caller]
fn over_limit<T: std::fmt::Debug>(answer: Result<T, Status>, reason: &str, limit: &str) {
    let details = refused(answer, Code::ResourceExhausted, reason);
    let metadata = &details.error_info().unwrap().metadata;
    assert_eq!((metadata["limit"].as_str(), metadata["retryable"].as_str()), (limit, "true"));
    assert!(details.retry_info().is_some());
}

#[tokio::test]
async fn while_cognito_hangs_what_is_over_the_limit_is_refused_at_once_and_health_is_served() {
    let service = TestService::with_limits(OperationLimits { total: 2, ..OperationLimits::default() }).await;
    service.cognito.inject_fault(json!({ "kind": "no_answer" })).await;
    let held = [read(&service), read(&service)];
    received(&service.cognito, "AdminGetUser", 2).await;

    let refusals = async {
        over_limit(read(&service).await.unwrap(), "SERVICE_LIMIT_EXCEEDED", "operations");
        over_limit(change(&service).await.unwrap(), "SERVICE_LIMIT_EXCEEDED", "operations");
        HealthClient::new(service.channel()).check(HealthCheckRequest::default()).await.unwrap();
    };
    // Nothing ends what is in flight before its own time limit, which is as long.
    tokio::time::timeout(TIMEOUT / 2, refusals).await.expect("refused at once");
    assert_eq!(service.cognito.operations().await.len(), 2, "nothing else was sent");

    service.cognito.clear_faults().await;
    for held in held {
        held.abort();
    }
    until_served(async || read(&service).await.unwrap()).await;
}

#[tokio::test]
async fn a_change_counts_until_it_has_ended_and_not_until_its_caller_has_left() {
    let service = TestService::with_limits(OperationLimits { total: 1, ..OperationLimits::default() }).await;
    let slow = json!({ "kind": "latency", "operation": "AdminSetUserMFAPreference", "delay_ms": 2000 });
    service.cognito.inject_fault(slow).await;
    let left = change(&service);
    received(&service.cognito, "AdminSetUserMFAPreference", 1).await;
    left.abort();
    assert!(left.await.unwrap_err().is_cancelled(), "the caller had not left");
    over_limit(read(&service).await.unwrap(), "SERVICE_LIMIT_EXCEEDED", "operations");
    until_served(async || read(&service).await.unwrap()).await;
}

#[tokio::test]
async fn a_caller_that_uses_up_its_own_limit_leaves_room_for_others() {
    let fixture = PolicyFixture::allow_all();
    let limit = ["--max-operations-per-caller".to_owned(), "1".to_owned()];
    let options = [fixture.options(), limit.to_vec()].concat();
    let service = ServeHarness::with_options(fixture, options).await;
    service.cognito.inject_fault(json!({ "kind": "no_answer", "count": 1 })).await;
    let (channel, greedy) = (service.channel.clone(), service.fixture.bearer("greedy"));
    let held = tokio::spawn(async move { read_user(channel, Some(&greedy), POOL).await });
    received(&service.cognito, "AdminGetUser", 1).await;

    over_limit(service.read_as("greedy", POOL).await, "CALLER_LIMIT_EXCEEDED", "operations");
    service.read_as("other", POOL).await.unwrap();
    held.abort();
    until_served(async || service.read_as("greedy", POOL).await).await;
}

#[tokio::test]
async fn a_region_that_hangs_leaves_room_for_the_others() {
    let limits = OperationLimits { total: 8, per_region: 1, ..OperationLimits::default() };
    let service = TestService::with_limits(limits).await;
    service.cognito.inject_fault(json!({ "kind": "no_answer", "count": 1 })).await;
    let _held = read(&service);
    received(&service.cognito, "AdminGetUser", 1).await;
    over_limit(read(&service).await.unwrap(), "SERVICE_LIMIT_EXCEEDED", "operations");

    let elsewhere = AdminGetUserRequest { user_pool_id: "eu-west-1_ELSEWHERE".to_owned(), username: USER.to_owned() };
    let answer = MfaPreferenceServiceClient::new(service.channel()).admin_get_user(elsewhere).await;
    refused(answer, Code::NotFound, "RESOURCE_NOT_FOUND");
}

/// Opens watches from one address until one is refused, and returns those that are open.
pub(crate) async fn watches(channel: Channel) -> (Vec<tonic::Streaming<impl Sized>>, Status) {
    let mut open = Vec::new();
    loop {
        match HealthClient::new(channel.clone()).watch(HealthCheckRequest::default()).await {
            Ok(watch) => open.push(watch.into_inner()),
            Err(refusal) => return (open, refusal),
        }
    }
}

#[tokio::test]
async fn the_watches_of_one_address_are_limited_and_checks_go_on() {
    let service = TestService::start().await;
    let (open, refusal) = tokio::time::timeout(TIMEOUT, watches(service.channel())).await.expect("there is a limit");
    assert_eq!(open.len(), 64);
    over_limit::<()>(Err(refusal), "CALLER_LIMIT_EXCEEDED", "watches");
    let health = HealthClient::new(service.channel());
    health.clone().check(HealthCheckRequest::default()).await.unwrap();
    drop(open);
    until_served(async || health.clone().watch(HealthCheckRequest::default()).await).await;
}

#[tokio::test]
async fn a_burst_beyond_the_limit_is_served_up_to_it() {
    let service = TestService::with_limits(OperationLimits { total: 4, ..OperationLimits::default() }).await;
    let users = service.cognito.new_users(32).await;
    let slow = json!({ "kind": "latency", "operation": "AdminGetUser", "delay_ms": 200 });
    service.cognito.inject_fault(slow).await;
    let mut calls = JoinSet::new();
    for user in users {
        let call = read_of(&service, &user);
        calls.spawn(async move { call.await.unwrap() });
    }
    let (served, refused): (Vec<_>, Vec<_>) = calls.join_all().await.into_iter().partition(Result::is_ok);
    assert!(served.len() >= 4 && !refused.is_empty(), "{} served, {} refused", served.len(), refused.len());
    for answer in refused {
        over_limit(answer, "SERVICE_LIMIT_EXCEEDED", "operations");
    }
}
