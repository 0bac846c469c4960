//! Verifying tokens, and compiling `credentials.jwt`.

use std::time::SystemTime;

use super::algorithm::{self, Algorithm, Kind};
use super::claims::{Claims, Demands};
use super::key::{Answer, Key, KeySet};
use super::pem;
use super::refusal::Refusal;
use super::token::Token;
use crate::config::{Problems, defaults, file, value::OneOrMany};

/// Verifies tokens.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) demands: Demands,
    pub(super) keys: KeySet,
}

impl Verifier {
    /// Compiles `credentials.jwt`. A public key's file is read.
    pub(super) fn build(file: &file::Jwt, problems: &mut Problems) -> Verifier {
        let algorithms = algorithms(&file.algorithms, problems);
        let keys = keys(file, problems);
        for algorithm in &algorithms {
            if !keys.0.is_empty() && !keys.0.iter().any(|key| key.kind.fits(*algorithm)) {
                problems.add(
                    "credentials.jwt.algorithms",
                    format!("{algorithm:?} does not fit the key"),
                    right(keys.0.iter().map(|key| key.kind)),
                );
            }
        }
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
        Verifier { algorithms, demands, keys }
    }

    /// What a token says, if it is good.
    pub(super) async fn verify(&self, token: &str) -> Result<Claims, Refusal> {
        let verdict = self.judge(token, &self.keys, SystemTime::now());
        verdict.map_err(|(refusal, why)| {
            tracing::debug!(code = refusal.code(), why, "token refused");
            refusal
        })
    }

    /// Judges a token by these keys at this time.
    pub(super) fn judge(
        &self,
        token: &str,
        keys: &KeySet,
        now: SystemTime,
    ) -> Result<Claims, (Refusal, &'static str)> {
        let invalid = |why| (Refusal::Invalid, why);
        let token = Token::read(token).map_err(invalid)?;
        if !self.algorithms.contains(&token.algorithm) {
            return Err(invalid("its algorithm is not one of `algorithms`"));
        }
        let id = token.key_id.as_deref();
        match keys.verify(token.algorithm, id, token.message.as_bytes(), token.signature) {
            Answer::Verified => {}
            Answer::Refused => return Err(invalid("its signature is wrong")),
            Answer::UnknownKey => return Err(invalid("no key has made its signature")),
        }
        let claims = token.claims().map_err(invalid)?;
        self.demands.check(&claims, now)?;
        Ok(claims)
    }
}

fn algorithms(written: &OneOrMany<String>, problems: &mut Problems) -> Vec<Algorithm> {
    let key = "credentials.jwt.algorithms";
    if written.0.is_empty() {
        problems.add(
            key,
            "there is none",
            format!("name those that your tokens are signed with: {}", algorithm::KNOWN),
        );
    }
    let mut known = Vec::new();
    for name in &written.0 {
        match algorithm::parse(name) {
            Some(algorithm) => known.push(algorithm),
            None if name.eq_ignore_ascii_case("none") => {
                problems.add(key, "a token without a signature is nobody's", "leave it out");
            }
            None => {
                problems.add(key, format!("`{name}` is no algorithm"), format!("write {}", algorithm::KNOWN))
            }
        }
    }
    known
}

fn keys(file: &file::Jwt, problems: &mut Problems) -> KeySet {
    let written = [file.secret.is_some(), file.public_key_file.is_some()];
    match written.iter().filter(|written| **written).count() {
        0 => problems.add(
            "credentials.jwt",
            "there is no key to verify with",
            "add `secret` or `public_key_file`",
        ),
        1 => {}
        _ => problems.add(
            "credentials.jwt",
            "there is more than one source of keys",
            "keep one of `secret` and `public_key_file`",
        ),
    }
    if let Some(secret) = &file.secret {
        if secret.is_empty() {
            problems.add("credentials.jwt.secret", "is empty", "the secret that your tokens are signed with");
        }
        return KeySet(vec![Key::secret(secret.as_bytes())]);
    }
    let Some(path) = &file.public_key_file else { return KeySet(Vec::new()) };
    let read = std::fs::read(path).map_err(|error| format!("`{path}` cannot be read: {error}"));
    let keys = read.and_then(|text| pem::read(&text).map_err(|wrong| format!("`{path}` is no use: {wrong}")));
    KeySet(keys.unwrap_or_else(|wrong| {
        let right = "a PEM file with the public key that your tokens are verified with";
        problems.add("credentials.jwt.public_key_file", wrong, right);
        Vec::new()
    }))
}

/// The algorithms of kinds of keys, for a message.
fn right(kinds: impl Iterator<Item = Kind>) -> String {
    let mut names: Vec<&str> = kinds
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
