//! Holds the file against the JSON Schema of its types, all of it at once, and turns it into JSON.
//!
//! What is wrong is reported and left out, so that the rest can be looked at further.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value};

use super::form::{Form, Schema};
use super::nearest::nearest;
use super::node::{Entry, Kind, Mark, Node};
use super::report::Located;
use super::scalar::{self, Meaning, meaning};
use super::variables::{Lookup, fill};

/// The file as JSON, and what is wrong with it.
pub(super) fn check(root: &Node, schema: &Schema, lookup: &Lookup<'_>) -> (Value, Vec<Located>) {
    let mut shape = Shape { schema, lookup, found: Vec::new() };
    let file = match shape.value(root, &schema.root(), "", root.at) {
        Outcome::Value(file) => file,
        Outcome::Null | Outcome::Lost => Value::Object(Map::new()),
    };
    (file, shape.found)
}

struct Shape<'a> {
    schema: &'a Schema,
    lookup: &'a Lookup<'a>,
    found: Vec<Located>,
}

enum Outcome {
    Value(Value),
    /// `null` where no null is known: the same as no key at all.
    Null,
    /// Reported already.
    Lost,
}

impl<'a> Shape<'a> {
    /// `key` is the dotted path of the value, `key_at` where its last part is written.
    fn value(&mut self, node: &Node, form: &Form<'a>, key: &str, key_at: Mark) -> Outcome {
        if form.any {
            return self.free(node, key).map_or(Outcome::Lost, Outcome::Value);
        }
        match (&node.kind, form.items) {
            (Kind::List(items), Some(schema)) => self.list(items, schema, key),
            (_, None) => self.one(node, form, key, key_at),
            (_, Some(schema)) => {
                let one = if form.is_list_alone() {
                    self.value(node, &self.schema.form(schema), key, key_at)
                } else {
                    self.one(node, form, key, key_at)
                };
                match one {
                    Outcome::Value(value) => Outcome::Value(Value::Array(vec![value])),
                    one => one,
                }
            }
        }
    }

    /// A value that is no list, or should not be one.
    fn one(&mut self, node: &Node, form: &Form<'a>, key: &str, key_at: Mark) -> Outcome {
        match (&node.kind, form.map) {
            (Kind::Scalar { text, plain }, _) => self.scalar(node, text, *plain, form, key),
            (Kind::Map(entries), Some(schema)) => self.map(entries, schema, key, key_at),
            _ => self.lose(node.at, key, format!("this is {}", node.noun()), form.right()),
        }
    }

    /// A list with a lost item is lost as a whole: the places of the others would not be theirs.
    fn list(&mut self, items: &[Node], schema: &'a Value, key: &str) -> Outcome {
        let form = self.schema.form(schema);
        let mut whole = Some(Vec::with_capacity(items.len()));
        for (index, item) in items.iter().enumerate() {
            let key = format!("{key}[{index}]");
            let value = self.entry(item, &form, &key, item.at);
            whole = whole.zip(value).map(|(mut list, value)| {
                list.push(value);
                list
            });
        }
        whole.map_or(Outcome::Lost, |list| Outcome::Value(Value::Array(list)))
    }

    /// A value that may not be left empty: an item of a list, or under a name that the user chose.
    fn entry(&mut self, node: &Node, form: &Form<'a>, key: &str, key_at: Mark) -> Option<Value> {
        match self.value(node, form, key, key_at) {
            Outcome::Value(value) => Some(value),
            Outcome::Null => {
                self.lose(node.at, key, "there is nothing here", form.right());
                None
            }
            Outcome::Lost => None,
        }
    }

