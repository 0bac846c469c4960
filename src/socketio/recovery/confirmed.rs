//! What a session's client is known to have received, because it answered a later ping.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Offset;

/// What a session's client is known to have received. Events and pings take one road, so whoever
/// answers a ping has all that was sent before it.
#[derive(Debug, Default)]
pub(in crate::socketio) struct Confirmed(Mutex<Pings>);

#[derive(Debug, Default)]
struct Pings {
    /// Pings without an answer.
    open: u32,
    /// What was settled before the first of them.
    asked: Offset,
    confirmed: Offset,
}

impl Confirmed {
    fn lock(&self) -> MutexGuard<'_, Pings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A ping goes out behind everything up to `settled`.
    pub(in crate::socketio) fn ask(&self, settled: Offset) {
        let mut pings = self.lock();
        if pings.open == 0 {
            pings.asked = settled;
        }
        pings.open = pings.open.saturating_add(1);
    }

    /// A ping was answered. Only the answer to the last of several says which was meant.
    pub(in crate::socketio) fn answer(&self) {
        let mut pings = self.lock();
        pings.open = pings.open.saturating_sub(1);
        if pings.open == 0 {
            pings.confirmed = pings.asked;
        }
    }

    pub(super) fn get(&self) -> Offset {
        self.lock().confirmed
    }
}
