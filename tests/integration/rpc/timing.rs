//! Time: deadlines, retries, and changes whose caller has left.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mfagate::api::Rpc;
use mfagate::api::v1::{AdminGetUserRequest, AdminSetUserMfaPreferenceRequest, SmsMfaSettings};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request};

use crate::support::process::Process;
use crate::support::refusal::refused;
use crate::support::rpc_call::{call_in_pool, operation, unsigned_token};
use crate::support::test_cognito::{POOL, TestCognito, USER};
use crate::support::test_service::{TestService, untimed_client};

/// Far longer than any call takes here; a call that takes this long has no limit.
const UNLIMITED: Duration = Duration::from_mins(10);

/// The limit of a test's own steps, so that none hangs.
const TIMEOUT: Duration = Duration::from_secs(30);

fn read(grpc_timeout: &'static str) -> Request<AdminGetUserRequest> {
    let mut request = Request::new(AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: USER.to_owned() });
    request.metadata_mut().insert("grpc-timeout", MetadataValue::from_static(grpc_timeout));
    request
}

async fn service_with_silent_cognito(operation_timeout: Duration) -> TestService {
    let service = TestService::with_operation_timeout(operation_timeout).await;
    service.cognito.inject_fault(json!({ "kind": "no_answer" })).await;
    service
}

#[tokio::test]
async fn the_operation_timeout_ends_a_call_without_a_deadline() {
    let service = service_with_silent_cognito(Duration::from_secs(2)).await;
    let request = AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: USER.to_owned() };
    let answer = tokio::time::timeout(TIMEOUT, service.untimed_client().admin_get_user(request)).await.unwrap();
    let details = refused(answer, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    assert_eq!(details.error_info().unwrap().metadata["operation"], "AdminGetUser");
}

