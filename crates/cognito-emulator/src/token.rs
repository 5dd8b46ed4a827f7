//! Issues tokens and verifies access tokens.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value, json};

use crate::protocol::Failure;
use crate::random;
use crate::signer::Signer;
use crate::state::State;
use crate::state::client::Client;
use crate::state::pool::Pool;
use crate::state::user::{SignIn, User};

/// The scope that every operation with an access token requires.
pub(crate) const ADMIN_SCOPE: &str = "aws.cognito.signin.user.admin";

/// What an access token carries besides its user and client.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) scope: String,
    pub(crate) issued: Duration,
    pub(crate) expires: Duration,
}

/// The user and client of an access token.
#[derive(Clone, Debug)]
pub(crate) struct Bearer {
    pub(crate) pool_id: String,
    pub(crate) username: String,
    pub(crate) client_id: String,
}

/// Why an access token is refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The token, its pool or its scope.
    Token(Failure),
    /// The user was deleted.
    UserGone,
}

/// Starts a sign-in, which ends with its expiry or a sign-out.
pub(crate) fn start_sign_in(user: &mut User, client: &Client, now: Duration) -> Result<SignIn, Failure> {
    user.sign_ins.retain(|sign_in| now < sign_in.expires);
    let sign_in = SignIn {
        origin_jti: random::uuid()?,
        client_id: client.id.clone(),
        refresh_token: Some(random::opaque()?),
        at: now,
        expires: now.saturating_add(client.refresh_token_validity()),
    };
    user.sign_ins.push(sign_in.clone());
    Ok(sign_in)
}

/// What tokens are issued from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Issue<'a> {
    pub(crate) signer: &'a Signer,
    pub(crate) issuer: &'a str,
    pub(crate) pool: &'a Pool,
    pub(crate) user: &'a User,
    pub(crate) sign_in: &'a SignIn,
}

impl Issue<'_> {
    pub(crate) fn access_token(&self, grant: &Grant) -> Result<String, Failure> {
        self.signer.sign(&json!({
            "sub": self.user.sub(),
            "iss": self.issuer,
            "client_id": self.sign_in.client_id,
            "origin_jti": self.sign_in.origin_jti,
            "event_id": random::uuid()?,
            "token_use": "access",
            "scope": grant.scope,
            "auth_time": self.sign_in.at.as_secs(),
            "exp": grant.expires.as_secs(),
            "iat": grant.issued.as_secs(),
            "jti": random::uuid()?,
            "username": self.user.username,
        }))
    }

    pub(crate) fn id_token(&self, now: Duration) -> Result<String, Failure> {
        let validity = self.pool.client(&self.sign_in.client_id)?.id_token_validity();
        let claim = |name: &str, value: &str| {
            if name.ends_with("_verified") { json!(value == "true") } else { json!(value) }
        };
        let attributes = self.user.attributes.iter();
        let mut claims: Map<String, Value> =
            attributes.map(|(name, value)| (name.clone(), claim(name, value))).collect();
        for (name, value) in [
            ("iss", json!(self.issuer)),
            ("aud", json!(self.sign_in.client_id)),
            ("cognito:username", json!(self.user.username)),
            ("origin_jti", json!(self.sign_in.origin_jti)),
            ("event_id", json!(random::uuid()?)),
            ("token_use", json!("id")),
            ("auth_time", json!(self.sign_in.at.as_secs())),
            ("exp", json!(now.saturating_add(validity).as_secs())),
            ("iat", json!(now.as_secs())),
            ("jti", json!(random::uuid()?)),
        ] {
            claims.insert(name.to_owned(), value);
        }
        self.signer.sign(&Value::Object(claims))
    }
}

/// Verifies an access token with every check that Cognito makes.
pub(crate) fn verify(state: &State, signer: &Signer, token: &str) -> Result<Bearer, Refusal> {
    let refused = |message: &str| Refusal::Token(Failure::not_authorized(message));
    let invalid = || refused("Invalid Access Token");
    let claims = signer.verify(token).ok_or_else(invalid)?;
    let claim = |name: &str| claims.get(name).and_then(Value::as_str).ok_or_else(invalid);
    if claim("token_use")? != "access" {
        return Err(invalid());
    }
    // The key is the emulator's own, so the issuer is as well, also if it was reached at another address then.
    let pool_id = claim("iss")?.rsplit('/').next().unwrap_or_default();
    let Some(pool) = state.pools.get(pool_id) else {
        return Err(Refusal::Token(Failure::resource_not_found(format!("User pool {pool_id} does not exist."))));
    };
    let expires = claims.get("exp").and_then(Value::as_u64).ok_or_else(invalid)?;
    if expires <= state.now().as_secs() {
        return Err(refused("Access Token has expired"));
    }
    let (username, client_id) = (claim("username")?, claim("client_id")?);
    // A new user of the same name has another sub.
    let Some(user) = pool.users.get(username).filter(|user| Ok(user.sub()) == claim("sub").map_err(drop)) else {
        return Err(Refusal::UserGone);
    };
    let origin = claim("origin_jti")?;
    if !user.sign_ins.iter().any(|sign_in| sign_in.origin_jti == origin) {
        return Err(refused("Access Token has been revoked"));
    }
    if !claim("scope")?.split(' ').any(|scope| scope == ADMIN_SCOPE) {
        return Err(refused("Access Token does not have required scopes"));
    }
    Ok(Bearer { pool_id: pool_id.to_owned(), username: username.to_owned(), client_id: client_id.to_owned() })
}

/// The pool id and username that a token claims, unverified.
pub(crate) fn unverified_user(token: &str) -> Option<(String, String)> {
    let claims = token.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&BASE64URL_NOPAD.decode(claims.as_bytes()).ok()?).ok()?;
    let pool_id = claims.get("iss")?.as_str()?.rsplit('/').next()?;
    Some((pool_id.to_owned(), claims.get("username")?.as_str()?.to_owned()))
}
