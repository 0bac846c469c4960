//! The reader of packets, for `crate::fuzz`.

use bytes::Bytes;

use super::packet::{Parsed, parse};
use crate::engineio::Utf8;

/// Attachments that a packet may have.
const MAX: usize = 5;

/// A packet's text, and its attachments as they come.
pub(crate) fn packet(bytes: &[u8]) {
    let Some(text) = Utf8::new(Bytes::copy_from_slice(bytes)) else { return };
    let mut parsed = parse(text, MAX);
    for _ in 0..=MAX {
        match parsed {
            Ok(Parsed::Incomplete(incomplete)) => parsed = incomplete.add(Bytes::from_static(b"\x01\x02")),
            _ => return,
        }
    }
    assert!(!matches!(parsed, Ok(Parsed::Incomplete(_))), "waits for more attachments than it may have");
}
