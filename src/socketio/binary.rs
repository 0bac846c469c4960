//! Binary inside JSON: attachments on the wire, `{"$binary":"base64"}` towards rules and backends.
//!
//! A client's own object that looks like the latter gets one more `$` on the way in and loses it
//! on the way out, so that nobody can pass off text as binary, and nothing is changed. All of it
//! works on the text, since a tree of values would spell numbers anew.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use memchr::{memchr2, memmem};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Deserializer, Value};

use super::packet::Invalid;
use crate::json::Json;

/// Padding may be left out by those who write JSON for us.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Objects that look like ours may lie in one another so deep. Nobody's data does.
const MAX_DEPTH: usize = 100;

/// Whether a text can hold a `$binary` key, escaped letters included. Nearly none does, and such
/// a text is passed on as it is.
fn is_suspicious(json: &Json) -> bool {
    let text = json.bytes();
    let Some(first) = memchr2(b'$', b'\\', text) else { return false };
    let rest = text.get(first..).unwrap_or_default();
    memmem::find(rest, b"$binary").is_some() || memmem::find(rest, b"\\u00").is_some()
}

/// What becomes of an object: its length in the text, and what stands for it.
type Change = Option<(usize, String)>;

/// Copies a valid JSON text, asking of each object what becomes of it; outer ones first.
fn rewrite(
    text: &str,
    depth: usize,
    change: &mut dyn FnMut(&str, usize) -> Result<Change, Invalid>,
) -> Result<String, Invalid> {
    if depth > MAX_DEPTH {
        return Err(Invalid);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(start) = memchr2(b'"', b'{', rest.as_bytes()) {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        if from.starts_with('"') {
            let string = string_at(from);
            out.push_str(string);
            rest = from.get(string.len()..).unwrap_or_default();
        } else if let Some((length, other)) = change(from, depth)? {
            out.push_str(&other);
            rest = from.get(length..).unwrap_or_default();
        } else {
            out.push('{');
            rest = from.get(1..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The string that begins the text, with its quotes.
fn string_at(text: &str) -> &str {
    let bytes = text.as_bytes();
    let mut end = 1;
    while let Some(found) = bytes.get(end..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        end += found;
        if bytes.get(end) == Some(&b'"') {
            return text.get(..=end).unwrap_or(text);
        }
        end += 2;
    }
    text
}

/// The object that begins the text, if it looks like ours: the `$`s of its only key, its value, its length.
fn look_alike(text: &str) -> Option<(usize, &str, usize)> {
    let inside = text.get(1..)?.trim_start();
    let quoted = inside.starts_with('"').then(|| string_at(inside))?;
    if !quoted.contains('\\') && !quoted.ends_with("binary\"") {
        return None;
    }
    let key: String = serde_json::from_str(quoted).ok()?;
    let dollars =
        key.strip_suffix("binary").filter(|dollars| dollars.bytes().all(|byte| byte == b'$'))?.len();
    let after = inside.get(quoted.len()..)?.trim_start().strip_prefix(':')?;
    let mut values = Deserializer::from_str(after).into_iter::<&RawValue>();
    let value = values.next()?.ok()?.get();
    let end = after.get(values.byte_offset()..)?.trim_start().strip_prefix('}')?;
    (dollars > 0).then_some((dollars, value, text.len() - end.len()))
}

/// An object of that many `$`s around a value.
fn wrapped(dollars: usize, value: &str) -> String {
    format!("{{\"{}binary\":{value}}}", "$".repeat(dollars))
}

/// One more `$` for a client's own object that looks like ours.
fn escaped(text: &str, depth: usize) -> Result<Change, Invalid> {
    let Some((dollars, value, length)) = look_alike(text) else { return Ok(None) };
    let value = rewrite(value, depth + 1, &mut escaped)?;
    Ok(Some((length, wrapped(dollars + 1, &value))))
}

/// The arguments of a packet without attachments, in the vocabulary of rules.
pub(crate) fn escape(mut args: Vec<Json>) -> Result<Vec<Json>, Invalid> {
    for arg in args.iter_mut().filter(|arg| is_suspicious(arg)) {
        *arg = Json::from_written(rewrite(arg.as_str(), 0, &mut escaped)?);
    }
    Ok(args)
}

/// What a packet with attachments has in the place of each.
#[derive(Deserialize)]
struct Placeholder {
    #[serde(rename = "_placeholder", default)]
    is: Value,
    #[serde(default)]
    num: Value,
}

/// The placeholder that begins the text: which attachment it stands for, and its length. One whose
/// number is missing or strange is invalid.
fn placeholder(text: &str) -> Result<Option<(usize, usize)>, Invalid> {
    let inside = text.get(1..).unwrap_or_default().trim_start();
    if !inside.starts_with("\"_placeholder\"") && !inside.starts_with("\"num\"") {
        return Ok(None);
    }
    let mut objects = Deserializer::from_str(text).into_iter::<Placeholder>();
    match objects.next() {
        Some(Ok(found)) if found.is == Value::Bool(true) => {
            let num = found.num.as_u64().and_then(|num| usize::try_from(num).ok()).ok_or(Invalid)?;
            Ok(Some((num, objects.byte_offset())))
        }
        _ => Ok(None),
    }
}

/// The arguments of a packet with attachments, each in the place of its placeholder.
pub(crate) fn attach(mut args: Vec<Json>, attachments: &[Bytes]) -> Result<Vec<Json>, Invalid> {
    for arg in &mut args {
        let text = rewrite(arg.as_str(), 0, &mut |text, depth| {
            let Some((num, length)) = placeholder(text)? else { return escaped(text, depth) };
            let data = attachments.get(num).ok_or(Invalid)?;
            Ok(Some((length, wrapped(1, &format!("\"{}\"", STANDARD.encode(data))))))
        })?;
        *arg = Json::from_written(text);
    }
    Ok(args)
}

/// The reverse: arguments as they go on the wire, and the attachments they refer to. What is not
/// base64 stays the object it is.
pub(crate) fn detach(args: &[Json]) -> (Cow<'_, [Json]>, Vec<Vec<u8>>) {
    let mut attachments = Vec::new();
    if !args.iter().any(is_suspicious) {
        return (Cow::Borrowed(args), attachments);
    }
    let detached =
        args.iter().map(|arg| detach_text(arg.as_str(), 0, &mut attachments).map(Json::from_written));
    match detached.collect() {
        Ok(args) => (Cow::Owned(args), attachments),
        Err(Invalid) => (Cow::Borrowed(args), Vec::new()),
    }
}

fn detach_text(text: &str, depth: usize, attachments: &mut Vec<Vec<u8>>) -> Result<String, Invalid> {
    rewrite(text, depth, &mut |text, depth| {
        let Some((dollars, value, length)) = look_alike(text) else { return Ok(None) };
        if dollars > 1 {
            let value = detach_text(value, depth + 1, attachments)?;
            return Ok(Some((length, wrapped(dollars - 1, &value))));
        }
        let base64: Option<String> = serde_json::from_str(value).ok();
        let Some(data) = base64.and_then(|text| LENIENT.decode(text).ok()) else { return Ok(None) };
        attachments.push(data);
        Ok(Some((length, format!("{{\"_placeholder\":true,\"num\":{}}}", attachments.len() - 1))))
    })
}
