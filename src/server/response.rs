//! Responses: every error, whoever made it, carries the same details.

use std::any::Any;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use http::header::CONTENT_TYPE;
use http::{Method, Response, StatusCode};

use crate::api::Rpc;
use crate::api::v1::ErrorReason;
use crate::domain::Call;
use crate::error::{self, Error};
use crate::server::body_budget::BodyBudget;
use crate::server::context::REQUEST_ID;
use crate::server::unary_body::UnaryBody;

/// The header that says which encodings are read. gRPC requires it in the response to an unknown encoding.
const ACCEPTED_ENCODINGS: &str = "grpc-accept-encoding";

/// The paths of health, whose requests are one message, too.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// Renders the error of a failed call. Streams that have begun are left alone: only health and reflection stream.
pub(super) fn render_error<B: Default>(response: Response<B>) -> Response<B> {
    let id = response.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let Some(status) = error::render(&response, id) else { return response };
    let mut rendered = status.into_http();
    *rendered.status_mut() = response.status();
    for name in [REQUEST_ID, ACCEPTED_ENCODINGS] {
        if let Some(value) = response.headers().get(name) {
            rendered.headers_mut().insert(name, value.clone());
        }
    }
    rendered
}

/// Rejects what is not a gRPC request, which tonic 0.14 would serve: another HTTP method than POST, or another content type; and,
/// as it is read, the body of a unary call that is not one message of a limited size within a limited time.
/// The HTTP status is an error too, so that no client that does not know gRPC takes the response for a success.
pub(super) async fn reject_non_grpc(State(budget): State<BodyBudget>, request: Request, next: Next) -> Response<Body> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let format = content_type.strip_prefix("application/grpc");
    let (status, cause) = if request.method() != Method::POST {
        (StatusCode::METHOD_NOT_ALLOWED, "the method is not POST")
    } else if !format.is_some_and(|format| format.is_empty() || format.starts_with(['+', ';'])) {
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content type is not application/grpc")
    } else {
        let path = request.uri().path();
        let rpc = Rpc::from_path(path);
        let request = if rpc.is_some() || path.starts_with(HEALTH) {
            let caller = request.extensions().get::<Arc<Call>>().cloned();
            request.map(|body| Body::new(UnaryBody::new(rpc, body, caller, budget)))
        } else {
            request
        };
        return next.run(request).await;
    };
    let mut response = error::rejection(Error::new(ErrorReason::RequestMalformed).cause(cause));
    *response.status_mut() = status;
    response
}

/// The response of a call whose handler panicked. The text of the panic may hold anything, so it goes nowhere.
pub(super) fn panic_response(_panic: Box<dyn Any + Send>) -> Response<tonic::body::Body> {
    error::rejection(Error::new(ErrorReason::MfagateFailed).cause("a handler panicked"))
}
