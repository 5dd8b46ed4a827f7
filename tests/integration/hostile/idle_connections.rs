//! As many idle connections as there may be: health and a known caller are served all the same.
//!
//! `cargo test --test integration -- --ignored --nocapture eight_thousand_idle_connections`

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::percentiles::Percentiles;
use crate::support::policy_fixture::PolicyFixture;
use crate::support::process::Process;
use crate::support::serve_harness::{AWS_CREDENTIALS, read_user};
use crate::support::test_cognito::{POOL, TestCognito};
use crate::support::usage::Usage;

/// The preface of HTTP/2, and the client's SETTINGS.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
const CALLS: usize = 200;

/// A connection that is served, and on which nothing is asked.
async fn idle(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    let mut settings = [0; 9];
    stream.read_exact(&mut settings).await.unwrap();
    assert_eq!(settings[3], 4, "the server's SETTINGS come first");
    stream
}

/// How long a prober waits for health, its connection included.
async fn probe(address: SocketAddr) -> Duration {
    let started = Instant::now();
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    HealthClient::new(channel).check(HealthCheckRequest::default()).await.unwrap();
    started.elapsed()
}

/// So many idle connections to a process with so many open files at most, and what it holds then. Half of the checks of health,
/// each on a connection of its own, may take so long.
async fn serves_beside(connections: usize, open_files: usize, healthy: Duration) -> (Usage, String) {
    let (fixture, cognito) = (PolicyFixture::allow_all(), TestCognito::start().await);
    let options = fixture.options();
    let mut process = Process::serve_with_open_files(open_files, &options, &cognito.url, AWS_CREDENTIALS).await;
    let (address, channel, known) = (process.address().await, process.channel().await, fixture.bearer("known"));
    read_user(channel.clone(), Some(&known), POOL).await.unwrap();
    let before = Usage::of(&process);
    let (started, mut held) = (Instant::now(), Vec::new());
    for _ in 0..connections {
        held.push(idle(address).await);
    }
    let opened = started.elapsed();
    let (mut called, mut probed) = (Vec::new(), Vec::new());
    for number in 0..CALLS {
        let started = Instant::now();
        read_user(channel.clone(), Some(&known), POOL).await.unwrap();
        called.push(started.elapsed());
        if number.is_multiple_of(4) {
            probed.push(probe(address).await);
            held.push(idle(address).await);
        }
    }
    let usage = Usage::of(&process);
    let (called, probed) = (Percentiles::of(called), Percentiles::of(probed));
    assert!(probed.at(50) < healthy, "checks of health {probed}");
    drop(held);
    process.terminate().await;
    let report = format!(
        "{connections} idle connections in {opened:?}; before {before}, then {usage}; checks of health {probed}; calls {called}"
    );
    (usage, report)
}

#[tokio::test]
async fn idle_connections_beyond_the_limit_keep_out_neither_health_nor_a_known_caller() {
    // Half of the files are for connections.
    let (usage, report) = serves_beside(400, 640, Duration::from_secs(1)).await;
    println!("{report}");
    assert!(usage.open_files <= 640 / 2 + 32, "{usage}");
}

#[tokio::test]
#[ignore = "needs 20,000 open files, and prints"]
async fn eight_thousand_idle_connections() {
    let (usage, report) = serves_beside(8_000, 20_000, Duration::from_millis(50)).await;
    println!("{report}");
    assert!(usage.open_files > 8_000, "{usage}");
}
