//! The slots of open connections: how many there are, and which connection is evicted when there is one too many.
//!
//! It is taken from whoever has most, so that nobody keeps all others out by being first: a client that has none yet gets one as long as
//! another has several.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::authn::AuthenticatedFlag;
use crate::server::connection::activity::Activity;
use crate::server::limits::ServerLimits;

/// The minimum of the limit of open connections, whatever the system allows.
const MIN_SLOTS: usize = 16;

/// The maximum of the limit of open connections, whatever the system allows.
const MAX_SLOTS: usize = 8192;

/// The slots of open connections. Clones share them.
#[derive(Clone, Debug)]
pub struct ConnectionSlots(Arc<Slots>);

#[derive(Debug)]
struct Slots {
    limit: usize,
    /// The limit of one holder.
    per_holder: usize,
    open: Mutex<Open>,
}

/// The open connections.
#[derive(Debug, Default)]
struct Open {
    total: usize,
    /// The number that the next connection has: later ones have higher numbers.
    next: u64,
    holders: HashMap<Holder, BTreeMap<u64, Arc<Occupied>>>,
    /// The number of connections of each holder.
    sizes: BTreeSet<(usize, Holder)>,
}

/// Whose a connection is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Holder {
    /// That of a caller who is named by a certificate.
    Caller(String),
    /// Anybody else's, by the address, which may be that of a proxy before many clients.
    Address(IpAddr),
}

#[derive(Debug, Default)]
struct Occupied {
    authenticated: AuthenticatedFlag,
    activity: Arc<Activity>,
    eviction: CancellationToken,
}

/// The slot that a connection holds while it is open.
#[derive(Clone, Debug)]
pub struct Slot {
    held: Arc<Held>,
    /// Counts the connection among those of its worker.
    _load: Option<Load>,
}

/// The slot itself, until the last of its clones is dropped.
#[derive(Debug)]
struct Held {
    slots: ConnectionSlots,
    number: u64,
    holder: Mutex<Holder>,
    occupied: Arc<Occupied>,
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
        Self::with_limits(limit, usize::MAX)
    }

    /// Slots for so many connections, so many of them of one caller with a certificate, or of one address.
    pub(in crate::server) fn of(limits: ServerLimits) -> Self {
        let total = limits.connections.unwrap_or_else(|| Self::default().0.limit);
        Self::with_limits(total, limits.connections_per_peer.unwrap_or(usize::MAX))
    }

    fn with_limits(limit: usize, per_holder: usize) -> Self {
        Self(Arc::new(Slots { limit, per_holder, open: Mutex::default() }))
    }

    /// A slot for one more connection from this address. If there is none left, a connection is evicted: one without an
    /// authenticated caller, the oldest of the holder that has most; or else one of the holder that has most of all, if it has more
    /// than the address would. `None` if there is no such connection, or the address has as many as one may have.
    pub fn take(&self, address: IpAddr) -> Option<Slot> {
        let mut open = self.open();
        let holder = Holder::Address(address);
        if open.number(&holder) >= self.0.per_holder {
            return None;
        }
        if open.total >= self.0.limit {
            let (evicted, number) = open.victim(&holder)?;
            if let Some(occupied) = open.remove(&evicted, number) {
                tracing::debug!(peer = %address, "connection evicted, too many are open");
                occupied.eviction.cancel();
            }
        }
        let occupied = Arc::<Occupied>::default();
        let number = open.next;
        open.next += 1;
        open.add(holder.clone(), number, Arc::clone(&occupied));
        drop(open);
        let held = Held { slots: self.clone(), number, holder: Mutex::new(holder), occupied };
        Some(Slot { held: Arc::new(held), _load: None })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// How many connections somebody holds.
    fn number(&self, holder: &Holder) -> usize {
        self.holders.get(holder).map_or(0, BTreeMap::len)
    }

    fn add(&mut self, holder: Holder, number: u64, occupied: Arc<Occupied>) {
        let of_holder = self.holders.entry(holder.clone()).or_default();
        self.sizes.remove(&(of_holder.len(), holder.clone()));
        of_holder.insert(number, occupied);
        self.sizes.insert((of_holder.len(), holder));
        self.total += 1;
    }

    fn remove(&mut self, holder: &Holder, number: u64) -> Option<Arc<Occupied>> {
        let of_holder = self.holders.get_mut(holder)?;
        let size = of_holder.len();
        let removed = of_holder.remove(&number)?;
        self.sizes.remove(&(size, holder.clone()));
        if of_holder.is_empty() {
            self.holders.remove(holder);
        } else {
            self.sizes.insert((size - 1, holder.clone()));
        }
        self.total -= 1;
        Some(removed)
    }

    /// The connection to evict for one more of `newcomer`.
    fn victim(&self, newcomer: &Holder) -> Option<(Holder, u64)> {
        let most_first = || {
            let holders = self.sizes.iter().rev();
            holders.filter_map(|(_, holder)| self.holders.get(holder).map(|connections| (holder, connections)))
        };
        let stranger = most_first().find_map(|(holder, connections)| {
            let stranger = connections.iter().find(|(_, occupied)| !occupied.authenticated.is_set());
            stranger.map(|(number, _)| (holder.clone(), *number))
        });
        stranger.or_else(|| {
            let (holder, connections) = most_first().next()?;
            let of_newcomer = self.number(newcomer);
            // With one more than the other they would take turns at each other's.
            if connections.len() <= of_newcomer + 1 {
                return None;
            }
            let idle = connections.iter().find(|(_, occupied)| occupied.activity.calls() == 0);
            idle.or_else(|| connections.first_key_value()).map(|(number, _)| (holder.clone(), *number))
        })
    }
}

