//! The middleware that every call passes, in order.

use std::sync::Arc;

use http::{Request, Response};
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::codegen::{Bytes, Service, StdError};
use tonic::service::Routes;
use tower::ServiceBuilder;
use tower::layer::Layer;
use tower::util::{MapFutureLayer, MapRequestLayer, MapResponseLayer};
use tower_http::auth::AsyncRequireAuthorizationLayer;
use tower_http::body::UnsyncBoxBody;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::classify::GrpcEosErrorsAsFailures;
use tower_http::request_id::{PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::{DefaultOnBodyChunk, DefaultOnEos, ResponseBody, TraceLayer};

use crate::authn::Authenticator;
use crate::authz::{AuthzInterceptor, Gate};
use crate::domain::DeadlineLimits;
use crate::server::late::EndLateLayer;
use crate::server::limits::ServerLimits;
use crate::server::{context, health, response};

type LayeredBody =
    ResponseBody<UnsyncBoxBody<Bytes, StdError>, GrpcEosErrorsAsFailures, DefaultOnBodyChunk, DefaultOnEos, ()>;

/// The layers around the routes, from the outside in. `calls` tracks the calls in flight.
pub(super) fn layers(
    gate: Gate,
    authenticator: Arc<Authenticator>,
    calls: TaskTracker,
    deadlines: DeadlineLimits,
    limits: ServerLimits,
) -> impl Layer<
    Routes,
    Service: Service<Request<Body>, Response = Response<LayeredBody>, Error: Into<StdError> + Send, Future: Send>
                 + Clone
                 + Send
                 + 'static,
> + Clone {
    ServiceBuilder::new()
        .layer(MapFutureLayer::new(move |call| calls.track_future(call)))
        .layer(MapRequestLayer::new(move |request| context::prepare(request, deadlines)))
        .layer(SetRequestIdLayer::x_request_id(context::NewRequestId))
        .layer(
            TraceLayer::new_for_grpc()
                .make_span_with(context::span)
                .on_request(())
                .on_response(context::log_response)
                .on_failure(()),
        )
        // Inside the span, so that the cause of a failure is logged in it; outside the request id, which it returns.
        .layer(MapResponseLayer::new(response::render_error))
        .layer(PropagateRequestIdLayer::x_request_id())
        // Inside whatever renders errors, so that a panic is rendered and logged like any other failure.
        .layer(CatchPanicLayer::custom(response::panic_response))
        // From here on a response has the type of the services' own.
        .layer(EndLateLayer)
        .layer(AsyncRequireAuthorizationLayer::new(context::check_deadline))
        .layer(AsyncRequireAuthorizationLayer::new(move |request| health::check_streams(request, limits)))
        // Innermost: nothing is between the decision and what it was taken on.
        .layer(AsyncRequireAuthorizationLayer::new(AuthzInterceptor::new(gate, authenticator)))
}
