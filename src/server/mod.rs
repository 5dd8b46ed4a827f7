//! This module serves gRPC: the layers, the services, health, reflection, and the end.

mod answer;
mod call;
mod connection;
mod incoming;
mod places;
pub mod tls;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tonic::server::NamedService as _;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::server::HealthReporter;
use tower::ServiceBuilder;
use tower::util::{MapFutureLayer, MapRequestLayer, MapResponseLayer};
use tower_http::auth::AsyncRequireAuthorizationLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

use crate::api::FILE_DESCRIPTOR_SET;
use crate::api::v1::mfa_preference_service_server::MfaPreferenceServiceServer;
use crate::api::v1::passkey_service_server::PasskeyServiceServer;
use crate::api::v1::pool_config_service_server::PoolConfigServiceServer;
use crate::api::v1::software_token_service_server::SoftwareTokenServiceServer;
use crate::authn::Authentication;
use crate::authn::token::LARGEST_TOKEN;
use crate::authz::{Authorize, Gate};
use crate::cognito::Cognito;
use crate::server::tls::TlsAcceptor;
use crate::service::Facade;

pub use connection::Connection;
pub use incoming::{ConnectionLimits, HandshakeLimits, Incoming, incoming};
pub use places::{ConnectionSlots, Slot};

/// The most calls at a time on one connection.
const MOST_STREAMS: u32 = 256;

/// The most bytes of headers, as HTTP/2 counts them: the largest token, and as much again for everything else, so that a token
/// beyond its limit is answered in gRPC's words. What is larger gets HTTP's 431, or loses its connection.
#[expect(clippy::cast_possible_truncation, reason = "a constant of some kilobytes")]
const MOST_HEADER_BYTES: u32 = 2 * LARGEST_TOKEN as u32;

/// The largest message of health and reflection, in bytes: the longest name that is asked for is one of ours. Health is public,
/// so whoever connects could otherwise have 4 MiB kept for each of its streams.
const LARGEST_QUESTION: usize = 1024;

/// How often an idle connection is asked whether its other end is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// How long the last answers may take to go out when everything else has ended.
const LAST_ANSWERS: Duration = Duration::from_millis(100);

/// What health is told of: all of the process, and each service.
const SERVICES: [&str; 5] = [
    "",
    MfaPreferenceServiceServer::<Facade>::NAME,
    SoftwareTokenServiceServer::<Facade>::NAME,
    PasskeyServiceServer::<Facade>::NAME,
    PoolConfigServiceServer::<Facade>::NAME,
];

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

/// What is served, to whom, and how.
#[derive(Debug)]
pub struct Service {
    /// The services.
    pub facade: Facade,
    /// Who is let in.
    pub authorize: Authorize,
    /// How connections are encrypted; none serves in the clear.
    pub tls: Option<Arc<TlsAcceptor>>,
    /// How long calls that are under way at the end may go on.
    pub drain_timeout: Duration,
}

impl Service {
    /// A service that lets everybody in and encrypts nothing: only on loopback, and only before a Cognito that holds nothing
    /// worth protecting.
    #[must_use]
    pub fn open(cognito: Cognito, drain_timeout: Duration) -> Self {
        let authorize = Authorize::new(Gate::Open, Arc::new(Authentication::new(None)));
        Self { facade: Facade::new(Gate::Open, cognito), authorize, tls: None, drain_timeout }
    }
}

/// Serves on `listener` until `shutdown` is done, then lets running calls end.
pub async fn serve(
    listener: TcpListener,
    service: Service,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let Service { facade, authorize, tls, drain_timeout } = service;
    let facade = Arc::new(facade);
    let (routes, health) = routes(Arc::clone(&facade)).await?;
    serve_routes(listener, Served { routes, health, facade, authorize, tls, drain_timeout }, shutdown).await
}

/// A service whose routes are made.
struct Served {
    routes: Routes,
    health: HealthReporter,
    facade: Arc<Facade>,
    authorize: Authorize,
    tls: Option<Arc<TlsAcceptor>>,
    drain_timeout: Duration,
}

