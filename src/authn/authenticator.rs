//! This file finds out who is calling: by the client certificate, by the bearer token, or by both.

use http::HeaderMap;

use crate::api::v1::ErrorReason;
use crate::authn::token::{TokenError, TokenVerifier};
use crate::domain::{Caller, CertificateIdentity, TokenIdentity};
use crate::error::Error;

/// How callers prove who they are. What is presented is verified, whether or not the other proof would be enough.
#[derive(Debug)]
pub struct Authenticator {
    tokens: Option<TokenVerifier>,
}

impl Authenticator {
    /// By certificate, and by token where there is a verifier. Certificates were verified when the connection was made.
    pub fn new(tokens: Option<TokenVerifier>) -> Self {
        Self { tokens }
    }

    /// What verifies tokens, whose keys a signal reloads.
    pub fn tokens(&self) -> Option<&TokenVerifier> {
        self.tokens.as_ref()
    }

    /// The caller, or that it proved nothing. A token that is not good is refused even beside a good certificate: the caller
    /// meant it to count.
    pub async fn caller(&self, certificate: Option<CertificateIdentity>, headers: &HeaderMap) -> Result<Caller, Error> {
        let token = match &self.tokens {
            Some(tokens) => tokens.verify(headers).await.map_err(|error| refused(&error))?,
            None => None,
        };
        // Certificates and tokens share the names of callers, and a SPIFFE ID is for certificates to prove.
        if token.as_ref().is_some_and(|token| token.name.starts_with("spiffe://")) {
            return Err(unauthenticated("not accepted").cause("the token names its caller by a SPIFFE ID"));
        }
        let name = match (&certificate, &token) {
            (Some(CertificateIdentity { name, .. }), _) | (None, Some(TokenIdentity { name, .. })) => name.clone(),
            (None, None) => {
                return Err(unauthenticated("missing").cause("no certificate and no token names the caller"));
            }
        };
        Ok(Caller { name, certificate, token })
    }
}

/// The caller learns which kind of fault it is and no more; the log has the cause.
fn refused(error: &TokenError) -> Error {
    let kind = match error {
        TokenError::Malformed(_) => "malformed",
        TokenError::Expired => "expired",
        TokenError::NotAccepted(_) => "not accepted",
    };
    unauthenticated(kind).cause(error.to_string())
}

fn unauthenticated(kind: &'static str) -> Error {
    Error::new(ErrorReason::CallerUnauthenticated).metadata("credential", Some(kind))
}
