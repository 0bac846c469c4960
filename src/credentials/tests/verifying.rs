//! Which tokens are good: every algorithm with every key, every claim at its edges.

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256};

use super::*;
use crate::credentials::key::KeySet;
use crate::credentials::verifier::{Keys, Wrong};

const ALL: [Algorithm; 12] = [
    Algorithm::HS256,
    Algorithm::HS384,
    Algorithm::HS512,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// A key pair: what signs, the public key's PEM, the algorithms that it is for.
struct Pair {
    signs: EncodingKey,
    pem: String,
    algorithms: &'static [Algorithm],
}

fn pairs() -> Vec<Pair> {
    let pair = |of: &'static rcgen::SignatureAlgorithm,
                signs: fn(&[u8]) -> jsonwebtoken::errors::Result<EncodingKey>,
                algorithms: &'static [Algorithm]| {
        let pair = KeyPair::generate_for(of).unwrap();
        let signs = signs(pair.serialize_pem().as_bytes()).unwrap();
        Pair { signs, pem: pair.public_key_pem(), algorithms }
    };
    vec![
        pair(&PKCS_RSA_SHA256, EncodingKey::from_rsa_pem, &ALL[3..9]),
        pair(&PKCS_ECDSA_P256_SHA256, EncodingKey::from_ec_pem, &ALL[9..10]),
        pair(&PKCS_ECDSA_P384_SHA384, EncodingKey::from_ec_pem, &ALL[10..11]),
        pair(&PKCS_ED25519, EncodingKey::from_ed_pem, &ALL[11..]),
    ]
}

/// A verifier that lets every algorithm through to its keys.
fn verifier(pem: &str) -> (Verifier, KeySet) {
    let algorithms: Vec<String> = ALL[..3].iter().map(|algorithm| format!("{algorithm:?}")).collect();
    let file: file::Jwt =
        serde_json::from_value(json!({"secret": "unused", "algorithms": algorithms})).unwrap();
    let mut verifier = Verifier::build(&file, &mut Problems::default());
    verifier.algorithms = ALL.to_vec();
    (verifier, KeySet(pem::read(pem.as_bytes()).unwrap()))
}

fn name(algorithm: Algorithm) -> String {
    format!("{algorithm:?}")
}

#[test]
fn a_key_verifies_its_own_algorithms_and_no_other() {
    let pairs = pairs();
    let mut good = 0;
    for key in &pairs {
        let (verifier, keys) = verifier(&key.pem);
        for signer in &pairs {
            for algorithm in signer.algorithms {
                for said in ALL {
                    let token = signed(&json!({"alg": name(said)}), &json!({}), &signer.signs, *algorithm);
                    let right = std::ptr::eq(key, signer) && said == *algorithm;
                    let verdict = verifier.judge(&token, &keys, now());
                    assert_eq!(verdict.is_ok(), right, "{said:?}, signed by {algorithm:?}");
                    good += usize::from(right);
                }
            }
        }
    }
    assert_eq!(good, 9);
}

/// RFC 8725 2.1: whoever takes the public key for a secret can sign what he likes.
#[test]
fn a_public_key_is_never_the_secret_of_an_hmac() {
    for pair in pairs() {
        let (verifier, keys) = verifier(&pair.pem);
        let der = pair.pem.lines().filter(|line| !line.starts_with("--")).collect::<String>();
        let trimmed = pair.pem.trim_end();
        for secret in [pair.pem.as_bytes(), trimmed.as_bytes(), der.as_bytes()] {
            for algorithm in &ALL[..3] {
                let key = EncodingKey::from_secret(secret);
                let token = signed(&json!({"alg": name(*algorithm)}), &json!({}), &key, *algorithm);
                assert!(verifier.judge(&token, &keys, now()).is_err(), "{algorithm:?}");
            }
        }
    }
}

#[test]
fn an_algorithm_that_is_not_listed_is_refused_though_the_key_fits() {
    let credentials = credentials(&format!("jwt: {{secret: {SECRET}, algorithms: [HS512]}}"));
    let verifier = credentials.verifier.as_ref().unwrap();
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    for (algorithm, good) in [(Algorithm::HS256, false), (Algorithm::HS384, false), (Algorithm::HS512, true)]
    {
        let token = signed(&json!({"alg": name(algorithm)}), &json!({}), &key, algorithm);
        assert_eq!(at_once(verifier.verify(&token)).is_ok(), good, "{algorithm:?}");
    }
}

