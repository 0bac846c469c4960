//! Walks JSON text without building a tree, so that what is found keeps its exact text.

use std::fmt;

use indexmap::IndexMap;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::Json;

/// A plain path such as `data.a["b c"][0]`: the name it starts from, and the steps from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    /// The name it starts from.
    pub(crate) root: Box<str>,
    /// The steps from there.
    pub(crate) steps: Vec<Step>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Into an object.
    Key(Box<str>),
    /// Into a list.
    Index(usize),
}

impl Path {
    /// Reads an expression that is nothing but a path; anything else is `None`.
    pub(crate) fn parse(expression: &str) -> Option<Path> {
        let (root, mut rest) = identifier(expression.trim())?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let step;
            if let Some(after) = rest.strip_prefix('.') {
                let (key, after) = identifier(after)?;
                (step, rest) = (Step::Key(key.into()), after);
            } else {
                let (inside, after) = rest.strip_prefix('[')?.split_once(']')?;
                (step, rest) = (subscript(inside.trim())?, after);
            }
            steps.push(step);
        }
        Some(Path { root: root.into(), steps })
    }

    /// The root and the keys after it, up to the first index.
    pub(crate) fn keys(&self) -> Vec<&str> {
        let keys = self.steps.iter().map_while(|step| match step {
            Step::Key(key) => Some(&**key),
            Step::Index(_) => None,
        });
        std::iter::once(&*self.root).chain(keys).collect()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.root)?;
        self.steps.iter().try_for_each(|step| match step {
            Step::Key(key) if identifier(key).is_some_and(|(_, rest)| rest.is_empty()) => {
                write!(f, ".{key}")
            }
            Step::Key(key) => write!(f, "[{key:?}]"),
            Step::Index(index) => write!(f, "[{index}]"),
        })
    }
}

fn identifier(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let first = name.chars().next()?;
    (!first.is_ascii_digit()).then_some((name, rest))
}

fn subscript(inside: &str) -> Option<Step> {
    if let Ok(index) = inside.parse() {
        return Some(Step::Index(index));
    }
    let quote = inside.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let key = inside.strip_prefix(quote)?.strip_suffix(quote)?;
    (!key.contains([quote, '\\'])).then(|| Step::Key(key.into()))
}

/// Follows `steps` from `json`. `None` where a step leads nowhere.
pub(crate) fn follow(json: &Json, steps: &[Step]) -> Option<Json> {
    steps.iter().try_fold(json.clone(), |json, step| match step {
        Step::Key(key) => member(&json, key),
        Step::Index(index) => elements(&json)?.into_iter().nth(*index),
    })
}

/// The value of an object's key; the last one counts, as in JavaScript.
pub(crate) fn member(json: &Json, key: &str) -> Option<Json> {
    let mut text = serde_json::Deserializer::from_str(json.as_str());
    let found = text.deserialize_map(Member(key.as_bytes())).ok()??;
    Some(Json::from_raw(json.bytes(), found))
}

/// The elements of a list. `None` for anything else.
pub(crate) fn elements(json: &Json) -> Option<Vec<Json>> {
    let mut text = serde_json::Deserializer::from_str(json.as_str());
    let raw = text.deserialize_seq(Elements).ok()?;
    Some(raw.into_iter().map(|raw| Json::from_raw(json.bytes(), raw)).collect())
}

/// The members of an object in their order. `None` for anything else.
pub(crate) fn members(json: &Json) -> Option<IndexMap<String, Json>> {
    let mut text = serde_json::Deserializer::from_str(json.as_str());
    let raw = text.deserialize_map(Members).ok()?;
    Some(raw.into_iter().map(|(key, raw)| (key, Json::from_raw(json.bytes(), raw))).collect())
}

/// A JSON string's characters. `None` for anything else, and for lone surrogates.
pub(crate) fn text(json: &Json) -> Option<String> {
    json.as_str().starts_with('"').then(|| serde_json::from_str(json.as_str()).ok())?
}

struct Member<'a>(&'a [u8]);

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(matches) = map.next_key_seed(KeyIs(self.0))? {
            if matches {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Compares a key as bytes, since a client's key may hold a lone surrogate.
struct KeyIs<'a>(&'a [u8]);

impl<'de> DeserializeSeed<'de> for KeyIs<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<bool, D::Error> {
        key.deserialize_bytes(self)
    }
}

impl<'de> Visitor<'de> for KeyIs<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_bytes<E>(self, key: &[u8]) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

struct KeyText;

impl<'de> DeserializeSeed<'de> for KeyText {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<String, D::Error> {
        key.deserialize_bytes(self)
    }
}

impl<'de> Visitor<'de> for KeyText {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_bytes<E>(self, key: &[u8]) -> Result<String, E> {
        Ok(String::from_utf8_lossy(key).into_owned())
    }
}

struct Elements;

impl<'de> Visitor<'de> for Elements {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some(raw) = list.next_element()? {
            found.push(raw);
        }
        Ok(found)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = IndexMap<String, &'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = IndexMap::new();
        while let Some(key) = map.next_key_seed(KeyText)? {
            let raw = map.next_value().map_err(A::Error::custom)?;
            found.insert(key, raw);
        }
        Ok(found)
    }
}
