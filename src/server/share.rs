//! What one runtime serves: every runtime has routes and middleware of its own.

use std::sync::Arc;

use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tower::{Layer as _, ServiceExt as _};

use crate::authn::Authenticator;
use crate::authz::Gate;
use crate::domain::DeadlineLimits;
use crate::server::connection::{self, ConnectionLife, ConnectionSettings, Incoming};
use crate::server::layers::layers;
use crate::server::limits::ServerLimits;

/// What one runtime serves: the routes and the middleware before them.
pub(super) struct Share {
    pub(super) routes: Routes,
    pub(super) gate: Gate,
    pub(super) authenticator: Arc<Authenticator>,
    /// The calls in flight, of every share.
    pub(super) calls: TaskTracker,
    pub(super) deadlines: DeadlineLimits,
    pub(super) life: ConnectionLife,
    pub(super) limits: ServerLimits,
}

impl Share {
    /// Serves the connections until `stopped`, then until the last of them has ended.
    pub(super) async fn serve(self, incoming: Incoming, stopped: impl Future<Output = ()>) {
        let Self { routes, gate, authenticator, calls, deadlines, life, limits } = self;
        let service = layers(gate, authenticator, calls, deadlines, limits).layer(routes.prepare()).map_err(Into::into);
        let settings = ConnectionSettings { life, streams: limits.streams };
        connection::serve(incoming, service, settings, stopped).await;
    }
}