#[test]
fn tokens_that_are_none_are_refused() {
    let credentials = credentials(&format!("jwt: {{secret: {SECRET}, algorithms: [HS256]}}"));
    let verifier = credentials.verifier.as_ref().unwrap();
    let good = token(&json!({"sub": "u"}));
    assert!(at_once(verifier.verify(&good)).is_ok());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (head, payload) = message.split_once('.').unwrap();
    let mut bad = vec![
        String::new(),
        ".".into(),
        "..".into(),
        message.into(),
        format!("{message}."),
        format!("{good}."),
        format!("{good}.x"),
        format!("{head}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{good}="),
        format!("{head}.{payload}x.{signature}"),
        format!("{head}.{}.{signature}", base64(r#"{"sub":"v"}"#)),
        format!("{message}.{}", &signature[1..]),
        format!("{}.{payload}.{signature}", base64("{}")),
        format!("{}.{payload}.{signature}", base64("[]")),
        "x".repeat(20_000),
    ];
    for none in ["none", "None", "NONE", "nOnE", "", "HS256 ", "hs256", "HS1", "null"] {
        let header = base64(json!({"alg": none}).to_string());
        bad.extend([format!("{header}.{payload}."), format!("{header}.{payload}.{signature}")]);
    }
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    for header in [
        json!({"alg": null}),
        json!({"alg": ["HS256"]}),
        json!({"alg": "HS256", "crit": ["exp"]}),
        json!({"alg": "HS256", "kid": 5}),
    ] {
        bad.push(signed(&header, &json!({}), &key, Algorithm::HS256));
    }
    let twice = base64(r#"{"alg":"none","alg":"HS256"}"#);
    bad.push(format!("{twice}.{payload}.{signature}"));
    for claims in [json!([]), json!("x"), json!(null)] {
        bad.push(token(&claims));
    }
    for token in bad {
        let verdict = at_once(verifier.verify(&token));
        assert_eq!(verdict.err(), Some(Refusal::Invalid), "{}", &token[..token.len().min(80)]);
    }
}

fn verdict(config: &str, claims: &Value) -> Option<Refusal> {
    let credentials = credentials(&format!("jwt: {{secret: {SECRET}, algorithms: HS256, {config}}}"));
    let verifier = credentials.verifier.as_ref().unwrap();
    let Keys::Known(keys) = &verifier.keys else { panic!("keys of a config") };
    match verifier.judge(&token(claims), keys, now()) {
        Ok(_) => None,
        Err(Wrong::Refused(refusal, _)) => Some(refusal),
        Err(Wrong::UnknownKey) => panic!("the key is known"),
    }
}

#[test]
fn times_count_with_their_leeway() {
    let now = 1_800_000_000_i64;
    for (claims, expected) in [
        (json!({}), None),
        (json!({"exp": now + 1}), None),
        (json!({"exp": now - 4}), None),
        (json!({"exp": now - 5}), Some(Refusal::Expired)),
        (json!({"exp": now as f64 - 4.5}), None),
        (json!({"exp": -1}), Some(Refusal::Expired)),
        (json!({"exp": 0}), Some(Refusal::Expired)),
        (json!({"exp": 1e300}), None),
        (json!({"exp": null}), None),
        (json!({"exp": (now + 9).to_string()}), Some(Refusal::Invalid)),
        (json!({"exp": [now + 9]}), Some(Refusal::Invalid)),
        (json!({"exp": true}), Some(Refusal::Invalid)),
        (json!({"nbf": now + 5}), None),
        (json!({"nbf": now + 6}), Some(Refusal::Invalid)),
        (json!({"nbf": "soon"}), Some(Refusal::Invalid)),
        (json!({"nbf": now + 6, "exp": now - 5}), Some(Refusal::Invalid)),
    ] {
        assert_eq!(verdict("leeway: 5s", &claims), expected, "{claims}");
    }
    assert_eq!(verdict("leeway: 0s", &json!({"exp": now})), Some(Refusal::Expired));
    assert_eq!(
        verdict("issuer: x", &json!({"exp": 1})),
        Some(Refusal::Invalid),
        "not ours in the first place"
    );
}

#[test]
fn issuer_and_audience_must_be_there_and_ours() {
    for (config, claims, good) in [
        ("issuer: a", json!({"iss": "a"}), true),
        ("issuer: a", json!({"iss": "b"}), false),
        ("issuer: a", json!({"iss": "a/"}), false),
        ("issuer: a", json!({"iss": ["a"]}), false),
        ("issuer: a", json!({}), false),
        ("issuer: [a, b]", json!({"iss": "b"}), true),
        ("audience: a", json!({"aud": "a"}), true),
        ("audience: a", json!({"aud": ["b", "a"]}), true),
        ("audience: [a, c]", json!({"aud": ["b", "c"]}), true),
        ("audience: a", json!({"aud": ["b", 1]}), false),
        ("audience: a", json!({"aud": {"a": 1}}), false),
        ("audience: a", json!({"aud": []}), false),
        ("audience: a", json!({}), false),
        ("leeway: 1s", json!({"iss": "x", "aud": "y"}), true),
    ] {
        assert_eq!(verdict(config, &claims).is_none(), good, "{config} {claims}");
    }
}

#[test]
fn of_a_claim_that_stands_twice_the_last_counts_everywhere() {
    let message = format!("{}.{}", base64(r#"{"alg":"HS256"}"#), base64(r#"{"sub":"first","sub":"last"}"#));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    let credentials = credentials(&format!("jwt: {{secret: {SECRET}, algorithms: HS256}}"));
    let authorization = headers(&[("authorization", &format!("Bearer {message}.{signature}"))]);
    let grant = at_once(credentials.admit(&authorization, &[], &Json::from_static("{}"))).unwrap();
    assert_eq!((grant.subject(), grant.claims().as_str()), (Some("last"), r#"{"sub":"last"}"#));
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

#[test]
fn keys_come_from_pem_files_alone_or_several() {
    let pairs = pairs();
    let all: String = pairs.iter().map(|pair| format!("a comment\n{}", pair.pem)).collect();
    let certificate = {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let pem = rcgen::CertificateParams::default().self_signed(&pair).unwrap().pem();
        (EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap(), pem)
    };
    let file = file(&format!("{all}{}", certificate.1));
    let path = file.path().display();
    let credentials =
        credentials(&format!("jwt: {{public_key_file: {path}, algorithms: [RS256, ES256, EdDSA]}}"));
    let verify = |key: &EncodingKey, algorithm: Algorithm| {
        let token = signed(&json!({"alg": name(algorithm)}), &json!({}), key, algorithm);
        at_once(credentials.verifier.as_ref().unwrap().verify(&token)).is_ok()
    };
    assert!(verify(&pairs[0].signs, Algorithm::RS256));
    assert!(verify(&pairs[1].signs, Algorithm::ES256));
    assert!(verify(&certificate.0, Algorithm::ES256), "a certificate holds a key too");
    assert!(verify(&pairs[3].signs, Algorithm::EdDSA));
    assert!(!verify(&pairs[2].signs, Algorithm::ES384), "the file has the key, the list not the algorithm");
}

#[test]
fn files_without_a_public_key_are_problems() {
    let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    for (text, wrong) in [
        (String::new(), "it holds no public key"),
        ("no PEM at all".to_owned(), "it holds no public key"),
        (pair.serialize_pem(), "it holds a private key"),
        (
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".to_owned(),
            "its PUBLIC KEY cannot be read",
        ),
        (pair.public_key_pem().replace("-----END", "-END"), "it is not PEM"),
    ] {
        let file = file(&text);
        let path = file.path().display();
        let (_, problems) = build(&format!("jwt: {{public_key_file: {path}, algorithms: EdDSA}}"));
        let right = "a PEM file with the public key that your tokens are verified with";
        let expected = format!("credentials.jwt.public_key_file: `{path}` is no use: {wrong}; {right}");
        assert_eq!(problems, [expected]);
    }
}
