//! This module verifies bearer tokens: JWTs of one issuer, for one audience, signed by a key of the issuer's key set.

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

use crate::domain::TokenIdentity;

pub use audience::Audience;
pub use caller_prefix::CallerPrefix;
pub use jwks::KeySetFault;
pub use key_store::{KeyReload, RefreshTimes};
pub use source::{KeySetUrl, KeySource, SourceFault};

/// The maximum size of a token, in bytes. A larger one is rejected before any of it is decoded.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// How far the clocks of issuer and service may be apart.
const LEEWAY: Duration = Duration::from_secs(30);

/// Whose tokens are accepted, and for whom they must be meant.
#[derive(Clone, Debug)]
pub struct TokenOptions {
    /// The `iss` of every accepted token, compared exactly.
    pub issuer: String,
    /// Whom a token must be meant for.
    pub audience: Audience,
    /// The claim that names the caller; `sub` is the usual one.
    pub caller_claim: String,
    /// What is put before the name, to keep it apart from names in certificates.
    pub caller_prefix: Option<CallerPrefix>,
    /// Where the issuer's keys are.
    pub keys: KeySource,
    /// How often the keys are fetched.
    pub times: RefreshTimes,
    /// What time it is.
    pub clock: Clock,
}

/// What time it is: the system's clock, or one that tests move.
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

/// Why a token proves nothing. The caller is told the variant and no more, the log gets the cause; neither holds the token.
///
/// That there is no token at all is not an error here: see [`TokenVerifier::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// It is not a bearer token with a signed JWT in it.
    Malformed(&'static str),
    /// It was good and is not any more.
    Expired,
    /// It is a JWT, and not one that we accept.
    NotAccepted(Cause),
}

/// Why a JWT is not accepted. For the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its header asks for something that we do not do: a type, or an extension that must be understood.
    Header(&'static str),
    /// Its `alg` is none of `RS256`, `PS256`, `ES256` and `EdDSA`.
    Algorithm,
    /// It has no `kid`.
    NoKeyId,
    /// The key set has no key with its `kid`.
    UnknownKey,
    /// Its `alg` is not one of its key's.
    KeyOfAnotherAlgorithm,
    /// The signature is not that of its key.
    Signature,
    /// Its `iss` is another's.
    Issuer,
    /// It is meant for somebody else.
    Audience,
    /// It is that of a user, where clients are the callers.
    User,
    /// Its `nbf` is still to come.
    NotYetValid,
    /// This claim is missing or not of the form that it must have.
    Claim(String),
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(problem) => write!(f, "malformed: {problem}"),
            Self::Expired => f.write_str("expired"),
            Self::NotAccepted(cause) => write!(f, "not accepted: {cause}"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(problem) => f.write_str(problem),
            Self::Algorithm => f.write_str("alg is not an accepted algorithm"),
            Self::NoKeyId => f.write_str("kid is missing"),
            Self::UnknownKey => f.write_str("kid is not in the key set"),
            Self::KeyOfAnotherAlgorithm => f.write_str("alg is not that of the key"),
            Self::Signature => f.write_str("the signature is wrong"),
            Self::Issuer => f.write_str("iss is not the issuer"),
            Self::Audience => f.write_str("aud, or the claim in its place, does not have the audience"),
            Self::User => f.write_str("it is the token of a user, and not of the client that it names"),
            Self::NotYetValid => f.write_str("nbf is still to come"),
            Self::Claim(claim) => write!(f, "{claim} is missing or has the wrong form"),
        }
    }
}

impl std::error::Error for TokenError {}

/// Verifies tokens with the keys that were last fetched. Its background task ends when it is dropped.
#[derive(Debug)]
pub struct TokenVerifier {
    expected: claims::Expected,
    keys: Arc<key_store::KeyStore>,
    clock: Clock,
    _refreshing: key_store::Refreshing,
}

impl TokenVerifier {
    /// Reads the key set and keeps it fresh from then on.
    ///
    /// A key file that is not good is an error. A URL that does not answer is not: it is logged and tried again, and until then no token is accepted, so that a restart during an outage of the issuer is no
    /// outage of callers with certificates.
    pub async fn start(options: TokenOptions) -> Result<Self, SourceFault> {
        let needs_keys = matches!(options.keys, KeySource::File(_));
        Self::begin(options, needs_keys).await
    }

    /// The same for those who look for faults: a URL that does not answer is an error, too.
    pub async fn start_with_keys(options: TokenOptions) -> Result<Self, SourceFault> {
        Self::begin(options, true).await
    }

    async fn begin(options: TokenOptions, needs_keys: bool) -> Result<Self, SourceFault> {
        let TokenOptions { issuer, audience, caller_claim, caller_prefix, keys, times, clock } = options;
        let expected = claims::Expected { issuer, audience, caller_claim, caller_prefix };
        let keys = Arc::new(key_store::KeyStore::new(source::Source::new(keys)?, times, clock.clone()));
        match keys.fetch_now().await {
            Err(fault) if needs_keys => return Err(fault),
            // The fault of a URL is logged already.
            Ok(_) | Err(_) => {}
        }
        let refreshing = key_store::Refreshing::start(&keys);
        Ok(Self { expected, keys, clock, _refreshing: refreshing })
    }

    /// Fetches the key set again, whenever that was last done. Where it is not good, the last good one stays in use.
    pub async fn reload(&self) -> Result<KeyReload, SourceFault> {
        self.keys.fetch_now().await
    }

    /// Whom the bearer token of a request names; none if the request has no `authorization` header.
    ///
    /// It waits only for a fetch of the key set, when the token's key is not known and the last such fetch was long ago.
    pub async fn verify(&self, headers: &HeaderMap) -> Result<Option<TokenIdentity>, TokenError> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(TokenError::Malformed("there are several authorization headers"));
        }
        let token = jws::Token::parse(jws::bearer(value)?)?;
        let Some(key) = self.keys.key(token.key_id()).await else {
            return Err(TokenError::NotAccepted(Cause::UnknownKey));
        };
        // Nothing that the token claims is looked at before its signature is known to be good.
        key.verify(&token)?;
        self.expected.identity(&token.claims()?, self.clock.now()).map(Some)
    }
}
