//! What is wrong with a config file, and what would be right.

use std::fmt;

/// One mistake in the config file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Dotted path of the key, list entries in brackets: `routes[1].match.host`.
    pub key: String,
    /// What is wrong.
    pub wrong: String,
    /// What would be right.
    pub right: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.key, self.wrong, self.right)
    }
}

/// Collects problems, so that all are told at once.
#[derive(Debug, Default)]
pub struct Problems {
    found: Vec<Problem>,
    /// Those that do not keep from running.
    bearable: Vec<Problem>,
}

impl Problems {
    /// Notes a problem of the key at the dotted path `key`.
    pub fn add(&mut self, key: impl Into<String>, wrong: impl Into<String>, right: impl Into<String>) {
        self.found.push(Problem { key: key.into(), wrong: wrong.into(), right: right.into() });
    }

    /// Notes a problem that `check` refuses, but that must not keep a gateway from starting: what worked
    /// yesterday, such as a certificate that has expired, would take everything else down with it.
    pub fn add_bearable(
        &mut self,
        key: impl Into<String>,
        wrong: impl Into<String>,
        right: impl Into<String>,
    ) {
        self.bearable.push(Problem { key: key.into(), wrong: wrong.into(), right: right.into() });
    }

    /// Takes out the problems that do not keep from running.
    pub fn take_bearable(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.bearable)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty() && self.bearable.is_empty()
    }

    /// The problems, in the order they were found.
    pub fn into_vec(self) -> Vec<Problem> {
        self.found.into_iter().chain(self.bearable).collect()
    }
}
