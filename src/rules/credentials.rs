//! Where a client's token is found. Nothing here judges it: it is carried to the upstream.

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE, HeaderName};

use crate::config::{Problems, file};
use crate::json::Json;

use super::template::{member, string};

/// Where a client's token is found and what of the handshake goes along with event requests.
#[derive(Debug, Clone)]
pub struct Credentials {
    sources: Vec<Source>,
    /// Whether the handshake's cookies go along.
    pub cookies: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Header(HeaderName),
    Auth(String),
    Cookie(String),
    Query(String),
}

impl Credentials {
    /// Builds them from `credentials:`.
    pub fn build(file: &file::Credentials, problems: &mut Problems) -> Credentials {
        let sources = match &file.token {
            Some(written) => written
                .0
                .iter()
                .enumerate()
                .filter_map(|(index, text)| {
                    Source::parse(text).or_else(|| {
                        let wrong = format!("`{text}` is no place of a token");
                        let right = "header:NAME, auth:KEY, cookie:NAME or query:NAME";
                        problems.add(format!("credentials.token[{index}]"), wrong, right);
                        None
                    })
                })
                .collect(),
            None => vec![Source::Header(AUTHORIZATION), Source::Auth("token".to_owned())],
        };
        Credentials { sources, cookies: file.cookies.unwrap_or(true) }
    }

    /// The first token found in a handshake's headers, decoded query and `auth` object.
    pub fn token(&self, headers: &HeaderMap, query: &[(String, String)], auth: &Json) -> Option<String> {
        self.sources.iter().find_map(|source| source.find(headers, query, auth))
    }
}

impl Source {
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

    fn find(&self, headers: &HeaderMap, query: &[(String, String)], auth: &Json) -> Option<String> {
        let found = match self {
            Source::Header(name) => headers.get(name)?.to_str().ok()?.to_owned(),
            Source::Auth(key) => string(&member(auth, key)?)?,
            Source::Cookie(name) => cookie(headers, name)?,
            Source::Query(name) => query.iter().find(|(key, _)| key == name)?.1.clone(),
        };
        let another_scheme = *self == Source::Header(AUTHORIZATION);
        bare(&found, another_scheme)
    }
}

/// A token without `Bearer`. What `authorization` holds of another scheme is no token.
pub(crate) fn bare(text: &str, another_scheme: bool) -> Option<String> {
    let text = text.trim();
    let token = match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start(),
        Some(_) if another_scheme => return None,
        None if text.eq_ignore_ascii_case("bearer") => return None,
        _ => text,
    };
    // RFC 6750 tokens are visible ASCII; anything else could not be a header's value either.
    let sendable = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    sendable.then(|| token.to_owned())
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.trim_matches('"').to_owned())
}
