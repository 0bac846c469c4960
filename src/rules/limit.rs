//! How often one socket may send an event.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use crate::config::value::Rate;

/// The token buckets of one socket, by the rule's event. Only rules have one, so a client cannot
/// make them many.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buckets(HashMap<Arc<str>, Bucket>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Buckets {
    /// Takes a token. False where there is none.
    pub(crate) fn take(&mut self, rule: &Arc<str>, rate: Rate, now: Instant) -> bool {
        let most = f64::from(rate.count);
        let fresh = Bucket { tokens: most, filled: now };
        let bucket = self.0.entry(Arc::clone(rule)).or_insert(fresh);
        let passed = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * most / rate.per.as_secs_f64()).min(most);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}
