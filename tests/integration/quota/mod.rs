//! Cognito's quotas: whose turn it is, and what a call is told whose turn comes too late.

mod measure;
mod shared_reads;

use std::time::{Duration, Instant};

use mfagate::api::v1::mfa_preference_service_client::MfaPreferenceServiceClient;
use mfagate::api::v1::pool_config_service_client::PoolConfigServiceClient;
use mfagate::api::v1::{AdminGetUserRequest, AdminSetUserMfaPreferenceRequest, GetUserPoolMfaConfigRequest};
use serde_json::json;
use tokio::task::JoinSet;
use tonic::{Code, Request, Status};
use tonic_types::ErrorDetails;

use crate::support::policy_fixture::PolicyFixture;
use crate::support::refusal::refused;
use crate::support::rpc_call::ANY_SETTING;
use crate::support::serve_harness::ServeHarness;
use crate::support::test_cognito::{POOL, USER};

/// Enough for what must not end by it, and not so much that a test hangs.
const LONG: Duration = Duration::from_secs(30);

/// Too little for a turn that is seconds away, and enough for a call on a busy machine.
const SHORT: Duration = Duration::from_secs(2);

/// One call as a caller makes it.
#[derive(Clone, Copy)]
struct Caller {
    name: &'static str,
    priority: Option<&'static str>,
    timeout: Duration,
}

const USUAL: Caller = Caller { name: "caller", priority: None, timeout: LONG };

/// `serve` with these quotas and shares, and no others.
async fn serve(options: &[&str]) -> ServeHarness {
    serve_for(PolicyFixture::allow_all(), options).await
}

async fn serve_for(fixture: PolicyFixture, options: &[&str]) -> ServeHarness {
    // So that nothing but its deadline ends a call.
    let limits = ["--operation-timeout", "1m"];
    let options =
        [fixture.options(), limits.iter().chain(options).map(|option| (*option).to_owned()).collect()].concat();
    ServeHarness::with_options(fixture, options).await
}

impl Caller {
    fn request<M>(self, service: &ServeHarness, message: M) -> Request<M> {
        let mut request = Request::new(message);
        request.set_timeout(self.timeout);
        request.metadata_mut().insert("authorization", service.fixture.bearer(self.name).parse().unwrap());
        if let Some(priority) = self.priority {
            request.metadata_mut().insert("x-mfagate-priority", priority.parse().unwrap());
        }
        request
    }

    fn read(self, service: &ServeHarness, user: &str) -> impl Future<Output = Result<(), Status>> + Send + use<> {
        let message = AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: user.to_owned() };
        let request = self.request(service, message);
        let mut client = MfaPreferenceServiceClient::new(service.channel.clone());
        async move { client.admin_get_user(request).await.map(drop) }
    }

    fn change(self, service: &ServeHarness) -> impl Future<Output = Result<(), Status>> + Send + use<> {
        let message = AdminSetUserMfaPreferenceRequest {
            user_pool_id: POOL.to_owned(),
            username: USER.to_owned(),
            sms_mfa_settings: Some(ANY_SETTING),
            ..Default::default()
        };
        let request = self.request(service, message);
        let mut client = MfaPreferenceServiceClient::new(service.channel.clone());
        async move { client.admin_set_user_mfa_preference(request).await.map(drop) }
    }

    async fn read_pool(self, service: &ServeHarness, pool: &str) -> Result<(), Status> {
        let request = self.request(service, GetUserPoolMfaConfigRequest { user_pool_id: pool.to_owned() });
        PoolConfigServiceClient::new(service.channel.clone()).get_user_pool_mfa_config(request).await.map(drop)
    }
}

#[track_caller]
fn too_late<T: std::fmt::Debug>(answer: Result<T, Status>, quota: &str) -> ErrorDetails {
    let details = refused(answer, Code::ResourceExhausted, "QUOTA_WAIT_TOO_LONG");
    let metadata = &details.error_info().unwrap().metadata;
    assert_eq!((metadata["quota"].as_str(), metadata["retryable"].as_str()), (quota, "true"));
    details
}

/// Calls until a turn would come too late: at once, but for a machine so slow that a token comes back before the next call.
async fn until_too_late(call: impl AsyncFn() -> Result<(), Status>, quota: &str) -> ErrorDetails {
    let calls = async {
        loop {
            match call().await {
                Err(status) if status.code() == Code::ResourceExhausted => break too_late::<()>(Err(status), quota),
                Ok(()) | Err(_) => {}
            }
        }
    };
    tokio::time::timeout(LONG, calls).await.unwrap()
}

