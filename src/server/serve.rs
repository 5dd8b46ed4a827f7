//! Serves gRPC on a listener until shutdown.

use std::num::NonZero;
use std::pin::pin;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tonic::transport::server::TcpIncoming;
use tonic_health::server::HealthReporter;

use crate::authn::Authenticator;
use crate::authz::Gate;
use crate::cognito::{Cognito, Credentials};
use crate::domain::DeadlineLimits;
use crate::server::body_budget::BodyBudget;
use crate::server::connection::tls::TlsAcceptor;
use crate::server::connection::{ConnectionLife, ConnectionLimits, ConnectionSlots, accepted, incoming};
use crate::server::drain::{Drain, DrainTimes};
use crate::server::error::ServeError;
use crate::server::health::Watches;
use crate::server::limits::ServerLimits;
use crate::server::readiness::Readiness;
use crate::server::routes::routes;
use crate::server::share::Share;
use crate::server::worker::{Handshakes, Workers};
use crate::service::Facade;

/// What is served, to whom, and how. The middleware and the handlers decide by the one gate.
#[derive(Debug)]
pub struct Service {
    /// Decides on every call.
    pub gate: Gate,
    /// Authenticates callers, where the gate is enforced.
    pub authenticator: Arc<Authenticator>,
    /// Cognito.
    pub cognito: Cognito,
    /// What Cognito is called with. Without it, the service is ready whether or not it has any.
    pub credentials: Option<Credentials>,
    /// How connections are encrypted; `None` serves in plaintext.
    pub tls: Option<Arc<TlsAcceptor>>,
    /// How long callers may wait.
    pub deadlines: DeadlineLimits,
    /// How long connections live.
    pub life: ConnectionLife,
    /// How much one connection, one peer, one caller, and all together may take.
    pub limits: ServerLimits,
    /// How long the phases of a shutdown take.
    pub drain: DrainTimes,
}

impl Service {
    /// A service that admits everybody and encrypts nothing: only on loopback, and only before a Cognito that holds nothing
    /// worth protecting.
    pub fn open(cognito: Cognito, drain: DrainTimes) -> Self {
        let authenticator = Arc::new(Authenticator::new(None));
        let (deadlines, life) = (DeadlineLimits::default(), ConnectionLife::default());
        Self {
            gate: Gate::AllowAll,
            authenticator,
            cognito,
            credentials: None,
            tls: None,
            deadlines,
            life,
            limits: ServerLimits::default().without_strangers(),
            drain,
        }
    }

    /// What the service needs to be ready.
    fn readiness(&self) -> Readiness {
        Readiness {
            gate: self.gate.clone(),
            authenticator: Arc::clone(&self.authenticator),
            credentials: self.credentials.clone(),
            upstream: self.cognito.upstream().clone(),
        }
    }
}

/// Serves on `listener` in the current runtime until `shutdown` is done, then drains.
pub async fn serve(
    listener: TcpListener,
    service: Service,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let readiness = service.readiness();
    let Service { gate, authenticator, cognito, credentials: _, tls, deadlines, life, limits, drain: times } = service;
    let health = HealthReporter::new();
    let reporting = readiness.report(health.clone()).await;
    let facade = Arc::new(Facade::new(gate.clone(), cognito));
    let calls = TaskTracker::new();
    let routes = routes(Arc::clone(&facade), &health, &Watches::new(limits.watches), &BodyBudget::new(limits.bodies))
        .map_err(ServeError::Reflection)?;
    let share = Share { routes, gate, authenticator, calls: calls.clone(), deadlines, life, limits };
    let drain = Drain { health, calls, facade, times };
    serve_share(listener, share, tls, drain, until_reported(shutdown, reporting)).await
}

async fn serve_share(
    listener: TcpListener,
    share: Share,
    tls: Option<Arc<TlsAcceptor>>,
    drain: Drain,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    log_serving(&listener, tls.is_some(), None)?;
    let stop = CancellationToken::new();
    let connections = ConnectionLimits { slots: ConnectionSlots::of(share.limits), ..ConnectionLimits::default() };
    let incoming = incoming(tls, without_delay(listener), connections);
    let serving = async {
        share.serve(incoming, stop.cancelled()).await;
        Ok(())
    };
    until(shutdown, drain, &stop, serving).await
}

