//! Which keys of a JSON Web Key Set are taken, and which of them a token is held against.

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::RSAPublicKey;

use super::*;
use crate::credentials::key::{Answer, KeySet};

fn pair(of: &'static rcgen::SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(of).unwrap()
}

/// A public key as issuers publish it.
fn jwk(pair: &KeyPair, more: Value) -> Value {
    let raw = pair.public_key_raw();
    let mut jwk = match raw.len() {
        32 => json!({"kty": "OKP", "crv": "Ed25519", "x": base64(raw)}),
        65 => json!({"kty": "EC", "crv": "P-256", "x": base64(&raw[1..33]), "y": base64(&raw[33..])}),
        97 => json!({"kty": "EC", "crv": "P-384", "x": base64(&raw[1..49]), "y": base64(&raw[49..])}),
        _ => {
            let (_, key) = RSAPublicKey::from_der(raw).unwrap();
            json!({"kty": "RSA", "n": base64(key.modulus), "e": base64(key.exponent)})
        }
    };
    jwk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    jwk
}

fn set(keys: &[Value]) -> Result<KeySet, String> {
    jwks::parse(json!({"keys": keys}).to_string().as_bytes())
}

fn answer(keys: &KeySet, pair: &KeyPair, algorithm: Algorithm, id: Option<&str>) -> Answer {
    let pem = pair.serialize_pem();
    let key = match algorithm {
        Algorithm::RS256 | Algorithm::PS256 => EncodingKey::from_rsa_pem(pem.as_bytes()),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(pem.as_bytes()),
        _ => EncodingKey::from_ec_pem(pem.as_bytes()),
    };
    let signature = jsonwebtoken::crypto::sign(b"message", &key.unwrap(), algorithm).unwrap();
    keys.verify(algorithm, id, b"message", &signature)
}

#[test]
fn every_kind_of_key_verifies() {
    for (of, algorithm) in [
        (&PKCS_RSA_SHA256, Algorithm::RS256),
        (&PKCS_RSA_SHA256, Algorithm::PS256),
        (&PKCS_ECDSA_P256_SHA256, Algorithm::ES256),
        (&PKCS_ECDSA_P384_SHA384, Algorithm::ES384),
        (&PKCS_ED25519, Algorithm::EdDSA),
    ] {
        let pair = pair(of);
        let keys = set(&[jwk(
            &pair,
            json!({"kid": "a", "use": "sig", "x5c": ["MII"], "exp": 1.5, "nested": {"a": [1]}}),
        )]);
        assert_eq!(answer(&keys.unwrap(), &pair, algorithm, Some("a")), Answer::Verified, "{algorithm:?}");
    }
}

#[test]
fn the_key_is_the_one_that_the_token_names() {
    let (a, b) = (pair(&PKCS_ECDSA_P256_SHA256), pair(&PKCS_ECDSA_P256_SHA256));
    let keys = set(&[jwk(&a, json!({"kid": "a"})), jwk(&b, json!({"kid": "b"}))]).unwrap();
    let answer = |pair, id| answer(&keys, pair, Algorithm::ES256, id);
    assert_eq!(answer(&a, Some("a")), Answer::Verified);
    assert_eq!(answer(&b, Some("a")), Answer::Refused, "its own word is not taken for it");
    assert_eq!(answer(&b, Some("c")), Answer::UnknownKey);
    assert_eq!(answer(&b, None), Answer::Verified);
    assert_eq!(answer(&pair(&PKCS_ECDSA_P256_SHA256), None), Answer::UnknownKey);

    let nameless = set(&[jwk(&a, json!({}))]).unwrap();
    assert_eq!(self::answer(&nameless, &a, Algorithm::ES256, Some("x")), Answer::Verified);
    let other = set(&[jwk(&a, json!({"kid": "a", "alg": "RS256"})), jwk(&b, json!({"kid": "b"}))]).unwrap();
    assert_eq!(self::answer(&other, &a, Algorithm::ES256, Some("a")), Answer::UnknownKey);
}

