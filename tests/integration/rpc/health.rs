//! Health: Check and Watch, for the whole, for each service, and for what is not served.

use std::collections::BTreeSet;

use mfagate::api::Rpc;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::test_service::TestService;

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

/// The names of the services that the protos declare, and the empty one that stands for all.
fn services() -> BTreeSet<&'static str> {
    let services: BTreeSet<_> = Rpc::ALL.into_iter().map(Rpc::service).chain([""]).collect();
    assert_eq!(services.len(), 5);
    services
}

#[tokio::test]
async fn check_returns_serving_for_every_service() {
    let service = TestService::start().await;
    let mut health = HealthClient::new(service.channel());
    for name in services() {
        let answer = health.check(of(name)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{name}");
    }
}

#[tokio::test]
async fn watch_returns_serving_for_every_service() {
    let service = TestService::start().await;
    let mut health = HealthClient::new(service.channel());
    for name in services() {
        let mut watch = health.watch(of(name)).await.unwrap().into_inner();
        assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving, "{name}");
    }
}

#[tokio::test]
async fn an_overlong_service_name_is_refused() {
    let service = TestService::start().await;
    let mut health = HealthClient::new(service.channel());
    let name = "a".repeat(4096);
    assert_eq!(health.check(of(&name)).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(health.watch(of(&name)).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_service_that_is_not_served_is_not_found() {
    let service = TestService::start().await;
    let mut health = HealthClient::new(service.channel());
    for name in ["mfagate.v1.Nothing", "mfagate", "mfagate.v1.PoolConfigService/", " "] {
        assert_eq!(health.check(of(name)).await.unwrap_err().code(), Code::NotFound, "{name}");
        assert_eq!(health.watch(of(name)).await.unwrap_err().code(), Code::NotFound, "{name}");
    }
}
