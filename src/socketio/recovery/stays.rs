//! Which rooms a socket was in, and for which part of the log.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Offset;

/// Stays that are over and still remembered. A socket that leaves more rooms than this between two
/// signs of life cannot be told exactly what it missed, and begins anew.
pub(super) const MAX_ENDED: usize = 256;

/// Which rooms a socket was in, and for which part of the log.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::socketio) struct Stays {
    stays: Vec<Stay>,
    ended: usize,
    /// Stays that ended here or before are forgotten.
    forgotten: Offset,
}

/// The time between a join and a leave.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stay {
    pub(super) room: Arc<str>,
    /// The last offset when the room was joined.
    pub(super) after: Offset,
    /// The last offset when it was left; none while the socket is in it.
    pub(super) until: Option<Offset>,
}

impl Stays {
    /// The room is joined; `now` is the log's last offset.
    pub(in crate::socketio) fn join(&mut self, room: &Arc<str>, now: Offset) {
        self.stays.push(Stay { room: room.clone(), after: now, until: None });
    }

    /// The room is left. What the log no longer holds (up to `floor`) needs not be remembered.
    pub(in crate::socketio) fn leave(&mut self, room: &str, now: Offset, floor: Offset) {
        let mut open = self.stays.iter_mut().rev();
        let Some(stay) = open.find(|stay| stay.until.is_none() && *stay.room == *room) else { return };
        stay.until = Some(now);
        self.ended += 1;
        if self.ended >= MAX_ENDED {
            self.forget(floor);
        }
    }

    fn forget(&mut self, floor: Offset) {
        let mut ends: Vec<Offset> = self.stays.iter().filter_map(|stay| stay.until).collect();
        ends.sort_unstable();
        // At least half of them go, so that this is not done at each leave.
        let middle = ends.get(ends.len() / 2).copied().unwrap_or_default();
        self.forgotten = self.forgotten.max(floor).max(middle);
        self.stays.retain(|stay| stay.until.is_none_or(|until| until > self.forgotten));
        self.ended = self.stays.iter().filter(|stay| stay.until.is_some()).count();
    }

    /// From where on the stays are known exactly.
    pub(super) fn known_after(&self) -> Offset {
        self.forgotten
    }

    pub(super) fn all(&self) -> &[Stay] {
        &self.stays
    }

    /// The rooms it is in.
    pub(in crate::socketio) fn rooms(&self) -> Vec<Arc<str>> {
        self.stays.iter().filter(|stay| stay.until.is_none()).map(|stay| stay.room.clone()).collect()
    }
}
