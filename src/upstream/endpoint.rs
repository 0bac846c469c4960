//! One address of an upstream: connecting, exchanging, and trying again where that is safe.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body::Body as _;
use hyper::client::conn::TrySendError;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::body::{Outgoing, Pooled};
use super::connection::Connection;
use super::pool::{self, Pool};
use super::{Error, Timeouts, framing};
use crate::body::Body;

/// How long a connection may take to become ready after its response's end.
const SETTLE: Duration = Duration::from_secs(1);

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

/// A failed try, with the request if another may be made.
struct Failed {
    error: Error,
    request: Option<Box<Request<Body>>>,
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
            match self.exchange(connection, request, limit).await {
                Ok(response) => return Ok(response),
                // The upstream closed the idle connection as we took it.
                Err(Failed { request: Some(again), .. }) => request = *again,
                Err(failed) => return Err((failed.error, None)),
            }
        }
        match self.connect().await {
            Ok(connection) => {
                self.exchange(connection, request, limit).await.map_err(|failed| (failed.error, None))
            }
            Err(error) => Err((error, Some(request))),
        }
    }

    /// What every request to this endpoint needs.
    fn complete(&self, request: &mut Request<Body>) {
        *request.version_mut() = Version::HTTP_11;
        let unknown_length = !request.body().is_end_stream() && request.body().size_hint().exact().is_none();
        let headers = request.headers_mut();
        if !headers.contains_key(HOST) {
            headers.insert(HOST, self.authority.clone());
        }
        // Else hyper drops the body of a GET.
        if unknown_length && !headers.contains_key(CONTENT_LENGTH) {
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
    }

    async fn exchange(
        self: &Arc<Endpoint>,
        mut connection: Connection,
        request: Request<Body>,
        limit: Duration,
    ) -> Result<Response<Body>, Failed> {
        let spare = if connection.reused { replayable(&request) } else { None };
        let upgrading = request.headers().contains_key(UPGRADE);
        let (parts, body) = request.into_parts();
        let (body, sent) = Outgoing::new(body);
        let mut answer = pin!(connection.send(Request::from_parts(parts, body)));
        if let Some(sent) = sent {
            tokio::select! {
                biased;
                answer = &mut answer => return self.answered(connection, answer, spare, upgrading),
                _ = sent => (),
            }
        }
        match timeout(limit, answer).await {
            Ok(answer) => self.answered(connection, answer, spare, upgrading),
            Err(_) => {
                Err(Failed { error: Error::ResponseTimeout { endpoint: self.name.clone() }, request: None })
            }
        }
    }

    fn answered(
        self: &Arc<Endpoint>,
        connection: Connection,
        answer: Result<Response<hyper::body::Incoming>, TrySendError<Request<Outgoing>>>,
        spare: Option<Request<Body>>,
        upgrading: bool,
    ) -> Result<Response<Body>, Failed> {
        let mut response = match answer {
            Ok(response) => response,
            Err(mut failure) => {
                let unsent = failure.take_message().map(|request| request.map(Outgoing::into_inner));
                let spare = spare.filter(|_| !connection.received());
                let request = if connection.reused { unsent.or(spare).map(Box::new) } else { None };
                let error = self.broken(failure.into_error(), connection.stalled());
                return Err(Failed { error, request });
            }
        };
        framing::check(&mut response, upgrading).map_err(|what| Failed {
            error: Error::Malformed { endpoint: self.name.clone(), what },
            request: None,
        })?;
        let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let (parts, body) = response.into_parts();
        let body = if switched {
            connection.detach();
            Body::Empty
        } else if body.is_end_stream() {
            self.release(connection);
            Body::Empty
        } else {
            Body::boxed(Pooled::new(body, connection, Arc::clone(self)))
        };
        Ok(Response::from_parts(parts, body))
    }

    fn broken(&self, source: hyper::Error, stalled: bool) -> Error {
        let endpoint = self.name.clone();
        match source.is_user() {
            _ if stalled => Error::ResponseTimeout { endpoint },
            true => Error::RequestBody { source },
            false => Error::Broken { endpoint, source },
        }
    }

    /// Takes a connection back after a complete response.
    pub(super) fn release(self: &Arc<Endpoint>, mut connection: Connection) {
        if connection.is_ready() {
            self.pool.put(connection, self.timeouts.idle);
            return;
        }
        // Its request is still being sent, or its driver runs on another thread and is a step behind.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if connection.is_closed() {
            return;
        }
        let endpoint = Arc::clone(self);
        runtime.spawn(async move {
            if let Ok(Ok(())) = timeout(SETTLE, connection.ready()).await {
                endpoint.pool.put(connection, endpoint.timeouts.idle);
            }
        });
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let endpoint = || self.name.clone();
        let stream = match timeout(self.timeouts.connect, self.dial()).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(source)) => return Err(Error::Unreachable { endpoint: endpoint(), source }),
            Err(_) => return Err(Error::ConnectTimeout { endpoint: endpoint() }),
        };
        Connection::open(stream, pool::shard(), self.timeouts.idle)
            .await
            .map_err(|source| Error::Broken { endpoint: endpoint(), source })
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

/// A copy of a request that may be sent twice: idempotent (RFC 9110 9.2.2) and without a body.
fn replayable(request: &Request<Body>) -> Option<Request<Body>> {
    let idempotent = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
    );
    if !idempotent || !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(Body::Empty);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}
