//! This file completes what is answered: every error, whoever made it, carries the same details.

use std::any::Any;

use http::{Response, StatusCode};
use tonic::{Code, Status};

use crate::error::{self, Error};
use crate::proto::v1::ErrorReason;
use crate::server::call::REQUEST_ID;

/// Completes an error answer. Answers of streams that have begun are left alone: only health and reflection stream.
pub(super) fn complete<B: Default>(response: Response<B>) -> Response<B> {
    let request_id = response.headers().get(REQUEST_ID).cloned();
    let id = request_id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default();
    let completed = match failure(&response) {
        Some(status) => error::complete(&status, id),
        None => return response,
    };
    let mut response = completed.into_http();
    if let Some(request_id) = request_id {
        response.headers_mut().insert(REQUEST_ID, request_id);
    }
    response
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

/// The answer of a call whose handler panicked. The panic's text may hold anything, so it goes nowhere.
pub(super) fn panicked(_panic: Box<dyn Any + Send>) -> Response<tonic::body::Body> {
    Status::from(Error::new(ErrorReason::FacadeFailed).because("a handler panicked")).into_http()
}