    fn map(&mut self, entries: &[Entry], schema: &'a Map<String, Value>, key: &str, key_at: Mark) -> Outcome {
        let known = schema.get("properties").and_then(Value::as_object);
        let named_by_user = schema.get("additionalProperties").filter(|more| **more != Value::Bool(false));
        let (mut map, mut meant) = (Map::new(), Vec::new());
        let before = self.found.len();
        for entry in self.distinct(entries, key) {
            let path = join(key, &entry.key);
            let value = match (known.and_then(|known| known.get(&entry.key)), named_by_user) {
                (Some(schema), _) => {
                    match self.value(&entry.value, &self.schema.form(schema), &path, entry.at) {
                        Outcome::Value(value) => Some(value),
                        Outcome::Null | Outcome::Lost => None,
                    }
                }
                (None, Some(schema)) => self.entry(&entry.value, &self.schema.form(schema), &path, entry.at),
                (None, None) => {
                    meant.extend(self.stranger(entry, known, &path));
                    None
                }
            };
            if let Some(value) = value {
                map.insert(entry.key.clone(), value);
            }
        }
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            let path = join(key, name);
            // One that was written and lost has been told of already.
            let told = self.found.iter().skip(before).any(|located| located.concerns(&path));
            if !map.contains_key(name) && !meant.contains(&name) && !told {
                self.lose(key_at, &path, "this key is missing", format!("add `{name}`"));
            }
        }
        Outcome::Value(Value::Object(map))
    }

    /// A key that the section does not know. Gives the key that was probably meant.
    fn stranger<'k>(
        &mut self,
        entry: &Entry,
        known: Option<&'k Map<String, Value>>,
        path: &str,
    ) -> Option<&'k str> {
        let words: Vec<&str> = known.into_iter().flat_map(Map::keys).map(String::as_str).collect();
        let meant = nearest(&entry.key, words.iter().copied());
        let right = match meant {
            Some(word) => format!("did you mean {word}?"),
            None => format!("known here: {}", words.join(", ")),
        };
        self.note(entry.at, path, "unknown key", right);
        meant
    }

    fn scalar(&mut self, node: &Node, text: &str, plain: bool, form: &Form<'a>, key: &str) -> Outcome {
        let Some(text) = self.fill(node, text, key) else {
            return Outcome::Lost;
        };
        let meaning = if plain { meaning(&text) } else { Meaning::Text };
        match read(&text, meaning, form) {
            Ok(outcome) => outcome,
            Err(wrong) => {
                let right = match nearest(&text, form.words.iter().copied()) {
                    Some(word) => format!("did you mean {word}?"),
                    None => form.right(),
                };
                self.lose(node.at, key, wrong, right)
            }
        }
    }

    /// A value that is kept as it is: templates, data.
    fn free(&mut self, node: &Node, key: &str) -> Option<Value> {
        match &node.kind {
            Kind::Scalar { text, plain } => {
                let text = self.fill(node, text, key)?;
                match if *plain { meaning(&text) } else { Meaning::Text } {
                    Meaning::Null => Some(Value::Null),
                    Meaning::Bool(truth) => Some(Value::Bool(truth)),
                    Meaning::Number(number) => Some(Value::Number(number)),
                    Meaning::Text => Some(Value::String(text.into_owned())),
                    Meaning::NoJson => {
                        let wrong = format!("JSON has no number `{text}`");
                        self.lose(node.at, key, wrong, "put quotes around it");
                        None
                    }
                }
            }
            Kind::List(items) => {
                let items = items.iter().enumerate();
                let items: Vec<_> = items.map(|(i, item)| self.free(item, &format!("{key}[{i}]"))).collect();
                items.into_iter().collect::<Option<Vec<_>>>().map(Value::Array)
            }
            Kind::Map(entries) => {
                let entries = self.distinct(entries, key).into_iter();
                let map = entries.filter_map(|entry| {
                    Some((entry.key.clone(), self.free(&entry.value, &join(key, &entry.key))?))
                });
                Some(Value::Object(map.collect()))
            }
        }
    }

    /// The entries whose keys were not written before, with a note of the others.
    fn distinct<'n>(&mut self, entries: &'n [Entry], key: &str) -> Vec<&'n Entry> {
        let mut first = HashMap::new();
        let mut distinct = Vec::with_capacity(entries.len());
        for entry in entries {
            match first.insert(entry.key.as_str(), entry.at) {
                None => distinct.push(entry),
                Some(Mark { line, .. }) => {
                    let wrong = format!("this key is on line {line} already");
                    self.note(entry.at, &join(key, &entry.key), wrong, "keep one of the two");
                }
            }
        }
        distinct
    }

    fn fill<'t>(&mut self, node: &Node, text: &'t str, key: &str) -> Option<Cow<'t, str>> {
        fill(text, self.lookup).map_err(|(wrong, right)| self.lose(node.at, key, wrong, right)).ok()
    }

    /// Notes a problem that leaves everything else readable.
    fn note(&mut self, at: Mark, key: &str, wrong: impl Into<String>, right: impl Into<String>) {
        self.found.push(Located::new(at, key, wrong, right));
    }

    /// Notes a problem that costs the value.
    fn lose(&mut self, at: Mark, key: &str, wrong: impl Into<String>, right: impl Into<String>) -> Outcome {
        self.found.push(Located::new(at, key, wrong, right).losing_value());
        Outcome::Lost
    }
}

/// A scalar as the form wants it, or what is wrong with it. Where text is wanted a number is the text
/// it was written as: `status: 201`, or a token that happens to have digits only.
fn read(text: &str, meaning: Meaning, form: &Form<'_>) -> Result<Outcome, String> {
    let as_text = || Ok(Outcome::Value(Value::String(text.to_owned())));
    if meaning == Meaning::Null {
        return Ok(Outcome::Null);
    }
    if !form.words.is_empty() {
        return if form.words.contains(&text) { as_text() } else { Err(format!("`{text}` is not known")) };
    }
    if let Some(spelling) = form.spelling {
        let is_right = (spelling.fits)(text);
        return if is_right { as_text() } else { Err(format!("`{text}` is not a {}", spelling.noun)) };
    }
    match meaning {
        Meaning::Bool(truth) if form.truth => Ok(Outcome::Value(Value::Bool(truth))),
        Meaning::Number(number) if form.whole && number.is_u64() => Ok(Outcome::Value(Value::Number(number))),
        _ if form.text => as_text(),
        // The same scalar would do without its quotes.
        Meaning::Text if (form.truth || form.whole) && scalar::meaning(text) != Meaning::Text => {
            Err(format!("\"{text}\" in quotes is text"))
        }
        _ if form.truth => Err(format!("`{text}` is not true or false")),
        _ if form.whole => Err(format!("`{text}` is not a whole number from 0")),
        _ => Err(format!("`{text}` is a single value")),
    }
}

/// Dotted path of a key of the map at `key`.
fn join(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") }
}
