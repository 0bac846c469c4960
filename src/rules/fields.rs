//! Reads a JSON object strictly: what is unknown or of the wrong type is told with its place.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::json::Json;

use super::actions::{Result, invalid, rooms};
use super::object;
use super::template::{elements, members, string};

/// The fields of an object that are not read yet.
pub(crate) struct Fields<'a> {
    place: &'a str,
    left: IndexMap<String, Json>,
}

impl<'a> Fields<'a> {
    /// `place` is the object's own dotted path.
    pub(crate) fn read(place: &'a str, json: &Json) -> Result<Fields<'a>> {
        match members(json) {
            Some(left) => Ok(Fields { place, left }),
            None => invalid(if place.is_empty() { "actions" } else { place }, "must be an object"),
        }
    }

    pub(crate) fn at(&self, key: &str) -> String {
        if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) }
    }

    pub(crate) fn take(&mut self, key: &str) -> Option<Json> {
        self.left.shift_remove(key)
    }

    pub(crate) fn required(&mut self, key: &str) -> Result<Json> {
        self.take(key).map_or_else(|| invalid(&self.at(key), "is missing"), Ok)
    }

    pub(crate) fn flag(&mut self, key: &str) -> Result<bool> {
        match self.take(key).as_ref().map(Json::as_str) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => invalid(&self.at(key), "must be true or false"),
        }
    }

    pub(crate) fn string(&mut self, key: &str) -> Result<Option<String>> {
        let Some(json) = self.take(key) else { return Ok(None) };
        string(&json).map_or_else(|| invalid(&self.at(key), "must be a string"), |text| Ok(Some(text)))
    }

    pub(crate) fn list(&mut self, key: &str) -> Result<Option<Vec<Json>>> {
        let Some(json) = self.take(key) else { return Ok(None) };
        elements(&json).map_or_else(|| invalid(&self.at(key), "must be a list"), |list| Ok(Some(list)))
    }

    pub(crate) fn rooms(&mut self, key: &str) -> Result<Vec<Arc<str>>> {
        self.take(key).map_or_else(|| Ok(Vec::new()), |json| rooms(&self.at(key), &json))
    }

    /// Rooms to leave out: null and an empty text are nobody.
    pub(crate) fn except(&mut self) -> Result<Vec<Arc<str>>> {
        let Some(json) = self.take("except") else { return Ok(Vec::new()) };
        let nobody = |json: &Json| matches!(json.as_str(), "null" | "\"\"");
        match elements(&json) {
            None if nobody(&json) => Ok(Vec::new()),
            None => rooms(&self.at("except"), &json),
            Some(mut list) => {
                list.retain(|item| !nobody(item));
                rooms(&self.at("except"), &object::list(&list))
            }
        }
    }

    pub(crate) fn namespace(&mut self) -> Result<Option<Arc<str>>> {
        match self.string("namespace")? {
            Some(name) if !name.starts_with('/') => invalid(&self.at("namespace"), "must begin with `/`"),
            name => Ok(name.map(Into::into)),
        }
    }

    /// `args`, or `data` as the only one.
    pub(crate) fn args(&mut self) -> Result<Option<Vec<Json>>> {
        match (self.take("data"), self.list("args")?) {
            (Some(_), Some(_)) => invalid(&self.at("data"), "contradicts `args`"),
            (Some(data), None) => Ok(Some(vec![data])),
            (None, args) => Ok(args),
        }
    }

    pub(crate) fn object(&mut self, key: &str) -> Result<Map<String, Value>> {
        let Some(json) = self.take(key) else { return Ok(Map::new()) };
        match json.to_value() {
            Ok(Value::Object(map)) => Ok(map),
            Ok(_) => invalid(&self.at(key), "must be an object"),
            Err(error) => invalid(&self.at(key), error.to_string()),
        }
    }

    /// Refuses what was not read.
    pub(crate) fn finish(&self) -> Result<()> {
        self.left.keys().next().map_or(Ok(()), |key| invalid(&self.at(key), "unknown key"))
    }
}
