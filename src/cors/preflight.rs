//! What a preflight's answer grants beside the origin: methods, headers, and for how long.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
};
use http::{HeaderName, HeaderValue, Method};

use crate::config::value::OneOrMany;
use crate::config::{Problems, defaults, file};
use crate::message::Fields;

/// What preflights are granted.
#[derive(Debug)]
pub(super) struct Preflights {
    methods: Grant,
    headers: Grant,
    max_age: HeaderValue,
}

/// Which methods or headers are allowed.
#[derive(Debug)]
enum Grant {
    /// Those that were asked for.
    Asked,
    /// These; `None` is an empty list.
    Listed(Option<HeaderValue>),
}

impl Grant {
    /// `*` grants what was asked for, since browsers take a `*` literally with credentials and
    /// never let it cover `Authorization`.
    fn build(list: Option<&OneOrMany<String>>, join: impl FnOnce(&[String]) -> Option<HeaderValue>) -> Grant {
        match list {
            Some(OneOrMany(names)) if !names.iter().any(|name| name == "*") => Grant::Listed(join(names)),
            _ => Grant::Asked,
        }
    }

    fn value(&self, asked: impl FnOnce() -> Option<HeaderValue>) -> Option<HeaderValue> {
        match self {
            Grant::Asked => asked(),
            Grant::Listed(list) => list.clone(),
        }
    }
}

impl Preflights {
    /// Compiles `allow_methods`, `allow_headers` and `max_age`.
    pub(super) fn build(cors: &file::Cors, problems: &mut Problems) -> Preflights {
        let max_age = cors.max_age.map_or(defaults::CORS_MAX_AGE, |age| age.0);
        Preflights {
            methods: Grant::build(cors.allow_methods.as_ref(), |list| method_list(list, problems)),
            headers: Grant::build(cors.allow_headers.as_ref(), |list| {
                header_list("cors.allow_headers", list, problems)
            }),
            max_age: HeaderValue::from(max_age.as_secs()),
        }
    }

    /// Adds the grants to a preflight's answer.
    pub(super) fn grant(&self, request: &Fields, grants: &mut Fields) {
        if let Some(methods) = self.methods.value(|| asked_method(request)) {
            grants.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
        if let Some(headers) = self.headers.value(|| asked_headers(request)) {
            grants.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers);
        }
        grants.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
    }
}

/// The method asked for, if it is one.
fn asked_method(request: &Fields) -> Option<HeaderValue> {
    let asked = request.get(ACCESS_CONTROL_REQUEST_METHOD)?;
    Method::from_bytes(asked.as_bytes()).ok().map(|_| asked.clone())
}

/// The list of headers asked for, as it was written, if all of them are header names.
fn asked_headers(request: &Fields) -> Option<HeaderValue> {
    // A browser sends one line; whoever sends two is none.
    let asked = request.get_only(ACCESS_CONTROL_REQUEST_HEADERS)?;
    let is_name = |name: &str| HeaderName::from_bytes(name.trim_matches([' ', '\t']).as_bytes()).is_ok();
    asked.to_str().ok()?.split(',').all(is_name).then(|| asked.clone())
}

/// Joins methods into a header's value.
fn method_list(methods: &[String], problems: &mut Problems) -> Option<HeaderValue> {
    const STANDARD: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    for (index, method) in methods.iter().enumerate() {
        let key = format!("cors.allow_methods[{index}]");
        let upper = method.to_ascii_uppercase();
        if Method::from_bytes(method.as_bytes()).is_err() {
            problems.add(key, format!("`{method}` is not a method"), "write it as GET or POST");
        } else if upper != *method && STANDARD.contains(&upper.as_str()) {
            problems.add(key, format!("`{method}` matches no request"), format!("write it as {upper}"));
        }
    }
    join(methods)
}

/// Joins header names into a header's value.
pub(super) fn header_list(key: &str, names: &[String], problems: &mut Problems) -> Option<HeaderValue> {
    for (index, name) in names.iter().enumerate() {
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            let wrong = format!("`{name}` is not a header's name");
            problems.add(format!("{key}[{index}]"), wrong, "write it as Content-Type");
        }
    }
    join(names)
}

/// A comma-separated list; an empty one is no header.
fn join(items: &[String]) -> Option<HeaderValue> {
    if items.is_empty() { None } else { HeaderValue::try_from(items.join(", ")).ok() }
}
