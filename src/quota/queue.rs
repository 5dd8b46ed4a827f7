//! The waiting line of one budget: fair between callers by their shares, interactive calls before bulk ones.
//!
//! Within a priority this is self-clocked fair queueing: each caller's calls have virtual finish times that lie `1 / share` apart,
//! and the earliest is next. A caller that is silent takes nothing, so its share goes to the others.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::domain::Priority;

/// How many turns one of bulk comes in, while interactive calls wait as well: a floor of 5 %.
const TURNS_PER_BULK: usize = 20;

/// The virtual time between two calls of a caller with share 1.
const SCALE: u64 = 1 << 20;

/// A virtual finish time, and a number that no other has.
type Tag = (u64, u64);

/// Where a waiting call is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) id: u64,
    caller: Arc<str>,
    priority: Priority,
}

/// The line. `T` is what is told of its turn.
#[derive(Debug)]
pub(super) struct Queue<T> {
    interactive: Class<T>,
    bulk: Class<T>,
    /// The turns of interactive calls since one of bulk, while bulk waited.
    since_bulk: usize,
    next_id: u64,
}

/// The calls of one priority.
#[derive(Debug)]
struct Class<T> {
    lanes: HashMap<Arc<str>, Lane<T>>,
    /// The first call of each lane, by its finish time.
    heads: BTreeMap<Tag, Arc<str>>,
    /// The finish time of the last call that had its turn.
    now: u64,
}

/// The calls of one caller, oldest first.
#[derive(Debug)]
struct Lane<T> {
    waiting: VecDeque<(u64, T)>,
    head: Tag,
    step: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { interactive: Class::default(), bulk: Class::default(), since_bulk: 0, next_id: 0 }
    }
}

impl<T> Default for Class<T> {
    fn default() -> Self {
        Self { lanes: HashMap::new(), heads: BTreeMap::new(), now: 0 }
    }
}

impl<T> Queue<T> {
    /// How many turns others would have before a call that comes now, if nothing else came.
    pub(super) fn ahead(&self, caller: &str, share: u32, priority: Priority) -> usize {
        match priority {
            Priority::Interactive => {
                let ahead = self.interactive.ahead(caller, share);
                let bulk = (ahead + 1 + self.since_bulk) / TURNS_PER_BULK;
                ahead + bulk.min(self.bulk.len())
            }
            Priority::Bulk => {
                let ahead = self.bulk.ahead(caller, share);
                let interactive = (ahead + 1).saturating_mul(TURNS_PER_BULK - 1);
                ahead + interactive.min(self.interactive.len())
            }
        }
    }

    /// How many calls of a caller wait.
    pub(super) fn waiting(&self, caller: &str) -> usize {
        let of = |class: &Class<T>| class.lanes.get(caller).map_or(0, |lane| lane.waiting.len());
        of(&self.interactive) + of(&self.bulk)
    }

    /// Adds a call at the end of its caller's lane.
    pub(super) fn push(&mut self, caller: &str, share: u32, priority: Priority, value: T) -> Place {
        let id = self.next_id;
        self.next_id += 1;
        let caller = self.class(priority).push(caller, share, id, value);
        Place { id, caller, priority }
    }

    /// Takes a call out, if it still waits.
    pub(super) fn remove(&mut self, place: &Place) -> Option<T> {
        self.class(place.priority).remove(&place.caller, place.id)
    }

    /// The call that is next, and its id.
    pub(super) fn first(&self) -> Option<(u64, &T)> {
        let class = match self.next() {
            Priority::Interactive => &self.interactive,
            Priority::Bulk => &self.bulk,
        };
        let (_, caller) = class.heads.first_key_value()?;
        class.lanes.get(caller)?.waiting.front().map(|(id, value)| (*id, value))
    }

    /// Takes out the call that is next.
    pub(super) fn pop(&mut self) -> Option<(u64, T)> {
        let priority = self.next();
        self.since_bulk = match priority {
            Priority::Interactive if self.bulk.heads.is_empty() => self.since_bulk,
            Priority::Interactive => self.since_bulk + 1,
            Priority::Bulk => 0,
        };
        self.class(priority).pop()
    }

    pub(super) fn len(&self) -> usize {
        self.interactive.len() + self.bulk.len()
    }

    /// The priority that is next.
    fn next(&self) -> Priority {
        match (self.interactive.heads.is_empty(), self.bulk.heads.is_empty()) {
            (false, true) => Priority::Interactive,
            (false, false) if self.since_bulk < TURNS_PER_BULK - 1 => Priority::Interactive,
            _ => Priority::Bulk,
        }
    }

    fn class(&mut self, priority: Priority) -> &mut Class<T> {
        match priority {
            Priority::Interactive => &mut self.interactive,
            Priority::Bulk => &mut self.bulk,
        }
    }
}

impl<T> Class<T> {
    fn len(&self) -> usize {
        self.lanes.values().map(|lane| lane.waiting.len()).sum()
    }

    fn ahead(&self, caller: &str, share: u32) -> usize {
        let step = step(share);
        let (own, finish) = match self.lanes.get(caller) {
            Some(lane) => (lane.waiting.len(), lane.head.0 + step * lane.waiting.len() as u64),
            None => (0, self.now + step),
        };
        let others = self.lanes.iter().filter(|(name, _)| &***name != caller).map(|(_, lane)| {
            // Those with the same finish time came before.
            let before = finish.checked_sub(lane.head.0).map_or(0, |gap| gap / lane.step + 1);
            lane.waiting.len().min(usize::try_from(before).unwrap_or(usize::MAX))
        });
        own + others.sum::<usize>()
    }

