//! The last events of all namespaces, in order, found by room.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Offset, Stays};
use crate::engineio::Parcel;
use crate::socketio::Target;
use crate::telemetry::metrics;

/// What an entry takes beside its frames and the names of its rooms, in bytes, its places in the
/// indexes included.
const OVERHEAD: usize = 200;

/// The last events of all namespaces, in the order in which every client got them. Bounded in bytes
/// and in age. An event is one entry, whoever it went to: it shares the frames that were sent.
#[derive(Debug)]
pub(in crate::socketio) struct Log {
    max_bytes: usize,
    max_age: Duration,
    last: Offset,
    /// Every event behind this one is still here.
    floor: Offset,
    bytes: usize,
    entries: VecDeque<Entry>,
    namespaces: HashMap<Arc<str>, Index>,
}

#[derive(Debug)]
struct Entry {
    offset: Offset,
    at: Instant,
    namespace: Arc<str>,
    target: Target,
    parcel: Parcel,
    bytes: usize,
}

/// Where a namespace's events are in the log.
#[derive(Debug, Default)]
struct Index {
    everyone: VecDeque<Offset>,
    rooms: HashMap<Arc<str>, VecDeque<Offset>>,
}

impl Log {
    /// An empty log.
    pub(super) fn new(max_bytes: usize, max_age: Duration) -> Log {
        let start = Offset::now();
        let (entries, namespaces) = (VecDeque::new(), HashMap::new());
        Log { max_bytes, max_age, last: start, floor: start, bytes: 0, entries, namespaces }
    }

    pub(super) fn set_bounds(&mut self, max_bytes: usize, max_age: Duration) {
        (self.max_bytes, self.max_age) = (max_bytes, max_age);
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
    /// its client will repeat, but is not kept.
    pub(in crate::socketio) fn append(
        &mut self,
        now: Instant,
        namespace: &Arc<str>,
        target: &Target,
        write: impl FnOnce(&str) -> Parcel,
    ) -> Parcel {
        self.last = self.last.next();
        let parcel = write(&self.last.to_string());
        if !parcel.volatile() && (target.everyone || !target.rooms.is_empty()) {
            self.keep(now, namespace, target, &parcel);
            self.trim(now);
        }
        parcel
    }

    fn keep(&mut self, now: Instant, namespace: &Arc<str>, target: &Target, parcel: &Parcel) {
        let offset = self.last;
        let index = self.namespaces.entry(namespace.clone()).or_default();
        if target.everyone {
            index.everyone.push_back(offset);
        } else {
            for room in &target.rooms {
                index.rooms.entry(room.clone()).or_default().push_back(offset);
            }
        }
        let names = target.rooms.iter().chain(&target.except).map(|room| room.len() + 16).sum::<usize>();
        let bytes = parcel.len() + names + OVERHEAD;
        self.bytes += bytes;
        self.entries.push_back(Entry {
            offset,
            at: now,
            namespace: namespace.clone(),
            target: target.clone(),
            parcel: parcel.clone(),
            bytes,
        });
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
            self.floor = entry.offset;
            self.bytes -= entry.bytes;
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
                let Some(offsets) = index.rooms.get_mut(room) else { continue };
                offsets.pop_front();
                if offsets.is_empty() {
                    index.rooms.remove(room);
                }
            }
        }
        if index.everyone.is_empty() && index.rooms.is_empty() {
            self.namespaces.remove(&entry.namespace);
        }
    }

    /// The events behind `after` that went to the socket `id` of a namespace, by the rooms it was in
    /// when each was sent. `None` when some of them may be gone. Looks only at events of its rooms.
    pub(super) fn missed(
        &self,
        namespace: &str,
        id: &str,
        stays: &Stays,
        after: Offset,
    ) -> Option<Vec<Parcel>> {
        if after < self.floor.max(stays.known_after()) {
            return None;
        }
        let Some(index) = self.namespaces.get(namespace) else { return Some(Vec::new()) };
        let mut found: Vec<Offset> = behind(&index.everyone, after).collect();
        if let Some(own) = index.rooms.get(id) {
            found.extend(behind(own, after));
        }
        for stay in stays.all() {
            let Some(offsets) = index.rooms.get(&stay.room) else { continue };
            let until = |offset: &Offset| stay.until.is_none_or(|until| *offset <= until);
            found.extend(behind(offsets, after.max(stay.after)).take_while(until));
        }
        found.sort_unstable();
        found.dedup();
        let entries = found.into_iter().filter_map(|offset| self.entry(offset));
        let excepted = |entry: &&Entry| {
            entry.target.except.iter().any(|room| **room == *id || stays.covers(room, entry.offset))
        };
        Some(entries.filter(|entry| !excepted(entry)).map(|entry| entry.parcel.clone()).collect())
    }

    fn entry(&self, offset: Offset) -> Option<&Entry> {
        let place = self.entries.binary_search_by_key(&offset, |entry| entry.offset).ok()?;
        self.entries.get(place)
    }
}

/// The offsets behind `after`; they are in order.
fn behind(offsets: &VecDeque<Offset>, after: Offset) -> impl Iterator<Item = Offset> {
    offsets.range(offsets.partition_point(|offset| *offset <= after)..).copied()
}
