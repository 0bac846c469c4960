//! What an application needs for clients that change their connection.

use std::sync::Arc;

use super::queue::Parcel;
use super::session::{Farewell, Session};
use super::{Reason, Sent};

impl Session {
    /// Queues parcels that were kept for the client, all at once, beside the queue's bound: whoever
    /// was away for a while is not a slow client.
    pub fn replay(self: &Arc<Self>, parcels: &[Parcel]) -> Sent {
        let writer = {
            let mut state = self.state();
            if state.ended.is_some() {
                return Sent::Gone;
            }
            parcels.iter().for_each(|parcel| state.queue.push_extra(parcel));
            state.writer()
        };
        parcels.iter().for_each(|parcel| self.count_sent(parcel));
        self.call(writer);
        Sent::Queued
    }

    /// Ends it without sending what is queued: its client is on another connection.
    pub fn abandon(self: &Arc<Self>, reason: Reason) {
        self.end(reason, Farewell::Drop);
    }
}
