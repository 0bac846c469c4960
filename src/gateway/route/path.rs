//! Paths and host names as they come: raw, compared segment by segment.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Whether this is a path as requests have it: absolute, one slash at the start, no query.
pub(super) fn is_path(path: &str) -> bool {
    let absolute = path.starts_with('/') && !path.starts_with("//");
    absolute && path.bytes().all(|b| b.is_ascii_graphic() && !b"?#\"<>\\`{}".contains(&b))
}

/// The path of a request's target.
pub(super) fn only_path(target: &str) -> &str {
    memchr::memchr(b'?', target.as_bytes()).and_then(|end| target.get(..end)).unwrap_or(target)
}

/// What follows `prefix` in `path`, if it ends there on a segment's boundary.
pub(super) fn under<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    path.strip_prefix(prefix).filter(|rest| prefix.is_empty() || rest.is_empty() || rest.starts_with('/'))
}

/// Whether a segment is `..` once decoded. Backslashes count as slashes, as some servers take them.
pub(super) fn climbs(path: &str) -> bool {
    let decoded: Cow<'_, [u8]> = percent_decode_str(path).into();
    decoded.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| segment == b"..")
}

/// The name in a `Host` header: without the port and the final dot of a full name.
pub(super) fn host_name(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        // The colons of an IPv6 address are inside its brackets.
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}
