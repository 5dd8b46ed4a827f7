//! Values that are replaced while the service runs: whole or not at all, and with each failure logged once.

pub mod file;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};

/// How often a failure that persists is logged again: a restart would fail, and nobody would know from the log of the last hour.
const REMINDER_INTERVAL: Duration = Duration::from_mins(5);

/// The SHA-256 of what a value is made of.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut digest_bytes = [0; 32];
        digest_bytes.copy_from_slice(digest(&SHA256, bytes).as_ref());
        Self(digest_bytes)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// A value that many read and one replaces.
///
/// A reload holds the [`ReloadGuard`] while it reads the sources and hands over what it found. So an older value cannot
/// overtake a newer one, and reading may take its time without delaying those who use the value.
pub struct Reloadable<T> {
    current: ArcSwap<T>,
    state: Mutex<State>,
}

/// What is known of the sources.
#[derive(Debug)]
struct State {
    /// The digest of the sources of the current value; `None` while there are none.
    active: Option<Digest>,
    /// The failure of the last attempt, if it failed.
    failure: Option<Failure>,
    /// The digest that the last look found to be new. It counts when the next look finds the same.
    candidate: Option<Digest>,
    /// How often a failure that persists is logged.
    reminder_interval: Duration,
}

#[derive(Debug)]
struct Failure {
    digest: Option<Digest>,
    text: String,
    /// When it was last logged.
    logged: Instant,
}

/// What an attempt that did not fail did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// The sources are those of the current value.
    Unchanged,
    /// The same, after an attempt that failed: the problem is fixed.
    Recovered,
    /// There is a new value.
    Replaced,
}

/// An attempt that failed. The current value stays.
#[derive(Debug)]
pub struct Rejected<E> {
    /// Why.
    pub error: E,
    /// Whether to log it: the previous attempt did not fail in the same way, or that was logged long ago.
    pub is_due: bool,
}

/// The right to replace the value.
#[derive(Debug)]
pub struct ReloadGuard<'a, T> {
    current: &'a ArcSwap<T>,
    state: MutexGuard<'a, State>,
}

impl<T> Reloadable<T> {
    /// A value made of sources with this digest; `None` for a value that stands in until the first load.
    pub fn new(value: T, digest: Option<Digest>) -> Self {
        let state = State { active: digest, failure: None, candidate: None, reminder_interval: REMINDER_INTERVAL };
        Self { current: ArcSwap::from_pointee(value), state: Mutex::new(state) }
    }

    /// The current value. Take it again for each use.
    pub fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// The right to replace the value, once nobody else holds it.
    pub fn begin_reload(&self) -> ReloadGuard<'_, T> {
        ReloadGuard { current: &self.current, state: self.state.lock().unwrap_or_else(PoisonError::into_inner) }
    }
}

impl<T: fmt::Debug> fmt::Debug for Reloadable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloadable").field("current", &self.current.load()).field("state", &self.state).finish()
    }
}

