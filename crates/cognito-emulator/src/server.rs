//! The HTTP server: Cognito's operations, the key sets, the control endpoints.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, State as Shared};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::middleware::from_fn;
use axum::routing::{any, get};
use serde_json::{Value, json};

use crate::backend::Backend;
use crate::connection::Peer;
use crate::fault::{self, Fault, Kind};
use crate::model::check;
use crate::model::input::Input;
use crate::model::operation::{self as table, Access, Operation};
use crate::operation;
use crate::operation::call::Call;
use crate::protocol::{self, Failure, TARGET_PREFIX};
use crate::{control, guard, random};

/// Larger requests are refused, as by AWS.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The body of a larger request is not recorded.
const MAX_RECORDED_BODY_BYTES: usize = 64 * 1024;

/// Every path of the server.
pub(crate) fn router(backend: Arc<Backend>) -> Router {
    Router::new()
        .route("/", any(operate))
        .route("/{pool_id}/.well-known/jwks.json", get(key_set))
        .route("/{pool_id}/.well-known/openid-configuration", get(openid_configuration))
        .nest("/_embedded", control::router())
        .fallback(|| async { Failure::silent("UnknownOperationException").into_response() })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(guard::from_this_machine))
        .with_state(backend)
}

async fn operate(
    Shared(backend): Shared<Arc<Backend>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response<Body> {
    let id = match random::uuid() {
        Ok(id) => id,
        Err(failure) => return failure.into_response(),
    };
    let mut response = match body {
        Ok(body) => respond(&backend, &peer, Received { headers: &headers, body: &body, id: &id }).await,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let mut failure = Failure::silent("RequestEntityTooLargeException");
            failure.status = 413;
            failure.into_response()
        }
        Err(_) => Failure::silent("MalformedHttpRequestException").into_response(),
    };
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

/// A request whose body was read.
#[derive(Clone, Copy)]
struct Received<'a> {
    headers: &'a HeaderMap,
    body: &'a [u8],
    id: &'a str,
}

async fn respond(backend: &Backend, peer: &Peer, received: Received<'_>) -> Response<Body> {
    let Received { headers, body, id } = received;
    let operation = protocol::operation_name(headers);
    // A body that is not JSON is recorded as text.
    let json = serde_json::from_slice(body).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(body)));
    let kept = if body.len() <= MAX_RECORDED_BODY_BYTES { &json } else { &Value::Null };
    backend.record(headers, operation, id, kept);
    let fault = match headers.get(fault::HEADER).map(|value| Fault::from_header(value.to_str().unwrap_or("{"))) {
        Some(Ok(fault)) => Some(fault),
        Some(Err(error)) => {
            return Failure::invalid_parameter(format!("{} is not a fault: {error}", fault::HEADER)).into_response();
        }
        None => backend.faults().take(operation.unwrap_or_default(), &json),
    };
    let Some(fault) = fault else {
        return protocol::operation_response(perform(backend, headers, body).await);
    };
    if !fault.delay().is_zero() {
        tokio::select! {
            () = tokio::time::sleep(fault.delay()) => {}
            () = backend.closing() => {}
        }
    }
    if fault.kind == Kind::Latency {
        return protocol::operation_response(perform(backend, headers, body).await);
    }
    let performed = if fault.perform { Some(perform(backend, headers, body).await) } else { None };
    inject_fault(backend, peer, fault.kind, performed).await
}

/// Responds as the fault says; `performed` is the outcome of the operation if it was performed.
async fn inject_fault(
    backend: &Backend,
    peer: &Peer,
    kind: Kind,
    performed: Option<Result<Value, Failure>>,
) -> Response<Body> {
    match kind {
        Kind::Latency => protocol::operation_response(performed.unwrap_or_else(|| Ok(json!({})))),
        Kind::Error { code, message, status } => Failure { code: code.into(), message, status }.into_response(),
        Kind::Throttling => Failure::new("TooManyRequestsException", "Rate exceeded").into_response(),
        Kind::NoAnswer => {
            backend.closing().await;
            peer.reset();
            Response::new(Body::empty())
        }
        Kind::Reset => {
            peer.reset();
            Response::new(Body::empty())
        }
        Kind::TruncatedJson => {
            let whole = performed.and_then(Result::ok).unwrap_or_else(|| json!({ "Status": "SUCCESS" }));
            let whole = whole.to_string();
            let half: String = whole.chars().take(whole.chars().count().div_ceil(2)).collect();
            let mut response = protocol::response(StatusCode::OK, &Value::Null);
            *response.body_mut() = Body::from(half);
            response
        }
        Kind::Html => {
            let page = "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>\n";
            let mut response = Response::new(Body::from(page));
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            let html = HeaderValue::from_static("text/html");
            response.headers_mut().insert(header::CONTENT_TYPE, html);
            response
        }
        Kind::Replace { body } => protocol::response(StatusCode::OK, &body),
    }
}

/// Performs an operation, with checks in AWS's order: target, signature, JSON, constraints, meaning.
async fn perform(backend: &Backend, headers: &HeaderMap, body: &[u8]) -> Result<Value, Failure> {
    let operation: &Operation = protocol::operation_name(headers)
        .and_then(table::find)
        .ok_or_else(|| Failure::silent("UnknownOperationException"))?;
    let region = match operation.access {
        Access::Signed => Some(protocol::signed_region(headers)?),
        Access::Unsigned => None,
    };
    let members = check::check(operation, body)?;
    let signer = if operation::needs_key(operation) { Some(backend.signer().await?) } else { None };
    let outcome = {
        let mut state = backend.state();
        let mut call =
            Call { state: &mut state, input: Input(&members), region: region.as_deref(), signer: signer.as_deref() };
        operation::perform(operation, &mut call)
    };
    // A refusal can change the state as well: the count of wrong codes.
    if !operation::only_reads(operation) {
        backend.save().await?;
    }
    outcome
}

async fn key_set(Shared(backend): Shared<Arc<Backend>>, Path(pool_id): Path<String>) -> Response<Body> {
    let known = backend.state().pools.contains_key(&pool_id);
    let outcome = if known {
        match backend.signer().await {
            Ok(signer) => signer.key_set(),
            Err(failure) => Err(failure),
        }
    } else {
        Err(Failure::resource_not_found(format!("User pool {pool_id} does not exist.")))
    };
    protocol::plain_response(outcome)
}

async fn openid_configuration(Shared(backend): Shared<Arc<Backend>>, Path(pool_id): Path<String>) -> Response<Body> {
    let (issuer, key_set_url) = {
        let state = backend.state();
        (state.issuer(&pool_id), state.issuers.key_set_url(&pool_id))
    };
    protocol::plain_response(match issuer {
        Some(issuer) => Ok(json!({
            "issuer": issuer,
            "jwks_uri": key_set_url,
            "id_token_signing_alg_values_supported": ["RS256"],
            "subject_types_supported": ["public"],
        })),
        None => Err(Failure::resource_not_found(format!("User pool {pool_id} does not exist."))),
    })
}

/// Parses a request and checks the constraints of its operation, without performing it.
///
/// The target is the value of `X-Amz-Target`. Returns the members that the operation knows.
pub fn parse(target: &str, body: &[u8]) -> Result<Value, Failure> {
    let operation = target
        .strip_prefix(TARGET_PREFIX)
        .and_then(table::find)
        .ok_or_else(|| Failure::silent("UnknownOperationException"))?;
    check::check(operation, body).map(Value::Object)
}
