//! Templates in a request's path and query: a value can never become more than it stands for.

use std::sync::Arc;

use http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::compiler::Compiler;
use super::scope::Scope;
use super::source::{Error, Source};
use super::text::{self, Part, scalar};

/// All but the unreserved characters of RFC 3986 2.3.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Longest path and query after rendering, as most servers have it.
const MAX_LENGTH: usize = 8_000;

/// Room for most of them.
const USUAL_LENGTH: usize = 64;

/// A request's path and query with templates.
#[derive(Debug)]
pub(crate) struct Url {
    path: Vec<Part>,
    query: Option<Vec<Part>>,
    /// How many `/` the path has.
    slashes: usize,
}

impl Url {
    pub(super) fn compile(compiler: &mut Compiler<'_>, key: &str, text: &str) -> Url {
        if let Err(wrong) = check(text) {
            compiler.problems.add(key, wrong, "write it as /path/{{ data.id }}?name={{ data.name }}");
            return Url { path: Vec::new(), query: None, slashes: 0 };
        }
        let (mut path, mut query) = (Vec::new(), None);
        for part in compiler.parts(key, text) {
            match (part, &mut query) {
                (part, Some(query)) => Vec::push(query, part),
                (Part::Literal(literal), None) => match literal.split_once('?') {
                    Some((before, after)) => {
                        path.push(Part::Literal(before.into()));
                        query = Some(vec![Part::Literal(after.into())]);
                    }
                    None => path.push(Part::Literal(literal)),
                },
                (part, None) => path.push(part),
            }
        }
        let slashes = path.iter().map(slashes).sum();
        Url { path, query, slashes }
    }

    /// The path and query with its values in place, each encoded as one path segment or one query
    /// value. Values that are no scalar, empty, `.` or `..`, or hold control characters are errors.
    pub(crate) fn render(&self, scope: &Arc<dyn Scope>) -> Result<PathAndQuery, Error> {
        let mut target = fill(&self.path, scope, |value, out| {
            out.extend(utf8_percent_encode(value, SEGMENT));
        })?;
        let (mut segments, mut dots) = (0, false);
        for segment in target.as_bytes().split(|byte| *byte == b'/') {
            segments += 1;
            dots |= matches!(segment, b"." | b"..");
        }
        if dots || segments != self.slashes + 1 {
            return Err(Error::other("a value in the path would change the route"));
        }
        if let Some(query) = &self.query {
            target.push('?');
            target.push_str(&fill(query, scope, |value, out| {
                out.extend(form_urlencoded::byte_serialize(value.as_bytes()));
            })?);
        }
        if target.len() > MAX_LENGTH {
            return Err(Error::other(format!("the URL is longer than {MAX_LENGTH} bytes")));
        }
        PathAndQuery::try_from(target).map_err(|error| Error::other(error.to_string()))
    }
}

fn slashes(part: &Part) -> usize {
    match part {
        Part::Literal(literal) => literal.matches('/').count(),
        Part::Value(_) => 0,
    }
}

fn fill(parts: &[Part], scope: &Arc<dyn Scope>, encode: impl Fn(&str, &mut String)) -> Result<String, Error> {
    let mut out = String::with_capacity(USUAL_LENGTH);
    for part in parts {
        match part {
            Part::Literal(literal) => out.push_str(literal),
            Part::Value(source) => encode(&value(source, scope)?, &mut out),
        }
    }
    Ok(out)
}

fn value(source: &Source, scope: &Arc<dyn Scope>) -> Result<String, Error> {
    let value = scalar(&source.json(scope)?)?;
    match value.as_str() {
        "" => Err(Error::other("an empty value cannot go into a URL")),
        "." | ".." => Err(Error::other(format!("`{value}` cannot go into a URL"))),
        text if text.contains(char::is_control) => {
            Err(Error::other("a value with control characters cannot go into a URL"))
        }
        _ => Ok(value),
    }
}

/// Checks the parts that are not templates.
fn check(url: &str) -> Result<(), String> {
    if !url.starts_with('/') || url.starts_with("//") {
        return Err(format!("`{url}` does not begin with one `/`"));
    }
    if text::is_template(url) && text::has_statements(url) {
        return Err("a path may hold {{ }} but no statements".to_owned());
    }
    let mut plain = String::new();
    for piece in text::split(url)? {
        match piece {
            text::Piece::Literal(literal) => plain.push_str(literal),
            text::Piece::Expression(_) => plain.push('x'),
        }
    }
    let valid = plain.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&byte));
    if !valid || PathAndQuery::try_from(plain.as_str()).is_err() {
        return Err(format!("`{url}` holds characters that a URL cannot hold"));
    }
    let path = plain.split_once('?').map_or(plain.as_str(), |(path, _)| path);
    let dots = |segment: &str| {
        let decoded: Vec<u8> = percent_decode_str(segment).collect();
        matches!(decoded.as_slice(), b"." | b"..")
    };
    if path.split('/').any(dots) {
        return Err(format!("`{url}` has a `.` or `..` segment"));
    }
    Ok(())
}
