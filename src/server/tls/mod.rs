//! TLS by rustls: certificates by name, client certificates, session tickets, and files that change.

mod certificate;
mod ciphers;
mod fresh;
mod names;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{Acceptor, NoClientAuth, ProducesTickets, ServerConfig, WebPkiClientVerifier};
use rustls::{CipherSuite, RootCertStore, SupportedProtocolVersion};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::tcp::Tcp;
use crate::config::Problems;
use crate::config::file::{self, MinVersion};
use certificate::{Certificate, Files, Pair, Unusable};
pub use fresh::keep_fresh;
use names::Names;

/// What we speak inside, in order of preference (RFC 7301).
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The newest version alone.
static TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// TLS of a listener.
pub(super) struct Tls {
    source: Source,
    /// The source's files as they were last read, and whether that was of use.
    read: Mutex<(Contents, bool)>,
    current: ArcSwap<Current>,
}

/// Where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    certificates: Vec<Files>,
    client_ca: Option<PathBuf>,
    min_version: MinVersion,
}

/// The bytes of all files.
#[derive(Clone, PartialEq, Eq)]
struct Contents {
    pairs: Vec<Pair>,
    client_ca: Option<Vec<u8>>,
}

/// What handshakes are done with.
struct Current {
    configs: Configs,
    certificates: Vec<Certificate>,
    /// Whose client certificates are believed; tickets are good among those alone.
    client_ca: Option<Vec<u8>>,
    tickets: Arc<dyn ProducesTickets>,
}

/// What differs in nothing but whose order of cipher suites counts.
struct Configs {
    ours: Arc<ServerConfig>,
    clients: Arc<ServerConfig>,
}

/// A key below the listener's `tls`, and what is wrong there.
type Fault = (String, Unusable);

impl Tls {
    /// Compiles `tls`; `key` is its path in the file. None where there were problems.
    pub(super) fn build(key: &str, tls: &file::ListenTls, problems: &mut Problems) -> Option<Tls> {
        let source = Source::of(tls);
        if source.certificates.is_empty() {
            problems.add(
                format!("{key}.certificates"),
                "there is no certificate",
                "write `certificates: [{cert: tls.crt, key: tls.key}]`",
            );
            return None;
        }
        let found = source.read().and_then(|contents| {
            let current = source.compile(&contents, None)?;
            Ok((contents, current))
        });
        let (contents, current) = match found {
            Ok(found) => found,
            Err(faults) => {
                for (below, Unusable { wrong, right, .. }) in faults {
                    problems.add(format!("{key}.{below}"), wrong, right);
                }
                return None;
            }
        };
        for (below, Unusable { wrong, right, .. }) in current.untimely() {
            problems.add_bearable(format!("{key}.{below}"), wrong, right);
        }
        Some(Tls { source, read: Mutex::new((contents, true)), current: ArcSwap::from_pointee(current) })
    }

    /// Does the server's part of a handshake.
    pub(super) async fn accept(&self, tcp: Tcp) -> io::Result<TlsStream<Tcp>> {
        let begun = LazyConfigAcceptor::new(Acceptor::default(), tcp).await?;
        let config = self.current.load().configs.of(begun.client_hello().cipher_suites());
        begun.into_stream(config).await
    }

