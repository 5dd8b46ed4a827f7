//! A Region that does not respond: calls are refused at once, its state has a name in health, and one caller cannot bring that about.

use std::time::{Duration, Instant};

use mfagate::api::v1::AdminGetUserRequest;
use serde_json::json;
use tokio::task::JoinSet;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

use crate::support::loopback::unused_url;
use crate::support::refusal::refused;
use crate::support::test_cognito::{POOL, USER};
use crate::support::test_service::TestService;

/// The limit of a test's own steps, so that none hangs.
const TIMEOUT: Duration = Duration::from_secs(30);

/// As many operations as the circuit needs to open.
const ENOUGH: usize = 20;

fn read_user() -> AdminGetUserRequest {
    AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: USER.to_owned() }
}

/// So many reads at once.
/// Reads of so many users, of which none need be there.
async fn reads(service: &TestService, number: usize) -> Vec<Result<(), Status>> {
    let mut reads = JoinSet::new();
    for number in 0..number {
        let mut client = service.preferences();
        let read = AdminGetUserRequest { username: format!("user-{number}"), ..read_user() };
        reads.spawn(async move { client.admin_get_user(read).await.map(drop) });
    }
    reads.join_all().await
}

async fn health(service: &TestService, name: &str) -> ServingStatus {
    let request = HealthCheckRequest { service: name.to_owned() };
    HealthClient::new(service.channel()).check(request).await.unwrap().into_inner().status()
}

async fn until_health(service: &TestService, name: &str, wanted: ServingStatus) {
    let wait = async { while health(service, name).await != wanted {} };
    tokio::time::timeout(TIMEOUT, wait).await.unwrap();
}

/// The refusal of a service before nothing, once its circuit is open.
pub(crate) async fn refusal() -> Status {
    let service = TestService::with_cognito_at(&unused_url()).await;
    reads(&service, ENOUGH).await;
    service.preferences().admin_get_user(read_user()).await.unwrap_err()
}

#[tokio::test]
async fn a_region_that_does_not_respond_is_left_alone_until_a_probe_finds_it_well() {
    let service = TestService::start().await;
    service.preferences().admin_get_user(read_user()).await.unwrap();
    assert_eq!(health(&service, "upstream").await, ServingStatus::Serving);
    service.cognito.inject_fault(json!({ "kind": "reset" })).await;
    for answer in reads(&service, ENOUGH).await {
        refused(answer, Code::Unavailable, "COGNITO_UNREACHABLE");
    }
    let sent = service.cognito.requests("AdminGetUser").await.len();

    let answer = service.preferences().admin_get_user(read_user()).await;
    let details = refused(answer, Code::Unavailable, "COGNITO_CIRCUIT_OPEN");
    let pause = details.retry_info().unwrap().retry_delay.unwrap();
    assert!(pause <= Duration::from_secs(1), "{pause:?}");
    assert_eq!(service.cognito.requests("AdminGetUser").await.len(), sent, "nothing was sent");
    // Another replica's Cognito is the same, so this one stays where it is.
    until_health(&service, "upstream", ServingStatus::NotServing).await;
    assert_eq!(health(&service, "").await, ServingStatus::Serving);

    service.cognito.clear_faults().await;
    let recovered = async { while service.preferences().admin_get_user(read_user()).await.is_err() {} };
    tokio::time::timeout(TIMEOUT, recovered).await.unwrap();
    until_health(&service, "upstream", ServingStatus::Serving).await;
    for answer in reads(&service, ENOUGH).await {
        refused(answer, Code::NotFound, "USER_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_caller_without_time_does_not_make_a_region_look_down() {
    let service = TestService::start().await;
    service.cognito.inject_fault(json!({ "kind": "no_answer" })).await;
    let mut hurried = JoinSet::new();
    for number in 0..2 * ENOUGH {
        let mut client = service.untimed_client();
        let mut request = Request::new(AdminGetUserRequest { username: format!("user-{number}"), ..read_user() });
        request.set_timeout(Duration::from_millis(300));
        hurried.spawn(async move { client.admin_get_user(request).await.map(drop) });
    }
    for answer in hurried.join_all().await {
        assert_eq!(answer.unwrap_err().code(), Code::DeadlineExceeded);
    }
    service.cognito.clear_faults().await;
    service.preferences().admin_get_user(read_user()).await.unwrap();
}

#[tokio::test]
async fn a_user_for_whom_cognito_has_internal_errors_does_not_make_a_region_look_down() {
    let service = TestService::start().await;
    service.cognito.inject_error("AdminGetUser", "InternalErrorException", "for this user").await;
    reads(&service, 2 * ENOUGH).await;
    service.cognito.clear_faults().await;
    service.preferences().admin_get_user(read_user()).await.unwrap();
}

#[tokio::test]
async fn retries_have_a_budget_which_time_fills() {
    const READS: usize = 200;
    /// At 5 tokens each.
    const BUDGET: usize = 100;
    let service = TestService::start().await;
    let began = Instant::now();
    service.cognito.inject_error("AdminGetUser", "TooManyRequestsException", "Rate exceeded").await;
    for answer in reads(&service, READS).await {
        let details = answer.unwrap_err().get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "RATE_LIMITED");
    }
    let sent = service.cognito.requests("AdminGetUser").await.len();
    let filled = usize::try_from(began.elapsed().as_secs() + 1).unwrap() * 5;
    assert!((READS + BUDGET..=READS + BUDGET + filled).contains(&sent), "{sent} of {READS} and {filled}");
}
