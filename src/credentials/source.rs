//! Where a client's token is found.

use http::header::{AUTHORIZATION, HeaderName};

use crate::config::{Problems, value::OneOrMany};
use crate::headers::cookie;
use crate::json::Json;
use crate::message::Fields;

/// A place where a token may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Header(HeaderName),
    Auth(String),
    Cookie(String),
    Query(String),
}

/// What a client sends along, for sources to look at.
pub(super) struct Luggage<'a> {
    pub(super) headers: &'a Fields,
    /// The decoded value of a query's name.
    pub(super) query: &'a dyn Fn(&str) -> Option<String>,
    /// The `auth` object of a Socket.IO handshake.
    pub(super) auth: Option<&'a Json>,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// Two lines of one header: we and the upstream could each read another.
    Several,
    Token(String),
}

impl Source {
    /// Reads `credentials.token`.
    pub(super) fn build(written: Option<&OneOrMany<String>>, problems: &mut Problems) -> Vec<Source> {
        let Some(written) = written else {
            return vec![Source::Header(AUTHORIZATION), Source::Auth("token".to_owned())];
        };
        let mut sources = Vec::new();
        for (index, text) in written.0.iter().enumerate() {
            match Source::parse(text) {
                Some(source) => sources.push(source),
                None => problems.add(
                    format!("credentials.token[{index}]"),
                    format!("`{text}` is no place of a token"),
                    "header:NAME, auth:KEY, cookie:NAME or query:NAME",
                ),
            }
        }
        sources
    }

    fn parse(text: &str) -> Option<Source> {
        let (kind, name) = text.split_once(':')?;
        match (kind, name) {
            (_, "") => None,
            ("header", name) => name.to_ascii_lowercase().parse().ok().map(Source::Header),
            ("auth", key) => Some(Source::Auth(key.to_owned())),
            ("cookie", name) => Some(Source::Cookie(name.to_owned())),
            ("query", name) => Some(Source::Query(name.to_owned())),
            _ => None,
        }
    }

    fn find(&self, luggage: &Luggage<'_>) -> Found {
        let found = match self {
            Source::Header(name) => {
                let mut lines = luggage.headers.get_all(name);
                match (lines.next(), lines.next()) {
                    (Some(_), Some(_)) => return Found::Several,
                    (first, _) => first.and_then(|line| Some(line.to_str().ok()?.to_owned())),
                }
            }
            Source::Auth(key) => luggage.auth.and_then(|auth| member(auth, key)),
            Source::Cookie(name) => cookie(luggage.headers, name).map(str::to_owned),
            Source::Query(name) => (luggage.query)(name),
        };
        let authorization = *self == Source::Header(AUTHORIZATION);
        found.and_then(|text| bare(&text, authorization)).map_or(Found::Nothing, Found::Token)
    }
}

/// The first token of these sources.
pub(super) fn find(sources: &[Source], luggage: &Luggage<'_>) -> Found {
    let found = sources.iter().map(|source| source.find(luggage));
    found.into_iter().find(|found| *found != Found::Nothing).unwrap_or(Found::Nothing)
}

/// A text of the `auth` object.
fn member(auth: &Json, key: &str) -> Option<String> {
    auth.to_value().ok()?.get(key)?.as_str().map(str::to_owned)
}

/// A token without `Bearer`. What `Authorization` holds of another scheme is no token.
pub(super) fn bare(text: &str, authorization: bool) -> Option<String> {
    let text = text.trim();
    let token = match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start(),
        Some(_) if authorization => return None,
        None if text.eq_ignore_ascii_case("bearer") => return None,
        _ => text,
    };
    // RFC 6750 tokens are visible ASCII; anything else could not be a header's value either.
    let sendable = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    sendable.then(|| token.to_owned())
}
