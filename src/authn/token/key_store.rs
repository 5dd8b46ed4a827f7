//! The issuer's keys: looked up without a lock, fetched one at a time, and never lost to a failed fetch.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::authn::token::clock::Clock;
use crate::authn::token::jwks::{Jwks, Key};
use crate::authn::token::source::{JwksSource, JwksSourceError, Source};
use crate::error::chain;
use crate::reload::{Digest, Rejected, Reload, Reloadable};

/// When a key set is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JwksRefresh {
    /// How often a URL is fetched, needed or not: this is how a key that the issuer withdrew is forgotten.
    pub url: Duration,
    /// How often a file is read.
    pub file: Duration,
    /// How often to retry while there are no keys at all.
    pub without_keys: Duration,
    /// How long after a fetch an unknown `kid` causes no other. Anybody can make one up.
    pub after_unknown_key: Duration,
    /// How long a fetch may take, from the connection to the last byte.
    pub timeout: Duration,
}

impl Default for JwksRefresh {
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

/// The keys that were fetched last.
#[derive(Debug)]
pub(super) struct KeyStore {
    keys: Reloadable<Jwks>,
    source: Source,
    refresh: JwksRefresh,
    clock: Clock,
    /// When the last fetch began. Held during a fetch, so that there is one at a time.
    last_fetch: Mutex<Option<SystemTime>>,
}

impl KeyStore {
    /// A store without keys.
    pub(super) fn new(source: Source, refresh: JwksRefresh, clock: Clock) -> Self {
        Self { keys: Reloadable::new(Jwks::default(), None), source, refresh, clock, last_fetch: Mutex::default() }
    }

    /// The key of this id. If it is unknown, the key set is fetched again, unless that was done a moment ago.
    pub(super) async fn key(self: &Arc<Self>, id: &str) -> Option<Arc<Key>> {
        if let Some(key) = self.keys.current().get(id) {
            return Some(key);
        }
        let this = Arc::clone(self);
        // A task of its own: a caller who leaves must not end the fetch that others wait for.
        let fetch = tokio::spawn(async move { this.fetch_for_unknown_key().await });
        if let Err(error) = fetch.await {
            tracing::error!(source = %self.source.place(), %error, "fetch of the key set aborted");
        }
        self.keys.current().get(id)
    }

    /// Whether this is now the key of this id.
    pub(super) fn has(&self, id: &str, key: &Arc<Key>) -> bool {
        self.keys.current().get(id).is_some_and(|current| Arc::ptr_eq(&current, key))
    }

    /// Makes the one fetch that tokens with an unknown key are worth, or waits for the one in flight.
    async fn fetch_for_unknown_key(&self) {
        let before = self.keys.current();
        let mut last_fetch = self.last_fetch.lock().await;
        // Another fetch has ended meanwhile.
        if !Arc::ptr_eq(&before, &self.keys.current()) {
            return;
        }
        let since = last_fetch.and_then(|began| self.clock.now().duration_since(began).ok());
        // A clock that was set back would otherwise stop all fetches until it is where it was.
        if since.is_some_and(|since| since < self.refresh.after_unknown_key) {
            return;
        }
        // The failure is logged there.
        let _: Result<Reload, JwksSourceError> = self.fetch(&mut last_fetch).await;
    }

    /// The number of keys.
    pub(super) fn len(&self) -> usize {
        self.keys.current().len()
    }

    /// How long ago the last fetch began; `None` if there was none, or one is in flight.
    pub(super) fn age(&self) -> Option<Duration> {
        let last_fetch = *self.last_fetch.try_lock().ok()?;
        self.clock.now().duration_since(last_fetch?).ok()
    }

    /// Where the key set is.
    pub(super) fn source(&self) -> &JwksSource {
        self.source.place()
    }

    /// Fetches the key set, whenever that was last done.
    pub(super) async fn fetch_now(&self) -> Result<Reload, JwksSourceError> {
        let mut last_fetch = self.last_fetch.lock().await;
        self.fetch(&mut last_fetch).await
    }

    async fn fetch(&self, last_fetch: &mut Option<SystemTime>) -> Result<Reload, JwksSourceError> {
        *last_fetch = Some(self.clock.now());
        let fetched = self.source.fetch(self.refresh.timeout).await;
        let mut guard = self.keys.begin_reload();
        let outcome = match fetched {
            Ok(json) => guard.replace(Digest::of(&json), || Jwks::parse(&json).map_err(JwksSourceError::Jwks)),
            Err(error) => Err(guard.reject(None, error)),
        };
        let (source, keys) = (self.source.place(), guard.current().len());
        match outcome {
            Ok(reload) => {
                match reload {
                    Reload::Unchanged => {}
                    Reload::Recovered => tracing::info!(%source, keys, "key set readable again"),
                    Reload::Replaced => tracing::info!(%source, keys, "key set loaded"),
                }
                Ok(reload)
            }
            Err(Rejected { error, is_due }) => {
                if is_due {
                    let cause = chain(&error);
                    if keys == 0 {
                        tracing::error!(%source, cause, "no key set, every token is rejected");
                    } else {
                        tracing::error!(%source, cause, keys, "key set not loaded, the last valid keys stay active");
                    }
                }
                Err(error)
            }
        }
    }

    fn pause(&self) -> Duration {
        match self.source.place() {
            JwksSource::Url(_) if self.keys.current().len() == 0 => self.refresh.without_keys,
            JwksSource::Url(_) => self.refresh.url,
            JwksSource::File(_) => self.refresh.file,
        }
    }
}

/// The task that keeps the keys fresh. Dropping it ends the task.
#[derive(Debug)]
pub(super) struct RefreshTask(JoinHandle<()>);

impl RefreshTask {
    pub(super) fn start(keys: &Arc<KeyStore>) -> Self {
        Self(tokio::spawn(refresh(Arc::downgrade(keys))))
    }
}

impl Drop for RefreshTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn refresh(keys: Weak<KeyStore>) {
    while let Some(pause) = keys.upgrade().map(|keys| keys.pause()) {
        tokio::time::sleep(pause).await;
        let Some(keys) = keys.upgrade() else { return };
        // The failure is logged there.
        let _: Result<Reload, JwksSourceError> = keys.fetch_now().await;
    }
}
