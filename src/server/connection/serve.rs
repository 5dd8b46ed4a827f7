//! Serves HTTP/2 on connections, and ends them: those that are idle, those that are old, and all of them at shutdown.
//!
//! Not tonic's loop: its maximum age with a grace cuts connections without a GOAWAY (0.14.9), it knows no idle connections, and its
//! timer ends late calls as CANCELLED.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming as HyperBody;
use hyper::server::conn::http2;
use hyper::service::{Service as HttpService, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::codegen::{Bytes, Service, StdError};
use tonic::transport::server::Connected as _;
use tower::ServiceExt as _;

use crate::authn::PeerIdentity;
use crate::authn::token::MAX_TOKEN_BYTES;
use crate::server::connection::activity::{Active, Activity};
use crate::server::connection::life::ConnectionLife;
use crate::server::connection::stream::Connection;

/// The maximum size of headers in bytes, as HTTP/2 counts them: the largest token, and as much again for everything else, so
/// that a token beyond its limit is rejected in gRPC's words. What is larger gets HTTP's 431, or loses its connection.
#[expect(clippy::cast_possible_truncation, reason = "a constant of some kilobytes")]
const MAX_HEADER_BYTES: u32 = 2 * MAX_TOKEN_BYTES as u32;

/// How much of one request may be unread: most are smaller, and the largest are read while they arrive.
const STREAM_WINDOW_BYTES: u32 = 64 << 10;

/// How much of all requests of one connection may be unread.
const CONNECTION_WINDOW_BYTES: u32 = 512 << 10;

/// How often an idle connection is probed for its peer.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// The paths of what is public.
const PUBLIC: &str = "/grpc.health.";

/// The path of watches.
const WATCH: &str = "/grpc.health.v1.Health/Watch";

/// How a connection is served.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct ConnectionSettings {
    /// How long it lives.
    pub(in crate::server) life: ConnectionLife,
    /// The maximum number of its calls at a time.
    pub(in crate::server) streams: u32,
}

/// Serves the connections until `stopped`, then until the last of them has ended.
pub(in crate::server) async fn serve<S, B>(
    connections: impl Stream<Item = std::io::Result<Connection>>,
    service: S,
    settings: ConnectionSettings,
    stopped: impl Future<Output = ()>,
) where
    S: Service<Request<Body>, Response = Response<B>, Error = StdError, Future: Send> + Clone + Send + 'static,
    B: HttpBody<Data = Bytes, Error = StdError> + Send + Unpin + 'static,
{
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    {
        // Dropped before the connections are waited for, and with it the listener or the queue behind it.
        let mut connections = pin!(connections);
        let mut stopped = pin!(stopped);
        loop {
            let connection = tokio::select! {
                () = &mut stopped => break,
                connection = connections.next() => connection,
            };
            match connection {
                Some(Ok(connection)) => {
                    drop(tracker.spawn(serve_one(connection, service.clone(), settings, stop.clone())));
                }
                Some(Err(error)) => tracing::debug!(%error, "connection lost before it was served"),
                None => break,
            }
        }
    }
    stop.cancel();
    tracker.close();
    tracker.wait().await;
}

fn serve_one<S, B>(
    connection: Connection,
    service: S,
    settings: ConnectionSettings,
    stop: CancellationToken,
) -> impl Future<Output = ()> + Send
where
    S: Service<Request<Body>, Response = Response<B>, Error = StdError, Future: Send> + Clone + Send + 'static,
    B: HttpBody<Data = Bytes, Error = StdError> + Send + Unpin + 'static,
{
    let (peer, activity) = (connection.connect_info(), connection.activity());
    let calls = {
        let (peer, activity) = (peer.clone(), Arc::clone(&activity));
        service_fn(move |request: Request<HyperBody>| {
            let mut request = request.map(Body::new);
            let path = request.uri().path();
            let active = if path.starts_with(PUBLIC) && !peer.authenticated.is_set() {
                let (active, streams) = Activity::begin_public(&activity, path == WATCH);
                request.extensions_mut().insert(streams);
                active
            } else {
                Activity::begin(&activity)
            };
            request.extensions_mut().insert(peer.clone());
            let call = service.clone().oneshot(request);
            async move { Ok::<_, StdError>(call.await?.map(|body| ActiveBody { body, _active: active })) }
        })
    };
    drive(connection, calls, (peer, activity), settings, stop)
}

/// Drives a connection until it has ended. Generic in the errors: with those of `serve_one`, the compiler does not see that the future
/// is `Send` (rust-lang/rust 102211).
async fn drive<S, B>(
    connection: Connection,
    calls: S,
    (peer, activity): (PeerIdentity, Arc<Activity>),
    ConnectionSettings { life, streams }: ConnectionSettings,
    stop: CancellationToken,
) where
    S: HttpService<Request<HyperBody>, Response = Response<B>, Error: Into<StdError>, Future: Send + 'static>
        + Send
        + 'static,
    B: HttpBody<Data: Send, Error: Into<StdError>> + Send + 'static,
{
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .max_concurrent_streams(streams)
        .max_header_list_size(MAX_HEADER_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .keep_alive_interval(KEEPALIVE);
    let mut served = pin!(http.serve_connection(TokioIo::new(connection), calls));
    let cause = tokio::select! {
        ended = &mut served => return log_end(&peer, ended),
        () = stop.cancelled() => None,
        () = activity.idle(&peer.authenticated, life) => Some("idle"),
        () = tokio::time::sleep(life.age()) => Some("maximum age"),
    };
    // GOAWAY: the client opens no more streams here, and those that are open end.
    served.as_mut().graceful_shutdown();
    let Some(cause) = cause else { return log_end(&peer, served.await) };
    tracing::debug!(peer = %peer.address, cause, "connection ends");
    if let Ok(ended) = tokio::time::timeout(life.grace, served).await {
        log_end(&peer, ended);
    } else {
        tracing::debug!(peer = %peer.address, cause, "connection cut, a call has not ended");
    }
}

fn log_end(peer: &PeerIdentity, ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        tracing::debug!(peer = %peer.address, cause = crate::error::chain(&error), "connection lost");
    }
}

/// The body of a response, whose call is in flight until it ends.
struct ActiveBody<B> {
    body: B,
    _active: Active,
}

impl<B: HttpBody + Unpin> HttpBody for ActiveBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
