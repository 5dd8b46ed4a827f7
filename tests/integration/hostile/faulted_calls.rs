//! What is left of calls that met a fault before Cognito: no file, no thread, no memory.
//!
//! `cargo test --test integration -- --ignored --nocapture ten_thousand_faulted_calls`

use std::sync::Arc;
use std::time::Duration;

use mfagate::api::v1::software_token_service_client::SoftwareTokenServiceClient;
use mfagate::api::v1::{AssociateSoftwareTokenRequest, associate_software_token_request::Credential};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::Status;
use tonic::transport::Channel;

use crate::support::faulty_proxy::{Fault, FaultyProxy};
use crate::support::policy_fixture::PolicyFixture;
use crate::support::process::Process;
use crate::support::rpc_call::unsigned_token;
use crate::support::serve_harness::{AWS_CREDENTIALS, read_user, read_user_named, set_sms};
use crate::support::test_cognito::{POOL, TestCognito};
use crate::support::usage::Usage;

/// The limit of a test's own steps, so that none hangs.
const TIMEOUT: Duration = Duration::from_secs(30);
/// What a fault that never ends is ended by.
const OPERATION: Duration = Duration::from_millis(300);
/// After which a caller leaves that does.
const IMPATIENCE: Duration = Duration::from_millis(20);
/// Calls at a time. Each may leave a connection to Cognito that can be used again.
const CALLERS: usize = 32;
/// What the allocator may hold more than after the warm-up.
const MEMORY_KIB: usize = 16 * 1024;

fn faults() -> Vec<Fault> {
    let error = |code: &str, status: u16| Fault::Cognito(json!({ "kind": "error", "code": code, "status": status }));
    vec![
        Fault::Close,
        Fault::ResetInBody,
        Fault::HalfOpen,
        error("InternalErrorException", 500),
        Fault::LengthTooLong,
        Fault::LengthTooShort,
        Fault::BlackHole,
        Fault::Cognito(json!({ "kind": "reset" })),
        Fault::EndlessBody,
        Fault::Cognito(json!({ "kind": "html" })),
        Fault::Late(OPERATION * 20),
        Fault::Cognito(json!({ "kind": "throttling" })),
        Fault::Drip(OPERATION / 10),
    ]
}

async fn associate(channel: Channel, authorization: &str) -> Result<(), Status> {
    let mut request = tonic::Request::new(AssociateSoftwareTokenRequest {
        credential: Some(Credential::AccessToken(unsigned_token(POOL))),
        account_name: Some("account".to_owned()),
        allow_reenrolment: true,
        ..Default::default()
    });
    request.metadata_mut().insert("authorization", authorization.parse().unwrap());
    SoftwareTokenServiceClient::new(channel).associate_software_token(request).await.map(drop)
}

/// A call that fails. Every tenth caller leaves before.
async fn faulted(channel: Channel, authorization: &str, number: usize) {
    let call = async {
        match number % 3 {
            0 => {
                let user = format!("user-{number}");
                read_user_named(channel, Some(authorization), POOL, &user).await.map(drop)
            }
            1 => set_sms(channel, authorization, true, "faulted").await,
            _ => associate(channel, authorization).await,
        }
    };
    if number.is_multiple_of(10) {
        let _left = tokio::time::timeout(IMPATIENCE, call).await;
    } else {
        call.await.unwrap_err();
    }
}

/// Makes so many calls, some at a time.
async fn call(process: &mut Process, authorization: &Arc<str>, calls: usize) {
    let channel = process.channel().await;
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (channel, authorization) = (channel.clone(), Arc::clone(authorization));
        callers.spawn(async move {
            for number in (caller..calls).step_by(CALLERS) {
                faulted(channel.clone(), &authorization, number).await;
            }
        });
    }
    callers.join_all().await;
}

/// What the process holds once it has no more open files than this, or when the time is up.
async fn settled(process: &Process, files: usize) -> Usage {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let usage = Usage::of(process);
        if usage.open_files <= files || Instant::now() > deadline {
            return usage;
        }
        tokio::task::yield_now().await;
    }
}

async fn stays_flat(calls: usize) -> String {
    let (fixture, cognito) = (PolicyFixture::allow_all(), TestCognito::start().await);
    let proxy = FaultyProxy::with_each_of(&cognito.url, &faults()).await;
    let options = fixture.options_with(&[("--operation-timeout", &format!("{}ms", OPERATION.as_millis()))]);
    let mut process = Process::serve_with(&options, &proxy.url, AWS_CREDENTIALS).await;
    let authorization: Arc<str> = fixture.bearer("caller").into();
    let started = Usage::of(&process);

    call(&mut process, &authorization, 10 * CALLERS).await;
    let warm = settled(&process, started.open_files + CALLERS).await;
    call(&mut process, &authorization, calls).await;
    let after = settled(&process, started.open_files + CALLERS).await;

    assert!(after.open_files <= started.open_files + CALLERS, "{started}, then {after}");
    assert!(after.threads <= warm.threads, "{warm}, then {after}");
    assert!(after.memory_kib <= warm.memory_kib + MEMORY_KIB, "{warm}, then {after}");
    proxy.heal();
    // Calls succeed again.
    let served = async { while read_user(process.channel().await, Some(&authorization), POOL).await.is_err() {} };
    tokio::time::timeout(TIMEOUT, served).await.unwrap();
    process.terminate().await;
    format!("at the start {started}; after the warm-up {warm}; after {calls} faulted calls {after}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_a_thousand_faulted_calls() {
    println!("{}", stays_flat(1_000).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute, and prints"]
async fn ten_thousand_faulted_calls() {
    println!("{}", stays_flat(10_000).await);
}
