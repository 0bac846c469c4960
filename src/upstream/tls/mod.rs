//! TLS to an upstream: whom to trust, who we are, which name to ask for.

use std::sync::{Arc, LazyLock};

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

mod verify;

use self::verify::{Judge, Verifier};
use crate::config::{Problems, file};

/// TLS to the endpoints of one upstream.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    /// Offers HTTP/2 and HTTP/1.1.
    pub(super) any: Arc<ClientConfig>,
    /// Offers HTTP/1.1 alone: what an upgrade needs.
    pub(super) http1: Arc<ClientConfig>,
    /// In place of the endpoint's host.
    pub(super) server_name: Option<ServerName<'static>>,
}

/// What the files named in a `tls` section held, so that a reload sees whether they changed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Material {
    ca: Option<Vec<u8>>,
    cert: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
}

/// What is wrong: the key below `tls`, what it is, and what would be right.
type Wrong = (&'static str, String, &'static str);

impl Tls {
    /// Compiles the `tls` section at `key`, which may be absent; `None` where something is wrong.
    pub(super) fn build(
        key: &str,
        raw: Option<&file::UpstreamTls>,
        problems: &mut Problems,
    ) -> (Option<Tls>, Material) {
        let absent = file::UpstreamTls::default();
        let raw = raw.unwrap_or(&absent);
        let mut material = Material::default();
        let built = material.read(raw).and_then(|()| compile(raw, &material));
        let built = built.map_err(|(below, wrong, right)| {
            let key = if below.is_empty() { key.to_owned() } else { format!("{key}.{below}") };
            problems.add(key, wrong, right);
        });
        (built.ok(), material)
    }
}

impl Material {
    fn read(&mut self, raw: &file::UpstreamTls) -> Result<(), Wrong> {
        self.ca = read("ca", raw.ca.as_deref())?;
        self.cert = read("cert", raw.cert.as_deref())?;
        self.key = read("key", raw.key.as_deref())?;
        Ok(())
    }
}

fn read(key: &'static str, path: Option<&str>) -> Result<Option<Vec<u8>>, Wrong> {
    let Some(path) = path else { return Ok(None) };
    let wrong =
        |error| (key, format!("`{path}` cannot be read: {error}"), "name a PEM file that frontroom may read");
    std::fs::read(path).map(Some).map_err(wrong)
}

fn compile(raw: &file::UpstreamTls, material: &Material) -> Result<Tls, Wrong> {
    if raw.insecure && raw.ca.is_some() {
        let wrong = "`insecure` verifies nothing, so that `ca` has no use".to_owned();
        return Err(("insecure", wrong, "drop one of the two"));
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let other = |error: rustls::Error| ("", error.to_string(), "see the message");
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.map_err(other)?;
    let verifier = Verifier::new(judge(raw, material, &provider)?, &provider);
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let config = match identity(raw, material, &provider)? {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|error| {
            ("key", format!("does not go with `cert`: {error}"), "name the private key of the certificate")
        })?,
        None => builder.with_no_client_auth(),
    };
    let server_name = raw.server_name.as_ref().map(|name| {
        ServerName::try_from(name.clone()).map_err(|_| {
            ("server_name", format!("`{name}` is no host's name"), "write it as api.example.com")
        })
    });
    let (mut any, mut http1) = (config.clone(), config);
    any.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    http1.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Tls { any: Arc::new(any), http1: Arc::new(http1), server_name: server_name.transpose()? })
}

/// Who judges the upstream's certificate.
fn judge(
    raw: &file::UpstreamTls,
    material: &Material,
    provider: &Arc<CryptoProvider>,
) -> Result<Judge, Wrong> {
    if raw.insecure {
        return Ok(Judge::Nobody);
    }
    let (store, listed) = match &material.ca {
        None => (system()?, Vec::new()),
        Some(pem) => {
            let listed = certificates("ca", raw.ca.as_deref().unwrap_or_default(), pem)?;
            (authorities(raw, &listed)?, listed)
        }
    };
    let known = WebPkiServerVerifier::builder_with_provider(store, Arc::clone(provider)).build();
    let known = known.map_err(|error| ("ca", error.to_string(), "see the message"))?;
    Ok(Judge::Authorities { known, listed })
}

fn authorities(
    raw: &file::UpstreamTls,
    listed: &[CertificateDer<'static>],
) -> Result<Arc<RootCertStore>, Wrong> {
    let path = raw.ca.as_deref().unwrap_or_default();
    let mut store = RootCertStore::empty();
    for certificate in listed {
        store.add(certificate.clone()).map_err(|error| {
            (
                "ca",
                format!("`{path}` holds a certificate that is no authority's: {error}"),
                "name the CA's file",
            )
        })?;
    }
    Ok(Arc::new(store))
}

/// The authorities that the system trusts, read once.
fn system() -> Result<Arc<RootCertStore>, Wrong> {
    static STORE: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(store)
    });
    if STORE.is_empty() {
        let wrong = "this system has no certificates of authorities".to_owned();
        return Err(("", wrong, "install them (Debian: ca-certificates), or write `ca`"));
    }
    Ok(Arc::clone(&STORE))
}

fn certificates(key: &'static str, path: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Wrong> {
    let wrong = |what: String| (key, format!("`{path}` {what}"), "name a file with certificates in PEM");
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(wrong("holds no certificate".to_owned())),
        Ok(found) => Ok(found),
        Err(error) => Err(wrong(format!("is not PEM: {error}"))),
    }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Our certificate with its chain, and its key.
fn identity(
    raw: &file::UpstreamTls,
    material: &Material,
    provider: &CryptoProvider,
) -> Result<Option<Identity>, Wrong> {
    let (cert, key) = match (&material.cert, &material.key) {
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(("cert", "there is no `key` to it".to_owned(), "write both or none")),
        (None, Some(_)) => return Err(("key", "there is no `cert` to it".to_owned(), "write both or none")),
        (Some(cert), Some(key)) => (cert, key),
    };
    let chain = certificates("cert", raw.cert.as_deref().unwrap_or_default(), cert)?;
    let path = raw.key.as_deref().unwrap_or_default();
    let wrong = |error: &dyn std::fmt::Display| {
        ("key", format!("`{path}` holds no private key: {error}"), "name a PEM file with an unencrypted key")
    };
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| wrong(&error))?;
    provider.key_provider.load_private_key(key.clone_key()).map_err(|error| wrong(&error))?;
    Ok(Some((chain, key)))
}