impl Slot {
    /// The same slot, counted among the connections of a worker.
    pub(in crate::server) fn on_worker(self, load: &Load) -> Self {
        Self { _load: Some(load.clone()), ..self }
    }

    /// Counts the connection among those of a caller, whom its certificate names, and no more among those of its address. It is evicted if
    /// the caller has as many as one may have.
    pub(super) fn identify(&self, caller: &str) {
        let Held { slots, number, holder, .. } = &*self.held;
        let mut open = slots.open();
        let mut holder = holder.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(occupied) = open.remove(&holder, *number) {
            *holder = Holder::Caller(caller.to_owned());
            if open.number(&holder) >= slots.0.per_holder {
                tracing::warn!(caller, "connection rejected, its caller has too many");
                occupied.eviction.cancel();
                return;
            }
            open.add(holder.clone(), *number, occupied);
        }
    }

    /// The flag that keeps the connection from being evicted once a caller on it has authenticated, unless that caller has more
    /// connections than anybody else.
    pub fn authenticated(&self) -> AuthenticatedFlag {
        self.held.occupied.authenticated.clone()
    }

    /// The calls on the connection.
    pub(super) fn activity(&self) -> Arc<Activity> {
        Arc::clone(&self.held.occupied.activity)
    }

    /// Done when the connection is evicted.
    pub(super) fn evicted(&self) -> WaitForCancellationFutureOwned {
        self.held.occupied.eviction.clone().cancelled_owned()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let holder = self.holder.get_mut().unwrap_or_else(PoisonError::into_inner).clone();
        // It is not there any more if it was evicted.
        drop(self.slots.open().remove(&holder, self.number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn is_ended(slot: &Slot) -> bool {
        slot.held.occupied.eviction.is_cancelled()
    }

    fn authenticated(slot: Slot) -> Slot {
        slot.authenticated().set();
        slot
    }

    #[test]
    fn the_oldest_connection_of_nobody_known_makes_room() {
        let slots = ConnectionSlots::new(3);
        let first = authenticated(slots.take(address(1)).unwrap());
        let [second, third, fourth] = [(); 3].map(|()| slots.take(address(1)).unwrap());
        assert_eq!([&first, &second, &third, &fourth].map(is_ended), [false, true, false, false]);
    }

    #[test]
    fn whoever_has_most_makes_room_and_not_whoever_is_oldest() {
        let slots = ConnectionSlots::new(4);
        let few = slots.take(address(1)).unwrap();
        let many = [(); 3].map(|()| slots.take(address(2)).unwrap());
        let _newcomer = slots.take(address(3)).unwrap();
        assert!(!is_ended(&few));
        assert_eq!([&many[0], &many[1], &many[2]].map(is_ended), [true, false, false]);
    }

    #[test]
    fn a_caller_that_holds_all_connections_gives_one_to_a_newcomer_and_one_that_is_idle() {
        let slots = ConnectionSlots::new(3);
        let held = [(); 3].map(|()| authenticated(slots.take(address(1)).unwrap()));
        for slot in &held {
            slot.identify("greedy");
        }
        let busy = Activity::begin(&held[0].activity());
        let newcomer = authenticated(slots.take(address(1)).unwrap());
        newcomer.identify("another");
        assert_eq!([&held[0], &held[1], &held[2]].map(is_ended), [false, true, false]);
        drop(busy);
        // Two and one: none has so much more that it has to give.
        assert!(slots.take(address(9)).is_some() && !is_ended(&newcomer));
    }

    #[test]
    fn a_connection_that_closed_makes_room_and_those_of_known_callers_with_few_never_do() {
        let slots = ConnectionSlots::new(2);
        let first = authenticated(slots.take(address(1)).unwrap());
        let second = authenticated(slots.take(address(2)).unwrap());
        assert!(slots.take(address(3)).is_none());
        drop(second);
        assert!(slots.take(address(3)).is_some() && !is_ended(&first));
    }

    #[test]
    fn an_address_and_a_caller_have_no_more_than_one_may_have() {
        let limits = ServerLimits { connections: Some(8), connections_per_peer: Some(2), ..ServerLimits::default() };
        let slots = ConnectionSlots::of(limits);
        let [first, second] = [(); 2].map(|()| slots.take(address(1)).unwrap());
        assert!(slots.take(address(1)).is_none());
        first.identify("caller");
        second.identify("caller");
        let third = slots.take(address(1)).unwrap();
        third.identify("caller");
        assert_eq!([&first, &second, &third].map(is_ended), [false, false, true]);
        drop((first, third));
        slots.take(address(1)).unwrap().identify("caller");
        assert_eq!(slots.open().total, 1);
    }

    #[test]
    fn nothing_is_kept_of_connections_that_have_ended() {
        let slots = ConnectionSlots::new(8);
        for last in 0..100 {
            let slot = slots.take(address(last)).unwrap();
            slot.identify(&last.to_string());
            drop(slot.clone());
        }
        let open = slots.open();
        assert_eq!((open.total, open.holders.len(), open.sizes.len()), (0, 0, 0));
    }

    #[test]
    fn a_worker_has_the_connections_whose_slots_are_held() {
        let (slots, load) = (ConnectionSlots::new(3), Load::default());
        let first = slots.take(address(1)).unwrap().on_worker(&load);
        let second = slots.take(address(1)).unwrap().on_worker(&load);
        let _elsewhere = slots.take(address(1)).unwrap();
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
