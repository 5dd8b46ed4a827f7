//! This file keeps the issuer's keys: looked up without a lock, fetched one at a time, and never lost to a bad fetch.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::authn::token::Clock;
use crate::authn::token::jwks::{Key, KeySet};
use crate::authn::token::source::{KeySource, Source, SourceFault};

/// When keys are fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshTimes {
    /// How often a URL is fetched, whether anybody asks or not: this is how a key that the issuer withdrew is forgotten.
    pub url: Duration,
    /// How often a file is read.
    pub file: Duration,
    /// How often to try while there are no keys at all.
    pub without_keys: Duration,
    /// How long after a fetch an unknown `kid` causes no other, since anybody can make one up.
    pub after_unknown_key: Duration,
    /// How long a fetch may take, from the connection to the last byte.
    pub timeout: Duration,
}

impl Default for RefreshTimes {
    fn default() -> Self {
        Self {
            url: Duration::from_mins(10),
            file: Duration::from_secs(5),
            without_keys: Duration::from_secs(10),
            after_unknown_key: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
        }
    }
}

/// What became of a fetch that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyReload {
    /// The key set is what it was before.
    Unchanged,
    /// There is a new key set.
    Changed,
}

/// The keys that were fetched last.
#[derive(Debug)]
pub(super) struct KeyStore {
    current: ArcSwap<KeySet>,
    source: Source,
    times: RefreshTimes,
    clock: Clock,
    /// Held during a fetch, so that there is one at a time.
    fetched: Mutex<Fetched>,
}

#[derive(Debug, Default)]
struct Fetched {
    /// When the last fetch began.
    began: Option<SystemTime>,
    /// The digest of the key set in use.
    digest: Option<Vec<u8>>,
    /// The text of the fault that was logged last, so that an outage is logged once and not at each try.
    fault: Option<String>,
}

impl KeyStore {
    /// A store without keys.
    pub(super) fn new(source: Source, times: RefreshTimes, clock: Clock) -> Self {
        let current = ArcSwap::from_pointee(KeySet::default());
        Self { current, source, times, clock, fetched: Mutex::new(Fetched::default()) }
    }

    /// The key of this id. Only where it is not known, the key set is fetched again, unless that was done a moment ago.
    pub(super) async fn key(self: &Arc<Self>, id: &str) -> Option<Arc<Key>> {
        if let Some(key) = self.current.load().get(id) {
            return Some(key);
        }
        let this = Arc::clone(self);
        // A task of its own: a caller who leaves must not end the fetch that others wait for and that is spent then.
        let fetch = tokio::spawn(async move { this.fetch_for_unknown().await });
        if let Err(error) = fetch.await {
            tracing::error!(%error, "a fetch of the key set ended early");
        }
        self.current.load().get(id)
    }

    /// Makes the one fetch that tokens with an unknown key are worth, or waits for the one that is under way.
    async fn fetch_for_unknown(&self) {
        let before = self.current.load_full();
        let mut fetched = self.fetched.lock().await;
        // Somebody else's fetch has ended meanwhile.
        if !Arc::ptr_eq(&before, &self.current.load()) {
            return;
        }
        let since = fetched.began.and_then(|began| self.clock.now().duration_since(began).ok());
        // A clock that was set back would otherwise stop all fetches until it is where it was.
        if since.is_some_and(|since| since < self.times.after_unknown_key) {
            return;
        }
        // What goes wrong is logged there.
        let _: Result<KeyReload, SourceFault> = self.fetch(&mut fetched).await;
    }

    /// Fetches the key set, whenever that was last done.
    pub(super) async fn fetch_now(&self) -> Result<KeyReload, SourceFault> {
        let mut fetched = self.fetched.lock().await;
        self.fetch(&mut fetched).await
    }

    async fn fetch(&self, fetched: &mut Fetched) -> Result<KeyReload, SourceFault> {
        fetched.began = Some(self.clock.now());
        let outcome = self.source.fetch(self.times.timeout).await.and_then(|json| {
            let digest = digest(&SHA256, &json).as_ref().to_vec();
            if fetched.digest.as_ref() == Some(&digest) {
                return Ok(KeyReload::Unchanged);
            }
            let keys = KeySet::parse(&json).map_err(SourceFault::KeySet)?;
            tracing::info!(source = %self.source.place(), keys = keys.len(), "the key set was read");
            self.current.store(Arc::new(keys));
            fetched.digest = Some(digest);
            Ok(KeyReload::Changed)
        });
        let fault = outcome.as_ref().err().map(SourceFault::to_string);
        if fault != fetched.fault {
            let (source, keys) = (self.source.place(), self.current.load().len());
            match &fault {
                Some(fault) if keys == 0 => {
                    tracing::error!(%source, fault, "the key set was not read, no token is accepted until it is");
                }
                Some(fault) => {
                    tracing::error!(%source, fault, keys, "the key set was not read, the last good keys stay in use");
                }
                None => tracing::info!(%source, keys, "the key set is readable again"),
            }
            fetched.fault = fault;
        }
        outcome
    }

    fn pause(&self) -> Duration {
        match self.source.place() {
            KeySource::Url(_) if self.current.load().len() == 0 => self.times.without_keys,
            KeySource::Url(_) => self.times.url,
            KeySource::File(_) => self.times.file,
        }
    }
}

/// The task that keeps the keys fresh; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Refreshing(JoinHandle<()>);

impl Refreshing {
    pub(super) fn start(keys: &Arc<KeyStore>) -> Self {
        Self(tokio::spawn(refresh(Arc::downgrade(keys))))
    }
}

impl Drop for Refreshing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn refresh(keys: Weak<KeyStore>) {
    while let Some(pause) = keys.upgrade().map(|keys| keys.pause()) {
        tokio::time::sleep(pause).await;
        let Some(keys) = keys.upgrade() else { return };
        // What goes wrong is logged there.
        let _: Result<KeyReload, SourceFault> = keys.fetch_now().await;
    }
}
