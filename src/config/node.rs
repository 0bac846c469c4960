//! The file as a tree in which every key and value knows its place.

use std::fmt;

/// A place in the file, both counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Line.
    pub line: usize,
    /// Column.
    pub col: usize,
}

impl Mark {
    /// The first character of the file.
    pub(super) const START: Mark = Mark { line: 1, col: 1 };
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.col)
    }
}

/// A value and where it begins.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: Mark,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// `plain`: written without quotes, so that it may mean a number, a truth value or null.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    /// In the order written; a key that is written twice is in it twice.
    Map(Vec<Entry>),
}

/// A key of a map and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Mark,
    pub(super) value: Node,
}

impl Node {
    /// What an empty file holds.
    pub(super) fn empty_map() -> Node {
        Node { at: Mark::START, kind: Kind::Map(Vec::new()) }
    }

    /// Where to point for the dotted path `key`, or for the nearest thing above it that is written.
    ///
    /// Keys may hold dots and brackets themselves, so every key that the path could go on with is tried
    /// and the way that comes farthest is taken.
    pub(super) fn locate(&self, key: &str) -> Mark {
        self.reach(key, None).1
    }

    /// How much of `path` is left where the tree ends, and where that is.
    fn reach(&self, path: &str, key_at: Option<Mark>) -> (usize, Mark) {
        // A single value stands for a list of one.
        let path = match (&self.kind, path.strip_prefix("[0]")) {
            (Kind::Map(_) | Kind::Scalar { .. }, Some(rest)) => rest,
            _ => path,
        };
        let here = (path.len(), self.point(key_at));
        match &self.kind {
            Kind::Map(entries) => {
                let path = path.strip_prefix('.').unwrap_or(path);
                let ways = entries.iter().filter_map(|entry| {
                    let rest = path.strip_prefix(entry.key.as_str())?;
                    (rest.is_empty() || rest.starts_with(['.', '[']))
                        .then(|| entry.value.reach(rest, Some(entry.at)))
                });
                ways.chain([here]).min_by_key(|(left, _)| *left).unwrap_or(here)
            }
            Kind::List(items) => {
                let item = split_index(path).and_then(|(index, rest)| Some((items.get(index)?, rest)));
                item.map_or(here, |(item, rest)| item.reach(rest, None))
            }
            Kind::Scalar { .. } => here,
        }
    }

    /// A map is pointed at by its key, since its own first line is about something else already.
    pub(super) fn point(&self, key_at: Option<Mark>) -> Mark {
        match (&self.kind, key_at) {
            (Kind::Map(_), Some(key_at)) => key_at,
            _ => self.at,
        }
    }

    /// How the value is called in a message.
    pub(super) fn noun(&self) -> &'static str {
        match self.kind {
            Kind::Scalar { .. } => "a single value",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }
}

/// `[1].rest` into 1 and `.rest`.
fn split_index(path: &str) -> Option<(usize, &str)> {
    let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((index.parse().ok()?, rest))
}
