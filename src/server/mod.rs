//! This module serves gRPC: the layers, the services, health, reflection, and the end.

mod answer;
mod call;
pub mod tls;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::server::HealthReporter;
use tower::ServiceBuilder;
use tower::util::{MapRequestLayer, MapResponseLayer};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

use crate::proto::FILE_DESCRIPTOR_SET;
use crate::proto::v1::mfa_preference_service_server::MfaPreferenceServiceServer;
use crate::proto::v1::passkey_service_server::PasskeyServiceServer;
use crate::proto::v1::pool_config_service_server::PoolConfigServiceServer;
use crate::proto::v1::software_token_service_server::SoftwareTokenServiceServer;
use crate::service::Facade;

/// The most calls at a time on one connection.
const MOST_STREAMS: u32 = 256;

/// How often an idle connection is asked whether its other end is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Why the service could not be served.
#[derive(Debug)]
pub enum ServeError {
    /// The listener failed.
    Listener(io::Error),
    /// The descriptors that reflection answers are not readable.
    Reflection(tonic_reflection::server::Error),
    /// The transport failed.
    Transport(tonic::transport::Error),
}

impl std::fmt::Display for ServeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Listener(error) => write!(f, "the listener failed: {error}"),
            Self::Reflection(error) => write!(f, "reflection cannot be served: {error}"),
            Self::Transport(error) => write!(f, "the transport failed: {error}"),
        }
    }
}

impl std::error::Error for ServeError {}

/// Serves on `listener` until `shutdown` is done, then lets running calls end within `drain_timeout`.
pub async fn serve(
    listener: TcpListener,
    facade: Facade,
    drain_timeout: Duration,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let address = listener.local_addr().map_err(ServeError::Listener)?;
    let (routes, health) = routes(facade).await?;

    // From the outside in.
    let layers = ServiceBuilder::new()
        .layer(MapRequestLayer::new(call::received))
        .layer(SetRequestIdLayer::x_request_id(call::NewRequestId))
        .layer(
            TraceLayer::new_for_grpc()
                .make_span_with(call::span)
                .on_request(())
                .on_response(call::answered)
                .on_failure(()),
        )
        // Inside the span, so that why a call failed is logged in it; outside the request id, which it answers.
        .layer(MapResponseLayer::new(answer::complete))
        .layer(PropagateRequestIdLayer::x_request_id())
        // Innermost, so that a panic is answered and logged like any other failure.
        .layer(CatchPanicLayer::custom(answer::panicked))
        .into_inner();

    let (drain, draining) = tokio::sync::oneshot::channel::<()>();
    let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
    let serving = Server::builder()
        .max_concurrent_streams(MOST_STREAMS)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .layer(layers)
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, async {
            // A dropped sender means that the end has come as well.
            let _ = draining.await;
        });
    tokio::pin!(serving);

    tracing::info!(%address, "serving");
    tokio::select! {
        ended = &mut serving => return ended.map_err(ServeError::Transport),
        () = shutdown => {}
    }
    tracing::info!("draining");
    stop_health(&health).await;
    // Nobody listens any more only if serving has ended already.
    let _ = drain.send(());
    match tokio::time::timeout(drain_timeout, serving).await {
        Ok(ended) => {
            tracing::info!("every call has ended");
            ended.map_err(ServeError::Transport)
        }
        Err(_) => {
            tracing::warn!("calls were still running when the time to drain was up");
            Ok(())
        }
    }
}

async fn routes(facade: Facade) -> Result<(Routes, HealthReporter), ServeError> {
    let facade = Arc::new(facade);
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<MfaPreferenceServiceServer<Facade>>().await;
    health.set_serving::<SoftwareTokenServiceServer<Facade>>().await;
    health.set_serving::<PasskeyServiceServer<Facade>>().await;
    health.set_serving::<PoolConfigServiceServer<Facade>>().await;

    let mut routes = Routes::builder();
    routes
        .add_service(health_service)
        .add_service(reflection().build_v1().map_err(ServeError::Reflection)?)
        // grpcurl before 1.9 speaks only this one.
        .add_service(reflection().build_v1alpha().map_err(ServeError::Reflection)?)
        .add_service(MfaPreferenceServiceServer::from_arc(Arc::clone(&facade)))
        .add_service(SoftwareTokenServiceServer::from_arc(Arc::clone(&facade)))
        .add_service(PasskeyServiceServer::from_arc(Arc::clone(&facade)))
        .add_service(PoolConfigServiceServer::from_arc(facade));
    Ok((routes.routes(), health))
}

/// Our descriptors and those of the error details, without which grpcurl prints details as bytes.
fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

/// Tells load balancers before the connections are told.
async fn stop_health(health: &HealthReporter) {
    health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
    health.set_not_serving::<MfaPreferenceServiceServer<Facade>>().await;
    health.set_not_serving::<SoftwareTokenServiceServer<Facade>>().await;
    health.set_not_serving::<PasskeyServiceServer<Facade>>().await;
    health.set_not_serving::<PoolConfigServiceServer<Facade>>().await;
}