#[test]
fn keys_that_do_not_verify_signatures_are_passed_over() {
    let good = pair(&PKCS_ED25519);
    let skipped = |more: Value| set(&[jwk(&good, more)]).unwrap_err();
    for more in [
        json!({"use": "enc"}),
        json!({"key_ops": ["sign"]}),
        json!({"alg": "HS256"}),
        json!({"alg": "none"}),
        json!({"alg": "RS256"}),
        json!({"kty": "oct", "k": base64("secret")}),
        json!({"kty": "EC"}),
        json!({"crv": "Ed448"}),
        json!({"crv": "X25519"}),
        json!({"x": "!"}),
        json!({"x": base64("short")}),
        json!({"x": 5}),
    ] {
        assert_eq!(skipped(more.clone()), "it has no key that verifies signatures", "{more}");
    }
    let short = json!({"kty": "RSA", "n": base64([255; 128]), "e": "AQAB"});
    let keys = set(&[json!("no key"), short, json!({}), jwk(&good, json!({"key_ops": ["verify"]}))]).unwrap();
    assert_eq!(keys.0.len(), 1);
}

#[test]
fn a_set_that_is_none_or_too_large_is_an_error() {
    for (text, wrong) in [
        ("", "it is no JSON Web Key Set"),
        ("<html>", "it is no JSON Web Key Set"),
        (r#"{"keys":{}}"#, "it is no JSON Web Key Set"),
        (r#"{"keys":[]}"#, "it has no key"),
    ] {
        let error = jwks::parse(text.as_bytes()).unwrap_err();
        assert!(error.starts_with(wrong), "{error}");
    }
    assert_eq!(
        set(&vec![jwk(&pair(&PKCS_ED25519), json!({})); 101]).unwrap_err(),
        "it has more than 100 keys"
    );
}

#[test]
fn a_url_is_checked_without_being_asked() {
    let (_, problems) = build("jwt: {jwks_url: 'https://', algorithms: RS256}");
    assert_eq!(problems.len(), 1, "{problems:?}");
    for (config, wrong) in [
        (
            "jwks_url: 'ftp://a/b', algorithms: RS256",
            "credentials.jwt.jwks_url: `ftp://a/b` is not a URL that begins with https://",
        ),
        (
            "jwks_url: 'http://u:p@a/b', algorithms: RS256",
            "credentials.jwt.jwks_url: `http://u:p@a/b` holds a user name",
        ),
        (
            "jwks_url: 'http://a/b', algorithms: [RS256, HS256]",
            "credentials.jwt.algorithms: HS256 does not fit the key",
        ),
        (
            "jwks_url: 'http://a/b', algorithms: RS256, secret: x",
            "credentials.jwt: there is more than one source of keys",
        ),
        (
            "jwks_url: 'http://a/b', algorithms: RS256, jwks_refresh: 0s",
            "credentials.jwt.jwks_refresh: it is zero",
        ),
        (
            "jwks_url: 'http://a/b', algorithms: RS256, jwks_ca: /dev/null",
            "credentials.jwt.jwks_ca: `jwks_url` does not begin with https://",
        ),
        (
            "jwks_url: 'https://a/b', algorithms: RS256, jwks_ca: /nowhere",
            "credentials.jwt.jwks_ca: cannot be read: No such file",
        ),
        (
            "jwks_url: 'https://a/b', algorithms: RS256, jwks_ca: /dev/null",
            "credentials.jwt.jwks_ca: holds no certificate",
        ),
        (
            "secret: x, algorithms: HS256, jwks_refresh: 1s",
            "credentials.jwt.jwks_refresh: means nothing without `jwks_url`",
        ),
    ] {
        let (_, problems) = build(&format!("jwt: {{{config}}}"));
        assert!(problems.len() == 1 && problems[0].starts_with(wrong), "{config}: {problems:?}");
    }
}

#[test]
fn a_reload_keeps_the_keys_of_a_url_that_stays() {
    let issuer = |config: &str| credentials(&format!("jwt: {{{config}, algorithms: RS256}}"));
    let same = |one: &Credentials, other: &Credentials| match [one, other]
        .map(|it| &it.verifier.as_ref().unwrap().keys)
    {
        [verifier::Keys::Fetched(one), verifier::Keys::Fetched(other)] => {
            std::sync::Arc::ptr_eq(&one.load(), &other.load())
        }
        _ => panic!("keys behind a URL"),
    };
    let old = issuer("jwks_url: 'http://a/keys', issuer: x");
    for (config, stays) in [
        ("jwks_url: 'http://a/keys', issuer: y", true),
        ("jwks_url: 'http://a/other', issuer: x", false),
        ("jwks_url: 'http://a/keys', jwks_refresh: 1m", false),
    ] {
        let new = issuer(config);
        new.adopt(&old);
        assert_eq!(same(&old, &new), stays, "{config}");
    }
}
