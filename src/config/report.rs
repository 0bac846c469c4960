//! Everything that is wrong with a config file, ready to print.

use std::fmt;

use super::node::Mark;
use super::problem::Problem;

/// A problem and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    at: Option<Mark>,
    problem: Problem,
    /// Whether the value is left out of what further checks see.
    lost: bool,
}

impl Located {
    pub(super) fn new(
        at: Mark,
        key: impl Into<String>,
        wrong: impl Into<String>,
        right: impl Into<String>,
    ) -> Located {
        let problem = Problem { key: key.into(), wrong: wrong.into(), right: right.into() };
        Located { at: Some(at), problem, lost: false }
    }

    /// A problem of the file as a whole.
    pub(super) fn nowhere(wrong: impl Into<String>, right: impl Into<String>) -> Located {
        Located { at: None, ..Located::new(Mark::START, "", wrong, right) }
    }

    pub(super) fn losing_value(self) -> Located {
        Located { lost: true, ..self }
    }

    /// Whether this is about the key or something below it.
    pub(super) fn concerns(&self, key: &str) -> bool {
        is_at_or_below(&self.problem.key, key)
    }

    /// Whether a check that did not see the lost value may have complained of `key` for that reason alone.
    pub(super) fn explains(&self, key: &str) -> bool {
        // A single value stands for a list of one, so `[0]` may be in either path or not.
        let (own, key) = (self.problem.key.replace("[0]", ""), key.replace("[0]", ""));
        self.lost && (is_at_or_below(&own, &key) || is_at_or_below(&key, &own))
    }

    /// Where the problem is; `None` for one of the file as a whole.
    pub fn at(&self) -> Option<Mark> {
        self.at
    }

    /// What it is.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

fn is_at_or_below(key: &str, above: &str) -> bool {
    key.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Everything that is wrong with a config file. Prints one problem a line:
/// `FILE:LINE:COL: key.path: what is wrong; what would be right`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    file: String,
    problems: Vec<Located>,
}

impl Report {
    /// In the order of the file.
    pub(super) fn new(file: &str, mut problems: Vec<Located>) -> Report {
        problems.sort_by_key(|located| located.at);
        Report { file: file.to_owned(), problems }
    }

    /// The problems, in the order of the file.
    pub fn problems(&self) -> &[Located] {
        &self.problems
    }

    /// `1 problem`, `2 problems`.
    pub fn count(&self) -> String {
        match self.problems.len() {
            1 => "1 problem".to_owned(),
            many => format!("{many} problems"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Located { at, problem: Problem { key, wrong, right }, .. } in &self.problems {
            write!(f, "{}:", self.file)?;
            if let Some(at) = at {
                write!(f, "{at}:")?;
            }
            if !key.is_empty() {
                write!(f, " {}:", OneLine(key))?;
            }
            writeln!(f, " {}; {}", OneLine(wrong), OneLine(right))?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}

/// Longer parts of a line are cut.
const MAX_SHOWN: usize = 400;

/// Text of the user's on one line: control characters are made visible.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.0.chars();
        for c in chars.by_ref().take(MAX_SHOWN) {
            if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") }?;
        }
        if chars.next().is_some() { f.write_str("…") } else { Ok(()) }
    }
}
