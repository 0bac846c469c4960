//! The query of a request to the endpoint.

use std::borrow::Cow;

/// A query as written.
pub(super) struct Query<'a> {
    raw: &'a str,
    /// Whether every character means itself, as in most of what clients write.
    plain: bool,
}

impl<'a> Query<'a> {
    pub(super) fn new(raw: &'a str) -> Query<'a> {
        Query { raw, plain: memchr::memchr2(b'%', b'+', raw.as_bytes()).is_none() }
    }

    /// The first value of a name, decoded.
    pub(super) fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        if !self.plain {
            let mut pairs = form_urlencoded::parse(self.raw.as_bytes());
            return pairs.find(|(key, _)| key == name).map(|(_, value)| value);
        }
        let mut rest = self.raw;
        while !rest.is_empty() {
            let end = memchr::memchr(b'&', rest.as_bytes()).unwrap_or(rest.len());
            let (pair, more) = rest.split_at(end);
            match pair.strip_prefix(name) {
                Some("") => return Some(Cow::Borrowed("")),
                Some(behind) if behind.starts_with('=') => return behind.get(1..).map(Cow::Borrowed),
                _ => rest = more.get(1..).unwrap_or_default(),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get<'a>(raw: &'a str, name: &str) -> Option<Cow<'a, str>> {
        Query::new(raw).get(name)
    }

    #[test]
    fn a_query_is_read_the_same_whether_it_needs_decoding_or_not() {
        for escaped in ["", "&x=%20", "&a+b"] {
            let raw = format!("EIO=4&sido=1&sid=a-_Z=9&flag&sid=other&&empty={escaped}");
            let names = ["EIO", "sid", "sido", "flag", "empty", "si", "E"];
            let found = names.map(|name| get(&raw, name).map(Cow::into_owned));
            let expected = [Some("4"), Some("a-_Z=9"), Some("1"), Some(""), Some(""), None, None];
            assert_eq!(found, expected.map(|value| value.map(str::to_owned)), "{raw}");
        }
        assert_eq!(get("s%69d=a%2Bb+c", "sid").as_deref(), Some("a+b c"));
        assert_eq!(get("", "sid"), None);
    }
}