async fn serve_routes(
    listener: TcpListener,
    served: Served,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let Served { routes, health, facade, authorize, tls, drain_timeout } = served;
    let address = listener.local_addr().map_err(ServeError::Listener)?;
    let calls = TaskTracker::new();
    let tracked = calls.clone();

    // From the outside in.
    let layers = ServiceBuilder::new()
        .layer(MapFutureLayer::new(move |call| tracked.track_future(call)))
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
        // Inside whatever answers, so that a panic is answered and logged like any other failure.
        .layer(CatchPanicLayer::custom(answer::panicked))
        // From here on an answer has the type of the services' own.
        .layer(AsyncRequireAuthorizationLayer::new(call::in_time))
        // Innermost: nothing is between the decision and what it was taken on.
        .layer(AsyncRequireAuthorizationLayer::new(authorize))
        .into_inner();

    let (drain, draining) = tokio::sync::oneshot::channel::<()>();
    let draining = async {
        // A dropped sender means that the end has come as well.
        let _ = draining.await;
    };
    let encrypted = tls.is_some();
    let connections = TcpIncoming::from(listener).with_nodelay(Some(true));
    let incoming = incoming(tls, connections, ConnectionLimits::default());
    let router = Server::builder()
        .max_concurrent_streams(MOST_STREAMS)
        .http2_max_header_list_size(MOST_HEADER_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .layer(layers)
        .add_routes(routes);
    let serving = router.serve_with_incoming_shutdown(incoming, draining);
    tokio::pin!(serving);

    tracing::info!(%address, encrypted, "serving");
    tokio::select! {
        ended = &mut serving => return ended.map_err(ServeError::Transport),
        () = shutdown => {}
    }
    tracing::info!("draining");
    let until = Instant::now() + drain_timeout;
    stop_health(health).await;
    // Nobody listens any more only if serving has ended already.
    let _ = drain.send(());
    calls.close();
    // What is left when no call is under way are the streams of health and reflection, which nothing else ends.
    let only_streams = async {
        calls.wait().await;
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    let drained = async {
        let ended = tokio::select! {
            ended = &mut serving => ended.map_err(ServeError::Transport),
            () = only_streams => Ok(()),
        };
        // A change goes on when its caller has left.
        facade.settle().await;
        ended
    };
    if let Ok(ended) = tokio::time::timeout_at(until, drained).await {
        tracing::info!("every call has ended");
        return ended;
    }
    let changes = facade.changes_under_way();
    tracing::warn!(calls = calls.len(), changes, "calls were still running when the time to drain was up");
    Ok(())
}

async fn routes(facade: Arc<Facade>) -> Result<(Routes, HealthReporter), ServeError> {
    let (health, health_service) = tonic_health::server::health_reporter();
    for name in SERVICES {
        health.set_service_status(name, tonic_health::ServingStatus::Serving).await;
    }

    let health_service = health_service.max_decoding_message_size(LARGEST_QUESTION);
    let reflect = reflection().build_v1().map_err(ServeError::Reflection)?;
    // grpcurl before 1.9 speaks only this one.
    let reflect_alpha = reflection().build_v1alpha().map_err(ServeError::Reflection)?;

    let mut routes = Routes::builder();
    routes
        .add_service(health_service)
        .add_service(reflect.max_decoding_message_size(LARGEST_QUESTION))
        .add_service(reflect_alpha.max_decoding_message_size(LARGEST_QUESTION))
        .add_service(MfaPreferenceServiceServer::from_arc(Arc::clone(&facade)))
        .add_service(SoftwareTokenServiceServer::from_arc(Arc::clone(&facade)))
        .add_service(PasskeyServiceServer::from_arc(Arc::clone(&facade)))
        .add_service(PoolConfigServiceServer::from_arc(facade));
    let grpc = routes.routes().into_axum_router().layer(axum::middleware::from_fn(answer::only_grpc));
    Ok((grpc.into(), health))
}

/// Our descriptors and those of the error details, without which grpcurl prints details as bytes.
fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

/// Tells load balancers before the connections are told. Then ends their watches, which would hold up the end else.
async fn stop_health(mut health: HealthReporter) {
    for name in SERVICES {
        health.set_service_status(name, tonic_health::ServingStatus::NotServing).await;
        health.clear_service_status(name).await;
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::post;
    use http::uri::PathAndQuery;
    use tonic::client::Grpc;
    use tonic::transport::Endpoint as ClientEndpoint;
    use tonic::{Code, Request};
    use tonic_prost::ProstCodec;
    use tonic_types::StatusExt as _;

    use super::*;
    use crate::cognito::{Credentials, Endpoint};

    async fn panics() {
        panic!("canary");
    }

    #[tokio::test]
    async fn a_panic_is_answered_in_neutral_words_and_the_connection_lives() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (health, _) = tonic_health::server::health_reporter();
        let routes = Router::new().route("/panics", post(panics)).into();
        let cognito = Cognito::new(Endpoint::Aws, Credentials::for_development(), Duration::ZERO);
        let Service { facade, authorize, tls, drain_timeout } = Service::open(cognito, Duration::ZERO);
        let served = Served { routes, health, facade: Arc::new(facade), authorize, tls, drain_timeout };
        let serving = serve_routes(listener, served, std::future::pending());
        let serving = tokio::spawn(serving);

        let mut client =
            Grpc::new(ClientEndpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap());
        for _ in 0..2 {
            client.ready().await.unwrap();
            let path = PathAndQuery::from_static("/panics");
            let answer = client.unary(Request::new(()), path, ProstCodec::<(), ()>::default()).await;
            let status = answer.unwrap_err();
            let details = status.get_error_details();
            assert_eq!(status.code(), Code::Internal);
            assert_eq!(details.error_info().unwrap().reason, "FACADE_FAILED");
            assert!(!details.request_info().unwrap().request_id.is_empty());
            assert!(!format!("{status:?}").contains("canary"), "{status:?}");
        }
        serving.abort();
    }
}
