//! A backend that speaks HTTP/2 or TLS, on hyper's server.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    /// Requests of `/held` that may be answered.
    allowed: Semaphore,
    /// Requests of `/held` at the same time, at most.
    held: AtomicUsize,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Method and URI, with the authority where it had one.
    pub(crate) line: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

/// How a server speaks.
pub(crate) struct Speech {
    pub(crate) tls: Option<rustls::ServerConfig>,
    /// Whether HTTP/2 is spoken where there is no TLS to choose by.
    pub(crate) http2: bool,
    pub(crate) max_streams: u32,
}

impl Server {
    /// HTTP/2 by prior knowledge.
    pub(crate) fn h2c(max_streams: u32) -> Server {
        Server::start(Speech { tls: None, http2: true, max_streams })
    }

    pub(crate) fn start(speech: Speech) -> Server {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            seen: Mutex::default(),
            connections: AtomicUsize::new(0),
            allowed: Semaphore::new(0),
            held: AtomicUsize::new(0),
        });
        let served = Arc::clone(&state);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                accept(tokio::net::TcpListener::from_std(listener).unwrap(), speech, served).await;
            });
        });
        Server { address, state }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Requests of `/held` that came.
    pub(crate) fn held(&self) -> usize {
        self.state.held.load(Ordering::SeqCst)
    }

    /// Lets so many requests of `/held` go.
    pub(crate) fn allow(&self, count: usize) {
        self.state.allowed.add_permits(count);
    }
}

async fn accept(listener: tokio::net::TcpListener, speech: Speech, state: Arc<State>) {
    let acceptor = speech.tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            let Some(acceptor) = acceptor else {
                state.connections.fetch_add(1, Ordering::SeqCst);
                return serve(stream, speech.http2, speech.max_streams, state).await;
            };
            if let Ok(stream) = acceptor.accept(stream).await {
                state.connections.fetch_add(1, Ordering::SeqCst);
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                serve(stream, http2, speech.max_streams, state).await;
            }
        });
    }
}

async fn serve<S>(stream: S, http2: bool, max_streams: u32, state: Arc<State>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| answer(request, Arc::clone(&state)));
    let io = TokioIo::new(stream);
    // A connection that breaks is what some tests are about.
    if http2 {
        let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = builder.max_concurrent_streams(max_streams).serve_connection(io, service).await;
    } else {
        let builder = hyper::server::conn::http1::Builder::new();
        let _ = builder.serve_connection(io, service).with_upgrades().await;
    }
}

type Answer = Response<BoxBody<Bytes, Infallible>>;

async fn answer(mut request: Request<Incoming>, state: Arc<State>) -> Result<Answer, Infallible> {
    let path = request.uri().path().to_owned();
    if path == "/socket" {
        return Ok(upgrade(&mut request));
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return Ok(text("gone")) };
    let trailers = body.trailers().cloned();
    state.seen.lock().unwrap().push(Seen {
        line: format!("{} {}", parts.method, parts.uri),
        version: parts.version,
        headers: parts.headers,
        body: body.to_bytes(),
        trailers,
    });
    Ok(match path.as_str() {
        "/held" => {
            state.held.fetch_add(1, Ordering::SeqCst);
            state.allowed.acquire().await.unwrap().forget();
            text("let go")
        }
        "/trailers" => with_trailers(),
        "/trailers-only" => {
            let mut only = Response::new(Full::default().boxed());
            only.headers_mut().insert("grpc-status", HeaderValue::from_static("5"));
            only
        }
        _ => text("hello"),
    })
}

fn text(text: &'static str) -> Answer {
    Response::new(Full::from(text).boxed())
}

fn with_trailers() -> Answer {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let frames = [Ok(Frame::data(Bytes::from("message"))), Ok(Frame::trailers(trailers))];
    let mut response = Response::new(StreamBody::new(futures_util::stream::iter(frames)).boxed());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response.headers_mut().insert("trailer", HeaderValue::from_static("grpc-status"));
    response
}

/// Agrees to a WebSocket and says `hi`.
fn upgrade(request: &mut Request<Incoming>) -> Answer {
    let upgraded = hyper::upgrade::on(request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgraded.await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut TokioIo::new(upgraded), b"hi").await;
        }
    });
    let mut response = text("");
    *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert("connection", HeaderValue::from_static("upgrade"));
    response.headers_mut().insert("upgrade", HeaderValue::from_static("websocket"));
    response
}
