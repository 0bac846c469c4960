//! How often one socket may send an event.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use crate::config::value::Rate;

/// The token buckets of one socket, by the rule's event. Only rules have one, so a client cannot
/// make them many.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buckets(HashMap<Arc<str>, Bucket>);

impl Buckets {
    /// Takes a token. False where there is none.
    pub(crate) fn take(&mut self, rule: &Arc<str>, rate: Rate, now: Instant) -> bool {
        self.0.entry(Arc::clone(rule)).or_insert_with(|| Bucket::full(rate, now)).take(rate, now)
    }
}

/// A token bucket: it holds a rate's count at most, and is filled evenly over the rate's time.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    /// One that nothing was taken from.
    pub fn full(rate: Rate, now: Instant) -> Bucket {
        Bucket { tokens: f64::from(rate.count), filled: now }
    }

    /// Takes a token. False where there is none.
    pub fn take(&mut self, rate: Rate, now: Instant) -> bool {
        *self = Bucket { tokens: self.at(rate, now), filled: now };
        let may = self.tokens >= 1.0;
        if may {
            self.tokens -= 1.0;
        }
        may
    }

    /// Whether it says nothing any more that a new one would not say.
    pub fn is_full(&self, rate: Rate, now: Instant) -> bool {
        self.at(rate, now) >= f64::from(rate.count)
    }

    fn at(&self, rate: Rate, now: Instant) -> f64 {
        let most = f64::from(rate.count);
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        (self.tokens + passed * most / rate.per.as_secs_f64()).min(most)
    }
}