/// Serves on `listener` with so many workers until `shutdown` is done, then drains. The current runtime accepts connections and
/// watches; calls are served by the workers.
pub async fn serve_with_workers(
    listener: TcpListener,
    service: Service,
    workers: NonZero<usize>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let readiness = service.readiness();
    let Service { gate, authenticator, cognito, credentials: _, tls, deadlines, life, limits, drain: times } = service;
    log_serving(&listener, tls.is_some(), Some(workers))?;
    let health = HealthReporter::new();
    let reporting = readiness.report(health.clone()).await;
    let facade = Facade::new(gate.clone(), cognito);
    let (calls, stop) = (TaskTracker::new(), CancellationToken::new());
    let (watches, bodies) = (Watches::new(limits.watches), BodyBudget::new(limits.bodies));
    let share = || {
        let routes = routes(Arc::new(facade.for_worker()), &health, &watches, &bodies)?;
        Ok(Share {
            routes,
            gate: gate.clone(),
            authenticator: Arc::clone(&authenticator),
            calls: calls.clone(),
            deadlines,
            life,
            limits,
        })
    };
    let shares: Vec<_> =
        (0..workers.get()).map(|_| share()).collect::<Result<_, _>>().map_err(ServeError::Reflection)?;
    let ConnectionLimits { slots: _, preface_timeout, handshakes } = ConnectionLimits::default();
    let handshakes = Handshakes { tls, preface_timeout, limits: handshakes.shared_by(workers) };
    let mut workers = Workers::start(shares, &handshakes, &stop)?;
    let connections = accepted(without_delay(listener), ConnectionSlots::of(limits));
    let drain = Drain { health, calls, facade: Arc::new(facade), times };
    let ended = until(until_reported(shutdown, reporting), drain, &stop, workers.serve(connections, &stop)).await;
    workers.end().await;
    ended
}

/// Answers are not held back until more can be sent with them.
fn without_delay(listener: TcpListener) -> TcpIncoming {
    TcpIncoming::from(listener).with_nodelay(Some(true))
}

fn log_serving(listener: &TcpListener, encrypted: bool, workers: Option<NonZero<usize>>) -> Result<(), ServeError> {
    let address = listener.local_addr().map_err(ServeError::Listener)?;
    tracing::info!(%address, encrypted, workers = workers.map(NonZero::get), "serving");
    Ok(())
}

/// As `shutdown`, with nothing reported any more that the drain does not.
async fn until_reported(shutdown: impl Future<Output = ()>, reporting: AbortOnDropHandle<()>) {
    shutdown.await;
    reporting.abort();
    // It was aborted, so that is how it ends.
    let _: Result<(), _> = reporting.await;
}

/// Waits for the end of `serving`, or for `shutdown`, at which `stop` is set and the drain begins.
async fn until(
    shutdown: impl Future<Output = ()>,
    drain: Drain,
    stop: &CancellationToken,
    serving: impl Future<Output = Result<(), ServeError>>,
) -> Result<(), ServeError> {
    let mut serving = pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended,
        () = shutdown => {}
    }
    drain.run(|| stop.cancel(), serving).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::Router;
    use axum::routing::post;
    use http::uri::PathAndQuery;
    use tonic::client::Grpc;
    use tonic::transport::Endpoint as ClientEndpoint;
    use tonic::{Code, Request};
    use tonic_prost::ProstCodec;
    use tonic_types::StatusExt as _;

    use super::*;
    use crate::cognito::Endpoint;

    async fn panics() {
        panic!("canary");
    }

    #[tokio::test]
    async fn a_panic_gets_a_neutral_error_and_the_connection_lives() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new().route("/panics", post(panics)).into();
        let cognito = Cognito::new(Endpoint::Aws, Credentials::for_development(), Duration::ZERO);
        let times = DrainTimes { delay: Duration::ZERO, timeout: Duration::ZERO };
        let Service { gate, authenticator, cognito, credentials: _, tls, deadlines, life, limits, drain: times } =
            Service::open(cognito, times);
        let facade = Arc::new(Facade::new(gate.clone(), cognito));
        let calls = TaskTracker::new();
        let share = Share { routes, gate, authenticator, calls: calls.clone(), deadlines, life, limits };
        let drain = Drain { health: HealthReporter::new(), calls, facade, times };
        let serving = tokio::spawn(serve_share(listener, share, tls, drain, std::future::pending()));

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
