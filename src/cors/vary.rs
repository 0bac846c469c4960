//! `Vary` (RFC 9110 12.5.5): what an answer depends on, merged with what the upstream says.

use http::HeaderValue;
use http::header::VARY;

use crate::message::Fields;

/// What every answer depends on where the origin decides, also without an Origin: a cache must not
/// give one page's answer to another.
pub(super) const ACTUAL: &str = "Origin";

/// What a preflight's answer depends on.
pub(super) const PREFLIGHT: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

/// Adds the names of a list that are not there yet. `*` says it all and stays.
pub(super) fn merge(headers: &mut Fields, list: &'static str) {
    if list.is_empty() {
        return;
    }
    if !headers.contains_key(VARY) {
        headers.insert(VARY, HeaderValue::from_static(list));
        return;
    }
    let lines = headers.get_all(VARY).filter_map(|line| line.to_str().ok());
    let mut names: Vec<&str> = lines.flat_map(split).collect();
    let there = names.len();
    for name in split(list) {
        if !names.iter().any(|seen| *seen == "*" || seen.eq_ignore_ascii_case(name)) {
            names.push(name);
        }
    }
    if names.len() == there {
        return;
    }
    if let Ok(value) = HeaderValue::try_from(names.join(", ")) {
        headers.insert(VARY, value);
    }
}

fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty())
}
