//! A tap's `on`: methods and a path pattern.

use http::Method;
use percent_encoding::percent_decode_str;

use crate::socketio::Captures;

/// Methods and a path pattern.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    methods: Vec<Method>,
    segments: Vec<Segment>,
    /// The name of a `{*name}` at the end.
    rest: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Capture(String),
}

impl Pattern {
    /// Reads `POST|PUT /rooms/{room_id}/{*rest}`. The error says what is wrong.
    pub(crate) fn parse(on: &str) -> Result<Pattern, String> {
        let (methods, path) = on.trim().split_once(' ').ok_or_else(|| format!("`{on}` has no method"))?;
        let methods = methods.split('|').map(method).collect::<Result<Vec<_>, _>>()?;
        let path = path.trim_start();
        let inner = path.strip_prefix('/').ok_or_else(|| format!("`{path}` does not begin with `/`"))?;
        if path.contains(['?', '#', ' ']) {
            return Err(format!("`{path}` is not a path alone"));
        }
        let (mut segments, mut rest) = (Vec::new(), None);
        for segment in inner.split('/') {
            if rest.is_some() {
                return Err("`{*name}` must come last".to_owned());
            }
            match braces(segment)? {
                Some(name) => match name.strip_prefix('*') {
                    Some(name) => rest = Some(capture(name)?),
                    None => segments.push(Segment::Capture(capture(name)?)),
                },
                None => {
                    segments.push(Segment::Literal(percent_decode_str(segment).decode_utf8_lossy().into()))
                }
            }
        }
        let pattern = Pattern { methods, segments, rest };
        let names = pattern.names();
        match names.iter().enumerate().find(|(index, name)| names.iter().take(*index).any(|n| n == *name)) {
            Some((_, twice)) => Err(format!("`{{{twice}}}` is captured twice")),
            None => Ok(pattern),
        }
    }

    /// Names of the captures.
    pub(crate) fn names(&self) -> Vec<String> {
        let captures = self.segments.iter().filter_map(|segment| match segment {
            Segment::Capture(name) => Some(name),
            Segment::Literal(_) => None,
        });
        captures.chain(&self.rest).cloned().collect()
    }

    /// Whether a request matches, by its raw path.
    pub(crate) fn matches(&self, method: &Method, path: &str) -> bool {
        if !self.methods.contains(method) {
            return false;
        }
        let Some(mut path) = path.strip_prefix('/').map(|inner| inner.split('/')) else { return false };
        for segment in &self.segments {
            match (segment, path.next()) {
                (Segment::Literal(literal), Some(part)) if percent_decode_str(part).eq(literal.bytes()) => {}
                (Segment::Capture(_), Some(part)) if may_be_captured(part) => {}
                _ => return false,
            }
        }
        let mut left = path.peekable();
        match self.rest {
            Some(_) => left.peek().is_some_and(|first| !first.is_empty()) && left.all(|part| !is_dots(part)),
            None => left.peek().is_none(),
        }
    }

    /// What a path that matches captures, percent-decoded.
    pub(crate) fn captures(&self, path: &str) -> Captures {
        let mut rest = path.strip_prefix('/').unwrap_or(path);
        let mut captures = Captures::new();
        for segment in &self.segments {
            let (part, after) = rest.split_once('/').unwrap_or((rest, ""));
            if let Segment::Capture(name) = segment {
                captures.insert(name.clone(), decoded(part));
            }
            rest = after;
        }
        if let Some(name) = &self.rest {
            captures.insert(name.clone(), decoded(rest));
        }
        captures
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn may_be_captured(part: &str) -> bool {
    !part.is_empty() && !is_dots(part)
}

/// Whether a segment is `.` or `..`, which an upstream may resolve to another path.
fn is_dots(part: &str) -> bool {
    percent_decode_str(part).eq(*b".") || percent_decode_str(part).eq(*b"..")
}

fn method(text: &str) -> Result<Method, String> {
    let valid = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    let wrong = || format!("`{text}` is no method");
    if valid { text.parse().map_err(|_| wrong()) } else { Err(wrong()) }
}

/// What is between the braces of a segment; `None` where there are none.
fn braces(segment: &str) -> Result<Option<&str>, String> {
    match segment.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')) {
        Some(name) if !name.contains(['{', '}']) => Ok(Some(name)),
        None if !segment.contains(['{', '}']) => Ok(None),
        _ => Err(format!("`{segment}`: a capture is a whole segment")),
    }
}

fn capture(name: &str) -> Result<String, String> {
    let valid = name.chars().next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if valid { Ok(name.to_owned()) } else { Err(format!("`{name}` is no name of a capture")) }
}
