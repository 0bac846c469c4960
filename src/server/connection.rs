//! One client connection: HTTP/1.1 with its timeouts, its end in a drain, and its lingering close.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::body::{self, Answer, Upload};
use super::clock::Clock;
use super::drain::{Drain, Open};
use super::{Handler, Options, Peer, Socket};

/// Read and write buffer of a connection beyond the head.
const MAX_BUFFER: usize = 128 * 1024;

/// How long, and for how many bytes, a closing connection swallows a body that nobody read: closing
/// at once would reset the connection and destroy the response on its way.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1024 * 1024;

/// What every connection of a listener shares.
pub(super) struct Shared<H> {
    pub(super) handler: Arc<H>,
    pub(super) options: Options,
    pub(super) drain: Drain,
}

/// Serves a connection to its end.
pub(super) async fn serve<H: Handler>(stream: TcpStream, peer: Peer, shared: Arc<Shared<H>>, open: Open) {
    let clock = Arc::new(Clock::start());
    let mut serving = shared.drain.serve();
    let socket = TokioIo::new(Socket::new(stream, Arc::clone(&clock), open));
    let service = service_fn(|request| answer(request, peer, Arc::clone(&shared), Arc::clone(&clock)));
    let mut connection = builder(&shared.options).serve_connection(socket, service).with_upgrades();
    let mut timer = pin!(sleep(clock.left(&shared.options).unwrap_or_default()));
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
            let Some(left) = clock.left(&shared.options) else { return Poll::Ready(None) };
            timer.as_mut().reset(Instant::now() + left);
        }
        Poll::Pending
    })
    .await;
    match end {
        Some(Ok(())) if clock.has_unread() => {
            if let Some(parts) = connection.into_parts() {
                linger(parts.io.into_inner()).await;
            }
        }
        Some(Ok(())) => (),
        Some(Err(error)) => tracing::debug!(client = %peer.addr, %error, "connection ended"),
        None => tracing::debug!(client = %peer.addr, "connection timed out"),
    }
}

/// The timeouts of a head and of an idle connection are the [`Clock`]'s: hyper's own would take both
/// for one, and arm a timer for each request. What is said of a head too large is the handler's, who says
/// more than hyper does; hyper refuses what it would not be good to hold until then.
fn builder(options: &Options) -> Builder {
    let mut builder = Builder::new();
    builder
        .header_read_timeout(None)
        .half_close(false)
        .max_header_size(options.header_bytes.saturating_mul(2))
        .max_buf_size(MAX_BUFFER.max(options.header_bytes.saturating_mul(2)));
    builder
}

async fn answer<H: Handler>(
    request: Request<Incoming>,
    peer: Peer,
    shared: Arc<Shared<H>>,
    clock: Arc<Clock>,
) -> Result<Response<Answer>, Infallible> {
    clock.request();
    let request = request.map(|body| Upload::wrap(body, &clock, shared.options.body_timeout));
    let response = Arc::clone(&shared.handler).call(request, peer).await;
    Ok(response.map(|body| body::answer(body, clock)))
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
