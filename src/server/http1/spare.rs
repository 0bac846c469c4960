//! Memory that one request leaves for the next of its thread, so that an idle connection holds none.

use std::cell::RefCell;

use crate::message::Fields;

/// How much of each is kept, for as many requests at once.
const KEPT: usize = 128;

/// Bytes, and fields, beyond which memory is given back at once.
const MAX_BYTES: usize = 16 * 1024;
const MAX_FIELDS: usize = 128;

thread_local! {
    static FIELDS: RefCell<Vec<Fields>> = const { RefCell::new(Vec::new()) };
    static BYTES: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Memory for fields.
pub(super) fn fields() -> Fields {
    FIELDS.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Gives it back.
pub(super) fn keep_fields(mut fields: Fields) {
    FIELDS.with_borrow_mut(|kept| {
        if kept.len() < KEPT && (1..=MAX_FIELDS).contains(&fields.capacity()) {
            fields.clear();
            kept.push(fields);
        }
    });
}

/// Memory to encode to.
pub(super) fn bytes() -> Vec<u8> {
    BYTES.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Gives it back.
pub(super) fn keep_bytes(mut bytes: Vec<u8>) {
    BYTES.with_borrow_mut(|kept| {
        if kept.len() < KEPT && (1..=MAX_BYTES).contains(&bytes.capacity()) {
            bytes.clear();
            kept.push(bytes);
        }
    });
}
