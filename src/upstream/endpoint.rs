//! One address of an upstream: connecting, exchanging, and trying again where that is safe.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING};
use http::{Method, Request, Response, Uri, Version};
use http_body::Body as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::http1::{Connection, Failure};
use super::pool::{self, Pool};
use super::{Error, Timeouts};
use crate::body::Body;

/// One address of an upstream and its idle connections.
#[derive(Debug)]
pub(super) struct Endpoint {
    host: String,
    port: u16,
    /// `HOST:PORT`, the `Host` of requests that name none.
    authority: HeaderValue,
    /// For messages.
    name: String,
    timeouts: Timeouts,
    pool: Pool,
}

/// A failed try, and whether another may be made.
struct Failed {
    error: Error,
    again: bool,
}

impl Endpoint {
    /// Reads `http://HOST[:PORT]`. The error is what is wrong and what would be right.
    pub(super) fn parse(url: &str, timeouts: Timeouts) -> Result<Endpoint, (String, &'static str)> {
        const RIGHT: &str = "write it as http://HOST:PORT";
        let wrong = |what: &str| (format!("`{url}` {what}"), RIGHT);
        match url.split_once("://").map_or_else(|| url.split_once(':'), Some) {
            Some(("http", _)) => (),
            Some((scheme @ ("https" | "h2c" | "unix"), _)) => {
                return Err((format!("`{scheme}` endpoints are not supported yet"), RIGHT));
            }
            _ => return Err(wrong("is not a URL that begins with http://")),
        }
        let uri: Uri = url.parse().map_err(|_| wrong("is not a URL"))?;
        let authority = uri.authority().ok_or_else(|| wrong("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("holds a user name, which endpoints have not"));
        }
        if uri.path() != "/" || uri.query().is_some() || url.ends_with('?') {
            return Err((
                format!("`{url}` has a path"),
                "leave it out; a route's add_prefix puts a path before every request",
            ));
        }
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            None if authority.as_str().ends_with(authority.host()) => 80,
            None => return Err(wrong("has no valid port")),
        };
        let value = HeaderValue::from_str(authority.as_str()).map_err(|_| wrong("has no valid host"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(wrong("has no host"));
        }
        let name = authority.as_str().to_owned();
        Ok(Endpoint { host, port, authority: value, name, timeouts, pool: Pool::new() })
    }

    /// Sends `request` over an idle connection or a fresh one. On a failure to connect the request
    /// comes back with the error.
    pub(super) async fn send(
        self: &Arc<Endpoint>,
        mut request: Request<Body>,
        limit: Duration,
    ) -> Result<Response<Body>, (Error, Option<Request<Body>>)> {
        self.complete(&mut request);
        if let Some(connection) = self.pool.take() {
            match self.exchange(connection, &mut request, limit).await {
                Ok(response) => return Ok(response),
                Err(Failed { again: true, .. }) => (),
                Err(Failed { error, .. }) => return Err((error, None)),
            }
        }
        match self.connect().await {
            Ok(connection) => {
                self.exchange(connection, &mut request, limit).await.map_err(|failed| (failed.error, None))
            }
            Err(error) => Err((error, Some(request))),
        }
    }

    /// What every request to this endpoint needs.
    fn complete(&self, request: &mut Request<Body>) {
        *request.version_mut() = Version::HTTP_11;
        let (has_body, length) = (!request.body().is_end_stream(), request.body().size_hint().exact());
        let headers = request.headers_mut();
        if !headers.contains_key(HOST) {
            headers.insert(HOST, self.authority.clone());
        }
        match length {
            _ if !has_body => (),
            Some(length) => {
                headers.insert(CONTENT_LENGTH, length.into());
            }
            None if headers.contains_key(CONTENT_LENGTH) => (),
            None => {
                headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
        }
    }

    async fn exchange(
        self: &Arc<Endpoint>,
        mut connection: Connection,
        request: &mut Request<Body>,
        limit: Duration,
    ) -> Result<Response<Body>, Failed> {
        match connection.exchange(request, limit).await {
            Ok(answer) => {
                let body = std::mem::replace(request.body_mut(), Body::Empty);
                Ok(answer.into_response(connection, body, self))
            }
            Err(failure) => Err(self.failed(failure, connection.reused, request)),
        }
    }

    /// What a failure is, and whether the request may be sent again: the upstream may have closed an
    /// idle connection just as it was used.
    fn failed(&self, failure: Failure, reused: bool, request: &Request<Body>) -> Failed {
        let endpoint = self.name.clone();
        let (error, again) = match failure {
            Failure::Body(source) => (Error::RequestBody { source }, false),
            Failure::Timeout => (Error::ResponseTimeout { endpoint }, false),
            Failure::Refused(what) => (Error::Malformed { endpoint, what }, false),
            Failure::Broken { error: source, unheard, untaken } => {
                let bodiless = request.body().is_end_stream();
                let again = bodiless && (untaken || unheard && is_idempotent(request.method()));
                (Error::Broken { endpoint, source }, again)
            }
        };
        Failed { error, again: reused && again }
    }

    /// How long a response's body may stand still.
    pub(super) fn stream_idle_timeout(&self) -> Duration {
        self.timeouts.stream
    }

    /// Takes a connection back after a complete response, if it is `persistent`.
    pub(super) fn take_back(&self, connection: Connection, persistent: bool) {
        if persistent && connection.is_clean() {
            self.pool.put(connection, self.timeouts.idle);
        }
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let endpoint = || self.name.clone();
        let stream = match timeout(self.timeouts.connect, self.dial()).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(source)) => return Err(Error::Unreachable { endpoint: endpoint(), source }),
            Err(_) => return Err(Error::ConnectTimeout { endpoint: endpoint() }),
        };
        Ok(Connection::new(stream, pool::shard()))
    }

    /// Connects to the first of the host's addresses that takes it.
    async fn dial(&self) -> io::Result<TcpStream> {
        let stream = match self.host.parse::<IpAddr>() {
            Ok(address) => TcpStream::connect(SocketAddr::new(address, self.port)).await?,
            Err(_) => TcpStream::connect((self.host.as_str(), self.port)).await?,
        };
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Whether a request may be sent twice (RFC 9110 9.2.2).
fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}
