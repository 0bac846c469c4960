//! JSON offered to MiniJinja, one level at a time, and what expressions return as JSON again.

use std::fmt;
use std::sync::{Arc, OnceLock};

use indexmap::IndexMap;
use minijinja::value::{Enumerator, Object, ObjectRepr, Value, ValueKind};
use minijinja::{Error, ErrorKind};

use crate::json::Json;

use super::pointer;

/// Deepest nesting that expressions see. MiniJinja compares and prints values by recursion, so a
/// client's depth has to end before the stack does.
const MAX_DEPTH: usize = 128;

/// Offers a JSON value to expressions.
pub(crate) fn from_json(json: &Json) -> Value {
    if depth(json.as_str()) > MAX_DEPTH {
        return Value::from(Error::new(ErrorKind::InvalidOperation, "the value is nested too deeply"));
    }
    shallow(json)
}

/// Offers a JSON value whose depth was looked at.
fn shallow(json: &Json) -> Value {
    let text = json.as_str();
    match text.as_bytes().first() {
        Some(b'{' | b'[') => Value::from_object(Container { json: json.clone(), parsed: OnceLock::new() }),
        Some(b'"') => pointer::text(json).map_or_else(
            || Value::from(Error::new(ErrorKind::InvalidOperation, "the text is not valid Unicode")),
            Value::from,
        ),
        Some(b't') => Value::from(true),
        Some(b'f') => Value::from(false),
        Some(b'n') | None => Value::from(()),
        Some(_) => number(text),
    }
}

fn number(text: &str) -> Value {
    if let Ok(number) = text.parse::<i64>() {
        return Value::from(number);
    }
    if let Ok(number) = text.parse::<i128>() {
        return Value::from(number);
    }
    text.parse::<f64>().map_or_else(|_| Value::from(()), Value::from)
}

/// How deep lists and objects are nested in a JSON text.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A list or object. It knows its own text, so it comes back exact.
struct Container {
    json: Json,
    parsed: OnceLock<Parsed>,
}

enum Parsed {
    List(Vec<Json>),
    Map(IndexMap<String, Json>),
}

impl Container {
    fn is_list(&self) -> bool {
        self.json.as_str().starts_with('[')
    }

    fn parsed(&self) -> &Parsed {
        self.parsed.get_or_init(|| {
            if self.is_list() {
                Parsed::List(pointer::elements(&self.json).unwrap_or_default())
            } else {
                Parsed::Map(pointer::members(&self.json).unwrap_or_default())
            }
        })
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.json.fmt(f)
    }
}

impl Object for Container {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        if self.is_list() { ObjectRepr::Seq } else { ObjectRepr::Map }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match self.parsed() {
            Parsed::List(list) => list.get(key.as_usize()?).map(shallow),
            Parsed::Map(map) => map.get(key.as_str()?).map(shallow),
        }
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match self.parsed() {
            Parsed::List(_) => None,
            Parsed::Map(map) => map.get(key).map(shallow),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match self.parsed() {
            Parsed::List(list) => Enumerator::Seq(list.len()),
            Parsed::Map(map) => {
                let keys: Vec<Value> = map.keys().map(|key| Value::from(key.as_str())).collect();
                Enumerator::Values(keys)
            }
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.json.as_str())
    }
}

/// Writes what an expression returned as JSON.
pub(crate) fn write_json(value: &Value, out: &mut String) -> Result<(), Error> {
    if let Some(container) = value.downcast_object_ref::<Container>() {
        out.push_str(container.json.as_str());
        return Ok(());
    }
    match value.kind() {
        ValueKind::Undefined => return Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => out.push_str(&write_number(value)?),
        ValueKind::String => push_string(out, value.as_str().unwrap_or_default()),
        ValueKind::Seq | ValueKind::Iterable => write_list(value, out)?,
        ValueKind::Map => write_map(value, out)?,
        _ => return Err(not_json(value)),
    }
    Ok(())
}

fn not_json(value: &Value) -> Error {
    // An invalid value carries its own error, which asking for an item brings out.
    value.try_iter().err().unwrap_or_else(|| {
        Error::new(ErrorKind::InvalidOperation, format!("a {} cannot become JSON", value.kind()))
    })
}

fn write_number(value: &Value) -> Result<String, Error> {
    if value.is_integer() {
        return Ok(value.to_string());
    }
    let number = f64::try_from(value.clone())?;
    serde_json::Number::from_f64(number).map(|number| number.to_string()).ok_or_else(|| {
        Error::new(ErrorKind::InvalidOperation, format!("the number {number} cannot become JSON"))
    })
}

fn write_list(value: &Value, out: &mut String) -> Result<(), Error> {
    out.push('[');
    for (index, item) in value.try_iter()?.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_json(&item, out)?;
    }
    out.push(']');
    Ok(())
}

fn write_map(value: &Value, out: &mut String) -> Result<(), Error> {
    out.push('{');
    for (index, key) in value.try_iter()?.enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_string(out, &key.to_string());
        out.push(':');
        write_json(&value.get_item(&key)?, out)?;
    }
    out.push('}');
    Ok(())
}

/// Writes a JSON string, quoted and escaped.
pub(crate) fn push_string(out: &mut String, text: &str) {
    // Writing a string to memory cannot fail.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}
