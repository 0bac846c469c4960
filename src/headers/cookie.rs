//! Reading of `Cookie` (RFC 6265 5.4).

use http::HeaderValue;
use http::header::COOKIE;

use crate::message::Fields;

/// The value of the first cookie of that name, without the quotes around it.
pub fn cookie<'a>(headers: &'a Fields, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| unquote(value.trim()))
}

fn unquote(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

/// Makes one line of several of `Cookie`: HTTP/2 carries it in crumbs, and HTTP/1.1 may not (RFC 9113 8.2.3).
pub fn join_cookies(headers: &mut Fields) {
    if headers.get_all(COOKIE).nth(1).is_some()
        && let Some(joined) = joined_cookies(headers)
    {
        headers.insert(COOKIE, joined);
    }
}

/// All `Cookie` lines as one, joined by `"; "` (RFC 9113 8.2.3).
pub fn joined_cookies(headers: &Fields) -> Option<HeaderValue> {
    let mut lines = headers.get_all(COOKIE);
    let first = lines.next()?;
    let mut joined: Option<Vec<u8>> = None;
    for line in lines {
        let joined = joined.get_or_insert_with(|| first.as_bytes().to_vec());
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(line.as_bytes());
    }
    match joined {
        None => Some(first.clone()),
        Some(bytes) => HeaderValue::from_bytes(&bytes).ok(),
    }
}