impl<T> ReloadGuard<'_, T> {
    /// The current value.
    pub fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Whether sources with this digest have been acted on, with success or not.
    pub fn has_seen(&self, digest: Digest) -> bool {
        match &self.state.failure {
            Some(failure) => failure.digest == Some(digest),
            None => self.state.active == Some(digest),
        }
    }

    /// Whether the look before found the same new digest. Several files may be changing: what changes while it is looked at is
    /// not loaded.
    pub fn has_settled(&mut self, digest: Digest) -> bool {
        let settled = self.state.candidate == Some(digest);
        self.state.candidate = if settled || self.has_seen(digest) { None } else { Some(digest) };
        settled
    }

    /// Replaces the value by what `build` makes, unless the sources are those of the current value.
    pub fn replace<E: fmt::Display>(
        &mut self,
        digest: Digest,
        build: impl FnOnce() -> Result<T, E>,
    ) -> Result<Reload, Rejected<E>> {
        self.state.candidate = None;
        if self.state.active == Some(digest) {
            let recovered = self.state.failure.take().is_some();
            return Ok(if recovered { Reload::Recovered } else { Reload::Unchanged });
        }
        match build() {
            Ok(value) => {
                self.current.store(Arc::new(value));
                self.state.active = Some(digest);
                self.state.failure = None;
                Ok(Reload::Replaced)
            }
            Err(error) => Err(self.reject(Some(digest), error)),
        }
    }

    /// Keeps the value because the sources could not be read at all, or have no valid value.
    pub fn reject<E: fmt::Display>(&mut self, digest: Option<Digest>, error: E) -> Rejected<E> {
        let text = error.to_string();
        let last = self.state.failure.take().filter(|last| last.digest == digest && last.text == text);
        let recent = last.map(|last| last.logged).filter(|logged| logged.elapsed() < self.state.reminder_interval);
        self.state.failure = Some(Failure { digest, text, logged: recent.unwrap_or_else(Instant::now) });
        Rejected { error, is_due: recent.is_none() }
    }

    /// The failure of the last attempt, if it persists and was logged long ago. It counts as logged now.
    pub fn reminder(&mut self) -> Option<String> {
        let interval = self.state.reminder_interval;
        let failure = self.state.failure.as_mut().filter(|failure| failure.logged.elapsed() >= interval)?;
        failure.logged = Instant::now();
        Some(failure.text.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(_: &ReloadGuard<'_, u8>) -> Result<u8, &'static str> {
        Err("broken")
    }

    #[test]
    fn a_failure_keeps_the_value_and_is_new_once() {
        let reloadable = Reloadable::new(1, Some(Digest::of(b"1")));
        let mut guard = reloadable.begin_reload();
        let (two, three) = (Digest::of(b"2"), Digest::of(b"3"));
        let news = |refused: Result<Reload, Rejected<&str>>| refused.unwrap_err().is_due;
        let broken = fails(&guard);
        assert!(news(guard.replace(two, || broken)));
        assert!(!news(guard.replace(two, || broken)));
        assert!(news(guard.replace(three, || broken)));
        assert_eq!(*guard.current(), 1);
        assert_eq!(guard.replace(Digest::of(b"1"), || broken).unwrap(), Reload::Recovered);
        assert_eq!(guard.replace(Digest::of(b"1"), || broken).unwrap(), Reload::Unchanged);
        assert_eq!(guard.replace(two, || Ok::<_, &str>(2)).unwrap(), Reload::Replaced);
        drop(guard);
        assert_eq!(*reloadable.current(), 2);
    }

    #[test]
    fn a_failure_that_persists_is_due_again_at_intervals() {
        let reloadable = Reloadable::new(1, Some(Digest::of(b"1")));
        let mut guard = reloadable.begin_reload();
        assert_eq!(guard.reminder(), None);
        assert!(guard.reject(None, "broken").is_due);
        assert!(!guard.reject(None, "broken").is_due);
        assert_eq!(guard.reminder(), None);
        guard.state.reminder_interval = Duration::ZERO;
        assert!(guard.reject(None, "broken").is_due);
        assert_eq!(guard.reminder().as_deref(), Some("broken"));
        assert_eq!(guard.replace(Digest::of(b"1"), || Err("broken")).unwrap(), Reload::Recovered);
        assert_eq!(guard.reminder(), None);
    }

    #[test]
    fn what_changes_while_it_is_looked_at_has_not_settled() {
        let reloadable = Reloadable::new(1, Some(Digest::of(b"1")));
        let mut guard = reloadable.begin_reload();
        let looks = [(b"2", false), (b"3", false), (b"3", true), (b"1", false), (b"3", false), (b"3", true)];
        for (position, (bytes, settled)) in looks.into_iter().enumerate() {
            assert_eq!(guard.has_settled(Digest::of(bytes)), settled, "{position}");
        }
    }
}
