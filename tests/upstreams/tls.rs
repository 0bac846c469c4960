//! TLS to upstreams: whom it trusts, what it shows, and which protocol it speaks.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use http::Version;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::server::{Server, Speech};
use crate::support::gateway::Gateway;
use crate::support::http::{connect, get, read, send};
use crate::support::websocket::HANDSHAKE;

/// An authority with the certificates that it has issued, as files too.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let certificate: &rcgen::Certificate = issuer.as_ref();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Authority { issuer, folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// A certificate for a name, and its key; both in files of that name too.
    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let write = |end: &str, text: String| {
            std::fs::write(Path::new(&self.path(&format!("{name}.{end}"))), text).unwrap();
        };
        write("pem", certificate.pem());
        write("key", key.serialize_pem());
        (certificate, key)
    }

    fn store(&self) -> RootCertStore {
        let mut store = RootCertStore::empty();
        let certificate: &rcgen::Certificate = self.issuer.as_ref();
        store.add(certificate.der().clone()).unwrap();
        store
    }

    /// A server with a certificate for `name` that speaks `protocols`, the first one it has in common.
    fn serve(&self, name: &str, protocols: &[&str], clients: Option<&Authority>) -> Server {
        let (certificate, key) = self.issue(name);
        serve(&certificate, &key, protocols, clients)
    }
}

/// A server with this certificate.
fn serve(
    certificate: &rcgen::Certificate,
    key: &KeyPair,
    protocols: &[&str],
    clients: Option<&Authority>,
) -> Server {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        Some(authority) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authority.store()), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
        None => builder.with_no_client_auth(),
    };
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Server::start(Speech { tls: Some(config), http2: false, max_streams: 100 })
}

fn site(server: &Server, host: &str, tls: &str) -> Gateway {
    Gateway::start(&format!(
        "upstreams: {{api: {{endpoints: 'https://{host}:{}', tls: {{{tls}}}}}}}\nroutes: [{{upstream: api}}]\n",
        server.address.port()
    ))
}

/// The status and the error's code.
fn ask(gateway: &Gateway) -> (u16, String) {
    let answer = get(&gateway.address, "/");
    let text = answer.text();
    let code = text.split_once("\"code\":\"").and_then(|(_, rest)| rest.split('"').next());
    (answer.status, code.unwrap_or(&text).to_owned())
}

fn good() -> (u16, String) {
    (200, "hello".into())
}

fn bad() -> (u16, String) {
    (502, "upstream_tls_failed".into())
}

#[test]
fn only_a_certificate_of_a_known_authority_for_the_right_name_will_do() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = authority.serve("localhost", &["http/1.1"], None);
    let (ca, other) = (authority.path("ca.pem"), stranger.path("ca.pem"));
    let named = authority.serve("api.example.com", &["http/1.1"], None);
    for (server, host, tls, expected) in [
        (&server, "localhost", format!("ca: '{ca}'"), good()),
        (&server, "localhost", format!("ca: '{other}'"), bad()),
        (&server, "localhost", String::new(), bad()),
        (&server, "127.0.0.1", format!("ca: '{ca}'"), bad()),
        (&server, "127.0.0.1", format!("ca: '{ca}', server_name: localhost"), good()),
        (&server, "127.0.0.1", "insecure: true".into(), good()),
        (&named, "localhost", format!("ca: '{ca}'"), bad()),
        (&named, "localhost", format!("ca: '{ca}', server_name: api.example.com"), good()),
    ] {
        let gateway = site(server, host, &tls);
        assert_eq!(ask(&gateway), expected, "{host} {tls}");
    }
}

#[test]
fn a_server_that_asks_for_a_certificate_gets_ours() {
    let (authority, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    clients.issue("gateway");
    strangers.issue("gateway");
    let ca = authority.path("ca.pem");
    for protocols in [&["http/1.1"][..], &["h2"]] {
        let server = authority.serve("localhost", protocols, Some(&clients));
        let pair = |of: &Authority| {
            format!("ca: '{ca}', cert: '{}', key: '{}'", of.path("gateway.pem"), of.path("gateway.key"))
        };
        assert_eq!(ask(&site(&server, "localhost", &pair(&clients))), good(), "{protocols:?}");
        for tls in [pair(&strangers), format!("ca: '{ca}'")] {
            let (status, code) = ask(&site(&server, "localhost", &tls));
            assert_eq!(status, 502, "{protocols:?}");
            // With HTTP/2 the refusal is told in words alone.
            assert!(code == "upstream_tls_failed" || protocols == ["h2"], "{code}");
        }
    }
}

#[test]
fn alpn_chooses_http2_where_both_speak_it_and_an_upgrade_goes_over_http1() {
    let authority = Authority::new();
    let tls = format!("ca: '{}'", authority.path("ca.pem"));
    for (protocols, version) in [
        (&["h2", "http/1.1"][..], Version::HTTP_2),
        (&["http/1.1"], Version::HTTP_11),
        (&[], Version::HTTP_11),
    ] {
        let server = authority.serve("localhost", protocols, None);
        let gateway = site(&server, "localhost", &tls);
        for _ in 0..3 {
            assert_eq!(ask(&gateway), good());
        }
        assert!(server.seen().iter().all(|seen| seen.version == version), "{protocols:?}");
        let line = if version == Version::HTTP_2 { "GET https://gateway.test/" } else { "GET /" };
        assert_eq!(server.seen()[0].line, line);
        let mut stream = connect(&gateway.address);
        send(&stream, "GET", "/socket", &HANDSHAKE, b"");
        assert_eq!(read(&stream).status, 101, "{protocols:?}");
        let mut said = [0; 2];
        stream.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"hi");
    }
}

#[test]
fn large_bodies_pass_tls_in_both_protocols() {
    let authority = Authority::new();
    let tls = format!("ca: '{}'", authority.path("ca.pem"));
    let body: Vec<u8> = (0..2_000_000_u32).map(|byte| (byte * 7) as u8).collect();
    for protocols in [&["h2"][..], &["http/1.1"]] {
        let server = authority.serve("localhost", protocols, None);
        let gateway = site(&server, "localhost", &tls);
        let answer = crate::support::http::request(&gateway.address, "POST", "/", &[], &body);
        assert_eq!(answer.status, 200);
        assert!(server.seen()[0].body == body, "{protocols:?}");
    }
}

/// A server whose certificate nobody else issued, made as `openssl req -x509` does: an authority's.
fn alone(folder: &Path, name: &str, days: std::ops::Range<i64>) -> Server {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let today = time::OffsetDateTime::now_utc();
    params.not_before = today + time::Duration::days(days.start);
    params.not_after = today + time::Duration::days(days.end);
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(folder.join("own.pem"), certificate.pem()).unwrap();
    serve(&certificate, &key, &["http/1.1"], None)
}

#[test]
fn a_servers_own_certificate_may_be_the_authority_even_if_it_is_marked_as_one() {
    for (name, days, trusted, expected) in [
        ("localhost", -1..1, "own.pem", good()),
        ("elsewhere", -1..1, "own.pem", bad()),
        ("localhost", -3..-1, "own.pem", bad()),
        ("localhost", 1..3, "own.pem", bad()),
        ("localhost", -1..1, "ca.pem", bad()),
    ] {
        let stranger = Authority::new();
        let server = alone(stranger.folder.path(), name, days.clone());
        let gateway = site(&server, "localhost", &format!("ca: '{}'", stranger.path(trusted)));
        assert_eq!(ask(&gateway), expected, "{name} {days:?} {trusted}");
    }
}
