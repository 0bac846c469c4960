//! The HTTP client: a fresh connection for every request, as much of the answer as is worth showing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, HOST, HeaderName, ORIGIN, SET_COOKIE, USER_AGENT};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::answer::Answer;
use super::site::Site;

/// Time for a connection, and for an answer that has no reason to wait.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of an answer that are read.
const MAX_BODY: usize = 64 * 1024;

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The name does not resolve.
    #[error("{0} does not resolve: {1}")]
    Name(String, io::Error),
    /// Nobody accepts connections.
    #[error("cannot connect to {0}: {1}")]
    Connect(String, io::Error),
    /// The TLS handshake failed.
    #[error("TLS: {0}")]
    Tls(io::Error),
    /// Nothing came in time.
    #[error("no {0} within {1:?}")]
    Slow(&'static str, Duration),
    /// The connection ended, or what came was no HTTP.
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// A connection, plain or TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A request that is to be made.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) body: Bytes,
    pub(super) patience: Duration,
}

impl Ask {
    /// A GET.
    pub(super) fn get(target: impl Into<String>) -> Ask {
        Ask {
            method: Method::GET,
            target: target.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            patience: PATIENCE,
        }
    }

    /// A POST of packets.
    pub(super) fn post(target: impl Into<String>, packets: impl Into<Bytes>) -> Ask {
        Ask { method: Method::POST, body: packets.into(), ..Ask::get(target) }
            .header(http::header::CONTENT_TYPE, "text/plain;charset=UTF-8")
    }

    /// With another header.
    pub(super) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Ask {
        self.headers.push((name, value.into()));
        self
    }

    /// With another time to wait for the answer.
    pub(super) fn patience(self, patience: Duration) -> Ask {
        Ask { patience, ..self }
    }
}

/// Cookies of one visitor, as far as an affinity cookie needs: names and values.
#[derive(Debug, Clone, Default)]
pub(super) struct Jar(Vec<(String, String)>);

impl Jar {
    fn take<B>(&mut self, response: &Response<B>) {
        for cookie in response.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.0.retain(|(known, _)| known != name.trim());
                self.0.push((name.trim().to_owned(), value.trim().to_owned()));
            }
        }
    }

    fn header(&self) -> Option<HeaderValue> {
        let pairs: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| HeaderValue::from_str(&pairs.join("; ")).ok()).flatten()
    }
}

/// Asks one site.
pub(super) struct Client {
    pub(super) site: Site,
    tls: TlsConnector,
}

impl Client {
    /// A client that trusts this machine's CA certificates.
    pub(super) fn new(site: &Site) -> io::Result<Client> {
        let mut roots = rustls::RootCertStore::empty();
        if site.secure {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(io::Error::other("none were found; install the package ca-certificates"));
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // WebSockets need HTTP/1.1, and so does a fair comparison with them.
        let mut config = config;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Client { site: site.clone(), tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Asks as the page would: with its origin, its cookies and the token.
    pub(super) async fn ask(&self, ask: Ask, jar: &mut Jar) -> Result<Answer, Trouble> {
        let patience = ask.patience;
        let response = self.respond(ask, jar).await?;
        let (parts, body) = response.into_parts();
        let body = match tokio::time::timeout(patience, Limited::new(body, MAX_BODY).collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            // What matters of a longer answer is its head.
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Bytes::new(),
            Ok(Err(error)) => return Err(Trouble::Broken(error.to_string())),
            Err(_) => return Err(Trouble::Slow("end of the answer", patience)),
        };
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }

    /// The answer with its body still to come, for those that go on as something else.
    pub(super) async fn respond(&self, ask: Ask, jar: &mut Jar) -> Result<Response<Incoming>, Trouble> {
        let patience = ask.patience;
        let request = self.request(ask, jar)?;
        let stream = tokio::time::timeout(PATIENCE, self.connect())
            .await
            .map_err(|_| Trouble::Slow("connection", PATIENCE))??;
        let broken = |error: hyper::Error| Trouble::Broken(error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection.with_upgrades());
        let response = tokio::time::timeout(patience, sender.send_request(request))
            .await
            .map_err(|_| Trouble::Slow("answer", patience))?
            .map_err(broken)?;
        jar.take(&response);
        Ok(response)
    }

    fn request(&self, ask: Ask, jar: &Jar) -> Result<Request<Full<Bytes>>, Trouble> {
        let mut request = Request::builder()
            .method(ask.method)
            .uri(&ask.target)
            .header(HOST, &self.site.authority)
            .header(USER_AGENT, concat!("frontroom-doctor/", env!("CARGO_PKG_VERSION")));
        if let Some(cookies) = jar.header() {
            request = request.header(COOKIE, cookies);
        }
        let named = |name: &HeaderName| ask.headers.iter().any(|(given, _)| given == name);
        if let Some(origin) = self.site.origin.as_ref().filter(|_| !named(&ORIGIN)) {
            request = request.header(ORIGIN, origin);
        }
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(ask.body)).map_err(|error| Trouble::Broken(error.to_string()))
    }

    /// The header that carries the token in REST requests.
    pub(super) fn authorization(&self) -> Option<(HeaderName, String)> {
        self.site.token.as_ref().map(|token| (AUTHORIZATION, format!("Bearer {token}")))
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, Trouble> {
        let Site { host, port, .. } = &self.site;
        let named = |error| Trouble::Name(host.clone(), error);
        let addresses: Vec<_> =
            tokio::net::lookup_host((host.as_str(), *port)).await.map_err(named)?.collect();
        let stream = TcpStream::connect(addresses.as_slice())
            .await
            .map_err(|error| Trouble::Connect(self.site.authority.clone(), error))?;
        if !self.site.secure {
            return Ok(Box::new(stream));
        }
        let name =
            ServerName::try_from(host.clone()).map_err(|error| Trouble::Tls(io::Error::other(error)))?;
        Ok(Box::new(self.tls.connect(name, stream).await.map_err(Trouble::Tls)?))
    }
}
