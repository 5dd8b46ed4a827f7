//! How long connections live, and how they end.

use std::net::SocketAddr;
use std::time::Duration;

use h2::client::SendRequest;
use mfagate::api::Rpc;
use mfagate::api::v1::AdminGetUserRequest;
use prost::Message as _;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tonic::codegen::Bytes;
use tonic_health::pb::HealthCheckRequest;

use crate::support::process::Process;
use crate::support::raw_h2::{framed, grpc_request, rpc_request};
use crate::support::test_cognito::{POOL, TestCognito, USER};

/// The limit of a test's own steps, so that none hangs.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A connection, and how it ends: without an error if the server says so first (GOAWAY).
async fn connect(address: SocketAddr) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    (send.ready().await.unwrap(), tokio::spawn(connection))
}

/// Waits for the end of a connection that is ended gracefully: new requests are refused by a GOAWAY without an error.
async fn ends(mut send: SendRequest<Bytes>, connection: JoinHandle<Result<(), h2::Error>>) {
    tokio::time::timeout(TIMEOUT, connection).await.unwrap().unwrap().unwrap();
    let refused = std::future::poll_fn(|context| send.poll_ready(context)).await.unwrap_err();
    assert!(refused.is_go_away() || refused.reason() == Some(h2::Reason::NO_ERROR), "{refused:?}");
}

fn read() -> Bytes {
    framed(&AdminGetUserRequest { user_pool_id: POOL.to_owned(), username: USER.to_owned() }.encode_to_vec())
}

#[tokio::test]
async fn an_idle_connection_is_ended_with_a_goaway() {
    let mut process = Process::dev(&["--connection-idle", "200ms"], &[]).await;
    let (send, connection) = connect(process.address().await).await;
    ends(send, connection).await;
}

#[tokio::test]
async fn a_connection_that_is_too_old_is_ended_when_its_call_has_ended() {
    let cognito = TestCognito::start().await;
    cognito.inject_fault(json!({ "kind": "latency", "operation": "AdminGetUser", "delay_ms": 1500 })).await;
    let mut process = Process::dev_with_cognito(&cognito.url, &["--connection-max-age", "200ms"]).await;
    let (mut send, connection) = connect(process.address().await).await;
    let (response, mut body) = send.send_request(rpc_request(Rpc::AdminGetUser), false).unwrap();
    body.send_data(read(), true).unwrap();
    let mut response = tokio::time::timeout(TIMEOUT, response).await.unwrap().unwrap().into_body();
    while let Some(data) = response.data().await {
        let length = data.unwrap().len();
        response.flow_control().release_capacity(length).unwrap();
    }
    let trailers = response.trailers().await.unwrap().unwrap();
    assert_eq!(trailers["grpc-status"], "0");
    ends(send, connection).await;
}

#[tokio::test]
async fn a_call_that_never_ends_does_not_keep_a_connection_that_is_too_old() {
    let options = ["--connection-max-age", "200ms", "--max-deadline", "300ms"];
    let mut process = Process::dev(&options, &[]).await;
    let (mut send, connection) = connect(process.address().await).await;
    let watch = grpc_request("/grpc.health.v1.Health/Watch").body(()).unwrap();
    let (response, mut body) = send.send_request(watch, false).unwrap();
    body.send_data(framed(&HealthCheckRequest::default().encode_to_vec()), true).unwrap();
    let mut response = tokio::time::timeout(TIMEOUT, response).await.unwrap().unwrap().into_body();
    let end = async { while response.data().await.is_some_and(|data| data.is_ok()) {} };
    tokio::time::timeout(TIMEOUT, end).await.expect("the watch ends");
    // It is cut: the client has been told before, by the GOAWAY.
    drop(tokio::time::timeout(TIMEOUT, connection).await.expect("the connection ends").unwrap());
}
