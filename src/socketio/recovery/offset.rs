//! Offsets: places in a node's log, as the client repeats them.

use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// Characters of an offset of one node alone. Base 36 holds the microseconds of a clock in them until 2085; of
/// equal length, offsets order as texts as they do as numbers.
const WIDTH: usize = 10;

/// Bytes of an offset of one node among others: its own number (7), the others' (8), the node (6).
const BYTES: usize = 21;

/// Characters of these in base64url.
const WIDTH_AMONG_OTHERS: usize = 28;

/// What an own number and a node's tag fit in.
const OWN_MASK: u64 = (1 << 56) - 1;
const NODE_MASK: u64 = (1 << 48) - 1;

/// A place in a node's log: that of an event, or of what was the last when something happened. What others sent comes
/// in the order that Redis gave it, what the node itself sends comes at once: two numbers say what is before a place.
/// Places of one node are in order; of two nodes' places the order is that of Redis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(u64, u64, u64)", into = "(u64, u64, u64)")]
pub(in crate::socketio) struct Offset {
    /// Everything of other nodes up to this place in Redis' stream; 0 for a node without others.
    pub(super) others: u64,
    /// Everything of the node itself up to this number.
    pub(super) own: u64,
    /// The tag of the node; 0 for one without others.
    pub(super) node: u64,
}

/// The tag of the node with this number, as offsets have it. It is never 0.
pub(super) fn tag(node: u64) -> u64 {
    (node & NODE_MASK).max(1)
}

impl Offset {
    /// Where a new log begins: at the clock's microseconds, so that an offset which a client kept from
    /// an earlier process lies before everything.
    pub(super) fn now() -> Offset {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Offset { own: u64::try_from(now.as_micros()).unwrap_or_default() & OWN_MASK, ..Offset::default() }
    }

    /// Behind one more event of the node itself.
    pub(super) fn next(self) -> Offset {
        Offset { own: self.own + 1, ..self }
    }

    /// Reads what a client sent; `None` for a text that is no offset of ours.
    pub(super) fn parse(text: &str) -> Option<Offset> {
        let digit = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
        match text.len() {
            WIDTH if text.bytes().all(digit) => {
                let own = u64::from_str_radix(text, 36).ok()?;
                Some(Offset { own, ..Offset::default() })
            }
            WIDTH_AMONG_OTHERS => {
                let bytes: [u8; BYTES] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
                let (own, rest) = bytes.split_first_chunk::<7>()?;
                let (others, node) = rest.split_first_chunk::<8>()?;
                let node = number(node);
                (node != 0).then_some(Offset { own: number(own), others: number(others), node })
            }
            _ => None,
        }
    }
}

/// Big-endian bytes as a number.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl From<(u64, u64, u64)> for Offset {
    fn from((others, own, node): (u64, u64, u64)) -> Offset {
        Offset { others, own, node }
    }
}

impl From<Offset> for (u64, u64, u64) {
    fn from(offset: Offset) -> (u64, u64, u64) {
        (offset.others, offset.own, offset.node)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.node != 0 {
            let [_, own @ ..] = self.own.to_be_bytes();
            let [_, _, node @ ..] = self.node.to_be_bytes();
            let mut bytes = [0; BYTES];
            let all = own.into_iter().chain(self.others.to_be_bytes()).chain(node);
            bytes.iter_mut().zip(all).for_each(|(to, from)| *to = from);
            let mut text = [0; WIDTH_AMONG_OTHERS];
            let length = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text).map_err(|_| fmt::Error)?;
            let written = text.get(..length).and_then(|text| std::str::from_utf8(text).ok());
            return f.write_str(written.ok_or(fmt::Error)?);
        }
        let mut text = ['0'; WIDTH];
        let mut rest = self.own;
        for place in text.iter_mut().rev() {
            *place = char::from_digit((rest % 36) as u32, 36).unwrap_or('0');
            rest /= 36;
        }
        text.iter().try_for_each(|digit| f.write_char(*digit))
    }
}
