//! Offsets: places in the log, as the client repeats them.

use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

/// Characters of an offset. Base 36 holds the microseconds of a clock in them until 2085; of equal
/// length, offsets order as texts as they do as numbers.
const WIDTH: usize = 10;

/// A place in the log: that of an event, or of what was the last when something happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::socketio) struct Offset(u64);

impl Offset {
    /// Where a new log begins: at the clock's microseconds, so that an offset which a client kept from
    /// an earlier process lies before everything.
    pub(super) fn now() -> Offset {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Offset(u64::try_from(now.as_micros()).unwrap_or_default())
    }

    pub(super) fn next(self) -> Offset {
        Offset(self.0 + 1)
    }

    /// Reads what a client sent; `None` for a text that is no offset of ours.
    pub(super) fn parse(text: &str) -> Option<Offset> {
        let digit = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
        if text.len() != WIDTH || !text.bytes().all(digit) {
            return None;
        }
        u64::from_str_radix(text, 36).ok().map(Offset)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = ['0'; WIDTH];
        let mut rest = self.0;
        for place in text.iter_mut().rev() {
            *place = char::from_digit((rest % 36) as u32, 36).unwrap_or('0');
            rest /= 36;
        }
        text.iter().try_for_each(|digit| f.write_char(*digit))
    }
}
