//! Keys that are part of the config's language, but not of this version: refused, never overlooked.

use super::node::{Kind, Node};

/// Which values of such a key change nothing, and so are accepted.
enum Idle {
    /// None.
    Never,
    /// This one: the default.
    Is(&'static str),
}

use Idle::{Is, Never};

/// Section, key, and what may be written for it all the same. A row goes when its key begins to work.
const KEYS: &[(&str, &str, Idle)] = &[
    ("File", "cluster", Never),
    ("File", "emitters", Never),
    ("File", "tracing", Never),
    ("Listen", "proxy_protocol", Is("false")),
    ("Listen", "tls", Never),
    ("Upstream", "health_check", Never),
    ("Upstream", "max_connections", Never),
    ("Upstream", "max_pending", Never),
    ("Upstream", "outlier", Never),
    ("Upstream", "retry", Never),
    ("Upstream", "tls", Never),
    ("Limits", "connections_per_ip", Never),
    ("Limits", "requests_per_second_per_ip", Never),
];

/// Words of a choice, likewise.
const WORDS: &[(&str, &str)] = &[("Balance", "least_requests"), ("Balance", "peak_ewma")];

/// What is said of all of them.
pub(super) const WRONG: &str = "not supported yet in this version";

/// The keys of a section that later versions will know.
pub(super) fn keys(section: &str) -> impl Iterator<Item = &str> {
    KEYS.iter().filter(move |(of, ..)| *of == section).map(|(_, key, _)| *key)
}

/// Every row, as section and key.
#[cfg(test)]
pub(super) fn rows() -> Vec<(&'static str, &'static str)> {
    KEYS.iter().map(|(section, key, _)| (*section, *key)).collect()
}

/// Whether `word` is one that later versions will know for the choice `name`.
pub(super) fn is_word(name: &str, word: &str) -> bool {
    WORDS.contains(&(name, word))
}

/// `Some(true)` for a later key with a value that changes nothing, `Some(false)` for one that asks for
/// something, `None` for any other key.
pub(super) fn is_idle(section: &str, key: &str, value: &Node) -> Option<bool> {
    let (.., idle) = KEYS.iter().find(|(of, name, _)| (*of, *name) == (section, key))?;
    Some(says(value, "") || says(value, "null") || idle.allows(value))
}

impl Idle {
    fn allows(&self, value: &Node) -> bool {
        match self {
            Is(default) => says(value, default),
            Never => false,
        }
    }
}

fn says(value: &Node, expected: &str) -> bool {
    matches!(&value.kind, Kind::Scalar { text, plain: true } if text == expected)
}
