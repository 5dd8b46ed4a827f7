//! What one runtime serves: every runtime has routes and middleware of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::transport::Server;

use crate::authn::Authenticator;
use crate::authn::token::MAX_TOKEN_BYTES;
use crate::authz::Gate;
use crate::domain::DeadlineLimits;
use crate::server::connection::Incoming;
use crate::server::error::ServeError;
use crate::server::layers::layers;

/// The maximum number of calls at a time on one connection.
const MAX_STREAMS: u32 = 256;

/// The maximum size of headers in bytes, as HTTP/2 counts them: the largest token, and as much again for everything else, so
/// that a token beyond its limit is rejected in gRPC's words. What is larger gets HTTP's 431, or loses its connection.
#[expect(clippy::cast_possible_truncation, reason = "a constant of some kilobytes")]
const MAX_HEADER_BYTES: u32 = 2 * MAX_TOKEN_BYTES as u32;

/// How often an idle connection is probed for its peer.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What one runtime serves: the routes and the middleware before them.
pub(super) struct Share {
    pub(super) routes: Routes,
    pub(super) gate: Gate,
    pub(super) authenticator: Arc<Authenticator>,
    /// The calls in flight, of every share.
    pub(super) calls: TaskTracker,
    pub(super) deadlines: DeadlineLimits,
}

impl Share {
    /// Serves the connections until `stopped`, then until the last of them has ended.
    pub(super) async fn serve(self, incoming: Incoming, stopped: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self { routes, gate, authenticator, calls, deadlines } = self;
        Server::builder()
            .max_concurrent_streams(MAX_STREAMS)
            .http2_max_header_list_size(MAX_HEADER_BYTES)
            .http2_keepalive_interval(Some(KEEPALIVE))
            .layer(layers(gate, authenticator, calls, deadlines))
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, stopped)
            .await
            .map_err(ServeError::Transport)
    }
}
