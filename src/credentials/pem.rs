//! Public keys in PEM files (RFC 7468): `PUBLIC KEY`, `RSA PUBLIC KEY`, `CERTIFICATE`.

use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::Oid;
use x509_parser::oid_registry::{OID_EC_P256, OID_NIST_EC_P384, OID_SIG_ED25519};
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::{PublicKey, RSAPublicKey};
use x509_parser::x509::SubjectPublicKeyInfo;

use super::algorithm::Kind;
use super::key::Key;

/// Reads every public key of a PEM text. The error is what is wrong.
pub(super) fn read(text: &[u8]) -> Result<Vec<Key>, String> {
    let mut keys = Vec::new();
    for block in Pem::iter_from_buffer(text) {
        let block = block.map_err(|_| "it is not PEM".to_owned())?;
        let der = &block.contents;
        let key = match block.label.as_str() {
            "PUBLIC KEY" => SubjectPublicKeyInfo::from_der(der).ok().map(|(_, info)| public(&info)),
            "CERTIFICATE" => X509Certificate::from_der(der).ok().map(|(_, it)| public(it.public_key())),
            "RSA PUBLIC KEY" => {
                RSAPublicKey::from_der(der).ok().map(|(_, key)| Key::rsa(key.modulus, key.exponent))
            }
            label if label.ends_with("PRIVATE KEY") => return Err("it holds a private key".to_owned()),
            _ => continue,
        };
        let broken = || format!("its {} cannot be read", block.label);
        keys.push(key.ok_or_else(broken)?.map_err(|wrong| format!("it holds {wrong}"))?);
    }
    if keys.is_empty() { Err("it holds no public key".to_owned()) } else { Ok(keys) }
}

fn public(info: &SubjectPublicKeyInfo<'_>) -> Result<Key, &'static str> {
    let algorithm = &info.algorithm;
    if algorithm.algorithm == OID_SIG_ED25519 {
        return Key::ed25519(&info.subject_public_key.data);
    }
    match info.parsed() {
        Ok(PublicKey::RSA(key)) => Key::rsa(key.modulus, key.exponent),
        Ok(PublicKey::EC(point)) => {
            let curve = algorithm.parameters.as_ref().and_then(|curve| Oid::try_from(curve).ok());
            let kind = match curve {
                Some(curve) if curve == OID_EC_P256 => Kind::P256,
                Some(curve) if curve == OID_NIST_EC_P384 => Kind::P384,
                _ => return Err("an EC key that is neither on P-256 nor on P-384"),
            };
            Key::elliptic(kind, point.data())
        }
        _ => Err("a key that is neither RSA, EC nor Ed25519"),
    }
}
