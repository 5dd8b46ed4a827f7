//! The shutdown as load balancers and their clients see it.

use tonic::Streaming;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::support::policy_fixture::PolicyFixture;
use crate::support::serve_harness::{ServeHarness, read_user};
use crate::support::test_cognito::POOL;

/// `serve` with this delay, a watch of its health, and what it says first.
async fn draining_after(delay: &str) -> (ServeHarness, Streaming<HealthCheckResponse>) {
    let fixture = PolicyFixture::allow_all();
    let options = fixture.options_with(&[("--drain-delay", delay)]);
    let service = ServeHarness::with_options(fixture, options).await;
    let mut watch =
        HealthClient::new(service.channel.clone()).watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    service.process.signal("TERM").await;
    (service, watch)
}

#[tokio::test]
async fn during_the_drain_delay_health_says_not_serving_and_calls_and_new_connections_are_served() {
    let (mut service, mut watch) = draining_after("5m").await;
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    service.read_as("caller", POOL).await.unwrap();
    let late = service.process.channel().await;
    for name in ["", "mfagate.v1.MfaPreferenceService"] {
        let request = HealthCheckRequest { service: name.to_owned() };
        let answer = HealthClient::new(late.clone()).check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::NotServing, "{name}");
    }
    read_user(late, Some(&service.fixture.bearer("caller")), POOL).await.unwrap();
    // A second signal does not wait for the delay.
    service.process.signal("TERM").await;
    assert_eq!(service.process.wait().await.status.code(), Some(0));
}

#[tokio::test]
async fn after_the_drain_delay_watches_end_and_so_does_the_program() {
    let (service, mut watch) = draining_after("50ms").await;
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert!(watch.message().await.unwrap().is_none(), "it ends, and is not cut");
    let exit = service.process.wait().await;
    assert_eq!(exit.status.code(), Some(0), "{exit:?}");
    let phases = ["shutdown requested", "not serving, draining after the delay", "draining", "drained"];
    let found: Vec<_> = phases.into_iter().map(|phase| exit.stderr.find(phase)).collect();
    assert!(found.is_sorted() && found.iter().all(Option::is_some), "{exit:?}");
}
