//! Identical reads at the same time are one request to Cognito, and never miss a change that was made before them.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tonic::{Code, Request};

use super::{Caller, LONG, USUAL, serve, serve_for};
use crate::support::fake_sts::{FakeSts, ROLE};
use crate::support::policy_fixture::PolicyFixture;
use crate::support::refusal::refused;
use crate::support::serve_harness::ServeHarness;
use crate::support::test_cognito::{POOL, USER};
use mfagate::api::v1::AdminGetUserRequest;
use mfagate::api::v1::mfa_preference_service_client::MfaPreferenceServiceClient;

/// Longer than it takes for many calls to arrive.
const SLOW: Duration = Duration::from_millis(1500);

async fn slow_down(service: &ServeHarness) {
    let delay = u64::try_from(SLOW.as_millis()).unwrap();
    service.cognito.inject_fault(json!({ "kind": "latency", "operation": "AdminGetUser", "delay_ms": delay })).await;
}

async fn sent(service: &ServeHarness) -> usize {
    service.cognito.requests("AdminGetUser").await.len()
}

async fn until_sent(service: &ServeHarness, number: usize) {
    let wait = async { while sent(service).await < number {} };
    tokio::time::timeout(LONG, wait).await.unwrap();
}

/// The factors of the user, as a read by this caller has them.
async fn factors(service: &ServeHarness, caller: Caller) -> Vec<i32> {
    let message = AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: USER.to_owned() };
    let request: Request<_> = caller.request(service, message);
    let answer = MfaPreferenceServiceClient::new(service.channel.clone()).admin_get_user(request).await.unwrap();
    answer.into_inner().user_mfa_setting_list
}

#[tokio::test]
async fn identical_reads_of_several_callers_are_one_request() {
    let service = serve(&["--workers", "1"]).await;
    slow_down(&service).await;
    let mut reads = JoinSet::new();
    for number in 0..90 {
        let name = ["a", "b", "c"][number % 3];
        reads.spawn(Caller { name, ..USUAL }.read(&service, USER));
    }
    for answer in reads.join_all().await {
        answer.unwrap();
    }
    // The first is sent at once. Those that came meanwhile are one more, or a few where they took long to arrive.
    let sent = sent(&service).await;
    assert!((2..=10).contains(&sent), "{sent} of 90");
    // Each was decided and recorded for itself.
    let records = service.fixture.records();
    assert_eq!(records.iter().filter(|record| record["kind"] == "decision").count(), 90);
}

#[tokio::test]
async fn reads_that_wait_for_their_turn_are_one_request_and_take_one_turn() {
    let service = serve(&["--workers", "1", "--quota", "USER_READ=1/1"]).await;
    let mut reads = JoinSet::new();
    for _ in 0..20 {
        reads.spawn(USUAL.read(&service, USER));
    }
    for answer in reads.join_all().await {
        answer.unwrap();
    }
    // By themselves they would take twenty seconds.
    let sent = sent(&service).await;
    assert!((2..=4).contains(&sent), "{sent} of 20");
}

#[tokio::test]
async fn reads_of_others_and_other_reads_are_requests_of_their_own() {
    let service = serve(&["--workers", "1"]).await;
    let users = service.cognito.new_users(20).await;
    slow_down(&service).await;
    let mut reads = JoinSet::new();
    for user in &users {
        reads.spawn(USUAL.read(&service, user));
    }
    for answer in reads.join_all().await {
        answer.unwrap();
    }
    assert_eq!(sent(&service).await, users.len());
}

#[tokio::test]
async fn a_change_that_was_made_before_a_read_began_is_never_missed_whoever_made_it() {
    let service = serve(&["--workers", "1"]).await;
    // The response to the first read is of before the change, and takes long.
    let before = service.cognito.perform_on("AdminGetUser", USER).await;
    let delay = u64::try_from(SLOW.as_millis()).unwrap();
    let late = json!({ "kind": "replace", "operation": "AdminGetUser", "count": 1, "delay_ms": delay, "body": before });
    service.cognito.inject_fault(late).await;
    let early = tokio::spawn(USUAL.read(&service, USER));
    until_sent(&service, 2).await;
    let enabled = json!({ "Enabled": true, "PreferredMfa": true });
    let change = json!({ "UserPoolId": POOL, "Username": USER, "SMSMfaSettings": enabled });
    service.cognito.perform("AdminSetUserMFAPreference", change).await;
    let after = service.cognito.perform_on("AdminGetUser", USER).await;
    assert_ne!(before["UserMFASettingList"], after["UserMFASettingList"], "the change shows");

    let expected = after["UserMFASettingList"].as_array().unwrap().len();
    let (a, b) = tokio::join!(factors(&service, USUAL), factors(&service, Caller { name: "another", ..USUAL }));
    assert_eq!((a.len(), b.len()), (expected, expected), "as after the change");
    early.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_caller_that_leaves_or_has_no_time_takes_nothing_from_those_that_wait_for_its_request() {
    let service = serve(&["--workers", "1"]).await;
    slow_down(&service).await;
    let first = tokio::spawn(USUAL.read(&service, USER));
    until_sent(&service, 1).await;
    // These two wait for the first, and the impatient one sends.
    let impatient = tokio::spawn(Caller { timeout: SLOW / 3, ..USUAL }.read(&service, USER));
    let patient = tokio::spawn(USUAL.read(&service, USER));
    until_sent(&service, 2).await;
    first.abort();
    let code = impatient.await.unwrap().unwrap_err().code();
    assert!([Code::DeadlineExceeded, Code::Cancelled].contains(&code), "{code:?}");
    patient.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_cognito_says_of_a_shared_request_all_are_told() {
    let service = serve(&["--workers", "1"]).await;
    slow_down(&service).await;
    let mut reads = JoinSet::new();
    for _ in 0..20 {
        reads.spawn(USUAL.read(&service, "nobody"));
    }
    for answer in reads.join_all().await {
        refused(answer, Code::NotFound, "USER_NOT_FOUND");
    }
    let sent = sent(&service).await;
    assert!((2..=4).contains(&sent), "{sent} of 20");
}

#[tokio::test]
async fn callers_that_read_under_roles_of_their_own_share_nothing() {
    let sts = FakeSts::start().await;
    let fixture = PolicyFixture::allow_all();
    let role = ["--assume-role", ROLE, "--sts-endpoint", &sts.url];
    let service = serve_for(fixture, &[&["--workers", "1"], role.as_slice()].concat()).await;
    slow_down(&service).await;
    let mut reads = JoinSet::new();
    for name in ["a", "b", "c", "d"] {
        reads.spawn(Caller { name, ..USUAL }.read(&service, USER));
    }
    for answer in reads.join_all().await {
        answer.unwrap();
    }
    assert_eq!(sent(&service).await, 4);
}
