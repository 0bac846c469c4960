//! Certificates made for a test, and a TLS client that shows what it was given.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, DigitallySignedStruct, Error, HandshakeKind,
    SignatureScheme, StreamOwned, SupportedProtocolVersion,
};

/// A certificate and its key.
pub struct Made {
    pub cert: String,
    pub key: String,
    pub der: CertificateDer<'static>,
}

impl Made {
    /// For these names, by itself.
    pub fn for_names(names: &[&str]) -> Made {
        Made::signed(names, None, |_| {})
    }

    /// For these names, from one year to another.
    pub fn in_years(names: &[&str], from: i32, to: i32) -> Made {
        Made::signed(names, None, |params| {
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(to, 1, 1);
        })
    }

    fn signed(
        names: &[&str],
        authority: Option<&Authority>,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Made {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("good names");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let cert = match authority {
            Some(authority) => params.signed_by(&key, &authority.issuer),
            None => params.self_signed(&key),
        }
        .expect("a certificate");
        Made { cert: cert.pem(), key: key.serialize_pem(), der: cert.der().clone() }
    }

    /// Writes both as `NAME.crt` and `NAME.key`.
    pub fn write(&self, folder: &Path, name: &str) {
        std::fs::write(folder.join(format!("{name}.crt")), &self.cert).expect("written");
        std::fs::write(folder.join(format!("{name}.key")), &self.key).expect("written");
    }
}

/// Who signs certificates of clients.
pub struct Authority {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("good names");
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Authority { pem, issuer: Issuer::new(params, key) }
    }

    pub fn sign(&self, name: &str) -> Made {
        Made::signed(&[name], Some(self), |_| {})
    }
}

/// A client that takes any certificate, and keeps its tickets.
#[derive(Clone)]
pub struct Client(Arc<ClientConfig>);

/// A connection of it.
pub type Stream = StreamOwned<ClientConnection, TcpStream>;

impl Client {
    pub fn new(alpn: &[&str]) -> Client {
        Client::with(alpn, rustls::ALL_VERSIONS, None)
    }

    pub fn with(
        alpn: &[&str],
        versions: &[&'static SupportedProtocolVersion],
        identity: Option<&Made>,
    ) -> Client {
        Client::by(aws_lc_rs::default_provider(), alpn, versions, identity)
    }

    /// One that likes this cipher suite best, and speaks this version.
    pub fn that_prefers(suite: CipherSuite, version: &'static SupportedProtocolVersion) -> Client {
        let mut provider = aws_lc_rs::default_provider();
        provider.cipher_suites.sort_by_key(|known| known.suite() != suite);
        Client::by(provider, &[], &[version], None)
    }

    fn by(
        provider: CryptoProvider,
        alpn: &[&str],
        versions: &[&'static SupportedProtocolVersion],
        identity: Option<&Made>,
    ) -> Client {
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .expect("good versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anything(aws_lc_rs::default_provider())));
        let mut config = match identity {
            Some(made) => {
                let key = rustls::pki_types::pem::PemObject::from_pem_slice(made.key.as_bytes());
                let key: PrivateKeyDer<'static> = key.expect("a key");
                config.with_client_auth_cert(vec![made.der.clone()], key).expect("a good pair")
            }
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Client(Arc::new(config))
    }

    /// The client's config, for another client to use.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }

    /// Connects and asks for `name`.
    pub fn connect(&self, address: &str, name: &str) -> io::Result<Stream> {
        let tcp = TcpStream::connect(address)?;
        tcp.set_read_timeout(Some(Duration::from_secs(10)))?;
        let name = ServerName::try_from(name.to_owned()).expect("a good name");
        let connection = ClientConnection::new(Arc::clone(&self.0), name).expect("a good config");
        let mut stream = StreamOwned::new(connection, tcp);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(stream)
    }

    /// The certificate that a server has for `name`.
    pub fn certificate(&self, address: &str, name: &str) -> CertificateDer<'static> {
        let stream = self.connect(address, name).expect("a handshake");
        let chain = stream.conn.peer_certificates().expect("a chain");
        chain.first().expect("a certificate").clone().into_owned()
    }

    /// Asks for a path over HTTP/1.1, and how the handshake was done.
    pub fn get(&self, address: &str, path: &str) -> io::Result<(String, HandshakeKind)> {
        let mut stream = self.connect(address, "localhost")?;
        let answer = exchange(&mut stream, path)?;
        Ok((answer, stream.conn.handshake_kind().expect("a handshake")))
    }
}

/// One request on a connection; what came up to the end of a body that has a length.
pub fn exchange(stream: &mut Stream, path: &str) -> io::Result<String> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let (mut text, mut byte) = (String::new(), [0]);
    let mut left = None;
    while left != Some(0) {
        stream.read_exact(&mut byte)?;
        text.push(char::from(byte[0]));
        if let Some(left) = &mut left {
            *left -= 1;
        } else if text.ends_with("\r\n\r\n") {
            let length = text.to_lowercase().split("content-length: ").nth(1).map(str::to_owned);
            let length = length.and_then(|rest| rest.lines().next().map(str::to_owned));
            left = Some(length.map_or(0, |length| length.parse::<usize>().expect("a length")));
        }
    }
    Ok(text)
}

/// A plain port on this machine from which everything goes to `address` over TLS: for clients that
/// speak none.
pub fn plain_port_to(address: &str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").to_string();
    let (connector, address) =
        (tokio_rustls::TlsConnector::from(Client::new(&[]).config()), address.to_owned());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            listener.set_nonblocking(true).expect("set");
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((mut plain, _)) = listener.accept().await {
                let (connector, address) = (connector.clone(), address.clone());
                tokio::spawn(async move {
                    let tcp = tokio::net::TcpStream::connect(address).await.expect("the gateway listens");
                    let name = ServerName::try_from("localhost").expect("a good name");
                    let mut secure = connector.connect(name, tcp).await.expect("a handshake");
                    let _ = tokio::io::copy_bidirectional(&mut plain, &mut secure).await;
                });
            }
        });
    });
    port
}

/// Believes every certificate.
#[derive(Debug)]
struct Anything(CryptoProvider);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
