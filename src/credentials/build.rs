//! Compiling `credentials.jwt`.

use arc_swap::ArcSwap;

use super::algorithm::{self, Algorithm, Kind};
use super::claims::Demands;
use super::issuer::Issuer;
use super::key::{Key, KeySet};
use super::pem;
use super::verifier::{Keys, Verifier};
use crate::config::{Problems, defaults, file, value::OneOrMany};

/// The sources of keys, one of which is to be written.
const SOURCES: &str = "`secret`, `public_key_file` and `jwks_url`";

impl Verifier {
    /// Compiles `credentials.jwt`. A public key's file is read; no URL is asked.
    pub(super) fn build(file: &file::Jwt, problems: &mut Problems) -> Verifier {
        let algorithms = algorithms(&file.algorithms, problems);
        let keys = keys(file, problems);
        check_fit(&algorithms, &keys, problems);
        let mut texts = |name: &str, list: &OneOrMany<String>| {
            if list.0.iter().any(String::is_empty) {
                problems.add(
                    format!("credentials.jwt.{name}"),
                    "is empty",
                    "what tokens say, or no such key",
                );
            }
            list.0.clone()
        };
        let demands = Demands {
            issuers: texts("issuer", &file.issuer),
            audiences: texts("audience", &file.audience),
            leeway: file.leeway.map_or(defaults::JWT_LEEWAY, |leeway| leeway.0),
        };
        let max_token = file.max_token.map_or(defaults::JWT_MAX_TOKEN, |size| size.0);
        Verifier { max_token, algorithms, demands, keys }
    }
}

fn algorithms(written: &OneOrMany<String>, problems: &mut Problems) -> Vec<Algorithm> {
    let mut problem = |wrong: String, right: String| problems.add("credentials.jwt.algorithms", wrong, right);
    if written.0.is_empty() {
        let right = format!("name those that your tokens are signed with: {}", algorithm::KNOWN);
        problem("there is none".to_owned(), right);
    }
    let mut known = Vec::new();
    for name in &written.0 {
        match algorithm::parse(name) {
            Some(algorithm) => known.push(algorithm),
            None if name.eq_ignore_ascii_case("none") => {
                problem("a token without a signature is nobody's".to_owned(), "leave it out".to_owned());
            }
            None => problem(format!("`{name}` is no algorithm"), format!("write {}", algorithm::KNOWN)),
        }
    }
    known
}

fn keys(file: &file::Jwt, problems: &mut Problems) -> Keys {
    let nothing = || Keys::Known(KeySet(Vec::new()));
    let jwt = "credentials.jwt";
    if file.jwks_url.is_none() {
        let alone = [
            ("jwks_ca", file.jwks_ca.is_some()),
            ("jwks_refresh", file.jwks_refresh.is_some()),
            ("jwks_cooldown", file.jwks_cooldown.is_some()),
            ("jwks_timeout", file.jwks_timeout.is_some()),
        ];
        for (name, _) in alone.iter().filter(|(_, written)| *written) {
            problems.add(format!("{jwt}.{name}"), "means nothing without `jwks_url`", "leave it out");
        }
    }
    match (&file.secret, &file.public_key_file, &file.jwks_url) {
        (Some(secret), None, None) => {
            if secret.is_empty() {
                let right = "the secret that your tokens are signed with";
                problems.add(format!("{jwt}.secret"), "is empty", right);
            }
            Keys::Known(KeySet(vec![Key::secret(secret.as_bytes())]))
        }
        (None, Some(path), None) => Keys::Known(KeySet(of_file(path, problems))),
        (None, None, Some(url)) => Issuer::build(url, file, problems)
            .map_or_else(nothing, |issuer| Keys::Fetched(ArcSwap::new(issuer))),
        (None, None, None) => {
            problems.add(jwt, "there is no key to verify with", format!("add one of {SOURCES}"));
            nothing()
        }
        _ => {
            let wrong = "there is more than one source of keys";
            problems.add(jwt, wrong, format!("keep one of {SOURCES}"));
            nothing()
        }
    }
}

fn of_file(path: &str, problems: &mut Problems) -> Vec<Key> {
    let read = std::fs::read(path).map_err(|error| format!("`{path}` cannot be read: {error}"));
    let keys = read.and_then(|text| pem::read(&text).map_err(|wrong| format!("`{path}` is no use: {wrong}")));
    keys.unwrap_or_else(|wrong| {
        let right = "a PEM file with the public key that your tokens are verified with";
        problems.add("credentials.jwt.public_key_file", wrong, right);
        Vec::new()
    })
}

/// Every algorithm must have a key that it can be verified with.
fn check_fit(algorithms: &[Algorithm], keys: &Keys, problems: &mut Problems) {
    let kinds: Vec<Kind> = match keys {
        Keys::Known(keys) => keys.0.iter().map(|key| key.kind).collect(),
        // What is published is no secret.
        Keys::Fetched(_) => vec![Kind::Rsa, Kind::P256, Kind::P384, Kind::Ed25519],
    };
    let misfits = algorithms.iter().filter(|algorithm| !kinds.iter().any(|kind| kind.fits(**algorithm)));
    for algorithm in misfits.filter(|_| !kinds.is_empty()) {
        let wrong = format!("{algorithm:?} does not fit the key");
        problems.add("credentials.jwt.algorithms", wrong, fitting(&kinds));
    }
}

/// The algorithms of kinds of keys, for a message.
fn fitting(kinds: &[Kind]) -> String {
    let mut names: Vec<&str> = kinds
        .iter()
        .map(|kind| match kind {
            Kind::Secret => "HS256, HS384 or HS512 for a secret",
            Kind::Rsa => "RS256 to RS512 or PS256 to PS512 for an RSA key",
            Kind::P256 => "ES256 for a key on P-256",
            Kind::P384 => "ES384 for a key on P-384",
            Kind::Ed25519 => "EdDSA for an Ed25519 key",
        })
        .collect();
    names.dedup();
    names.join(", ")
}
