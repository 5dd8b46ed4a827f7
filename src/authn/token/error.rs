//! Why a bearer token is rejected.

use thiserror::Error;

/// Why a token is rejected. The caller is told the variant and no more, the log gets the cause; neither holds the token.
///
/// That there is no token at all is not an error here: see `TokenVerifier::verify`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// It is not a bearer token that is a signed JWT.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// It was valid and has expired.
    #[error("expired")]
    Expired,
    /// It is a JWT, and not one that we accept.
    #[error("not accepted: {0}")]
    NotAccepted(Rejection),
}

/// Why a JWT is not accepted. For the log.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    /// Its header asks for a type that we do not accept, or for an extension that must be understood.
    #[error("{0}")]
    Header(&'static str),
    /// Its `alg` is none of `RS256`, `PS256`, `ES256` and `EdDSA`.
    #[error("alg is not an accepted algorithm")]
    Algorithm,
    /// It has no `kid`.
    #[error("kid is missing")]
    NoKeyId,
    /// The key set has no key with its `kid`.
    #[error("kid is not in the key set")]
    UnknownKey,
    /// Its `alg` is not one of its key's.
    #[error("alg is not that of the key")]
    KeyOfAnotherAlgorithm,
    /// The signature is not that of its key.
    #[error("the signature is wrong")]
    Signature,
    /// Its `iss` is another's.
    #[error("iss is not the issuer")]
    Issuer,
    /// It is for another audience.
    #[error("aud, or the claim in its place, does not have the audience")]
    Audience,
    /// It is the token of a user, where clients are the callers.
    #[error("it is the token of a user, not of the client that it names")]
    User,
    /// It is bound to another certificate than that of the connection, or to a key that we cannot check.
    #[error("cnf binds it to a certificate or key that the connection does not have")]
    Confirmation,
    /// Its `nbf` is in the future.
    #[error("nbf is in the future")]
    NotYetValid,
    /// This claim is missing or malformed.
    #[error("{0} is missing or malformed")]
    Claim(String),
}
