//! The last events of all namespaces, in order, found by room.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Offset, Origin, Place, Stays};
use crate::engineio::Parcel;
use crate::socketio::Target;
use crate::telemetry::metrics;

/// What an entry takes beside its frames and the names of its rooms, in bytes, its places in the
/// indexes included.
const OVERHEAD: usize = 240;

/// Nodes whose last numbers are remembered. Those of nodes that ended long ago are forgotten with the rest.
const MAX_NODES: usize = 10_000;

/// The last events of all namespaces, in the order in which every client of this node got them. Bounded in bytes
/// and in age. An event is one entry, whoever it went to: it shares the frames that were sent.
#[derive(Debug)]
pub(in crate::socketio) struct Log {
    max_bytes: usize,
    max_age: Duration,
    last: Offset,
    /// Events that were passed on to other nodes.
    passed: u64,
    /// Every event behind this one is still here.
    floor: Offset,
    /// The same for those who come from other nodes: a place in Redis' stream.
    gone: u64,
    bytes: usize,
    /// Number of the first entry; they are numbered without gaps.
    first: u64,
    entries: VecDeque<Entry>,
    /// The entries that this node has passed on.
    own: VecDeque<u64>,
    namespaces: HashMap<Arc<str>, Index>,
    /// The last number of each other node, and its count.
    nodes: HashMap<u64, (u64, u64)>,
    /// Up to which number of other nodes some client has more than this node.
    ahead: HashMap<u64, u64>,
}

#[derive(Debug)]
struct Entry {
    /// Whose event it is, and which one of these.
    node: u64,
    number: u64,
    /// Its place in Redis' stream; 0 where it is not known.
    id: u64,
    /// Every node has it from somewhere else: it is no part of the stream.
    each: bool,
    offset: Offset,
    at: Instant,
    namespace: Arc<str>,
    target: Target,
    parcel: Parcel,
    bytes: usize,
}

/// Where a namespace's events are in the log: numbers of entries.
#[derive(Debug, Default)]
struct Index {
    everyone: VecDeque<u64>,
    rooms: HashMap<Arc<str>, VecDeque<u64>>,
}

impl Log {
    /// An empty log.
    pub(super) fn new(max_bytes: usize, max_age: Duration) -> Log {
        let start = Offset::now();
        Log {
            max_bytes,
            max_age,
            last: start,
            passed: 0,
            floor: start,
            gone: u64::MAX,
            bytes: 0,
            first: 0,
            entries: VecDeque::new(),
            own: VecDeque::new(),
            namespaces: HashMap::new(),
            nodes: HashMap::new(),
            ahead: HashMap::new(),
        }
    }

    pub(super) fn set_bounds(&mut self, max_bytes: usize, max_age: Duration) {
        (self.max_bytes, self.max_age) = (max_bytes, max_age);
    }

    /// This node is one of several from now on.
    pub(super) fn set_node(&mut self, node: u64) {
        (self.last.node, self.floor.node) = (node, node);
    }

    pub(super) fn max_age(&self) -> Duration {
        self.max_age
    }

    /// The offset of the last event.
    pub(in crate::socketio) fn last(&self) -> Offset {
        self.last
    }

