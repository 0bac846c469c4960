//! Binary inside JSON: attachments on the wire, `{"$binary":"base64"}` towards rules and backends.
//!
//! A client's own object that looks like the latter gets one more `$` on the way in and loses it
//! on the way out, so that nobody can pass off text as binary, and nothing is changed.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use memchr::memmem;
use serde_json::{Map, Value, json};

use super::packet::Invalid;
use crate::json::Json;

/// Padding may be left out by those who write JSON for us.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether a text can hold a `$binary` key, escaped letters included. Nearly none does, and such
/// a text is passed on as it is.
fn is_suspicious(text: &str) -> bool {
    memmem::find(text.as_bytes(), b"$binary").is_some() || memmem::find(text.as_bytes(), b"\\u00").is_some()
}

/// The `$`s before `binary` in the only key of an object that looks like ours.
fn marker(map: &Map<String, Value>) -> Option<&str> {
    let key = map.keys().next().filter(|_| map.len() == 1)?;
    let dollars = key.strip_suffix("binary")?;
    (!dollars.is_empty() && dollars.bytes().all(|byte| byte == b'$')).then_some(key)
}

/// Changes every object in a tree, innermost first where `change` answers `None`.
fn walk<E>(
    value: &mut Value,
    change: &mut impl FnMut(&Map<String, Value>) -> Result<Option<Value>, E>,
) -> Result<(), E> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(|item| walk(item, change)),
        Value::Object(map) => match change(map)? {
            Some(changed) => {
                *value = changed;
                Ok(())
            }
            None => map.values_mut().try_for_each(|item| walk(item, change)),
        },
        _ => Ok(()),
    }
}

/// One more `$` for a client's own objects that look like ours.
fn escape_object(map: &Map<String, Value>) -> Option<Value> {
    let key = marker(map)?;
    let mut inner = map.get(key).cloned().unwrap_or_default();
    escape_value(&mut inner);
    Some(Value::Object(Map::from_iter([(format!("${key}"), inner)])))
}

fn escape_value(value: &mut Value) {
    let _ = walk::<()>(value, &mut |map| Ok(escape_object(map)));
}

/// The arguments of a packet without attachments, in the vocabulary of rules. What looks like ours
/// in so deep a nest that it cannot be escaped is refused.
pub(super) fn escape(mut args: Vec<Json>) -> Result<Vec<Json>, Invalid> {
    for arg in args.iter_mut().filter(|arg| is_suspicious(arg.as_str())) {
        let mut value = arg.to_value().map_err(|_| Invalid)?;
        let before = value.clone();
        escape_value(&mut value);
        if value != before {
            *arg = Json::from_value(&value);
        }
    }
    Ok(args)
}

/// The arguments of a packet with attachments, each in the place of its placeholder.
pub(super) fn attach(mut args: Vec<Json>, attachments: &[Bytes]) -> Result<Vec<Json>, Invalid> {
    for arg in &mut args {
        let mut value = arg.to_value().map_err(|_| Invalid)?;
        walk(&mut value, &mut |map| {
            if map.get("_placeholder") != Some(&Value::Bool(true)) {
                return Ok(escape_object(map));
            }
            let index = map.get("num").and_then(Value::as_u64).and_then(|num| usize::try_from(num).ok());
            let data = index.and_then(|index| attachments.get(index)).ok_or(Invalid)?;
            Ok(Some(json!({"$binary": STANDARD.encode(data)})))
        })?;
        *arg = Json::from_value(&value);
    }
    Ok(args)
}

/// The reverse: arguments as they go on the wire, and the attachments they refer to. What is not
/// base64 stays the object it is.
pub(super) fn detach(args: &[Json]) -> (Cow<'_, [Json]>, Vec<Vec<u8>>) {
    let mut attachments = Vec::new();
    if !args.iter().any(|arg| is_suspicious(arg.as_str())) {
        return (Cow::Borrowed(args), attachments);
    }
    let args = args
        .iter()
        .map(|arg| match arg.to_value() {
            Ok(mut value) => {
                let before = value.clone();
                detach_value(&mut value, &mut attachments);
                if value == before { arg.clone() } else { Json::from_value(&value) }
            }
            Err(_) => arg.clone(),
        })
        .collect();
    (Cow::Owned(args), attachments)
}

fn detach_value(value: &mut Value, attachments: &mut Vec<Vec<u8>>) {
    let _ = walk::<()>(value, &mut |map| {
        let Some(key) = marker(map) else { return Ok(None) };
        let inner = map.get(key).unwrap_or(&Value::Null);
        if key == "$binary" {
            let data = inner.as_str().and_then(|text| LENIENT.decode(text).ok());
            return Ok(data.map(|data| {
                attachments.push(data);
                json!({"_placeholder": true, "num": attachments.len() - 1})
            }));
        }
        let mut inner = inner.clone();
        detach_value(&mut inner, attachments);
        let key = key.strip_prefix('$').unwrap_or(key).to_owned();
        Ok(Some(Value::Object(Map::from_iter([(key, inner)]))))
    });
}
