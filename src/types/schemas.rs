//! The JSON Schemas of a config as one flat list of named ones, so that both texts can refer to them.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::name::{Names, pascal};

/// What a reference to a named schema begins with.
const PREFIX: &str = "#/components/schemas/";

/// Keywords whose values are schemas by name.
const MAPS: &[&str] = &["properties", "patternProperties", "dependentSchemas"];

/// Keywords whose values are data.
const DATA: &[&str] = &["const", "enum", "default", "examples"];

/// Keywords that say where a schema is, and lose their meaning where it is taken elsewhere.
const PLACES: &[&str] =
    &["$schema", "$id", "$anchor", "$dynamicAnchor", "$vocabulary", "$comment", "$defs", "definitions"];

/// Named schemas. A reference in them is always `#/components/schemas/NAME`.
#[derive(Debug, Default)]
pub(super) struct Schemas {
    named: IndexMap<String, Value>,
    names: Names,
}

impl Schemas {
    /// Takes a name that no schema has, nor any will.
    pub(super) fn name(&mut self, wanted: &str) -> String {
        self.names.take(wanted)
    }

    /// Adds a schema that refers to nothing but its own parts. Returns a reference to it.
    pub(super) fn add(&mut self, wanted: &str, stem: &str, schema: &Value) -> Value {
        let name = self.names.take(wanted);
        let known = IndexMap::from([(String::new(), name.clone())]);
        self.named.insert(name.clone(), Value::Bool(true));
        let mut copy = Copy { root: schema, stem, known, schemas: self };
        let schema = copy.schema(schema);
        self.named.insert(name.clone(), schema);
        reference(&name)
    }

    /// All of them, in the order they were named.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.named.iter().map(|(name, schema)| (name.as_str(), schema))
    }

    /// The schema itself where `schema` is a reference.
    pub(super) fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        // A reference may lead to a reference, and in the end to itself.
        for _ in 0..=self.named.len() {
            match referred(schema).and_then(|name| self.named.get(name)) {
                Some(next) => schema = next,
                None => break,
            }
        }
        schema
    }
}

/// A reference to a named schema.
fn reference(name: &str) -> Value {
    serde_json::json!({"$ref": format!("{PREFIX}{name}")})
}

/// The name that a schema refers to.
pub(super) fn referred(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix(PREFIX)
}

/// Copies one schema; what it refers to becomes named schemas of their own.
struct Copy<'a> {
    root: &'a Value,
    /// Begins the names.
    stem: &'a str,
    /// Names by fragment.
    known: IndexMap<String, String>,
    schemas: &'a mut Schemas,
}

impl Copy<'_> {
    fn schema(&mut self, schema: &Value) -> Value {
        let Value::Object(keywords) = schema else { return schema.clone() };
        let mut copy = Map::new();
        for (keyword, value) in keywords {
            let value = match (keyword.as_str(), value) {
                ("$ref", Value::String(to)) => match self.referred(to) {
                    Some(name) => Value::String(format!("{PREFIX}{name}")),
                    None => continue,
                },
                (keyword, _) if PLACES.contains(&keyword) || keyword == "$dynamicRef" => continue,
                (keyword, _) if DATA.contains(&keyword) => value.clone(),
                (keyword, Value::Object(map)) if MAPS.contains(&keyword) => {
                    map.iter().map(|(key, schema)| (key.clone(), self.schema(schema))).collect()
                }
                (_, Value::Array(list)) => list.iter().map(|schema| self.schema(schema)).collect(),
                (_, other) => self.schema(other),
            };
            copy.insert(keyword.clone(), value);
        }
        Value::Object(copy)
    }

    /// The name of what a reference leads to. `None` for what no JSON pointer or anchor finds.
    fn referred(&mut self, to: &str) -> Option<String> {
        let fragment = percent_encoding::percent_decode_str(to.strip_prefix('#')?).decode_utf8().ok()?;
        if let Some(name) = self.known.get(&*fragment) {
            return Some(name.clone());
        }
        let root = self.root;
        let found = match fragment.starts_with('/') {
            true => root.pointer(&fragment)?,
            false => anchored(root, &fragment)?,
        };
        let last = fragment.rsplit('/').next().unwrap_or_default();
        let name = self.schemas.names.take(&format!("{}{}", self.stem, pascal(last, "Part")));
        self.known.insert(fragment.into_owned(), name.clone());
        // Its place in the list is before what it refers to itself.
        self.schemas.named.insert(name.clone(), Value::Bool(true));
        let schema = self.schema(found);
        self.schemas.named.insert(name.clone(), schema);
        Some(name)
    }
}

/// The part of a schema with this `$anchor`.
fn anchored<'v>(schema: &'v Value, anchor: &str) -> Option<&'v Value> {
    match schema {
        Value::Object(map) if map.get("$anchor").is_some_and(|name| name == anchor) => Some(schema),
        Value::Object(map) => map.values().find_map(|value| anchored(value, anchor)),
        Value::Array(list) => list.iter().find_map(|value| anchored(value, anchor)),
        _ => None,
    }
}
