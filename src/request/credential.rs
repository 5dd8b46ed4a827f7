//! The end user's credential: an access token, or the session of a challenge with its pool.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;

use crate::api::v1::{associate_software_token_request, verify_software_token_request};
use crate::domain::ClaimedUser;
use crate::domain::text::{AccessToken, Session};
use crate::request::check::Violations;

/// The credential of an end user.
#[derive(Clone, Debug)]
pub enum UserCredential {
    /// The user is signed in.
    AccessToken(AccessToken),
    /// The user is in the middle of an `MFA_SETUP` challenge.
    Session(Session),
}

/// The credential as sent, in two requests whose generated types differ.
pub enum WireCredential {
    /// Neither was sent.
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
    /// The credential, parsed. `requested` is the pool id of the request, which only a session may come with.
    pub fn parse(self, violations: &mut Violations, requested: &str) -> Option<UserCredential> {
        match self {
            Self::Absent => {
                violations.push("credential", "is required: access_token or session");
                None
            }
            Self::AccessToken(token) => {
                if !requested.is_empty() {
                    violations.push("user_pool_id", "must be absent with access_token, which names its pool itself");
                }
                violations.required("access_token", token).map(UserCredential::AccessToken)
            }
            Self::Session(session) => violations.required("session", session).map(UserCredential::Session),
        }
    }
}

/// What an access token claims.
///
/// The token is not verified here. A forger gains nothing: Cognito verifies the token in the Region and the pool that it names,
/// and the user is recorded only once Cognito has accepted it.
#[derive(Deserialize)]
pub struct UnverifiedClaims {
    iss: String,
    username: Option<String>,
    sub: Option<String>,
}

impl fmt::Debug for UnverifiedClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnverifiedClaims([redacted])")
    }
}

impl UnverifiedClaims {
    /// The claims, unless the text is not a token.
    pub fn of(access_token: &str) -> Option<Self> {
        let mut parts = access_token.split('.');
        let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
        let payload = BASE64URL_NOPAD.decode(payload.trim_end_matches('=').as_bytes()).ok()?;
        serde_json::from_slice(&payload).ok()
    }

    /// The pool: the last path segment of the issuer.
    pub fn user_pool_id(&self) -> Option<String> {
        self.iss.rsplit_once('/').map(|(_, pool)| pool.to_owned())
    }

    /// The user.
    pub fn into_user(self) -> ClaimedUser {
        ClaimedUser { username: self.username, sub: self.sub }
    }
}

impl UserCredential {
    /// The token or the session.
    pub fn as_str(&self) -> &str {
        match self {
            Self::AccessToken(token) => token.as_str(),
            Self::Session(session) => session.as_str(),
        }
    }
}

impl From<Option<associate_software_token_request::Credential>> for WireCredential {
    fn from(credential: Option<associate_software_token_request::Credential>) -> Self {
        use associate_software_token_request::Credential;
        match credential {
            None => Self::Absent,
            Some(Credential::AccessToken(token)) => Self::AccessToken(token),
            Some(Credential::Session(session)) => Self::Session(session),
        }
    }
}

impl From<Option<verify_software_token_request::Credential>> for WireCredential {
    fn from(credential: Option<verify_software_token_request::Credential>) -> Self {
        use verify_software_token_request::Credential;
        match credential {
            None => Self::Absent,
            Some(Credential::AccessToken(token)) => Self::AccessToken(token),
            Some(Credential::Session(session)) => Self::Session(session),
        }
    }
}
