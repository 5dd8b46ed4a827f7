//! A compact JWS (RFC 7515), parsed as far as that is safe before its signature is verified.

use data_encoding::BASE64URL_NOPAD;
use http::HeaderValue;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::authn::token::error::{Rejection, TokenError};

/// The maximum size of a token, in bytes. A larger one is rejected before any of it is decoded.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The signature algorithms that are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

impl Algorithm {
    /// The algorithm of this name, compared exactly (RFC 7515, 4.1.1).
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// The token of an `authorization` header (RFC 6750, 2.1).
pub(super) fn bearer(value: &HeaderValue) -> Result<&str, TokenError> {
    let scheme = "Bearer ";
    if value.len() > MAX_TOKEN_BYTES + scheme.len() {
        return Err(TokenError::Malformed("it is too large"));
    }
    let text = value.to_str().map_err(|_| TokenError::Malformed("it is not visible ASCII"))?;
    let (found, token) = text.split_at_checked(scheme.len()).unwrap_or_default();
    if found.eq_ignore_ascii_case(scheme) { Ok(token) } else { Err(TokenError::Malformed("it is not a bearer token")) }
}

/// A token whose signature is not verified yet.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) algorithm: Algorithm,
    key_id: String,
    /// What is signed: header and claims, as in the token.
    pub(super) signed: &'a str,
    /// The signature, encoded.
    pub(super) signature: &'a str,
    claims: &'a str,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

impl<'a> Token<'a> {
    pub(super) fn parse(token: &'a str) -> Result<Self, TokenError> {
        let malformed = TokenError::Malformed("it is not three parts of base64url");
        let Some((signed, signature)) = token.rsplit_once('.') else { return Err(malformed) };
        let Some((header, claims)) = signed.split_once('.') else { return Err(malformed) };
        if claims.contains('.') {
            return Err(malformed);
        }
        let header = BASE64URL_NOPAD.decode(header.as_bytes()).map_err(|_| malformed)?;
        let header: Header =
            serde_json::from_slice(&header).map_err(|_| TokenError::Malformed("its header is not that of a JWS"))?;

        let refused = TokenError::NotAccepted;
        if header.crit.is_some() {
            // Extensions that change what the rest means (RFC 7515, 4.1.11). None is supported.
            return Err(refused(Rejection::Header("crit requires extensions")));
        }
        if !header.typ.as_deref().is_none_or(is_jwt) {
            return Err(refused(Rejection::Header("typ is not that of an access token")));
        }
        let algorithm = Algorithm::from_name(&header.alg).ok_or(refused(Rejection::Algorithm))?;
        let key_id = header.kid.filter(|kid| !kid.is_empty()).ok_or(refused(Rejection::NoKeyId))?;
        Ok(Self { algorithm, key_id, signed, signature, claims })
    }

    pub(super) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The claims. They mean nothing until the signature is verified.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, TokenError> {
        let claims = BASE64URL_NOPAD.decode(self.claims.as_bytes());
        let claims = claims.map_err(|_| TokenError::Malformed("its claims are not base64url"))?;
        serde_json::from_slice(&claims).map_err(|_| TokenError::Malformed("its claims are not a JSON object"))
    }
}

/// Whether a `typ` is that of a JWT, or of an access token (RFC 9068, 2.1). Other JWTs, such as logout tokens and `DPoP`
/// proofs, have types of their own so that they do not pass as an access token.
fn is_jwt(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt")
}
