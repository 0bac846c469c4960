//! Names for requests.

use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use uuid::Uuid;

/// A new UUID of version 7. The 12 bits behind the milliseconds hold the next finer part of the time
/// (RFC 9562 6.2, method 3); the rest comes from this thread's generator, without a system call.
pub fn new_id() -> HeaderValue {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let fraction = u128::from(since.subsec_nanos() % 1_000_000) * 4096 / 1_000_000;
    let random = u128::from(rand::random::<u64>());
    let bits = (since.as_millis() << 80) | (0x7 << 76) | (fraction << 64) | (0b10 << 62) | (random >> 2);
    let mut text = Uuid::encode_buffer();
    let text = Uuid::from_u128(bits).hyphenated().encode_lower(&mut text);
    // Hexadecimal digits and hyphens are a valid value.
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("none"))
}
