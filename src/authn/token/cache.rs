//! Tokens whose signature was verified, and tokens whose signature was found wrong, so that a token that comes again costs a hash
//! and not a signature.
//!
//! What a signature proves changes with the key only, so an entry counts while its key is the one that the key set has for the
//! token's `kid`. What changes with the time or the connection is checked at each use, and no decision is kept.

use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::authn::token::claims::Claims;
use crate::authn::token::error::{Rejection, TokenError};
use crate::authn::token::jwks::Key;
use crate::authn::token::key_store::KeyStore;
use crate::reload::Digest;

/// The maximum size of a token that is remembered, in bytes: with the number of tokens it bounds the memory.
const MAX_REMEMBERED_BYTES: usize = 4 * 1024;

/// Tokens by their SHA-256 digest: the tokens themselves are secrets, and are not kept.
#[derive(Debug)]
pub(super) struct TokenCache {
    accepted: Cache<Digest, Entry<Arc<Claims>>>,
    /// Apart from the others: anybody can make these up, and must not displace those.
    rejected: Cache<Digest, Entry<()>>,
}

/// What is remembered of a token, and the key that proved it.
#[derive(Clone, Debug)]
struct Entry<T> {
    key_id: Arc<str>,
    key: Arc<Key>,
    value: T,
}

impl<T: Clone> Entry<T> {
    fn find(cache: &Cache<Digest, Self>, token: &Digest, keys: &KeyStore) -> Option<T> {
        let entry = cache.get(token)?;
        if keys.has(&entry.key_id, &entry.key) {
            return Some(entry.value);
        }
        // Another call may have put one in its place that is right: then that is verified once more.
        cache.remove(token);
        None
    }
}

impl TokenCache {
    /// A cache of at most so many tokens of either kind. With none, each token is verified whenever it comes.
    pub(super) fn new(tokens: usize) -> Self {
        Self { accepted: Cache::new(tokens), rejected: Cache::new(tokens) }
    }

    /// The claims of the token, if its signature was verified with the key that is still its key.
    pub(super) fn find(&self, token: &Digest, keys: &KeyStore) -> Option<Result<Arc<Claims>, TokenError>> {
        let accepted = || Entry::find(&self.accepted, token, keys).map(Ok);
        let rejected =
            || Entry::find(&self.rejected, token, keys).map(|()| Err(TokenError::NotAccepted(Rejection::Signature)));
        accepted().or_else(rejected)
    }

    /// Remembers a token of this size whose signature the key has verified.
    pub(super) fn accept(&self, token: Digest, bytes: usize, key_id: &str, key: Arc<Key>, claims: &Arc<Claims>) {
        if bytes <= MAX_REMEMBERED_BYTES {
            self.accepted.insert(token, Entry { key_id: key_id.into(), key, value: Arc::clone(claims) });
        }
    }

    /// Remembers a token whose signature is not the key's.
    pub(super) fn reject(&self, token: Digest, key_id: &str, key: Arc<Key>) {
        if key_id.len() <= MAX_REMEMBERED_BYTES {
            self.rejected.insert(token, Entry { key_id: key_id.into(), key, value: () });
        }
    }

    /// Forgets a token that has expired.
    pub(super) fn forget(&self, token: &Digest) {
        self.accepted.remove(token);
    }

    /// The number of tokens that are remembered.
    pub(super) fn len(&self) -> usize {
        self.accepted.len() + self.rejected.len()
    }
}