    /// Takes over what makes `old`'s tickets good, where the same clients are believed.
    pub(super) fn take_over(&self, old: &Tls) {
        let old = old.current.load_full();
        if self.current.load().client_ca != old.client_ca {
            return;
        }
        let contents = self.read.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
        if let Ok(current) = self.source.compile(&contents, Some(&old)) {
            self.current.store(Arc::new(current));
        }
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Source {
    fn of(tls: &file::ListenTls) -> Source {
        let files =
            |file: &file::Certificate| Files { cert: file.cert.clone().into(), key: file.key.clone().into() };
        Source {
            certificates: tls.certificates.0.iter().map(files).collect(),
            client_ca: tls.client_ca.as_ref().map(PathBuf::from),
            min_version: tls.min_version,
        }
    }

    /// All files.
    fn paths(&self) -> impl Iterator<Item = &Path> {
        let certificates = self.certificates.iter().flat_map(|files| [&files.cert, &files.key]);
        certificates.chain(&self.client_ca).map(PathBuf::as_path)
    }

    fn read(&self) -> Result<Contents, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut pairs = Vec::new();
        for (index, files) in self.certificates.iter().enumerate() {
            match files.read() {
                Ok(pair) => pairs.push((index, pair)),
                Err(fault) => faults.push((below(index, &fault), fault)),
            }
        }
        let client_ca =
            self.client_ca.as_deref().map(certificate::read).transpose().unwrap_or_else(|error| {
                faults.push(of_client_ca(format!("cannot be read: {error}")));
                None
            });
        if faults.is_empty() {
            return Ok(Contents { pairs: pairs.into_iter().map(|(_, pair)| pair).collect(), client_ca });
        }
        // All that is wrong is told at once.
        let provider = aws_lc_rs::default_provider();
        faults.extend(pairs.iter().filter_map(|(index, pair)| {
            let fault = Certificate::new(pair, &provider).err()?;
            Some((below(*index, &fault), fault))
        }));
        Err(faults)
    }

    fn compile(&self, contents: &Contents, old: Option<&Current>) -> Result<Current, Vec<Fault>> {
        let provider = Arc::new(ciphers::provider());
        let (mut certificates, mut faults) = (Vec::new(), Vec::new());
        for (index, pair) in contents.pairs.iter().enumerate() {
            match Certificate::new(pair, &provider) {
                Ok(certificate) => certificates.push(certificate),
                Err(fault) => faults.push((below(index, &fault), fault)),
            }
        }
        let clients = clients(contents.client_ca.as_deref(), &provider).map_err(|fault| faults.push(fault));
        let tickets = match old.filter(|old| old.client_ca == contents.client_ca) {
            Some(old) => Ok(Arc::clone(&old.tickets)),
            None => aws_lc_rs::Ticketer::new().map_err(|error| faults.push(broken(&error))),
        };
        let (Ok(clients), Ok(tickets), true) = (clients, tickets, faults.is_empty()) else {
            return Err(faults);
        };
        let names = Arc::new(Names::new(&certificates));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions())
            .map_err(|error| vec![broken(&error)])?
            .with_client_cert_verifier(clients)
            .with_cert_resolver(names);
        config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        config.ticketer = Arc::clone(&tickets);
        // One resumes as well as two, and each costs the handshake.
        config.send_tls13_tickets = 1;
        let client_ca = contents.client_ca.clone();
        Ok(Current { configs: Configs::new(config), certificates, client_ca, tickets })
    }

    fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        match self.min_version {
            MinVersion::Tls12 => rustls::DEFAULT_VERSIONS,
            MinVersion::Tls13 => TLS13,
        }
    }
}

impl Configs {
    fn new(mut config: ServerConfig) -> Configs {
        let clients = Arc::new(config.clone());
        config.ignore_client_order = true;
        Configs { ours: Arc::new(config), clients }
    }

    /// That for a client that offers these.
    fn of(&self, offered: &[CipherSuite]) -> Arc<ServerConfig> {
        Arc::clone(if ciphers::want_chacha(offered) { &self.clients } else { &self.ours })
    }
}

impl Current {
    /// Certificates that are not valid yet, or not any more.
    fn untimely(&self) -> Vec<Fault> {
        let faults = self.certificates.iter().enumerate();
        faults
            .filter_map(|(index, certificate)| {
                let fault = certificate.untimely()?;
                Some((below(index, &fault), fault))
            })
            .collect()
    }
}

fn below(index: usize, fault: &Unusable) -> String {
    format!("certificates[{index}].{}", fault.file)
}

fn of_client_ca(wrong: String) -> Fault {
    let right = "name a PEM file with the certificates of the authorities";
    ("client_ca".to_owned(), Unusable { file: "cert", wrong, right })
}

fn broken(error: &rustls::Error) -> Fault {
    let wrong = format!("TLS cannot be set up: {error}");
    ("certificates".to_owned(), Unusable { file: "cert", wrong, right: "look at the certificates" })
}

/// Who judges client certificates.
fn clients(
    authorities: Option<&[u8]>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Fault> {
    let Some(pem) = authorities else { return Ok(Arc::new(NoClientAuth)) };
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(pem) {
        let authority = authority.map_err(|error| of_client_ca(format!("this is no PEM file: {error}")))?;
        roots
            .add(authority)
            .map_err(|error| of_client_ca(format!("a certificate cannot be used: {error}")))?;
    }
    if roots.is_empty() {
        return Err(of_client_ca("there is no certificate in the file".to_owned()));
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map(|verifier| verifier as Arc<dyn ClientCertVerifier>)
        .map_err(|error| of_client_ca(format!("the authorities cannot be used: {error}")))
}
