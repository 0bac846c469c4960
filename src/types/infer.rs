//! The JSON Schema of what a template gives, as far as the config tells.

use serde_json::{Value, json};

use crate::config::file::Tree;
use crate::rules::{Path, Step, Written, written};

use super::schemas::Schemas;

/// What templates of one place can see.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight<'a> {
    pub(super) schemas: &'a Schemas,
    /// The event of the rule; none where it may be any.
    pub(super) event: Option<&'a str>,
    /// The schema of the first argument, where the rule has one.
    pub(super) data: Option<&'a Value>,
}

/// Anything.
pub(super) fn unknown() -> Value {
    Value::Bool(true)
}

impl Sight<'_> {
    /// The schema of what a YAML value becomes.
    pub(super) fn schema(&self, tree: &Tree) -> Value {
        match tree {
            Tree::String(text) => match written(text) {
                Written::Constant => json!({"const": text}),
                Written::Path(path) => self.path(&path),
                Written::Expression => unknown(),
                Written::Text => string(),
            },
            Tree::Array(items) => {
                let items: Vec<Value> = items.iter().map(|item| self.schema(item)).collect();
                json!({"type": "array", "minItems": items.len(), "prefixItems": items, "items": false})
            }
            Tree::Object(map) => {
                let properties: Value =
                    map.iter().map(|(key, tree)| (key.clone(), self.schema(tree))).collect();
                let required: Vec<&String> = map.keys().collect();
                json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
            }
            scalar => json!({"const": scalar}),
        }
    }

    fn path(&self, path: &Path) -> Value {
        let steps: Vec<&str> = path
            .steps
            .iter()
            .map(|step| match step {
                Step::Key(key) => &**key,
                Step::Index(_) => "[]",
            })
            .collect();
        match (&*path.root, steps.as_slice()) {
            ("data", _) => self.follow(&path.steps),
            ("args", _) => match path.steps.split_first() {
                Some((Step::Index(0), rest)) => self.follow(rest),
                _ => unknown(),
            },
            ("event", []) => self.event.map_or_else(string, |event| json!({"const": event})),
            ("reason", []) | ("namespace" | "path", [_]) => string(),
            ("request", ["method" | "path"]) | ("request" | "response", ["headers", _]) => string(),
            ("response", ["status"]) => json!({"type": "integer"}),
            ("socket", ["id" | "namespace"]) => string(),
            ("socket", ["rooms"]) => json!({"type": "array", "items": {"type": "string"}}),
            ("socket", ["recovered"]) | ("socket", ["handshake", "secure"]) => json!({"type": "boolean"}),
            ("socket", ["handshake", "issued"]) => json!({"type": "integer"}),
            ("socket", ["handshake", "address" | "url"] | ["handshake", "headers", _]) => string(),
            _ => unknown(),
        }
    }

    /// What is at the end of these steps from the first argument.
    fn follow(&self, steps: &[Step]) -> Value {
        let Some(data) = self.data else { return unknown() };
        let found = steps.iter().try_fold(data, |schema, step| {
            let schema = self.schemas.resolve(schema);
            match step {
                Step::Key(key) => property(schema, key),
                Step::Index(index) => item(schema, *index),
            }
        });
        found.cloned().unwrap_or_else(unknown)
    }
}

/// The schema of an object's property. A template that reads one that is not there fails.
fn property<'v>(schema: &'v Value, key: &str) -> Option<&'v Value> {
    let own = schema.get("properties").and_then(|properties| properties.get(key));
    let inherited = || schema.get("allOf")?.as_array()?.iter().find_map(|part| property(part, key));
    own.or_else(inherited).or_else(|| schema.get("additionalProperties").filter(|more| more.is_object()))
}

fn item(schema: &Value, index: usize) -> Option<&Value> {
    let first = schema.get("prefixItems").and_then(|items| items.get(index));
    first.or_else(|| schema.get("items").filter(|items| items.is_object()))
}

fn string() -> Value {
    json!({"type": "string"})
}
