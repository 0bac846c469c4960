//! A certificate with its key, as its files hold them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{ASN1Time, FromDer, GeneralName, X509Certificate};

/// Largest file that is read.
const MAX_BYTES: u64 = 1 << 20;

/// Where a certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
}

/// The bytes of both.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) cert: Vec<u8>,
    pub(super) key: Vec<u8>,
}

/// Why a certificate cannot be used: which of the two files, what is wrong with it, what would be right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unusable {
    /// `cert` or `key`.
    pub(super) file: &'static str,
    pub(super) wrong: String,
    pub(super) right: &'static str,
}

/// A certificate that can be used.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    /// DNS names that it is for, in lower case; `*.` at the begin is a wildcard.
    pub(super) names: Vec<String>,
    validity: Validity,
}

/// From when to when a chain is valid, in seconds since 1970.
#[derive(Debug, Clone, Copy)]
struct Validity {
    from: i64,
    to: i64,
}

impl Files {
    /// Reads both.
    pub(super) fn read(&self) -> Result<Pair, Unusable> {
        let of = |path: &Path, file, right| {
            read(path).map_err(|error| Unusable {
                file,
                wrong: format!("`{}` cannot be read: {error}", path.display()),
                right,
            })
        };
        Ok(Pair {
            cert: of(&self.cert, "cert", "name a PEM file with the certificate and its chain")?,
            key: of(&self.key, "key", "name a PEM file with the private key")?,
        })
    }
}

/// Reads a file of ordinary size.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, MAX_BYTES + 1), &mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(bytes)
}

impl Certificate {
    /// Makes a certificate of a pair: both can be read, and belong together.
    pub(super) fn new(pair: &Pair, provider: &CryptoProvider) -> Result<Certificate, Unusable> {
        let of_cert = |wrong: String| Unusable {
            file: "cert",
            wrong,
            right: "it begins with -----BEGIN CERTIFICATE-----, the server's own first",
        };
        let of_key = |wrong: String| Unusable {
            file: "key",
            wrong,
            right: "it begins with -----BEGIN PRIVATE KEY-----, unencrypted",
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pair.cert)
            .collect::<Result<_, _>>()
            .map_err(|error| of_cert(format!("this is no PEM file: {error}")))?;
        if chain.is_empty() {
            return Err(of_cert("there is no certificate in the file".to_owned()));
        }
        let (names, validity) = describe(&chain).map_err(of_cert)?;
        let key = PrivateKeyDer::from_pem_slice(&pair.key).map_err(|error| {
            of_key(match error {
                pem::Error::NoItemsFound => "there is no private key in the file".to_owned(),
                error => format!("this is no PEM file: {error}"),
            })
        })?;
        let key = provider
            .key_provider
            .load_private_key(key)
            .map_err(|error| of_key(format!("this private key cannot be used: {error}")))?;
        let key = CertifiedKey::new(chain, key);
        key.keys_match().map_err(|_| Unusable {
            file: "key",
            wrong: "this is not the key of the certificate".to_owned(),
            right: "name the key that the certificate was made for",
        })?;
        Ok(Certificate { key: Arc::new(key), names, validity })
    }

    /// What is wrong with the certificate's time, if now is not in it.
    pub(super) fn untimely(&self) -> Option<Unusable> {
        let now = now();
        let wrong = if now > self.validity.to {
            format!("it expired on {}", date(self.validity.to))
        } else if now < self.validity.from {
            format!("it is valid only from {} on", date(self.validity.from))
        } else {
            return None;
        };
        Some(Unusable { file: "cert", wrong, right: "get a new certificate, and look at the clock" })
    }

    /// Days until it expires; negative afterwards.
    pub(super) fn days_left(&self) -> f64 {
        (self.validity.to - now()) as f64 / 86_400.0
    }
}

/// The names of the first certificate, and the time in which all of the chain are valid.
fn describe(chain: &[CertificateDer<'_>]) -> Result<(Vec<String>, Validity), String> {
    let mut names = Vec::new();
    let mut validity = Validity { from: i64::MIN, to: i64::MAX };
    for (index, der) in chain.iter().enumerate() {
        let (_, certificate) = X509Certificate::from_der(der)
            .map_err(|_| format!("the certificate at place {} is none of X.509", index + 1))?;
        validity.from = validity.from.max(certificate.validity().not_before.timestamp());
        validity.to = validity.to.min(certificate.validity().not_after.timestamp());
        if index == 0
            && let Ok(Some(alternative)) = certificate.subject_alternative_name()
        {
            names.extend(alternative.value.general_names.iter().filter_map(|name| match name {
                GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
                _ => None,
            }));
        }
    }
    Ok((names, validity))
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// `2026-11-01`.
fn date(timestamp: i64) -> String {
    let Ok(time) = ASN1Time::from_timestamp(timestamp) else { return format!("second {timestamp}") };
    let time = time.to_datetime();
    format!("{:04}-{:02}-{:02}", time.year(), u8::from(time.month()), time.day())
}