fn retry_delay(details: &ErrorDetails) -> Duration {
    details.retry_info().unwrap().retry_delay.unwrap()
}

#[tokio::test]
async fn calls_beyond_the_quota_wait_for_their_turn_and_are_served() {
    let service = serve(&["--quota", "USER_READ=10/2"]).await;
    let users = service.cognito.new_users(7).await;
    let started = Instant::now();
    let mut calls = JoinSet::new();
    for user in users {
        calls.spawn(USUAL.read(&service, &user));
    }
    for call in calls.join_all().await {
        call.unwrap();
    }
    assert!(started.elapsed() >= Duration::from_millis(500), "two at once, and five at 100 ms each");
}

#[tokio::test]
async fn a_turn_that_comes_too_late_is_refused_at_once_with_the_time_that_lacks() {
    let service = serve(&["--quota", "USER_RESOURCE_UPDATE=1/2"]).await;
    for _ in 0..2 {
        USUAL.change(&service).await.unwrap();
    }
    let mut waiting = JoinSet::new();
    for _ in 0..10 {
        waiting.spawn(USUAL.change(&service));
    }
    let short = Caller { timeout: SHORT, ..USUAL };
    let details = until_too_late(async || short.change(&service).await, "USER_RESOURCE_UPDATE").await;
    assert!((Duration::from_millis(1)..Duration::from_secs(12)).contains(&retry_delay(&details)), "{details:?}");
    let sent = service.cognito.requests("AdminSetUserMFAPreference").await.len();
    assert!(sent < 10, "{sent} were sent");
    // Another quota is not affected.
    short.read(&service, USER).await.unwrap();
}

#[tokio::test]
async fn a_greedy_caller_slows_only_itself() {
    let service = serve(&["--quota", "USER_READ=20/2"]).await;
    let users = service.cognito.new_users(200).await;
    let mut greedy = JoinSet::new();
    for user in users {
        greedy.spawn(Caller { name: "greedy", timeout: 2 * SHORT, ..USUAL }.read(&service, &user));
    }
    // Its calls are in the line before the other caller comes.
    while service.cognito.requests("AdminGetUser").await.len() < 4 {}
    for _ in 0..5 {
        // 80 turns are before those of the last greedy call that is not refused, and two before each of these.
        Caller { name: "other", timeout: SHORT, ..USUAL }.read(&service, USER).await.unwrap();
    }
    let (served, late): (Vec<_>, Vec<_>) = greedy.join_all().await.into_iter().partition(Result::is_ok);
    assert!(!served.is_empty() && late.len() > 100, "{} served, {} too late", served.len(), late.len());
    for answer in late {
        let code = answer.as_ref().unwrap_err().code();
        // One whose turn came as late as could be may not be done in time, by the client's clock or by the service's.
        if ![Code::DeadlineExceeded, Code::Cancelled].contains(&code) {
            too_late(answer, "USER_READ");
        }
    }
}

#[tokio::test]
async fn a_caller_with_a_larger_share_has_more_turns() {
    let service = serve(&["--quota", "USER_READ=20/2", "--share", "heavy=4"]).await;
    let users = service.cognito.new_users(80).await;
    let mut calls = JoinSet::new();
    for users in users.chunks(2) {
        for (name, user) in ["heavy", "light"].into_iter().zip(users) {
            let call = Caller { name, ..USUAL }.read(&service, user);
            calls.spawn(async move { call.await.map(|()| name) });
        }
    }
    let mut order = Vec::new();
    while let Some(call) = calls.join_next().await {
        order.push(call.unwrap().unwrap());
    }
    let heavy = order[..40].iter().filter(|name| **name == "heavy").count();
    assert!((26..=36).contains(&heavy), "about 32 of the first 40 are its: {order:?}");
}

#[tokio::test]
async fn interactive_calls_come_before_bulk_ones() {
    let service = serve(&["--quota", "USER_READ=10/2"]).await;
    let users = service.cognito.new_users(50).await;
    let mut bulk = JoinSet::new();
    for user in users {
        bulk.spawn(Caller { name: "job", priority: Some("bulk"), ..USUAL }.read(&service, &user));
    }
    while service.cognito.requests("AdminGetUser").await.len() < 4 {}
    for priority in [None, Some("interactive"), None] {
        Caller { name: "job", priority, timeout: SHORT }.read(&service, USER).await.unwrap();
    }
    let served = service.cognito.requests("AdminGetUser").await.len();
    assert!(served < 50, "all of bulk came first");
    bulk.shutdown().await;
}

