//! The control endpoints under `/_embedded/`, documented in the README.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State as Shared};
use axum::http::Response;
use axum::routing::{get, post, put};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::backend::Backend;
use crate::fault::Fault;
use crate::protocol::{Failure, plain_response, timestamp};
use crate::random;
use crate::state::user::{SignIn, Status};
use crate::token::{ADMIN_SCOPE, Grant, Issue};
use crate::totp;

type Outcome = Result<Value, Failure>;

/// How long the sign-in of a minted token lasts, whatever the expiry of the token.
const MINTED_SIGN_IN: Duration = Duration::from_hours(30 * 24);

pub(crate) fn router() -> Router<Arc<Backend>> {
    Router::new()
        .route("/faults", put(put_faults).get(get_faults).delete(delete_faults))
        .route("/token", post(mint_token))
        .route("/totp", get(totp_code))
        .route("/clock", post(advance_clock))
        .route("/outbox", get(outbox))
        .route("/requests", get(requests).delete(delete_requests))
        .route("/user", post(set_status))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body)
        .map_err(|error| Failure::invalid_parameter(format!("the control request cannot be read: {error}")))
}

/// A parameter of the query, percent-decoded.
fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find_map(|(own, value)| (own == name).then(|| value.into_owned()))
}

fn required(query: Option<&str>, name: &str) -> Result<String, Failure> {
    parameter(query, name).ok_or_else(|| Failure::invalid_parameter(format!("the query parameter {name} is missing")))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    More(Vec<Fault>),
    One(Box<Fault>),
}

async fn put_faults(Shared(backend): Shared<Arc<Backend>>, body: Bytes) -> Response<Body> {
    plain_response(read(&body).map(|faults| {
        let faults = match faults {
            OneOrMore::More(faults) => faults,
            OneOrMore::One(fault) => vec![*fault],
        };
        let mut pending = backend.faults();
        let ids: Vec<u64> = faults.into_iter().map(|fault| pending.put(fault)).collect();
        json!({ "ids": ids })
    }))
}

async fn get_faults(Shared(backend): Shared<Arc<Backend>>) -> Response<Body> {
    let pending = backend.faults();
    let faults: Vec<_> = pending.pending().map(|(id, fault)| json!({ "id": id, "fault": fault })).collect();
    plain_response(Ok(json!({ "faults": faults })))
}

async fn delete_faults(Shared(backend): Shared<Arc<Backend>>, RawQuery(query): RawQuery) -> Response<Body> {
    let id = parameter(query.as_deref(), "id").map(|id| id.parse()).transpose();
    let Ok(id) = id else {
        return plain_response(Err(Failure::invalid_parameter("the id is not a number")));
    };
    backend.faults().remove(id);
    plain_response(Ok(json!({})))
}

/// The claims of a token to mint.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Mint {
    user_pool_id: String,
    username: String,
    client_id: Option<String>,
    scope: Option<String>,
    /// In seconds; not positive for an expired token.
    expires_in: Option<i64>,
}

async fn mint_token(Shared(backend): Shared<Arc<Backend>>, body: Bytes) -> Response<Body> {
    plain_response(mint(&backend, &body).await)
}

async fn mint(backend: &Backend, body: &[u8]) -> Outcome {
    let mint: Mint = read(body)?;
    let signer = backend.signer().await?;
    let output = {
        let mut state = backend.state();
        let now = state.now();
        let pool = state.pool(&mint.user_pool_id, None)?;
        let first_client = || pool.clients.keys().next().cloned();
        let sign_in = SignIn {
            origin_jti: random::uuid()?,
            client_id: mint.client_id.or_else(first_client).unwrap_or_else(|| "embedded".to_owned()),
            refresh_token: None,
            at: now,
            expires: now + MINTED_SIGN_IN,
        };
        pool.user_mut(&mint.username)?.sign_ins.push(sign_in.clone());
        let expires_in = mint.expires_in.unwrap_or(3600);
        let distance = Duration::from_secs(expires_in.unsigned_abs());
        let expires = if expires_in < 0 { now.saturating_sub(distance) } else { now.saturating_add(distance) };
        let grant =
            Grant { scope: mint.scope.unwrap_or_else(|| ADMIN_SCOPE.to_owned()), issued: now.min(expires), expires };
        let user = pool.user(&mint.username)?;
        let issue = Issue { signer: &signer, pool, user, sign_in: &sign_in };
        let token = issue.access_token(&grant)?;
        json!({ "AccessToken": token, "ExpiresIn": expires_in })
    };
    backend.save().await?;
    Ok(output)
}

