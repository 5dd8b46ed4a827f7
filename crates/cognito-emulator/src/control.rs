//! The control endpoints under `/_embedded/`, documented in the README.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State as Shared};
use axum::http::Response;
use axum::middleware::from_fn;
use axum::routing::{get, post, put};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::backend::Backend;
use crate::fault::Fault;
use crate::protocol::{Failure, plain_response, timestamp};
use crate::state::MAX_AHEAD;
use crate::state::user::{SignIn, Status};
use crate::token::{ADMIN_SCOPE, Grant, Issue};
use crate::{demo, guard, random, totp};

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
        .route("/reset", post(reset))
        .layer(from_fn(guard::with_control_header))
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

/// The claims of a token to mint; by default one of the demo user.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Mint {
    user_pool_id: Option<String>,
    username: Option<String>,
    client_id: Option<String>,
    scope: Option<String>,
    /// In seconds; not positive for an expired token.
    expires_in: Option<i64>,
}

async fn mint_token(Shared(backend): Shared<Arc<Backend>>, RawQuery(query): RawQuery, body: Bytes) -> Response<Body> {
    let outcome = mint(&backend, &body).await;
    // For a shell: the token alone.
    if parameter(query.as_deref(), "format").as_deref() == Some("text")
        && let Some(token) = outcome.as_ref().ok().and_then(|output| output.get("AccessToken")?.as_str())
    {
        return Response::new(Body::from(format!("{token}\n")));
    }
    plain_response(outcome)
}

async fn mint(backend: &Backend, body: &[u8]) -> Outcome {
    let mint: Mint = if body.is_empty() { Mint::default() } else { read(body)? };
    let expires_in = mint.expires_in.unwrap_or(3600);
    let distance = Duration::from_secs(expires_in.unsigned_abs());
    if distance > MAX_AHEAD {
        return Err(Failure::invalid_parameter(format!("ExpiresIn must be within {} seconds", MAX_AHEAD.as_secs())));
    }
    let pool_id = mint.user_pool_id.as_deref().unwrap_or(demo::POOL_ID);
    let username = mint.username.as_deref().unwrap_or(demo::USERNAME);
    let signer = backend.signer().await?;
    let output = {
        let mut state = backend.state();
        let now = state.now();
        let issuer = state.issuer(pool_id).unwrap_or_default();
        let pool = state.pool(pool_id, None)?;
        let first_client = || pool.clients.keys().next().cloned();
        let sign_in = SignIn {
            origin_jti: random::uuid()?,
            client_id: mint.client_id.or_else(first_client).unwrap_or_else(|| "embedded".to_owned()),
            refresh_token: None,
            at: now,
            expires: now.saturating_add(MINTED_SIGN_IN),
        };
        pool.user_mut(username)?.sign_ins.push(sign_in.clone());
        let expires = if expires_in < 0 { now.saturating_sub(distance) } else { now.saturating_add(distance) };
        let grant =
            Grant { scope: mint.scope.unwrap_or_else(|| ADMIN_SCOPE.to_owned()), issued: now.min(expires), expires };
        let user = pool.user(username)?;
        let issue = Issue { signer: &signer, issuer: &issuer, pool, user, sign_in: &sign_in };
        let token = issue.access_token(&grant)?;
        json!({ "AccessToken": token, "ExpiresIn": expires_in })
    };
    backend.save().await?;
    Ok(output)
}

async fn totp_code(Shared(backend): Shared<Arc<Backend>>, RawQuery(query): RawQuery) -> Response<Body> {
    let query = query.as_deref();
    loop {
        match unused_totp(&backend, query) {
            Ok((output, wait)) if wait.is_zero() => return plain_response(Ok(output)),
            Ok((output, wait)) => tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = backend.closing() => return plain_response(Ok(output)),
            },
            Err(failure) => return plain_response(Err(failure)),
        }
    }
}

/// The first code that was not used, and how long until it is accepted.
fn unused_totp(backend: &Backend, query: Option<&str>) -> Result<(Value, Duration), Failure> {
    let (pool_id, username) = (required(query, "user_pool_id")?, required(query, "username")?);
    let mut state = backend.state();
    let now = state.now().as_secs();
    let user = state.pool(&pool_id, None)?.user(&username)?;
    let token =
        user.software_token.as_ref().ok_or_else(|| Failure::resource_not_found("The user has no software token."))?;
    let at = totp::unused_at(now, token.used_step);
    let code = totp::code(&token.secret, at).ok_or_else(|| Failure::internal("a TOTP secret is not base32"))?;
    let wait = Duration::from_secs(totp::accepted_in(now, at));
    Ok((json!({ "Code": code, "Secret": token.secret, "Verified": token.verified }), wait))
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
        state.advance(Duration::from_secs(advance.advance_seconds))?;
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

async fn reset(Shared(backend): Shared<Arc<Backend>>) -> Response<Body> {
    plain_response(start_over(&backend).await)
}

/// Everything as at the first start; only the signing key stays.
async fn start_over(backend: &Backend) -> Outcome {
    let fresh = backend.fresh_state()?;
    *backend.state() = fresh;
    backend.faults().remove(None);
    backend.requests().clear();
    backend.save().await?;
    Ok(json!({}))
}
