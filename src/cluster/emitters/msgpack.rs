//! MessagePack as notepack writes it, turned into JSON: binary as `{"$binary":"base64"}`, dates as text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmpv::Value;
use serde_json::{Map, Number, Value as Tree};

use super::Unreadable;
use crate::json;

/// Values may lie in one another so deep.
const MAX_DEPTH: usize = 64;

/// Reads one value with nothing behind it.
pub(super) fn read(mut bytes: &[u8]) -> Result<Value, Unreadable> {
    let value = rmpv::decode::read_value_with_max_depth(&mut bytes, MAX_DEPTH).map_err(|_| Unreadable)?;
    if bytes.is_empty() { Ok(value) } else { Err(Unreadable) }
}

/// The value as JSON has it. What JSON does not have (NaN, nothing) is null, as JavaScript writes it.
pub(super) fn tree(value: &Value) -> Tree {
    match value {
        Value::Nil => Tree::Null,
        Value::Boolean(truth) => Tree::Bool(*truth),
        Value::Integer(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) => Tree::Null,
        },
        Value::F32(number) => Number::from_f64(f64::from(*number)).map_or(Tree::Null, Tree::Number),
        Value::F64(number) => float(*number),
        Value::String(text) => Tree::String(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        Value::Binary(data) => object("$binary", Tree::String(STANDARD.encode(data))),
        Value::Array(items) => items.iter().map(tree).collect(),
        Value::Map(entries) => map(entries),
        Value::Ext(kind, data) => date(*kind, data).map_or(Tree::Null, Tree::String),
    }
}

/// A whole number is written without a point, as JavaScript writes it.
fn float(number: f64) -> Tree {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        return (number as i64).into();
    }
    Number::from_f64(number).map_or(Tree::Null, Tree::Number)
}

fn object(key: &str, value: Tree) -> Tree {
    Tree::Object(Map::from_iter([(key.to_owned(), value)]))
}

/// An object; one that looks like our binary gets one more `$`.
fn map(entries: &[(Value, Value)]) -> Tree {
    let key = |key: &Value| match key {
        Value::String(text) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        other => other.to_string(),
    };
    match entries {
        [(only, value)] => {
            let name = key(only);
            let dollars = name.strip_suffix("binary").unwrap_or_default();
            let alike = !dollars.is_empty() && dollars.bytes().all(|byte| byte == b'$');
            object(&if alike { format!("${name}") } else { name }, tree(value))
        }
        several => Tree::Object(several.iter().map(|(name, value)| (key(name), tree(value))).collect()),
    }
}

/// A date as `toJSON` writes it: MessagePack's timestamp (type -1), and the older type 0 of notepack 2,
/// milliseconds since 1970.
fn date(kind: i8, data: &[u8]) -> Option<String> {
    let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    let nanoseconds: i128 = match (kind, data.len()) {
        (-1, 4) => i128::from(number(data)) * 1_000_000_000,
        (-1, 8) => {
            let both = number(data);
            i128::from(both & 0x3_ffff_ffff) * 1_000_000_000 + i128::from(both >> 34)
        }
        (-1, 12) => {
            let (nanoseconds, seconds) = data.split_at_checked(4)?;
            i128::from(number(seconds) as i64) * 1_000_000_000 + i128::from(number(nanoseconds))
        }
        (0, 8) => i128::from(number(data) as i64) * 1_000_000,
        _ => return None,
    };
    json::date(nanoseconds)
}
