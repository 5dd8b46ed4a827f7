//! Authenticates a caller by its client certificate, its bearer token, or both.

use http::HeaderMap;

use crate::api::v1::ErrorReason;
use crate::authn::peer::PeerIdentity;
use crate::authn::token::{TokenError, TokenVerifier};
use crate::domain::{Caller, CertificateIdentity, TokenIdentity};
use crate::error::Error;

/// What is wrong with a credential, as callers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialProblem {
    /// There is none.
    Missing,
    /// It is no token.
    Malformed,
    /// It was valid once.
    Expired,
    /// Anything else.
    NotAccepted,
}

impl CredentialProblem {
    /// The name in the metadata.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Expired => "expired",
            Self::NotAccepted => "not accepted",
        }
    }
}

/// Why a caller is not authenticated.
#[derive(Debug)]
pub struct Unauthenticated {
    /// What the caller is told.
    pub problem: CredentialProblem,
    /// The cause, for the log only.
    pub cause: String,
}

impl From<Unauthenticated> for Error {
    fn from(Unauthenticated { problem, cause }: Unauthenticated) -> Self {
        Self::new(ErrorReason::CallerUnauthenticated).metadata("credential", Some(problem.name())).cause(cause)
    }
}

/// Authenticates callers. Every credential that is presented is verified, whether or not another would be enough.
#[derive(Debug)]
pub struct Authenticator {
    tokens: Option<TokenVerifier>,
}

impl Authenticator {
    /// Authenticates by certificate, and by token if there is a verifier. Certificates were verified in the handshake.
    pub fn new(tokens: Option<TokenVerifier>) -> Self {
        Self { tokens }
    }

    /// The verifier of tokens, whose keys a signal reloads.
    pub fn tokens(&self) -> Option<&TokenVerifier> {
        self.tokens.as_ref()
    }

    /// The caller, or why it is not authenticated. An invalid token is rejected even beside a valid certificate: the caller
    /// meant it to count.
    pub async fn caller(&self, peer: Option<&PeerIdentity>, headers: &HeaderMap) -> Result<Caller, Unauthenticated> {
        let certificate = peer.and_then(|peer| peer.certificate.clone());
        let thumbprint = peer.and_then(|peer| peer.thumbprint.as_deref());
        let token = match &self.tokens {
            Some(tokens) => tokens.verify_beside(headers, thumbprint).await.map_err(|error| rejected(&error))?,
            None => None,
        };
        // Certificates and tokens share the names of callers, and only a certificate can prove a SPIFFE ID.
        if token.as_ref().is_some_and(|token| token.name.starts_with("spiffe://")) {
            return Err(unauthenticated(CredentialProblem::NotAccepted, "the token names a SPIFFE ID"));
        }
        let name = match (&certificate, &token) {
            (Some(CertificateIdentity { name, .. }), _) | (None, Some(TokenIdentity { name, .. })) => name.clone(),
            (None, None) => {
                return Err(unauthenticated(CredentialProblem::Missing, "no certificate and no token"));
            }
        };
        Ok(Caller { name, certificate, token })
    }
}

/// The caller learns the kind of the failure and no more; the log has the cause. That a token has expired is said of those
/// only whose signature is verified.
fn rejected(error: &TokenError) -> Unauthenticated {
    let kind = match error {
        TokenError::Malformed(_) => CredentialProblem::Malformed,
        TokenError::Expired => CredentialProblem::Expired,
        TokenError::NotAccepted(_) => CredentialProblem::NotAccepted,
    };
    unauthenticated(kind, error.to_string())
}

fn unauthenticated(problem: CredentialProblem, cause: impl Into<String>) -> Unauthenticated {
    Unauthenticated { problem, cause: cause.into() }
}
