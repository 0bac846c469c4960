//! One GET over http or https, whole and bounded: how keys are fetched. The only I/O of this house.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, HOST, HeaderValue, USER_AGENT};
use http::uri::PathAndQuery;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// What a URL names.
pub(super) struct Place {
    host: String,
    port: u16,
    authority: HeaderValue,
    target: PathAndQuery,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// What is wrong: the key below `credentials.jwt`, what it is, what would be right.
type Wrong = (&'static str, String, &'static str);

impl Place {
    /// Reads a URL; over https the authorities of `ca` (PEM) are trusted, else the system's.
    pub(super) fn parse(url: &str, ca: Option<&[u8]>) -> Result<Place, Wrong> {
        let wrong = |what: &str| {
            let right = "write it as https://id.example.com/.well-known/jwks.json";
            ("jwks_url", format!("`{url}` {what}"), right)
        };
        let uri: Uri = url.parse().map_err(|_| wrong("is not a URL"))?;
        let (encrypted, port) = match uri.scheme_str() {
            Some("https") => (true, 443),
            Some("http") => (false, 80),
            _ => return Err(wrong("is not a URL that begins with https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("holds a user name"));
        }
        if ca.is_some() && !encrypted {
            let what = "`jwks_url` does not begin with https://".to_owned();
            return Err(("jwks_ca", what, "write such a URL, or leave it out"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = if encrypted {
            let name = ServerName::try_from(host.clone()).map_err(|_| wrong("has no valid host"))?;
            Some((connector(ca)?, name))
        } else {
            None
        };
        Ok(Place {
            host,
            port: authority.port_u16().unwrap_or(port),
            authority: HeaderValue::from_str(authority.as_str()).map_err(|_| wrong("has no valid host"))?,
            target: uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")),
            tls,
        })
    }

    /// The body of a good answer, at most `max` bytes; else what is wrong with it. Redirects are not followed.
    pub(super) async fn get(&self, max: usize) -> Result<Bytes, String> {
        let unreachable = |error: std::io::Error| format!("cannot connect: {error}");
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(unreachable)?;
        match &self.tls {
            None => self.exchange(stream, max).await,
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await.map_err(unreachable)?;
                self.exchange(stream, max).await
            }
        }
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        max: usize,
    ) -> Result<Bytes, String> {
        let broken = |error: hyper::Error| format!("the exchange broke: {error}");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // Ends with this future, however that ends.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = Uri::from(self.target.clone());
        let headers = request.headers_mut();
        headers.insert(HOST, self.authority.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/jwk-set+json, application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("frontroom"));
        let response = sender.send_request(request).await.map_err(broken)?;
        if response.status() != StatusCode::OK {
            return Err(format!("the answer is {}", response.status()));
        }
        let body = Limited::new(response.into_body(), max).collect().await;
        Ok(body.map_err(|_| format!("the answer broke off, or is over {max} bytes"))?.to_bytes())
    }
}

fn connector(ca: Option<&[u8]>) -> Result<TlsConnector, Wrong> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(pem) => {
            let certificates = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok);
            roots.add_parsable_certificates(certificates);
            if roots.is_empty() {
                return Err((
                    "jwks_ca",
                    "holds no certificate".to_owned(),
                    "name a file with certificates in PEM",
                ));
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                let wrong = "this system has no certificates of authorities".to_owned();
                return Err((
                    "jwks_url",
                    wrong,
                    "install them (Debian: ca-certificates), or write `jwks_ca`",
                ));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ("jwks_url", error.to_string(), "see the message"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
