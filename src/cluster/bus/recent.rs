//! What was published in the last seconds, for a Redis that comes back without its data.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::outbox::Parcel;

/// How long it is kept.
const TIME: Duration = Duration::from_secs(10);

/// What was published in the last seconds and is kept in the stream: bounded in bytes and in time.
#[derive(Debug)]
pub(super) struct Recent {
    max_bytes: usize,
    bytes: usize,
    parcels: VecDeque<(Instant, Parcel)>,
}

impl Recent {
    /// Nothing.
    pub(super) fn new(max_bytes: usize) -> Recent {
        Recent { max_bytes, bytes: 0, parcels: VecDeque::new() }
    }

    /// Adds what was published just now.
    pub(super) fn add(&mut self, batch: Vec<Parcel>) {
        let now = Instant::now();
        for parcel in batch.into_iter().filter(|parcel| parcel.kept) {
            self.bytes += parcel.message.len();
            self.parcels.push_back((now, parcel));
        }
        let (max, mut bytes) = (self.max_bytes, self.bytes);
        while let Some((_, parcel)) = self.parcels.pop_front_if(|(at, _)| bytes > max || now - *at > TIME) {
            bytes -= parcel.message.len();
        }
        self.bytes = bytes;
    }

    /// Takes all of it.
    pub(super) fn take(&mut self) -> Vec<Parcel> {
        self.bytes = 0;
        std::mem::take(&mut self.parcels).into_iter().map(|(_, parcel)| parcel).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_in_bytes() {
        let mut recent = Recent::new(100);
        for n in 0..50 {
            let parcel = |kept| Parcel { channel: "c".into(), message: vec![n; 10].into(), kept };
            recent.add(vec![parcel(true), parcel(false)]);
        }
        let all: Vec<u8> = recent.take().iter().map(|parcel| parcel.message[0]).collect();
        assert_eq!(all, (40..50).collect::<Vec<u8>>());
    }
}