    /// The offset behind which every event is still here.
    pub(in crate::socketio) fn floor(&self) -> Offset {
        self.floor
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives an event its place. `write` is told the offset; a volatile event has one as well, which
    /// its client will repeat, but is not kept. Answers where other nodes are to put it, if they are.
    pub(in crate::socketio) fn append(
        &mut self,
        now: Instant,
        origin: Origin,
        (namespace, target): (&Arc<str>, &Target),
        write: impl FnOnce(&str) -> Parcel,
    ) -> (Parcel, Option<Place>) {
        match origin {
            Origin::Here | Origin::Each => self.last = self.last.next(),
            Origin::There(place, id) => self.heard(place, id),
            Origin::Passing => {}
        }
        let parcel = write(&self.last.to_string());
        let is_for_nobody = !target.everyone && target.rooms.is_empty();
        if parcel.volatile() || is_for_nobody {
            return (parcel, None);
        }
        let (node, number, id, place) = match origin {
            Origin::Passing => return (parcel, None),
            Origin::There(place, id) => (place.node, place.number, id, None),
            Origin::Each => (self.last.node, self.last.own, 0, None),
            Origin::Here => {
                self.passed += 1;
                let place = Place { node: self.last.node, number: self.last.own, count: self.passed };
                (place.node, place.number, 0, Some(place))
            }
        };
        let names = target.rooms.iter().chain(&target.except).map(|room| room.len() + 16).sum::<usize>();
        self.keep(Entry {
            node,
            number,
            id,
            each: matches!(origin, Origin::Each),
            offset: self.last,
            at: now,
            namespace: namespace.clone(),
            target: target.clone(),
            parcel: parcel.clone(),
            bytes: parcel.len() + names + OVERHEAD,
        });
        self.trim(now);
        (parcel, place)
    }

    fn keep(&mut self, entry: Entry) {
        let number = self.first + self.entries.len() as u64;
        let index = self.namespaces.entry(entry.namespace.clone()).or_default();
        if entry.target.everyone {
            index.everyone.push_back(number);
        } else {
            for room in &entry.target.rooms {
                index.rooms.entry(room.clone()).or_default().push_back(number);
            }
        }
        if entry.node == self.last.node && !entry.each {
            self.own.push_back(number);
        }
        self.bytes += entry.bytes;
        self.entries.push_back(entry);
    }

    /// Notes an event of another node: whether one before it has not come.
    fn heard(&mut self, place: Place, id: u64) {
        if self.nodes.len() >= MAX_NODES && !self.nodes.contains_key(&place.node) {
            self.nodes.clear();
        }
        let before = self.nodes.insert(place.node, (place.number, place.count));
        if before.is_some_and(|(_, count)| place.count > count + 1) {
            self.lose(id);
        }
        self.reach(id);
        if self.ahead.get(&place.node).is_some_and(|number| *number < place.number) {
            self.ahead.remove(&place.node);
        }
    }

    /// Everything of other nodes up to `id` is here.
    pub(super) fn reach(&mut self, id: u64) {
        self.last.others = self.last.others.max(id);
    }

    /// The stream begins behind `id`: nobody knows what was before.
    pub(super) fn begin_at(&mut self, id: u64) {
        self.reach(id);
        self.gone = id;
    }

    /// The entries so far are of before this node was there: none of its own clients may be told of them.
    pub(super) fn has_begun(&mut self) {
        self.floor = self.last;
    }

    /// Events before `id` were lost: nobody can be told what it missed before this.
    pub(super) fn lose(&mut self, id: u64) {
        metrics::cluster_stream_gap();
        self.last = self.last.next();
        (self.floor, self.gone) = (self.last, self.gone.max(id));
    }

    /// Redis has given this node's event a place in the stream.
    pub(super) fn settle(&mut self, number: u64, id: u64) {
        self.reach(id);
        let place = self.own.partition_point(|at| self.entry(*at).is_some_and(|entry| entry.number < number));
        let entry = self.own.get(place).and_then(|at| at.checked_sub(self.first));
        let entry = entry.and_then(|index| self.entries.get_mut(usize::try_from(index).ok()?));
        match entry.filter(|entry| entry.number == number) {
            Some(entry) if entry.id == 0 => entry.id = id,
            Some(_) => {}
            // It has left the log before.
            None => self.gone = self.gone.max(id),
        }
    }

    /// A client has what `node` sent up to `number`, perhaps before this node hears it.
    pub(super) fn note_ahead(&mut self, node: u64, number: u64) {
        if node != self.last.node && self.nodes.get(&node).is_none_or(|(last, _)| *last < number) {
            let most = self.ahead.entry(node).or_default();
            *most = number.max(*most);
        }
    }

    /// Whether some client may have this event already.
    pub(in crate::socketio) fn may_be_had(&self, place: Place) -> bool {
        self.ahead.get(&place.node).is_some_and(|number| *number >= place.number)
    }

    /// Lets go of what is too old, or too much.
    pub(super) fn trim(&mut self, now: Instant) {
        while let Some(entry) = self.entries.front() {
            let old = now.saturating_duration_since(entry.at) > self.max_age;
            if !old && self.bytes <= self.max_bytes {
                break;
            }
            if !old {
                metrics::refused("socketio.recovery.max_bytes");
            }
            let Some(entry) = self.entries.pop_front() else { break };
            self.floor = self.floor.max(entry.offset);
            self.gone = self.gone.max(entry.id);
            self.bytes -= entry.bytes;
            self.own.pop_front_if(|number| *number == self.first);
            self.first += 1;
            self.unindex(&entry);
        }
        if self.entries.is_empty() && self.entries.capacity() > 64 {
            self.entries = VecDeque::new();
        }
        metrics::recovery_bytes(self.bytes as f64);
    }

    fn unindex(&mut self, entry: &Entry) {
        let Some(index) = self.namespaces.get_mut(&entry.namespace) else { return };
        if entry.target.everyone {
            index.everyone.pop_front();
        } else {
            for room in &entry.target.rooms {
                let Some(numbers) = index.rooms.get_mut(room) else { continue };
                numbers.pop_front();
                if numbers.is_empty() {
                    index.rooms.remove(room);
                }
            }
        }
        if index.everyone.is_empty() && index.rooms.is_empty() {
            self.namespaces.remove(&entry.namespace);
        }
    }

    /// Whether the offset can be one that this node, or one before it, has given.
    pub(super) fn knows(&self, offset: Offset) -> bool {
        if offset.node == self.last.node { offset <= self.last } else { offset.others <= self.last.others }
    }

    /// Whether every event behind the offset is still here.
    pub(super) fn reaches(&self, offset: Offset) -> bool {
        if offset.node == self.last.node { offset >= self.floor } else { offset.others >= self.gone }
    }

    /// Whether who is at the offset has this entry.
    fn covers(&self, offset: Offset, entry: &Entry) -> bool {
        if offset.node == self.last.node {
            entry.offset <= offset
        } else if entry.node == offset.node {
            entry.number <= offset.own
        } else {
            // What every node has from elsewhere, the other one had as well.
            entry.each || (entry.id != 0 && entry.id <= offset.others)
        }
    }

    /// Number of an entry that none behind the offset is before.
    fn begin(&self, offset: Offset) -> u64 {
        let here = offset.node == self.last.node;
        let had = |entry: &Entry| {
            if here { entry.offset <= offset } else { entry.offset.others <= offset.others }
        };
        let first = self.first + self.entries.partition_point(had) as u64;
        if here {
            return first;
        }
        // What this node sent itself it has had before Redis gave it a place.
        let has_place = |number: &u64| {
            self.entry(*number).is_some_and(|entry| entry.id != 0 && entry.id <= offset.others)
        };
        let own = self.own.get(self.own.partition_point(has_place)).copied();
        own.map_or(first, |own| own.min(first))
    }

    /// The events behind `after` that went to the socket `id` of a namespace, by the rooms it was in
    /// when each was sent, without what it `has` of other nodes. `None` when some of them may be gone. Looks only at
    /// events of its rooms.
    pub(super) fn missed(
        &self,
        (namespace, id): (&str, &str),
        stays: &Stays,
        after: Offset,
        has: &[Offset],
    ) -> Option<Vec<Parcel>> {
        if !self.reaches(after) || after < stays.known_after() {
            return None;
        }
        let Some(index) = self.namespaces.get(namespace) else { return Some(Vec::new()) };
        let start = self.begin(after);
        let mut found: Vec<u64> = from(&index.everyone, start).collect();
        if let Some(own) = index.rooms.get(id) {
            found.extend(from(own, start));
        }
        for stay in stays.all() {
            let Some(numbers) = index.rooms.get(&stay.room) else { continue };
            let joined = self.begin(stay.after).max(start);
            let within = |number: &u64| self.entry(*number).is_some_and(|entry| self.is_within(stay, entry));
            found.extend(from(numbers, joined).filter(within));
        }
        found.sort_unstable();
        found.dedup();
        let entries = found.into_iter().filter_map(|number| self.entry(number));
        let excepted = |entry: &Entry| {
            let covered = |room: &Arc<str>| {
                stays.all().iter().any(|stay| stay.room == *room && self.is_within(stay, entry))
            };
            entry.target.except.iter().any(|room| **room == *id || covered(room))
        };
        let is_had =
            |entry: &Entry| self.covers(after, entry) || has.iter().any(|had| self.covers(*had, entry));
        let missed = entries.filter(|entry| !is_had(entry) && !excepted(entry));
        Some(missed.map(|entry| entry.parcel.clone()).collect())
    }

    /// Whether the event was sent during the stay.
    fn is_within(&self, stay: &super::stays::Stay, entry: &Entry) -> bool {
        !self.covers(stay.after, entry) && stay.until.is_none_or(|until| self.covers(until, entry))
    }

    fn entry(&self, number: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }
}

/// The numbers from `start` on; they are in order.
fn from(numbers: &VecDeque<u64>, start: u64) -> impl Iterator<Item = u64> {
    numbers.range(numbers.partition_point(|number| *number < start)..).copied()
}
