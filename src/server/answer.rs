//! This file completes what is answered: every error, whoever made it, carries the same details.

use std::any::Any;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use http::header::CONTENT_TYPE;
use http::{Method, Response, StatusCode};
use tonic::{Code, Status};

use crate::api::v1::ErrorReason;
use crate::error::{self, Error};
use crate::server::call::REQUEST_ID;

/// The header that says which encodings are read, which gRPC demands of an answer to an unknown one.
const ACCEPTED_ENCODINGS: &str = "grpc-accept-encoding";

/// Completes an error answer. Answers of streams that have begun are left alone: only health and reflection stream.
pub(super) fn complete<B: Default>(response: Response<B>) -> Response<B> {
    let Some(status) = failure(&response) else { return response };
    let id = response.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let mut completed = error::complete(&status, id).into_http();
    *completed.status_mut() = response.status();
    for name in [REQUEST_ID, ACCEPTED_ENCODINGS] {
        if let Some(value) = response.headers().get(name) {
            completed.headers_mut().insert(name, value.clone());
        }
    }
    completed
}

/// The status of a failed call: ours or tonic's own from the extensions, where it still has its source; else from the
/// headers. A plain HTTP failure is one as well: tonic answers some requests that are not gRPC so.
fn failure<B>(response: &Response<B>) -> Option<Status> {
    let status = response.extensions().get::<Status>().cloned().or_else(|| Status::from_header_map(response.headers()));
    match status {
        Some(status) => (status.code() != Code::Ok).then_some(status),
        None if response.status() == StatusCode::OK => None,
        None => Some(Status::internal(format!("answered with HTTP status {}", response.status().as_u16()))),
    }
}

/// Refuses what is not a gRPC request, which tonic 0.14 would serve: another HTTP method than POST, or another content type.
/// The HTTP status is an error too, so that no client that does not know gRPC takes the answer for a success.
pub(super) async fn only_grpc(request: Request, next: Next) -> Response<Body> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let format = content_type.strip_prefix("application/grpc");
    let (status, cause) = if request.method() != Method::POST {
        (StatusCode::METHOD_NOT_ALLOWED, "the method is not POST")
    } else if !format.is_some_and(|format| format.is_empty() || format.starts_with(['+', ';'])) {
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content type is not application/grpc")
    } else {
        return next.run(request).await;
    };
    let mut response = Status::from(Error::new(ErrorReason::RequestMalformed).because(cause)).into_http();
    *response.status_mut() = status;
    response
}

/// The answer of a call whose handler panicked. The panic's text may hold anything, so it goes nowhere.
pub(super) fn panicked(_panic: Box<dyn Any + Send>) -> Response<tonic::body::Body> {
    Status::from(Error::new(ErrorReason::FacadeFailed).because("a handler panicked")).into_http()
}
