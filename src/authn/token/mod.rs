//! Bearer tokens, verified: JWTs of one issuer, for one audience, signed by a key of the issuer's key set.

mod audience;
mod cache;
mod caller_prefix;
mod claims;
mod clock;
mod error;
mod jwks;
mod jws;
mod key_store;
mod name;
mod source;
mod verifier;

pub use audience::Audience;
pub use caller_prefix::CallerPrefix;
pub use clock::Clock;
pub use error::{Rejection, TokenError};
pub use jwks::JwksError;
pub use jws::MAX_TOKEN_BYTES;
pub use key_store::JwksRefresh;
pub use source::{JwksSource, JwksSourceError, JwksUrl};
pub use verifier::{TokenOptions, TokenVerifier};
