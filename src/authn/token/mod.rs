//! Bearer tokens, verified: JWTs of one issuer, for one audience, signed by a key of the issuer's key set.

mod audience;
mod caller_prefix;
mod claims;
mod jwks;
mod jws;
mod key_store;
mod source;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};
use thiserror::Error;

use crate::domain::TokenIdentity;
use crate::reload::Reload;

pub use audience::Audience;
pub use caller_prefix::CallerPrefix;
pub use jwks::JwksError;
pub use key_store::JwksRefresh;
pub use source::{JwksSource, JwksSourceError, JwksUrl};

/// The maximum size of a token, in bytes. A larger one is rejected before any of it is decoded.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The leeway for clocks that are apart.
const LEEWAY: Duration = Duration::from_secs(30);

/// Which tokens are accepted, and how they are verified.
#[derive(Clone, Debug)]
pub struct TokenOptions {
    /// The `iss` of every accepted token, compared exactly.
    pub issuer: String,
    /// The audience of every accepted token.
    pub audience: Audience,
    /// The claim that names the caller; `sub` is the usual one.
    pub caller_claim: String,
    /// The prefix of the name, which keeps it apart from names in certificates.
    pub caller_prefix: Option<CallerPrefix>,
    /// Where the issuer's keys are.
    pub keys: JwksSource,
    /// How often the keys are fetched.
    pub refresh: JwksRefresh,
    /// The clock.
    pub clock: Clock,
}

/// The system's clock, or one that tests move.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// The clock that `now` reads.
    pub fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    fn now(&self) -> SystemTime {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(SystemTime::now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Why a token is rejected. The caller is told the variant and no more, the log gets the cause; neither holds the token.
///
/// That there is no token at all is not an error here: see [`TokenVerifier::verify`].
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
    /// Its `nbf` is in the future.
    #[error("nbf is in the future")]
    NotYetValid,
    /// This claim is missing or malformed.
    #[error("{0} is missing or malformed")]
    Claim(String),
}

/// Verifies tokens with the keys that were last fetched. Dropping it ends its background task.
#[derive(Debug)]
pub struct TokenVerifier {
    expected: claims::Expected,
    keys: Arc<key_store::KeyStore>,
    clock: Clock,
    _refresh: key_store::RefreshTask,
}

impl TokenVerifier {
    /// Reads the key set and keeps it fresh.
    ///
    /// An invalid key file is an error. A URL that does not respond is not: it is logged and retried, and until it succeeds no
    /// token is accepted, so that a restart during an outage of the issuer is no outage for callers with certificates.
    pub async fn start(options: TokenOptions) -> Result<Self, JwksSourceError> {
        let needs_keys = matches!(options.keys, JwksSource::File(_));
        Self::begin(options, needs_keys).await
    }

    /// The same, strictly: a URL that does not respond is an error, too.
    pub async fn start_with_keys(options: TokenOptions) -> Result<Self, JwksSourceError> {
        Self::begin(options, true).await
    }

    async fn begin(options: TokenOptions, needs_keys: bool) -> Result<Self, JwksSourceError> {
        let TokenOptions { issuer, audience, caller_claim, caller_prefix, keys, refresh, clock } = options;
        let expected = claims::Expected { issuer, audience, caller_claim, caller_prefix };
        let keys = Arc::new(key_store::KeyStore::new(source::Source::new(keys)?, refresh, clock.clone()));
        match keys.fetch_now().await {
            Err(error) if needs_keys => return Err(error),
            // The failure of a URL is logged already.
            Ok(_) | Err(_) => {}
        }
        let task = key_store::RefreshTask::start(&keys);
        Ok(Self { expected, keys, clock, _refresh: task })
    }

    /// Fetches the key set again, whenever that was last done. If it is invalid, the last valid one stays active.
    pub async fn reload(&self) -> Result<Reload, JwksSourceError> {
        self.keys.fetch_now().await
    }

    /// The identity in the bearer token of a request; `None` if the request has no `authorization` header.
    ///
    /// This waits only for a fetch of the key set, when the token's key is unknown and the last such fetch was long ago.
    pub async fn verify(&self, headers: &HeaderMap) -> Result<Option<TokenIdentity>, TokenError> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(TokenError::Malformed("there are several authorization headers"));
        }
        let token = jws::Token::parse(jws::bearer(value)?)?;
        let Some(key) = self.keys.key(token.key_id()).await else {
            return Err(TokenError::NotAccepted(Rejection::UnknownKey));
        };
        // No claim is looked at before the signature is verified.
        key.verify(&token)?;
        self.expected.identity(&token.claims()?, self.clock.now()).map(Some)
    }
}
