//! Serves gRPC on a listener until shutdown.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::server::HealthReporter;

use crate::authn::Authenticator;
use crate::authn::token::MAX_TOKEN_BYTES;
use crate::authz::Gate;
use crate::cognito::Cognito;
use crate::server::connection::tls::TlsAcceptor;
use crate::server::connection::{ConnectionLimits, incoming};
use crate::server::drain::Drain;
use crate::server::layers::layers;
use crate::server::routes::routes;
use crate::service::Facade;

/// The maximum number of calls at a time on one connection.
const MAX_STREAMS: u32 = 256;

/// The maximum size of headers in bytes, as HTTP/2 counts them: the largest token, and as much again for everything else, so
/// that a token beyond its limit is rejected in gRPC's words. What is larger gets HTTP's 431, or loses its connection.
#[expect(clippy::cast_possible_truncation, reason = "a constant of some kilobytes")]
const MAX_HEADER_BYTES: u32 = 2 * MAX_TOKEN_BYTES as u32;

/// How often an idle connection is probed for its peer.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Why the service could not be served.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The listener failed.
    #[error("the listener failed")]
    Listener(#[source] io::Error),
    /// The descriptors that reflection returns are unreadable.
    #[error("reflection cannot be served")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// The transport failed.
    #[error("the transport failed")]
    Transport(#[source] tonic::transport::Error),
}

/// What is served, to whom, and how. The middleware and the handlers decide by the one gate.
#[derive(Debug)]
pub struct Service {
    /// Decides on every call.
    pub gate: Gate,
    /// Authenticates callers, where the gate is enforced.
    pub authenticator: Arc<Authenticator>,
    /// Cognito.
    pub cognito: Cognito,
    /// How connections are encrypted; `None` serves in plaintext.
    pub tls: Option<Arc<TlsAcceptor>>,
    /// How long calls in flight may take at shutdown.
    pub drain_timeout: Duration,
}

impl Service {
    /// A service that admits everybody and encrypts nothing: only on loopback, and only before a Cognito that holds nothing
    /// worth protecting.
    pub fn open(cognito: Cognito, drain_timeout: Duration) -> Self {
        let authenticator = Arc::new(Authenticator::new(None));
        Self { gate: Gate::AllowAll, authenticator, cognito, tls: None, drain_timeout }
    }
}

/// Serves on `listener` until `shutdown` is done, then drains.
pub async fn serve(
    listener: TcpListener,
    service: Service,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let Service { gate, authenticator, cognito, tls, drain_timeout } = service;
    let facade = Arc::new(Facade::new(gate.clone(), cognito));
    let (routes, health) = routes(Arc::clone(&facade)).await.map_err(ServeError::Reflection)?;
    serve_routes(listener, Served { routes, health, facade, gate, authenticator, tls, drain_timeout }, shutdown).await
}

/// A service whose routes are made.
struct Served {
    routes: Routes,
    health: HealthReporter,
    facade: Arc<Facade>,
    gate: Gate,
    authenticator: Arc<Authenticator>,
    tls: Option<Arc<TlsAcceptor>>,
    drain_timeout: Duration,
}

async fn serve_routes(
    listener: TcpListener,
    served: Served,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let Served { routes, health, facade, gate, authenticator, tls, drain_timeout } = served;
    let address = listener.local_addr().map_err(ServeError::Listener)?;
    let calls = TaskTracker::new();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = async {
        // A dropped sender means shutdown as well.
        let _ = stopped.await;
    };
    let encrypted = tls.is_some();
    let connections = TcpIncoming::from(listener).with_nodelay(Some(true));
    let incoming = incoming(tls, connections, ConnectionLimits::default());
    let serving = Server::builder()
        .max_concurrent_streams(MAX_STREAMS)
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .layer(layers(gate, authenticator, calls.clone()))
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, stopped);
    tokio::pin!(serving);

    tracing::info!(%address, encrypted, "serving");
    tokio::select! {
        ended = &mut serving => return ended.map_err(ServeError::Transport),
        () = shutdown => {}
    }
    // Nobody listens any more only if serving has ended already.
    let stop = || stop.send(()).unwrap_or_default();
    let drain = Drain { health, calls, facade, timeout: drain_timeout };
    drain.run(stop, serving).await.map_err(ServeError::Transport)
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
    async fn a_panic_gets_a_neutral_error_and_the_connection_lives() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (health, _) = tonic_health::server::health_reporter();
        let routes = Router::new().route("/panics", post(panics)).into();
        let cognito = Cognito::new(Endpoint::Aws, Credentials::for_development(), Duration::ZERO);
        let Service { gate, authenticator, cognito, tls, drain_timeout } = Service::open(cognito, Duration::ZERO);
        let facade = Arc::new(Facade::new(gate.clone(), cognito));
        let served = Served { routes, health, facade, gate, authenticator, tls, drain_timeout };
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
            assert_eq!(details.error_info().unwrap().reason, "MFAGATE_FAILED");
            assert!(!details.request_info().unwrap().request_id.is_empty());
            assert!(!format!("{status:?}").contains("canary"), "{status:?}");
        }
        serving.abort();
    }
}
