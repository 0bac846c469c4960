//! Writes JSON objects whose values may be JSON texts that pass as they are.

use http::header::{COOKIE, HeaderName};

use crate::json::Json;
use crate::message::Fields;

use super::template::push_string;

/// A JSON object being written, its keys in the order they are added.
#[derive(Debug)]
pub(crate) struct Object(String);

impl Object {
    pub(crate) fn new() -> Object {
        Object("{".to_owned())
    }

    /// Adds a value that is JSON text.
    pub(crate) fn json(mut self, key: &str, value: &str) -> Object {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        push_string(&mut self.0, key);
        self.0.push(':');
        self.0.push_str(value);
        self
    }

    /// Adds a string.
    pub(crate) fn string(self, key: &str, value: &str) -> Object {
        self.json(key, string(value).as_str())
    }

    /// Adds a list.
    pub(crate) fn list<'a>(self, key: &str, items: impl IntoIterator<Item = &'a Json>) -> Object {
        self.json(key, list(items).as_str())
    }

    pub(crate) fn finish(mut self) -> Json {
        self.0.push('}');
        Json::from_written(self.0)
    }
}

/// A JSON string.
pub(crate) fn string(text: &str) -> Json {
    let mut out = String::with_capacity(text.len() + 2);
    push_string(&mut out, text);
    Json::from_written(out)
}

/// A JSON list.
pub(crate) fn list<'a>(items: impl IntoIterator<Item = &'a Json>) -> Json {
    let mut out = "[".to_owned();
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(item.as_str());
    }
    out.push(']');
    Json::from_written(out)
}

/// Strings by name, in their order.
pub(crate) fn strings<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> Json {
    pairs.into_iter().fold(Object::new(), |object, (key, value)| object.string(key, value)).finish()
}

/// Headers by lower-case name, repeated ones joined as Node joins them.
pub(crate) fn headers(headers: &Fields) -> Json {
    let join = |name: &HeaderName| {
        let values: Vec<_> =
            headers.get_all(name).map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        values.join(if name == COOKIE { "; " } else { ", " })
    };
    headers.keys().fold(Object::new(), |object, name| object.string(name.as_str(), &join(name))).finish()
}

/// Decoded query pairs by name; a repeated name has a list, as Node has it.
pub(crate) fn query(pairs: &[(String, String)]) -> Json {
    let mut seen: Vec<&str> = Vec::new();
    let mut object = Object::new();
    for (name, value) in pairs {
        if seen.contains(&name.as_str()) {
            continue;
        }
        seen.push(name);
        let values: Vec<Json> =
            pairs.iter().filter(|(other, _)| other == name).map(|(_, value)| string(value)).collect();
        object = match values.as_slice() {
            [_] => object.string(name, value),
            several => object.list(name, several),
        };
    }
    object.finish()
}