    fn push(&mut self, caller: &str, share: u32, id: u64, value: T) -> Arc<str> {
        let step = step(share);
        if let Some((caller, _)) = self.lanes.get_key_value(caller) {
            let caller = Arc::clone(caller);
            if let Some(lane) = self.lanes.get_mut(&caller) {
                lane.waiting.push_back((id, value));
            }
            return caller;
        }
        let (caller, head) = (Arc::<str>::from(caller), (self.now + step, id));
        self.heads.insert(head, Arc::clone(&caller));
        self.lanes.insert(Arc::clone(&caller), Lane { waiting: [(id, value)].into(), head, step });
        caller
    }

    fn remove(&mut self, caller: &Arc<str>, id: u64) -> Option<T> {
        let lane = self.lanes.get_mut(caller)?;
        let index = lane.waiting.iter().position(|(other, _)| *other == id)?;
        let (_, value) = lane.waiting.remove(index)?;
        if lane.waiting.is_empty() {
            self.heads.remove(&lane.head);
            self.lanes.remove(caller);
        }
        Some(value)
    }

    fn pop(&mut self) -> Option<(u64, T)> {
        let (head, caller) = self.heads.pop_first()?;
        let lane = self.lanes.get_mut(&caller)?;
        let first = lane.waiting.pop_front();
        self.now = head.0;
        match lane.waiting.front() {
            Some((id, _)) => {
                lane.head = (head.0 + lane.step, *id);
                self.heads.insert(lane.head, caller);
            }
            None => drop(self.lanes.remove(&caller)),
        }
        first
    }
}

fn step(share: u32) -> u64 {
    SCALE / u64::from(share.max(1))
}

#[cfg(test)]
mod tests {
    use Priority::{Bulk, Interactive};

    use super::*;

    /// Takes out so many calls, and returns how many are of each caller.
    fn served<'a>(queue: &mut Queue<&'a str>, turns: usize) -> BTreeMap<&'a str, usize> {
        let mut served = BTreeMap::new();
        for _ in 0..turns {
            if let Some((_, caller)) = queue.pop() {
                *served.entry(caller).or_default() += 1;
            }
        }
        served
    }

    fn line_of<'a>(waiting: &[(&'a str, u32, Priority, usize)]) -> Queue<&'a str> {
        let mut queue = Queue::default();
        for &(caller, share, priority, number) in waiting {
            for _ in 0..number {
                queue.push(caller, share, priority, caller);
            }
        }
        queue
    }

    #[test]
    fn callers_have_turns_by_their_shares_whatever_they_ask_for() {
        let mut queue =
            line_of(&[("greedy", 1, Interactive, 1000), ("heavy", 3, Interactive, 100), ("a", 1, Interactive, 100)]);
        assert_eq!(served(&mut queue, 100), BTreeMap::from([("greedy", 20), ("heavy", 60), ("a", 20)]));
    }

    #[test]
    fn the_share_of_a_silent_caller_is_lent_and_nothing_is_owed_for_it() {
        let mut queue = line_of(&[("a", 1, Interactive, 1000)]);
        assert_eq!(served(&mut queue, 500)["a"], 500);
        // It neither has to wait for those turns nor has a claim from its silence.
        queue.push("b", 1, Interactive, "b");
        queue.push("b", 1, Interactive, "b");
        assert_eq!(served(&mut queue, 4), BTreeMap::from([("a", 2), ("b", 2)]));
    }

    #[test]
    fn interactive_calls_are_first_and_bulk_has_one_turn_in_twenty() {
        let mut queue = line_of(&[("job", 1, Bulk, 1000), ("user", 1, Interactive, 1000)]);
        assert_eq!(served(&mut queue, 200), BTreeMap::from([("job", 10), ("user", 190)]));
        let mut queue = line_of(&[("job", 1, Bulk, 1000)]);
        served(&mut queue, 100);
        queue.push("user", 1, Interactive, "user");
        assert!(served(&mut queue, 2).contains_key("user"));
    }

    #[test]
    fn the_turns_ahead_are_those_that_come() {
        let waiting =
            [("a", 1, Interactive, 40), ("b", 4, Interactive, 30), ("job", 1, Bulk, 50), ("other job", 2, Bulk, 3)];
        for (caller, share, priority) in [
            ("a", 1, Interactive),
            ("b", 4, Interactive),
            ("new", 1, Interactive),
            ("new", 9, Interactive),
            ("job", 1, Bulk),
            ("new", 1, Bulk),
        ] {
            for turns_before in [0, 1, 7, 60] {
                let mut queue = line_of(&waiting);
                served(&mut queue, turns_before);
                let ahead = queue.ahead(caller, share, priority);
                let place = queue.push(caller, share, priority, "this");
                let came = std::iter::from_fn(|| queue.pop()).position(|(id, _)| id == place.id).unwrap();
                assert!(
                    came.abs_diff(ahead) <= 1,
                    "{caller} {priority:?} after {turns_before}: {ahead} expected, {came} came"
                );
            }
        }
    }

    #[test]
    fn a_call_that_leaves_is_as_if_it_had_not_come() {
        let mut queue = line_of(&[("a", 1, Interactive, 2)]);
        let left = queue.push("b", 1, Interactive, "b");
        assert_eq!((queue.remove(&left), queue.remove(&left), queue.len()), (Some("b"), None, 2));
        let first = queue.first().map(|(id, _)| id);
        assert_eq!(first, queue.pop().map(|(id, _)| id));
        assert_eq!(served(&mut queue, 10), BTreeMap::from([("a", 1)]));
        assert_eq!((queue.first(), queue.len()), (None, 0));
    }
}
