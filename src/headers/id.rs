//! Names for requests.

use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use uuid::Uuid;

/// A new UUID of version 7. The 12 bits behind the milliseconds hold the next finer part of the time
/// (RFC 9562 6.2, method 3); the rest comes from this thread's generator, without a system call.
pub fn new_id() -> HeaderValue {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // 48 bits of milliseconds do until the year 10889.
    let millis = since.as_secs() * 1000 + u64::from(since.subsec_millis());
    let fraction = u64::from(since.subsec_nanos() % 1_000_000) * 4096 / 1_000_000;
    let (high, low) = ((millis << 16) | (0x7 << 12) | fraction, (0b10 << 62) | (rand::random::<u64>() >> 2));
    let mut text = Uuid::encode_buffer();
    let text = Uuid::from_u64_pair(high, low).hyphenated().encode_lower(&mut text);
    // Hexadecimal digits and hyphens are a valid value.
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("none"))
}
