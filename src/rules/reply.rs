//! An upstream's complete response, as rules and taps look at it.

use std::sync::OnceLock;

use bytes::Bytes;
use http::StatusCode;

use crate::json::Json;
use crate::message::Fields;

use super::object::{self, Object};
use super::template::{Path, Step, follow};

/// An upstream's complete response. Its body is parsed when it is asked for.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Fields,
    /// The body without its content coding.
    pub(crate) bytes: Bytes,
    parsed: OnceLock<Option<Json>>,
}

impl Reply {
    pub(crate) fn new(status: StatusCode, headers: Fields, bytes: Bytes) -> Reply {
        Reply { status, headers, bytes, parsed: OnceLock::new() }
    }

    /// The body where it is JSON.
    pub(crate) fn json(&self) -> Option<&Json> {
        self.parsed.get_or_init(|| Json::parse(self.bytes.clone()).ok()).as_ref()
    }

    /// The body as templates see it: JSON as it is, `null` for none, and any other text a string.
    pub(crate) fn body(&self) -> Json {
        match self.json() {
            Some(json) => json.clone(),
            None if self.bytes.is_empty() => Json::null(),
            None => object::string(&String::from_utf8_lossy(&self.bytes)),
        }
    }

    /// All of it: `{status, headers, body}`.
    pub(crate) fn whole(&self) -> Json {
        Object::new()
            .json("status", self.status.as_str())
            .json("headers", object::headers(&self.headers).as_str())
            .json("body", self.body().as_str())
            .finish()
    }

    /// What is at the end of a path that begins with `response`.
    pub(crate) fn find(&self, path: &Path) -> Option<Json> {
        match path.steps.split_first() {
            Some((Step::Key(key), rest)) => match &**key {
                "body" => follow(&self.body(), rest),
                "headers" => follow(&object::headers(&self.headers), rest),
                "status" if rest.is_empty() => Some(Json::from_written(self.status.as_str().to_owned())),
                _ => None,
            },
            Some(_) => None,
            None => Some(self.whole()),
        }
    }
}
