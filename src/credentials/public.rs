//! Paths that need no token: `/auth/**`, `GET /health`.
//!
//! What frontroom takes for public must not be something else to the upstream. So a path is compared
//! decoded, and one that two readers could read differently is never public.

use http::Method;
use percent_encoding::percent_decode_str;

use crate::config::{Problems, value::OneOrMany};

/// Patterns of paths that need no token.
#[derive(Debug, Default)]
pub(super) struct Public(Vec<Pattern>);

#[derive(Debug)]
struct Pattern {
    /// None: every method.
    methods: Vec<Method>,
    segments: Vec<Segment>,
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Text(String),
    /// `*`: one segment, whatever it is.
    Any,
    /// `**`: the rest, also none.
    Rest,
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    /// It needs no token.
    Public,
    /// It needs one.
    Closed,
    /// It climbs with `..`: nobody can say what it is.
    Climbing,
}

impl Public {
    /// Reads `credentials.public`.
    pub(super) fn build(written: &OneOrMany<String>, problems: &mut Problems) -> Public {
        let mut patterns = Vec::new();
        for (index, text) in written.0.iter().enumerate() {
            match Pattern::parse(text) {
                Ok(pattern) => patterns.push(pattern),
                Err(wrong) => {
                    let right = "write it as `/auth/**` or `GET /health`; `*` is one segment, `**` at the end the rest";
                    problems.add(format!("credentials.public[{index}]"), format!("`{text}` {wrong}"), right);
                }
            }
        }
        Public(patterns)
    }

    /// What a request's raw path (without its query) is.
    pub(super) fn judge(&self, method: &Method, path: &str) -> Path {
        if self.0.is_empty() {
            return Path::Closed;
        }
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        if decoded.split(['/', '\\']).any(climbs) {
            return Path::Climbing;
        }
        let Some(segments) = segments(path) else { return Path::Closed };
        let public = self.0.iter().any(|pattern| pattern.matches(method, &segments));
        if public { Path::Public } else { Path::Closed }
    }
}

/// Whether a segment is `..` to some server: Tomcat takes off what is behind `;` first.
fn climbs(segment: &str) -> bool {
    segment.split(';').next().is_some_and(|name| name == "..")
}

/// The decoded segments of a path; `None` for one that could be read in two ways: with empty or `.` segments,
/// slashes that are encoded, `;` parameters, what is encoded twice, bytes that are no text.
fn segments(path: &str) -> Option<Vec<String>> {
    let mut segments = Vec::new();
    let mut raw = path.strip_prefix('/')?.split('/').peekable();
    while let Some(segment) = raw.next() {
        let decoded = percent_decode_str(segment).decode_utf8().ok()?.into_owned();
        let last = raw.peek().is_none();
        let doubtful = |c: char| matches!(c, '/' | '\\' | ';' | '%') || c.is_control();
        if decoded == "." || (decoded.is_empty() && !last) || decoded.contains(doubtful) {
            return None;
        }
        segments.push(decoded);
    }
    Some(segments)
}

impl Pattern {
    fn parse(text: &str) -> Result<Pattern, &'static str> {
        let (methods, path) = match text.split_once(' ') {
            Some((methods, path)) => (self::methods(methods)?, path.trim_start()),
            None => (Vec::new(), text),
        };
        let inner = path.strip_prefix('/').ok_or("has no path that begins with `/`")?;
        if path.contains(['?', '#', '%', '\\', ';', '{']) {
            return Err("is no plain path");
        }
        let written: Vec<&str> = inner.split('/').collect();
        let mut segments = Vec::new();
        for (index, segment) in written.iter().enumerate() {
            let last = index + 1 == written.len();
            segments.push(match *segment {
                "**" if last => Segment::Rest,
                "*" => Segment::Any,
                "" if !last => return Err("has an empty segment"),
                "." | ".." => return Err("climbs"),
                text if text.contains('*') => {
                    return Err("has a `*` inside a segment, or a `**` before the end");
                }
                text => Segment::Text(text.to_owned()),
            });
        }
        Ok(Pattern { methods, segments })
    }

    fn matches(&self, method: &Method, path: &[String]) -> bool {
        // Whoever may GET may ask for the head alone (RFC 9110 9.3.2).
        let head = *method == Method::HEAD && self.methods.contains(&Method::GET);
        if !self.methods.is_empty() && !head && !self.methods.contains(method) {
            return false;
        }
        let (exact, open) = match self.segments.split_last() {
            Some((Segment::Rest, before)) => (before, true),
            _ => (self.segments.as_slice(), false),
        };
        let enough = if open { path.len() >= exact.len() } else { path.len() == exact.len() };
        enough
            && exact.iter().zip(path).all(|(segment, part)| match segment {
                Segment::Text(text) => text == part,
                Segment::Any | Segment::Rest => !part.is_empty(),
            })
    }
}

/// `GET`, or `POST|PUT`.
fn methods(text: &str) -> Result<Vec<Method>, &'static str> {
    let known = |name: &str| {
        let known = matches!(name, "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS");
        known.then(|| name.parse().ok()).flatten().ok_or("names no method")
    };
    text.split('|').map(known).collect()
}
