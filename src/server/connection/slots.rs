//! This file bounds how many connections are open, and says which ends where there is one too many.

use std::collections::VecDeque;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::authn::AuthenticatedFlag;

/// The fewest and the most connections that are open at a time, whatever the system would allow.
const FEWEST_AND_MOST: (usize, usize) = (16, 8192);

/// The connections that are open.
#[derive(Debug)]
pub struct ConnectionSlots {
    oldest_first: Mutex<VecDeque<Weak<Occupied>>>,
    most: usize,
}

#[derive(Debug, Default)]
struct Occupied {
    authenticated: AuthenticatedFlag,
    eviction: CancellationToken,
}

/// What a connection holds while it is open.
#[derive(Clone, Debug)]
pub struct Slot(Arc<Occupied>);

impl Default for ConnectionSlots {
    /// Half of the file descriptors that the process may have: the other half is for files and for Cognito.
    fn default() -> Self {
        let (fewest, most) = FEWEST_AND_MOST;
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        Self::new(open_files(&limits).map_or(fewest, |files| files / 2).clamp(fewest, most))
    }
}

/// The soft limit of open files. Elsewhere than on Linux, and without a limit, it is that of most systems.
fn open_files(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().next()).map_or(Some(1024), |soft| match soft {
        "unlimited" => Some(usize::MAX),
        soft => soft.parse().ok(),
    })
}

impl ConnectionSlots {
    /// Room for `most` connections.
    pub fn new(most: usize) -> Self {
        Self { oldest_first: Mutex::default(), most }
    }

    /// A place for one connection more. Where there is none left, the oldest connection on which nobody proved who they are
    /// ends; where all are of known callers, there is no place.
    pub fn take(&self) -> Option<Slot> {
        let mut places = self.oldest_first.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= self.most {
            places.retain(|place| place.strong_count() > 0);
        }
        if places.len() >= self.most {
            let unknown = |place: &Weak<Occupied>| place.upgrade().is_none_or(|taken| !taken.authenticated.is_set());
            let ended = places.iter().position(unknown).and_then(|oldest| places.remove(oldest))?;
            if let Some(taken) = ended.upgrade() {
                tracing::debug!("the oldest connection of nobody known ends, since too many are open");
                taken.eviction.cancel();
            }
        }
        let taken = Arc::new(Occupied::default());
        places.push_back(Arc::downgrade(&taken));
        Some(Slot(taken))
    }
}

impl Slot {
    /// The flag that keeps the connection from being evicted once a caller on it has authenticated.
    pub fn authenticated(&self) -> AuthenticatedFlag {
        self.0.authenticated.clone()
    }

    /// Done when the connection is evicted.
    pub(super) fn evicted(&self) -> WaitForCancellationFutureOwned {
        self.0.eviction.clone().cancelled_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_ended(place: &Slot) -> bool {
        place.0.eviction.is_cancelled()
    }

    #[test]
    fn the_oldest_connection_of_nobody_known_makes_room() {
        let places = ConnectionSlots::new(3);
        let [first, second, third] = [(); 3].map(|()| places.take().unwrap());
        first.authenticated().set();
        let fourth = places.take().unwrap();
        assert_eq!([&first, &second, &third, &fourth].map(is_ended), [false, true, false, false]);
    }

    #[test]
    fn a_connection_that_closed_makes_room_and_those_of_known_callers_never_do() {
        let places = ConnectionSlots::new(2);
        let [first, second] = [(); 2].map(|()| places.take().unwrap());
        first.authenticated().set();
        second.authenticated().set();
        assert!(places.take().is_none());
        drop(second);
        assert!(places.take().is_some() && !is_ended(&first));
    }

    #[test]
    fn the_soft_limit_of_open_files_is_read() {
        let limits =
            |soft: &str| format!("Max cpu time  unlimited  unlimited  seconds\nMax open files  {soft}  4096  files\n");
        assert_eq!(open_files(&limits("200")), Some(200));
        assert_eq!(open_files(&limits("unlimited")), Some(usize::MAX));
        assert_eq!(open_files(&limits("x")), None);
        assert_eq!(open_files(""), Some(1024));
    }
}
