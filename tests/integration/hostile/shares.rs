//! How much one connection, one peer and one caller may take: connections, streams, watches, and messages that arrive in part.

use std::net::SocketAddr;
use std::time::Duration;

use mfagate::api::Rpc;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tonic::codegen::Bytes;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::policy_fixture::PolicyFixture;
use crate::support::raw_h2::{RawClient, framed, grpc_request, read, valid_body};
use crate::support::refusal::refused;
use crate::support::serve_harness::{ServeHarness, read_user};
use crate::support::test_cognito::POOL;

/// The limit of a test's own steps, so that none hangs.
const TIMEOUT: Duration = Duration::from_secs(30);

async fn serve(options: &[(&str, &str)]) -> ServeHarness {
    let fixture = PolicyFixture::allow_all();
    let options = fixture.options_with(options);
    ServeHarness::with_options(fixture, options).await
}

async fn raw(service: &mut ServeHarness) -> RawClient {
    RawClient::connect(service.process.address().await).await
}

#[track_caller]
fn over_limit<T: std::fmt::Debug>(answer: Result<T, Status>, reason: &str, limit: &str) {
    let details = refused(answer, Code::ResourceExhausted, reason);
    assert_eq!(details.error_info().unwrap().metadata["limit"], limit);
    assert!(details.retry_info().is_some());
}

#[tokio::test]
async fn a_connection_without_an_authenticated_caller_has_one_watch_and_others_have_more() {
    let service = serve(&[]).await;
    let mut health = HealthClient::new(service.channel.clone());
    let first = health.watch(HealthCheckRequest::default()).await.unwrap();
    let second = health.watch(HealthCheckRequest::default()).await;
    over_limit(second.map(drop), "CALLER_LIMIT_EXCEEDED", "watches");
    health.check(HealthCheckRequest::default()).await.unwrap();
    // One that ends makes room.
    drop(first);
    let again = async { while health.clone().watch(HealthCheckRequest::default()).await.is_err() {} };
    tokio::time::timeout(TIMEOUT, again).await.unwrap();

    service.read_as("caller", POOL).await.unwrap();
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(health.watch(HealthCheckRequest::default()).await.unwrap());
    }
}

#[tokio::test]
async fn a_connection_without_an_authenticated_caller_has_four_streams_for_health_and_calls_of_callers_go_on() {
    let mut service = serve(&[]).await;
    let mut client = raw(&mut service).await;
    let check = || grpc_request("/grpc.health.v1.Health/Check").body(()).unwrap();
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(client.begin(check(), Bytes::from_static(&[0, 0])).await);
    }
    let fifth = client.call(check(), framed(b"")).await;
    over_limit::<()>(Err(fifth.status()), "CALLER_LIMIT_EXCEEDED", "streams");
    let bearer = service.fixture.bearer("caller");
    let request = grpc_request(Rpc::GetUserPoolMfaConfig.path()).header("authorization", bearer).body(()).unwrap();
    assert_eq!(client.call(request, valid_body()).await.status().code(), Code::Ok);
    assert_eq!(client.call(check(), framed(b"")).await.status().code(), Code::Ok, "a caller has authenticated");
    drop(open);
}

#[tokio::test]
async fn messages_that_arrive_in_part_have_a_limit_in_all_and_of_one_caller_and_whole_ones_have_none() {
    let mut service = serve(&[("--max-body-bytes", "1500"), ("--max-body-bytes-per-caller", "1000")]).await;
    let mut client = raw(&mut service).await;
    let request = |name: &str| {
        let bearer = service.fixture.bearer(name);
        grpc_request(Rpc::GetUserPoolMfaConfig.path()).header("authorization", bearer).body(()).unwrap()
    };
    // The prefix says 900 bytes, and two come.
    let part = || Bytes::from_static(&[0, 0, 0, 3, 132, 10, 0]);
    let (_held, held) = client.begin(request("one"), part()).await;
    for (name, reason) in [("one", "CALLER_LIMIT_EXCEEDED"), ("another", "SERVICE_LIMIT_EXCEEDED")] {
        // The first may not have been read yet.
        let (response, _stream) = client.begin(request(name), part()).await;
        let response = tokio::time::timeout(TIMEOUT, response).await.expect("refused at once").unwrap();
        over_limit::<()>(Err(read(response).await.status()), reason, "bytes");
    }
    assert_eq!(client.call(request("one"), valid_body()).await.status().code(), Code::Ok);
    drop(held);
    let (mut served, mut stream) = client.begin(request("another"), valid_body().slice(..8)).await;
    let refusal = tokio::time::timeout(Duration::from_millis(50), &mut served).await;
    assert!(refusal.is_err(), "there is room again: {refusal:?}");
    stream.send_data(valid_body().slice(8..), true).unwrap();
    assert_eq!(read(served.await.unwrap()).await.status().code(), Code::Ok);
}

/// Whether the server closes a new connection at once.
async fn is_closed(address: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut settings = [0; 9];
    // Nothing is sent, so all that could come are the settings, which a server may send first.
    let read = tokio::time::timeout(Duration::from_millis(500), stream.read(&mut settings)).await;
    matches!(read, Ok(Ok(0) | Err(_)))
}

#[tokio::test]
async fn an_address_has_no_more_connections_than_one_may_have() {
    let mut service = serve(&[("--max-connections-per-peer", "3")]).await;
    let address = service.process.address().await;
    read_user(service.channel.clone(), Some(&service.fixture.bearer("caller")), POOL).await.unwrap();
    let mut open = vec![raw(&mut service).await];
    while !is_closed(address).await {
        open.push(raw(&mut service).await);
        assert!(open.len() <= 3, "no connection was refused");
    }
    // Those that are open are served.
    service.read_as("caller", POOL).await.unwrap();
}

#[tokio::test]
async fn a_connection_is_told_how_many_streams_it_has() {
    for (options, number) in [(&[] as &[_], 256), (&[("--max-streams", "7")], 7)] {
        let mut service = serve(options).await;
        let announced = RawClient::max_streams(service.process.address().await);
        assert_eq!(tokio::time::timeout(TIMEOUT, announced).await.unwrap(), number);
    }
}