#[tokio::test]
async fn the_operation_timeout_ends_a_call_with_a_later_deadline() {
    let service = service_with_silent_cognito(Duration::from_secs(2)).await;
    let answer = tokio::time::timeout(TIMEOUT, service.untimed_client().admin_get_user(read("10M"))).await.unwrap();
    refused(answer, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn the_callers_earlier_deadline_ends_the_call_with_our_status_and_not_tonics() {
    let service = service_with_silent_cognito(UNLIMITED).await;
    for grpc_timeout in ["2000m", "2000000u", "2S"] {
        let answer =
            tokio::time::timeout(TIMEOUT, service.untimed_client().admin_get_user(read(grpc_timeout))).await.unwrap();
        let details = refused(answer, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
        assert_eq!(details.error_info().unwrap().metadata["operation"], "AdminGetUser", "{grpc_timeout}");
    }
}

#[tokio::test]
async fn the_two_calls_of_one_rpc_share_the_callers_deadline() {
    let service = TestService::with_operation_timeout(UNLIMITED).await;
    let slow = json!({ "kind": "latency", "operation": "AdminGetUser", "delay_ms": 300 });
    service.cognito.inject_fault(slow).await;
    service.cognito.inject_fault(json!({ "kind": "no_answer", "operation": "AdminSetUserMFAPreference" })).await;
    let mut request = Request::new(AdminSetUserMfaPreferenceRequest {
        user_pool_id: POOL.to_owned(),
        username: USER.to_owned(),
        sms_mfa_settings: Some(SmsMfaSettings { enabled: Some(true), preferred_mfa: None }),
        ..Default::default()
    });
    request.metadata_mut().insert("grpc-timeout", MetadataValue::from_static("2S"));
    let answer =
        tokio::time::timeout(TIMEOUT, service.untimed_client().admin_set_user_mfa_preference(request)).await.unwrap();
    let details = refused(answer, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    assert_eq!(details.error_info().unwrap().metadata["operation"], "AdminSetUserMFAPreference");
}

#[tokio::test]
async fn an_expired_deadline_is_exceeded_without_a_call_to_cognito() {
    let service = TestService::start().await;
    for grpc_timeout in ["0m", "1n", "0H", "1m"] {
        let answer = service.untimed_client().admin_get_user(read(grpc_timeout)).await;
        let details = refused(answer, Code::DeadlineExceeded, "NO_TIME_LEFT");
        assert!(!details.error_info().unwrap().metadata.contains_key("operation"), "{grpc_timeout}");
    }
    assert_eq!(service.cognito.requests("AdminGetUser").await, Vec::<Value>::new());
}

#[tokio::test]
async fn an_invalid_deadline_is_refused_and_nothing_is_sent() {
    let service = TestService::start().await;
    for grpc_timeout in ["soon", "-1S", "123456789S", ""] {
        let answer = service.untimed_client().admin_get_user(read(grpc_timeout)).await;
        refused(answer, Code::InvalidArgument, "REQUEST_MALFORMED");
    }
    assert_eq!(service.cognito.requests("AdminGetUser").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_response_within_the_deadline_is_returned() {
    let service = TestService::start().await;
    let slow = json!({ "kind": "latency", "operation": "AdminGetUser", "delay_ms": 100 });
    service.cognito.inject_fault(slow).await;
    let user = service.untimed_client().admin_get_user(read("20S")).await.unwrap().into_inner();
    assert_eq!(user.username, USER);
}

/// How often each RPC called Cognito when every response was `fault`.
async fn tries(region: &str, fault: Value) -> BTreeMap<&'static str, usize> {
    let service = Arc::new(TestService::start().await);
    let pool = format!("{region}_POOL");
    let token = unsigned_token(&pool);
    service.cognito.inject_fault(fault).await;
    let mut calls = JoinSet::new();
    for rpc in Rpc::ALL {
        let (service, pool, token) = (Arc::clone(&service), pool.clone(), token.clone());
        calls.spawn(async move { call_in_pool(&service, rpc, &pool, &token).await });
    }
    for answer in calls.join_all().await {
        answer.unwrap_err();
    }
    let mut tries = BTreeMap::new();
    for rpc in Rpc::ALL {
        tries.insert(rpc.name(), service.cognito.requests(operation(rpc)).await.len());
    }
    tries
}

/// Three tries for every RPC that may be repeated, and one for the others.
fn three_tries_unless_not_idempotent() -> BTreeMap<&'static str, usize> {
    let once = [Rpc::AssociateSoftwareToken, Rpc::VerifySoftwareToken, Rpc::CompleteWebAuthnRegistration];
    Rpc::ALL.map(|rpc| (rpc.name(), if once.contains(&rpc) { 1 } else { 3 })).into()
}

/// The same where Cognito may have made the changes: each that can be read back is, once, unless the circuit has opened meanwhile.
fn check_with_read_backs(mut tries: BTreeMap<&'static str, usize>) {
    let reads =
        [(Rpc::AdminGetUser, 2), (Rpc::GetUser, 2), (Rpc::GetUserPoolMfaConfig, 1), (Rpc::ListWebAuthnCredentials, 1)];
    for (read, changes) in reads {
        let number = tries.entry(read.name()).or_default();
        assert!((3..=3 + changes).contains(number), "{read:?}: {number}");
        *number = 3;
    }
    assert_eq!(tries, three_tries_unless_not_idempotent());
}

#[tokio::test]
async fn an_unavailable_cognito_is_retried_unless_the_call_must_not_be_repeated() {
    check_with_read_backs(tries("un-available-1", json!({ "kind": "html" })).await);
}

#[tokio::test]
async fn a_broken_connection_is_retried_unless_the_call_must_not_be_repeated() {
    check_with_read_backs(tries("un-reachable-1", json!({ "kind": "reset" })).await);
}

#[tokio::test]
async fn a_throttled_call_is_retried_unless_it_must_not_be_repeated() {
    assert_eq!(tries("un-throttled-1", json!({ "kind": "throttling" })).await, three_tries_unless_not_idempotent());
}

#[tokio::test]
async fn an_internal_error_is_retried_unless_the_call_must_not_be_repeated() {
    let fault = json!({ "kind": "error", "code": "InternalErrorException", "status": 500 });
    check_with_read_backs(tries("un-settled-1", fault).await);
}

#[tokio::test]
async fn an_attempt_limit_is_never_retried() {
    let once: BTreeMap<_, _> = Rpc::ALL.map(|rpc| (rpc.name(), 1)).into();
    assert_eq!(tries("un-limited-1", json!({ "kind": "error", "code": "LimitExceededException" })).await, once);
}

#[tokio::test]
async fn a_refusal_is_never_retried() {
    let once: BTreeMap<_, _> = Rpc::ALL.map(|rpc| (rpc.name(), 1)).into();
    assert_eq!(tries("un-authorized-1", json!({ "kind": "error", "code": "NotAuthorizedException" })).await, once);
}

#[tokio::test]
async fn a_retry_that_succeeds_is_a_success() {
    let service = TestService::start().await;
    for kind in ["html", "reset", "throttling"] {
        service.cognito.inject_fault(json!({ "kind": kind, "count": 2 })).await;
        let body = json!({ "Username": USER });
        service.cognito.inject_fault(json!({ "kind": "replace", "count": 1, "body": body })).await;
        call_in_pool(&service, Rpc::AdminGetUser, "un-lucky-1_POOL", "").await.unwrap();
    }
}

#[tokio::test]
async fn retries_do_not_exceed_the_operation_timeout() {
    let service = TestService::with_operation_timeout(Duration::from_secs(2)).await;
    service.cognito.inject_fault(json!({ "kind": "html", "delay_ms": 1500 })).await;
    let answer = call_in_pool(&service, Rpc::AdminGetUser, "un-timely-1_POOL", "").await;
    refused(answer, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn a_change_completes_after_its_caller_has_left() {
    let service = TestService::start().await;
    let slow = json!({ "kind": "latency", "operation": "AdminSetUserMFAPreference", "delay_ms": 2000 });
    service.cognito.inject_fault(slow).await;
    let request = AdminSetUserMfaPreferenceRequest {
        user_pool_id: POOL.to_owned(),
        username: USER.to_owned(),
        sms_mfa_settings: Some(SmsMfaSettings { enabled: Some(true), preferred_mfa: Some(true) }),
        ..Default::default()
    };
    let mut client = service.preferences();
    let calling = tokio::spawn(async move { client.admin_set_user_mfa_preference(request).await });
    let effect = async {
        while service.cognito.requests("AdminSetUserMFAPreference").await.is_empty() {}
        calling.abort();
        assert!(calling.await.unwrap_err().is_cancelled(), "the caller had not left");
        let user = json!({ "UserPoolId": POOL, "Username": USER });
        while service.cognito.perform("AdminGetUser", user.clone()).await["PreferredMfaSetting"] != "SMS_MFA" {}
    };
    tokio::time::timeout(TIMEOUT, effect).await.expect("the change took effect");
}

#[tokio::test]
async fn callers_without_a_deadline_have_the_default_and_others_at_most_the_maximum() {
    let cognito = TestCognito::start().await;
    cognito.inject_fault(json!({ "kind": "no_answer" })).await;
    for (limit, grpc_timeout) in [("--default-deadline", None), ("--max-deadline", Some("10M"))] {
        let options = [limit, "2s", "--operation-timeout", "5m"];
        let mut process = Process::dev_with_cognito(&cognito.url, &options).await;
        let mut client = untimed_client(process.address().await);
        let request = match grpc_timeout {
            Some(timeout) => read(timeout),
            None => Request::new(AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: USER.to_owned() }),
        };
        let answer = tokio::time::timeout(TIMEOUT, client.admin_get_user(request)).await.unwrap();
        refused(answer, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
        process.terminate().await;
    }
}
