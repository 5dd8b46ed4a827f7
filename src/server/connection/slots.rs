//! The slots of open connections: how many there are, and which connection is evicted when there is one too many.

use std::collections::VecDeque;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::authn::AuthenticatedFlag;

/// The minimum of the limit of open connections, whatever the system allows.
const MIN_SLOTS: usize = 16;

/// The maximum of the limit of open connections, whatever the system allows.
const MAX_SLOTS: usize = 8192;

/// The slots of open connections.
#[derive(Debug)]
pub struct ConnectionSlots {
    oldest_first: Mutex<VecDeque<Weak<Occupied>>>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Occupied {
    authenticated: AuthenticatedFlag,
    eviction: CancellationToken,
}

/// The slot that a connection holds while it is open.
#[derive(Clone, Debug)]
pub struct Slot {
    occupied: Arc<Occupied>,
    /// Counts the connection among those of its worker.
    _load: Option<Load>,
}

/// How many connections a worker has: one for each [`Slot`] with a clone.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct Load(Arc<()>);

impl Load {
    /// The number of connections.
    pub(in crate::server) fn connections(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

impl Default for ConnectionSlots {
    /// Half of the file descriptors that the process may have. The other half is for files and for Cognito.
    fn default() -> Self {
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        Self::new(open_files(&limits).map_or(MIN_SLOTS, |files| files / 2).clamp(MIN_SLOTS, MAX_SLOTS))
    }
}

/// The soft limit of open files. 1024, the default of most systems, where it cannot be read.
fn open_files(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().next()).map_or(Some(1024), |soft| match soft {
        "unlimited" => Some(usize::MAX),
        soft => soft.parse().ok(),
    })
}

impl ConnectionSlots {
    /// Slots for this many connections.
    pub fn new(limit: usize) -> Self {
        Self { oldest_first: Mutex::default(), limit }
    }

    /// A slot for one more connection. If there is none left, the oldest connection without an authenticated caller is evicted;
    /// if every connection has one, there is no slot.
    pub fn take(&self) -> Option<Slot> {
        let mut slots = self.oldest_first.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= self.limit {
            slots.retain(|slot| slot.strong_count() > 0);
        }
        if slots.len() >= self.limit {
            let unauthenticated =
                |slot: &Weak<Occupied>| slot.upgrade().is_none_or(|occupied| !occupied.authenticated.is_set());
            let evicted = slots.iter().position(unauthenticated).and_then(|oldest| slots.remove(oldest))?;
            if let Some(occupied) = evicted.upgrade() {
                tracing::debug!("oldest unauthenticated connection evicted, too many are open");
                occupied.eviction.cancel();
            }
        }
        let occupied = Arc::new(Occupied::default());
        slots.push_back(Arc::downgrade(&occupied));
        Some(Slot { occupied, _load: None })
    }
}

impl Slot {
    /// The same slot, counted among the connections of a worker.
    pub(in crate::server) fn on_worker(self, load: &Load) -> Self {
        Self { _load: Some(load.clone()), ..self }
    }

    /// The flag that keeps the connection from being evicted once a caller on it has authenticated.
    pub fn authenticated(&self) -> AuthenticatedFlag {
        self.occupied.authenticated.clone()
    }

    /// Done when the connection is evicted.
    pub(super) fn evicted(&self) -> WaitForCancellationFutureOwned {
        self.occupied.eviction.clone().cancelled_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_ended(slot: &Slot) -> bool {
        slot.occupied.eviction.is_cancelled()
    }

    #[test]
    fn the_oldest_connection_of_nobody_known_makes_room() {
        let slots = ConnectionSlots::new(3);
        let [first, second, third] = [(); 3].map(|()| slots.take().unwrap());
        first.authenticated().set();
        let fourth = slots.take().unwrap();
        assert_eq!([&first, &second, &third, &fourth].map(is_ended), [false, true, false, false]);
    }

    #[test]
    fn a_connection_that_closed_makes_room_and_those_of_known_callers_never_do() {
        let slots = ConnectionSlots::new(2);
        let [first, second] = [(); 2].map(|()| slots.take().unwrap());
        first.authenticated().set();
        second.authenticated().set();
        assert!(slots.take().is_none());
        drop(second);
        assert!(slots.take().is_some() && !is_ended(&first));
    }

    #[test]
    fn a_worker_has_the_connections_whose_slots_are_held() {
        let (slots, load) = (ConnectionSlots::new(3), Load::default());
        let first = slots.take().unwrap().on_worker(&load);
        let second = slots.take().unwrap().on_worker(&load);
        let _elsewhere = slots.take().unwrap();
        assert_eq!(load.connections(), 2);
        drop(first);
        assert_eq!(load.connections(), 1);
        drop(second);
        assert_eq!(load.connections(), 0);
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
