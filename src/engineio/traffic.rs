//! Counts what goes over sessions, for whoever looks on: sessions that open and end, messages and their bytes.
//!
//! A session that nobody counts for has no counter. Those that have one spread over shards, so that workers do not
//! write to one another's memory.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::Reason;
use super::packet::Message;
use super::queue::Parcel;

/// Threads beyond this share shards: what they count stays exact.
const SHARDS: usize = 16;

/// What went over sessions since the start.
#[derive(Debug, Default)]
pub struct Traffic {
    shards: [Shard; SHARDS],
    opened: AtomicU64,
    ended: [AtomicU64; Reason::ALL.len()],
}

/// Far enough from the next one for the prefetcher, which takes two lines.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard([AtomicU64; 4]);

/// The same, read at one moment. Messages are Engine.IO's: a packet of Socket.IO and each of its attachments, without
/// pings and what else carries nothing. Bytes are those of their data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages from clients.
    pub packets_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Messages queued for clients.
    pub packets_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// Sessions opened.
    pub opened: u64,
    /// Sessions ended, in the order of [`Reason::ALL`].
    pub ended: [u64; Reason::ALL.len()],
}

thread_local! {
    /// Which shard is this thread's.
    static SHARD: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS
    };
}

impl Traffic {
    /// What was counted so far.
    pub fn totals(&self) -> Totals {
        let sum = |which: usize| {
            let cells = self.shards.iter().filter_map(|shard| shard.0.get(which));
            cells.map(|cell| cell.load(Ordering::Relaxed)).sum()
        };
        let [packets_in, bytes_in, packets_out, bytes_out] = [0, 1, 2, 3].map(sum);
        let opened = self.opened.load(Ordering::Relaxed);
        let ended =
            std::array::from_fn(|which| self.ended.get(which).map_or(0, |cell| cell.load(Ordering::Relaxed)));
        Totals { packets_in, bytes_in, packets_out, bytes_out, opened, ended }
    }

    pub(super) fn opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, reason: Reason) {
        let place = Reason::ALL.iter().position(|other| *other == reason);
        if let Some(cell) = place.and_then(|place| self.ended.get(place)) {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn received(&self, message: &Message) {
        if !matches!(message, Message::Text(text) if text.bytes().is_empty()) {
            self.add([1, message.len(), 0, 0]);
        }
    }

    pub(super) fn sent(&self, parcel: &Parcel) {
        let bytes = parcel.payload_len();
        if bytes > 0 {
            self.add([0, 0, parcel.frame_count(), bytes]);
        }
    }

    fn add(&self, counts: [usize; 4]) {
        let Some(shard) = self.shards.get(SHARD.with(|shard| *shard)) else { return };
        for (cell, count) in shard.0.iter().zip(counts) {
            if count > 0 {
                cell.fetch_add(count as u64, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::engineio::Frame;
    use crate::engineio::packet::Utf8;

    #[test]
    fn what_threads_count_side_by_side_adds_up() {
        let traffic = Traffic::default();
        let text =
            |text: &'static str| Message::Text(Utf8::new(Bytes::from_static(text.as_bytes())).unwrap());
        let parcel =
            Parcel::with_attachments(Frame::text(&["2", "[1]"]), vec![Frame::binary(&[1, 2])], false);
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        traffic.received(&text("2[7]"));
                        traffic.sent(&parcel);
                    }
                    traffic.received(&text(""));
                    traffic.received(&Message::Binary(Bytes::new()));
                    traffic.sent(&Parcel::new(Frame::packet("2"), false));
                    traffic.opened();
                    traffic.ended(Reason::PingTimeout);
                });
            }
        });
        let mut expected = Totals {
            packets_in: 20 * 1001,
            bytes_in: 20 * 4000,
            packets_out: 20 * 2000,
            bytes_out: 20 * 6000,
            opened: 20,
            ..Totals::default()
        };
        expected.ended[2] = 20;
        assert_eq!(Reason::ALL[2], Reason::PingTimeout);
        assert_eq!(traffic.totals(), expected);
    }
}
