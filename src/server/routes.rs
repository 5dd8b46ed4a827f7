//! What is served: our services, health and reflection.

use std::sync::Arc;

use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use crate::api::FILE_DESCRIPTOR_SET;
use crate::api::v1::mfa_preference_service_server::MfaPreferenceServiceServer;
use crate::api::v1::passkey_service_server::PasskeyServiceServer;
use crate::api::v1::pool_config_service_server::PoolConfigServiceServer;
use crate::api::v1::software_token_service_server::SoftwareTokenServiceServer;
use crate::server::body_budget::BodyBudget;
use crate::server::health::{LimitedHealth, Watches};
use crate::server::response;
use crate::server::unary_body::MAX_AUX_REQUEST_BYTES;
use crate::service::Facade;

/// The routes to `facade`, with the health that `health` reports to `watches`, and messages within `bodies`.
pub(super) fn routes(
    facade: Arc<Facade>,
    health: &HealthReporter,
    watches: &Watches,
    bodies: &BodyBudget,
) -> Result<Routes, tonic_reflection::server::Error> {
    let health = HealthService::from_health_reporter(health.clone());
    let health = HealthServer::new(LimitedHealth { health, watches: watches.clone() });
    let reflection_v1 = reflection().build_v1()?;
    // grpcurl before 1.9 speaks only this one.
    let reflection_v1alpha = reflection().build_v1alpha()?;

    let mut routes = Routes::builder();
    routes
        .add_service(health.max_decoding_message_size(MAX_AUX_REQUEST_BYTES))
        .add_service(reflection_v1.max_decoding_message_size(MAX_AUX_REQUEST_BYTES))
        .add_service(reflection_v1alpha.max_decoding_message_size(MAX_AUX_REQUEST_BYTES))
        .add_service(MfaPreferenceServiceServer::from_arc(Arc::clone(&facade)))
        .add_service(SoftwareTokenServiceServer::from_arc(Arc::clone(&facade)))
        .add_service(PasskeyServiceServer::from_arc(Arc::clone(&facade)))
        .add_service(PoolConfigServiceServer::from_arc(facade));
    let grpc = routes
        .routes()
        .into_axum_router()
        .layer(axum::middleware::from_fn_with_state(bodies.clone(), response::reject_non_grpc));
    Ok(grpc.into())
}

/// Our descriptors and those of the error details, without which grpcurl prints details as bytes.
fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
