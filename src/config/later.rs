//! Keys that are part of the config's language, but not of this version: refused, never overlooked.

use super::node::{Kind, Node};

/// Section and key. A row goes when its key begins to work.
const KEYS: &[(&str, &str)] = &[("File", "cluster")];

/// What is said of all of them.
pub(super) const WRONG: &str = "not supported yet in this version";

/// The keys of a section that later versions will know.
pub(super) fn keys(section: &str) -> impl Iterator<Item = &str> {
    KEYS.iter().filter(move |(of, _)| *of == section).map(|(_, key)| *key)
}

/// Every row, as section and key.
#[cfg(test)]
pub(super) fn rows() -> Vec<(&'static str, &'static str)> {
    KEYS.to_vec()
}

/// `Some(true)` for a later key without a value, `Some(false)` for one that asks for
/// something, `None` for any other key.
pub(super) fn is_idle(section: &str, key: &str, value: &Node) -> Option<bool> {
    KEYS.contains(&(section, key)).then(|| says(value, "") || says(value, "null"))
}

fn says(value: &Node, expected: &str) -> bool {
    matches!(&value.kind, Kind::Scalar { text, plain: true } if text == expected)
}