#[tokio::test]
async fn a_priority_that_is_unknown_is_refused() {
    let service = serve(&[]).await;
    for priority in ["", "Bulk", "urgent", "bulk, interactive"] {
        let answer = Caller { priority: Some(priority), ..USUAL }.read(&service, USER).await;
        refused(answer, Code::InvalidArgument, "REQUEST_MALFORMED");
    }
    assert_eq!(service.cognito.operations().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_user_and_a_pool_have_limits_of_their_own() {
    let quotas = "ONE_USER_WRITE=1/1,ONE_USER_READ=1/1,ONE_POOL_READ=1/1";
    let service = serve(&["--quota", quotas]).await;
    let short = Caller { timeout: Duration::from_millis(900), ..USUAL };
    USUAL.change(&service).await.unwrap();
    until_too_late(async || short.change(&service).await, "ONE_USER_WRITE").await;
    USUAL.read(&service, USER).await.unwrap();
    until_too_late(async || short.read(&service, USER).await, "ONE_USER_READ").await;
    refused(USUAL.read(&service, "another").await, Code::NotFound, "USER_NOT_FOUND");
    USUAL.read_pool(&service, POOL).await.unwrap();
    until_too_late(async || short.read_pool(&service, POOL).await, "ONE_POOL_READ").await;
    refused(USUAL.read_pool(&service, "us-west-2_another").await, Code::NotFound, "RESOURCE_NOT_FOUND");
}

#[tokio::test]
async fn when_cognito_throttles_the_quota_shrinks() {
    let mut service = serve(&["--quota", "USER_READ=1/2"]).await;
    service.cognito.inject_fault(json!({ "kind": "throttling", "count": 1 })).await;
    USUAL.read(&service, USER).await.unwrap();
    assert_eq!(service.cognito.requests("AdminGetUser").await.len(), 2, "the call and its retry");
    service.process.wait_for_log("Cognito throttles, quota reduced").await;
    let log = service.process.stderr();
    assert!(log.contains("quota=\"USER_READ\"") && log.contains("percent=70"), "{log}");
}

#[tokio::test]
async fn a_region_has_a_quota_of_its_own() {
    let service = serve(&["--quota", "USER_POOL_RESOURCE_READ=1/1"]).await;
    let short = Caller { timeout: Duration::from_millis(900), ..USUAL };
    USUAL.read_pool(&service, POOL).await.unwrap();
    until_too_late(async || short.read_pool(&service, POOL).await, "USER_POOL_RESOURCE_READ").await;
    refused(USUAL.read_pool(&service, "eu-west-1_elsewhere").await, Code::NotFound, "RESOURCE_NOT_FOUND");
}

#[tokio::test]
async fn serve_has_the_documented_quotas() {
    let fixture = PolicyFixture::allow_all();
    let options = fixture.options_with(&[("--quota", "")]);
    let service = ServeHarness::with_options(fixture, options).await;
    let started = Instant::now();
    for _ in 0..6 {
        USUAL.change(&service).await.unwrap();
    }
    // The limit of one user is the lower one: two at once, and then 10 a second.
    assert!(started.elapsed() >= Duration::from_millis(400), "{:?}", started.elapsed());
}

#[tokio::test]
async fn upstream_calls_stay_within_the_quota_under_five_times_the_demand() {
    const RATE: u32 = 100;
    let service = serve(&["--quota", "USER_READ=100/20"]).await;
    let users = service.cognito.new_users(RATE as usize * 5).await;
    let mut calls = JoinSet::new();
    let started = Instant::now();
    let callers = ["a", "b", "c", "d", "e"];
    for (user, name) in users.iter().zip(callers.into_iter().cycle()) {
        let call = Caller { name, timeout: SHORT, ..USUAL }.read(&service, user);
        calls.spawn(async move { (name, call.await.is_ok()) });
    }
    let answers = calls.join_all().await;
    let sent = service.cognito.requests("AdminGetUser").await.len();
    // It is measured as long as it took, so a slow machine fails nothing.
    let most = 20 + started.elapsed().as_millis() * u128::from(RATE) / 1000;
    assert!(sent as u128 <= most, "{sent} of {most}");
    for name in callers {
        assert!(answers.iter().any(|(caller, served)| *caller == name && *served), "{name} was never served");
    }
}
