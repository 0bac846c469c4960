//! One client connection: what it speaks, HTTP/1.1 with its timeouts, its end in a drain, and its
//! lingering close.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::body::{Answer, Upload};
use super::clock::{Clock, Turn};
use super::drain::{Drain, Open, Serving};
use super::http2;
use super::listener::admit;
use super::opening::{self, Protocol};
use super::socket::Stream;
use super::tcp::Tcp;
use super::terms::Terms;
use super::{Crowd, Handler, Options, Peer, Socket};
use crate::body::{Body, BodyError};

/// Read and write buffer of a connection beyond the head.
const MAX_BUFFER: usize = 128 * 1024;

/// How long, and for how many bytes, a closing connection swallows a body that nobody read: closing
/// at once would reset the connection and destroy the response on its way.
pub(super) const LINGER: Duration = Duration::from_secs(2);
pub(super) const LINGER_BYTES: usize = 1024 * 1024;

/// How long a connection beyond a bound may take to be told so.
const TELLING: Duration = Duration::from_secs(2);

/// What every connection of a listener shares.
pub(super) struct Shared<H> {
    pub(super) handler: Arc<H>,
    pub(super) drain: Drain,
    pub(super) crowd: Crowd,
}

/// What every request of a connection shares.
pub(super) struct Seat<H> {
    pub(super) shared: Arc<Shared<H>>,
    pub(super) terms: Arc<Terms>,
    pub(super) peer: Peer,
    pub(super) clock: Arc<Clock>,
}

/// Serves a connection to its end.
pub(super) async fn serve<H: Handler>(
    stream: TcpStream,
    peer: Peer,
    shared: Arc<Shared<H>>,
    terms: Arc<Terms>,
    mut open: Open,
) {
    let begun = Instant::now();
    let mut serving = shared.drain.serve();
    let mut peer = peer;
    let opened = open_up(Tcp::new(stream), &mut peer, &shared, &terms, &mut open, &mut serving, begun).await;
    let (stream, protocol) = match opened {
        Ok(Some(opened)) => opened,
        Ok(None) => return,
        Err(error) => return tracing::debug!(client = %peer.addr, %error, "connection refused"),
    };
    let served = async {
        match protocol {
            Protocol::Http1 => {
                // The first head's time runs from the connection's begin, but that of TLS is its own.
                let begun = if peer.secure { Instant::now() } else { begun };
                let clock = Arc::new(Clock::start(begun.into_std()));
                let socket = Socket::new(stream, Arc::clone(&clock), open);
                serve_http1(socket, Seat { shared, terms, peer, clock }, serving).await;
            }
            Protocol::Http2 => {
                let clock = Arc::new(Clock::start_multiplexed(Instant::now().into_std()));
                let socket = Socket::new(stream, Arc::clone(&clock), open);
                let seat = Seat { shared, terms, peer, clock };
                Box::pin(http2::serve(socket, Arc::new(seat), serving)).await;
            }
        }
    };
    if peer.refused.is_some() {
        let _ = Box::pin(timeout(TELLING, served)).await;
    } else {
        served.await;
    }
}

/// Everything before HTTP. None when the client left, or waited too long, without having said anything.
async fn open_up<H: Handler>(
    mut tcp: Tcp,
    peer: &mut Peer,
    shared: &Shared<H>,
    terms: &Terms,
    open: &mut Open,
    serving: &mut Serving,
    begun: Instant,
) -> io::Result<Option<(Stream, Protocol)>> {
    if terms.proxy_protocol {
        if let Some(ends) = Box::pin(opening::take_header(&mut tcp, peer.addr, terms)).await? {
            peer.addr = ends.source;
        }
        if !admit(peer, shared, terms, open) {
            return Ok(None);
        }
    }
    let patience = match peer.refused {
        Some(_) => TELLING.min(terms.options.header_timeout),
        None => terms.options.header_timeout,
    };
    let Some(tls) = &terms.tls else {
        let deadline = begun + patience;
        let protocol = opening::peek(&mut tcp, serving, deadline).await;
        return Ok(protocol.map(|protocol| (Stream::Plain(tcp), protocol)));
    };
    peer.secure = true;
    let deadline = Instant::now() + patience;
    Box::pin(opening::handshake(tcp, tls, terms, deadline)).await.map(Some)
}

async fn serve_http1<H: Handler>(socket: Socket, seat: Seat<H>, mut serving: Serving) {
    let seat = Arc::new(seat);
    let (clock, options) = (&seat.clock, &seat.terms.options);
    let service = service_fn(|request| answer(request, Arc::clone(&seat)));
    let mut connection = builder(options).serve_connection(TokioIo::new(socket), service).with_upgrades();
    let mut timer = pin!(sleep(clock.left(options).unwrap_or_default()));
    let mut ending = false;
    let end = poll_fn(|cx| {
        if !ending && serving.must_end(cx) {
            ending = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        if let Poll::Ready(result) = Pin::new(&mut connection).poll(cx) {
            return Poll::Ready(Some(result));
        }
        while timer.as_mut().poll(cx).is_ready() {
            let Some(left) = clock.left(options) else { return Poll::Ready(None) };
            timer.as_mut().reset(Instant::now() + left);
        }
        Poll::Pending
    })
    .await;
    let client = seat.peer.addr;
    match end {
        Some(Ok(())) if clock.has_unread() => {
            if let Some(parts) = connection.into_parts() {
                Box::pin(linger(parts.io.into_inner())).await;
            }
        }
        Some(Ok(())) => (),
        Some(Err(error)) => tracing::debug!(%client, %error, "connection ended"),
        None => tracing::debug!(%client, "connection timed out"),
    }
}

/// The timeouts of a head and of an idle connection are the [`Clock`]'s: hyper's own would take both
/// for one, and arm a timer for each request. What is said of a head too large is the handler's, who says
/// more than hyper does; hyper refuses what it would not be good to hold until then.
fn builder(options: &Options) -> Builder {
    let mut builder = Builder::new();
    let head = options.max_head();
    builder
        .header_read_timeout(None)
        .half_close(false)
        .max_header_size(head)
        .max_buf_size(MAX_BUFFER.max(head.saturating_mul(2)));
    builder
}

/// A request for the handler, and its turn, which is over when what comes with the response is dropped.
pub(super) fn receive<H, B>(request: Request<B>, seat: &Seat<H>) -> (Request<Body>, Turn)
where
    B: http_body::Body<Data = Bytes, Error: Into<BodyError>> + Unpin + Send + 'static,
{
    let turn = seat.clock.request();
    (request.map(|body| Upload::wrap(body, &seat.clock, seat.terms.options.body_timeout)), turn)
}

/// Answers a request. hyper moves this future three times for each: it holds the request once, and lends it.
fn answer<H: Handler>(
    request: Request<Incoming>,
    seat: Arc<Seat<H>>,
) -> impl Future<Output = Result<Response<Answer>, Infallible>> {
    let (mut request, turn) = receive(request, &seat);
    async move {
        let response = seat.shared.handler.call(&mut request, &seat.peer).await;
        Ok(response.map(|body| Answer::new(body, turn.answered())))
    }
}

/// Reads what still comes, so that the client gets to read the response.
async fn linger(mut socket: Socket) {
    let swallow = async {
        socket.shutdown().await?;
        let mut buffer = [0; 4096];
        let mut left = LINGER_BYTES;
        while left > 0 {
            match socket.read(&mut buffer).await? {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        std::io::Result::Ok(())
    };
    let _ = timeout(LINGER, swallow).await;
}
