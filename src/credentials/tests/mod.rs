mod headers;
mod paths;
mod sets;
mod tokens;
mod verifying;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::*;
use crate::message::{Fields, Request};

const SECRET: &str = "a secret that is as long as HS256 wants it";

/// The moment at which the tests' tokens are judged.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token with any header, signed by a key with an algorithm that the header need not name.
fn signed(header: &Value, claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// A good token with these claims, for [`SECRET`].
fn token(claims: &Value) -> String {
    signed(&json!({"alg": "HS256"}), claims, &EncodingKey::from_secret(SECRET.as_bytes()), Algorithm::HS256)
}

fn build(yaml: &str) -> (Credentials, Vec<String>) {
    let file: file::Credentials = serde_yaml::from_str(yaml).unwrap();
    let mut problems = Problems::default();
    let credentials = Credentials::build(&file, &mut problems);
    (credentials, problems.into_vec().iter().map(ToString::to_string).collect())
}

/// Credentials without problems.
fn credentials(yaml: &str) -> Credentials {
    let (credentials, problems) = build(yaml);
    assert_eq!(problems, Vec::<String>::new());
    credentials
}

fn headers(pairs: &[(&str, &str)]) -> Fields {
    let mut headers = Fields::new();
    for (name, value) in pairs {
        headers.append(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
    }
    headers
}

/// Runs a future that has nothing to wait for.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    futures_util::FutureExt::now_or_never(future).expect("there is nothing to wait for")
}

/// Judges a request for the upstream: the headers that go on, the client's and ours.
fn judged(credentials: &Credentials, request: Request<()>) -> Result<Fields, Fault> {
    let (mut parts, ()) = request.into_parts();
    let claims = at_once(credentials.judge(&mut parts))?;
    parts.headers.extend(claims);
    Ok(parts.headers)
}