async fn totp_code(Shared(backend): Shared<Arc<Backend>>, RawQuery(query): RawQuery) -> Response<Body> {
    plain_response(current_totp(&backend, query.as_deref()))
}

fn current_totp(backend: &Backend, query: Option<&str>) -> Outcome {
    let (pool_id, username) = (required(query, "user_pool_id")?, required(query, "username")?);
    let mut state = backend.state();
    let now = state.now().as_secs();
    let user = state.pool(&pool_id, None)?.user(&username)?;
    let token =
        user.software_token.as_ref().ok_or_else(|| Failure::resource_not_found("The user has no software token."))?;
    let code = totp::code(&token.secret, now).ok_or_else(|| Failure::internal("a TOTP secret is not base32"))?;
    Ok(json!({ "Code": code, "Secret": token.secret, "Verified": token.verified }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_seconds: u64,
}

async fn advance_clock(Shared(backend): Shared<Arc<Backend>>, body: Bytes) -> Response<Body> {
    plain_response(advance(&backend, &body).await)
}

async fn advance(backend: &Backend, body: &[u8]) -> Outcome {
    let advance: Advance = read(body)?;
    let now = {
        let mut state = backend.state();
        state.advance(Duration::from_secs(advance.advance_seconds));
        state.now()
    };
    backend.save().await?;
    Ok(json!({ "Now": timestamp(now) }))
}

async fn outbox(Shared(backend): Shared<Arc<Backend>>, RawQuery(query): RawQuery) -> Response<Body> {
    let pool_id = parameter(query.as_deref(), "user_pool_id");
    let username = parameter(query.as_deref(), "username");
    let state = backend.state();
    let letters: Vec<_> = state
        .outbox
        .iter()
        .filter(|letter| pool_id.as_ref().is_none_or(|pool_id| letter.user_pool_id == *pool_id))
        .filter(|letter| username.as_ref().is_none_or(|username| letter.username == *username))
        .collect();
    plain_response(Ok(json!({ "Letters": letters })))
}

async fn requests(Shared(backend): Shared<Arc<Backend>>, RawQuery(query): RawQuery) -> Response<Body> {
    let operation = parameter(query.as_deref(), "operation");
    let requests = backend.requests();
    let wanted: Vec<_> = requests
        .iter()
        .filter(|request| {
            operation.as_ref().is_none_or(|operation| request.get("Operation") == Some(&json!(operation)))
        })
        .collect();
    plain_response(Ok(json!({ "Requests": wanted })))
}

async fn delete_requests(Shared(backend): Shared<Arc<Backend>>) -> Response<Body> {
    backend.requests().clear();
    plain_response(Ok(json!({})))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SetStatus {
    user_pool_id: String,
    username: String,
    user_status: Status,
}

async fn set_status(Shared(backend): Shared<Arc<Backend>>, body: Bytes) -> Response<Body> {
    plain_response(change_status(&backend, &body).await)
}

async fn change_status(backend: &Backend, body: &[u8]) -> Outcome {
    let change: SetStatus = read(body)?;
    backend.state().pool(&change.user_pool_id, None)?.user_mut(&change.username)?.status = change.user_status;
    backend.save().await?;
    Ok(json!({}))
}
