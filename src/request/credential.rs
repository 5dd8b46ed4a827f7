//! This file parses the end user's credential: an access token, or the session of a challenge with its pool.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;

use crate::authz::{Decision, Permit};
use crate::domain::text::{AccessToken, Session};
use crate::request::Check;

/// What an end user acts with.
#[derive(Clone, Debug)]
pub enum UserCredential {
    /// The user is signed in.
    AccessToken(AccessToken),
    /// The user is in the middle of an `MFA_SETUP` challenge.
    Session(Session),
}

/// The credential as it came: in two requests, whose generated types differ.
pub enum WireCredential {
    /// None was sent.
    Absent,
    /// `access_token`.
    AccessToken(String),
    /// `session`.
    Session(String),
}

impl fmt::Debug for WireCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WireCredential([redacted])")
    }
}

impl WireCredential {
    /// Whether it is a session, which does not tell its pool.
    #[must_use]
    pub fn is_session(&self) -> bool {
        matches!(self, Self::Session(_))
    }

    /// The pool to decide on: the one that the access token names, else the one in the request.
    #[must_use]
    pub fn user_pool_id(&self, requested: &str) -> String {
        match self {
            Self::AccessToken(token) => claimed_user_pool_id(token).unwrap_or_default(),
            Self::Absent | Self::Session(_) => requested.to_owned(),
        }
    }

    /// The credential and the permit that was decided on for it. `requested` is the request's own pool id.
    pub fn parse(self, check: &mut Check, decision: Decision, requested: &str) -> Option<(Permit, UserCredential)> {
        match self {
            Self::Absent => {
                check.refuse("credential", "one of access_token and session is required");
                None
            }
            Self::AccessToken(token) => {
                if !requested.is_empty() {
                    check.refuse("user_pool_id", "must be absent with access_token, which names its pool itself");
                }
                let (permit, token) = check.signed_in(decision, token)?;
                Some((permit, UserCredential::AccessToken(token)))
            }
            Self::Session(session) => {
                let permit = check.keep(decision.permit());
                let session = check.required("session", session);
                Some((permit?, UserCredential::Session(session?)))
            }
        }
    }
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
}

/// The pool that an access token says it is of: the last path segment of its issuer.
///
/// The token is not verified here. A forger gains nothing by it: Cognito verifies the token in the Region and the pool
/// that it names.
#[must_use]
pub fn claimed_user_pool_id(access_token: &str) -> Option<String> {
    let mut parts = access_token.split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    let payload = BASE64URL_NOPAD.decode(payload.trim_end_matches('=').as_bytes()).ok()?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    let (_, pool) = claims.iss.rsplit_once('/')?;
    Some(pool.to_owned())
}

impl UserCredential {
    /// The token or the session.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::AccessToken(token) => token.as_str(),
            Self::Session(session) => session.as_str(),
        }
    }
}
