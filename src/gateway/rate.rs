//! How many requests a client may make in a second.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::headers::network;

/// Clients are spread over so many tables, each with a lock of its own.
const TABLES: usize = 32;

/// Clients that a table remembers. When they are more, it forgets those that have nothing to wait for,
/// and if that is nobody, all of them: a flood from everywhere is not stopped by counting it.
const MAX_CLIENTS: usize = 4096;

/// How far ahead of its rate a client may be: it may make a second's requests at once.
const BURST: Duration = Duration::from_secs(1);

/// The rates of clients, by the generic cell rate algorithm (ITU-T I.371): for each, when it would have
/// made all its requests had it kept to its rate.
pub(super) struct Rates {
    start: Instant,
    tables: [Mutex<HashMap<IpAddr, Duration>>; TABLES],
}

impl Rates {
    pub(super) fn new() -> Rates {
        Rates { start: Instant::now(), tables: std::array::from_fn(|_| Mutex::default()) }
    }

    /// Whether a client may make a request now, at a rate of `limit` in a second.
    pub(super) fn admit(&self, client: IpAddr, limit: NonZero<u32>) -> bool {
        self.admit_at(self.start.elapsed(), network(client), limit)
    }

    fn admit_at(&self, now: Duration, client: IpAddr, limit: NonZero<u32>) -> bool {
        let Some(table) = self.tables.get(place(client)) else { return true };
        let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.len() >= MAX_CLIENTS && !table.contains_key(&client) {
            table.retain(|_, until| *until > now);
            if table.len() >= MAX_CLIENTS {
                table.clear();
            }
        }
        let until = table.entry(client).or_insert(now);
        let next = (*until).max(now) + BURST / limit.get();
        // A request in time is one whatever rounding made of it.
        let admitted = next <= now + BURST + Duration::from_micros(1);
        if admitted {
            *until = next;
        }
        admitted
    }
}

/// The table of a client.
fn place(client: IpAddr) -> usize {
    let bits = match client {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits() >> 64,
    };
    // Fibonacci hashing: neighbours are spread.
    let spread = (bits as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    spread as usize % TABLES
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: NonZero<u32> = NonZero::new(2).unwrap();

    #[test]
    fn a_client_may_make_a_seconds_requests_at_once_and_then_keeps_to_its_rate() {
        let rates = Rates::new();
        let client: IpAddr = "192.0.2.1".parse().unwrap();
        let at = |millis, client| rates.admit_at(Duration::from_millis(millis), client, TWO);
        assert_eq!([0, 0, 0].map(|millis| at(millis, client)), [true, true, false]);
        assert!(at(0, "192.0.2.2".parse().unwrap()), "another client");
        assert_eq!([499, 500, 501, 1001].map(|millis| at(millis, client)), [false, true, false, true]);
        assert_eq!([9000, 9000, 9000].map(|millis| at(millis, client)), [true, true, false]);
        let many = NonZero::new(3).unwrap();
        let admitted =
            (0..3000).filter(|millis| rates.admit_at(Duration::from_millis(20_000 + millis), client, many));
        assert_eq!(admitted.count(), 3 + 8);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let rates = Rates::new();
        for client in 0..300_000u32 {
            assert!(rates.admit_at(Duration::ZERO, IpAddr::V4(client.into()), TWO));
        }
        let sizes = rates.tables.iter().map(|table| table.lock().unwrap().len());
        assert!(sizes.clone().all(|size| size <= MAX_CLIENTS), "{:?}", sizes.collect::<Vec<_>>());
        // All the addresses that one who owns a /32 of IPv6 can use are spread too.
        for client in 0..10_000u128 {
            rates.admit_at(
                Duration::from_secs(9),
                IpAddr::V6((0x2001_0db8 << 96 | client << 64).into()),
                TWO,
            );
        }
        assert!(rates.tables.iter().all(|table| !table.lock().unwrap().is_empty()));
    }
}
