//! Verifies the bearer token of a request.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, header};

use crate::authn::token::audience::Audience;
use crate::authn::token::cache::TokenCache;
use crate::authn::token::caller_prefix::CallerPrefix;
use crate::authn::token::claims::{Claims, Expected};
use crate::authn::token::clock::Clock;
use crate::authn::token::error::{Rejection, TokenError};
use crate::authn::token::jws::{Token, bearer};
use crate::authn::token::key_store::{JwksRefresh, KeyStore, RefreshTask};
use crate::authn::token::source::{JwksSource, JwksSourceError, Source};
use crate::domain::TokenIdentity;
use crate::reload::{Digest, Reload};

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
    /// How many tokens with a right signature, and how many with a wrong one, are remembered.
    pub cache_size: usize,
    /// The clock.
    pub clock: Clock,
}

/// Verifies tokens with the keys that were last fetched. Dropping it ends its background task.
#[derive(Debug)]
pub struct TokenVerifier {
    expected: Expected,
    keys: Arc<KeyStore>,
    cache: TokenCache,
    clock: Clock,
    _refresh: RefreshTask,
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
        let TokenOptions { issuer, audience, caller_claim, caller_prefix, keys, refresh, cache_size, clock } = options;
        let expected = Expected { issuer, audience, caller_claim, caller_prefix };
        let keys = Arc::new(KeyStore::new(Source::new(keys)?, refresh, clock.clone()));
        match keys.fetch_now().await {
            Err(error) if needs_keys => return Err(error),
            // The failure of a URL is logged already.
            Ok(_) | Err(_) => {}
        }
        let task = RefreshTask::start(&keys);
        Ok(Self { expected, keys, cache: TokenCache::new(cache_size), clock, _refresh: task })
    }

    /// The number of keys.
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// How long ago the key set was last fetched, with or without success.
    pub fn key_set_age(&self) -> Option<Duration> {
        self.keys.age()
    }

    /// Whether the key set was ever read.
    pub fn has_keys(&self) -> bool {
        self.key_count() > 0
    }

    /// How many tokens are remembered.
    pub fn cached_tokens(&self) -> usize {
        self.cache.len()
    }

    /// Where the key set is.
    pub fn source(&self) -> &JwksSource {
        self.keys.source()
    }

    /// Fetches the key set again, whenever that was last done. If it is invalid, the last valid one stays active.
    pub async fn reload(&self) -> Result<Reload, JwksSourceError> {
        self.keys.fetch_now().await
    }

    /// The identity in the bearer token of a request; `None` if the request has no `authorization` header.
    ///
    /// This waits only for a fetch of the key set, when the token's key is unknown and the last such fetch was long ago.
    pub async fn verify(&self, headers: &HeaderMap) -> Result<Option<TokenIdentity>, TokenError> {
        self.verify_beside(headers, None).await
    }

    /// The same beside a client certificate with this thumbprint. A token that is bound to a certificate counts only with that one.
    pub async fn verify_beside(
        &self,
        headers: &HeaderMap,
        thumbprint: Option<&str>,
    ) -> Result<Option<TokenIdentity>, TokenError> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(TokenError::Malformed("there are several authorization headers"));
        }
        let token = bearer(value)?;
        let digest = Digest::of(token.as_bytes());
        let claims = match self.cache.find(&digest, &self.keys) {
            Some(found) => found?,
            None => self.claims(token, digest).await?,
        };
        let identity = claims.identity(self.clock.now(), thumbprint);
        if identity == Err(TokenError::Expired) {
            self.cache.forget(&digest);
        }
        identity.map(Some)
    }

    /// Verifies a token that is not remembered, and remembers it if it is signed and for us.
    async fn claims(&self, text: &str, digest: Digest) -> Result<Arc<Claims>, TokenError> {
        let token = Token::parse(text)?;
        let Some(key) = self.keys.key(token.key_id()).await else {
            return Err(TokenError::NotAccepted(Rejection::UnknownKey));
        };
        // No claim is looked at before the signature is verified.
        if let Err(error) = key.verify(&token) {
            if error == TokenError::NotAccepted(Rejection::Signature) {
                self.cache.reject(digest, token.key_id(), key);
            }
            return Err(error);
        }
        let claims = Arc::new(self.expected.read(&token.claims()?, self.clock.now())?);
        self.cache.accept(digest, text.len(), token.key_id(), key, &claims);
        Ok(claims)
    }
}
