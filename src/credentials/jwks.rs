//! JSON Web Key Sets (RFC 7517) as issuers publish them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::algorithm::{self, Kind};
use super::key::{Key, KeySet};

/// Keys that a set may have.
const MAX_KEYS: usize = 100;

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// Reads the keys of a set that verify signatures; others are passed over, as RFC 7517 5 wants it. A set
/// without any is an error, and so is one that is too large.
pub(super) fn parse(text: &[u8]) -> Result<KeySet, String> {
    let document: Document =
        serde_json::from_slice(text).map_err(|error| format!("it is no JSON Web Key Set: {error}"))?;
    if document.keys.len() > MAX_KEYS {
        return Err(format!("it has more than {MAX_KEYS} keys"));
    }
    let keys: Vec<Key> = document.keys.iter().filter_map(|key| self::key(key.as_object()?)).collect();
    if keys.is_empty() { Err("it has no key that verifies signatures".to_owned()) } else { Ok(KeySet(keys)) }
}

fn key(jwk: &Map<String, Value>) -> Option<Key> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?.trim_end_matches('=')).ok();
    if text("use").is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let operations = jwk.get("key_ops").and_then(Value::as_array);
    if operations.is_some_and(|list| !list.iter().any(|operation| operation == "verify")) {
        return None;
    }
    // What is secret (`oct`) is no secret any more when it stands at a URL.
    let mut key = match (text("kty")?, text("crv")) {
        ("RSA", _) => Key::rsa(&bytes("n")?, &bytes("e")?),
        ("EC", Some("P-256")) => Key::elliptic(Kind::P256, &point(32, &bytes("x")?, &bytes("y")?)?),
        ("EC", Some("P-384")) => Key::elliptic(Kind::P384, &point(48, &bytes("x")?, &bytes("y")?)?),
        ("OKP", Some("Ed25519")) => Key::ed25519(&bytes("x")?),
        _ => return None,
    }
    .ok()?;
    if let Some(name) = text("alg") {
        key.algorithm = Some(algorithm::parse(name).filter(|algorithm| key.kind.fits(*algorithm))?);
    }
    key.id = text("kid").map(str::to_owned);
    Some(key)
}

/// An uncompressed point; some issuers leave out a coordinate's leading zeros.
fn point(length: usize, x: &[u8], y: &[u8]) -> Option<Vec<u8>> {
    let mut point = vec![4];
    for coordinate in [x, y] {
        point.resize(point.len() + length.checked_sub(coordinate.len())?, 0);
        point.extend_from_slice(coordinate);
    }
    Some(point)
}
