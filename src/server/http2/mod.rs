//! HTTP/2 (RFC 9113): the same requests beside one another, and what a client may not do with them.

mod leftover;
mod stream;
mod upload;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::Method;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING, UPGRADE};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::{Instant, sleep};

use super::connection::Seat;
use super::drain::Serving;
use super::{Handler, Options, Socket};
use crate::body::Body;
use crate::headers::join_cookies;
use crate::message::Request;
use crate::telemetry::metrics;
use leftover::Leftover;
use stream::{Pieces, Streams};
use upload::Upload;

/// Requests beside one another on a connection.
const STREAMS: u32 = 100;

/// Bytes of bodies that a client may send ahead, for one request and for all of a connection.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Bytes of one response that wait for the client.
const SEND_BUFFER: usize = 64 * 1024;

/// Streams that are reset before they are looked at, and for errors of the client's, before it is taken
/// for an attack.
const PENDING_RESETS: usize = 20;
const LOCAL_RESETS: usize = 100;

/// How often a silent client is asked whether it is there, and how long it may take to answer.
const PING: Duration = Duration::from_secs(20);

/// Time for the last words of a connection whose time is over.
const FAREWELL: Duration = Duration::from_secs(2);

/// Fields that say something of an HTTP/1 connection (RFC 9113 8.2.2).
static OF_HTTP1: [HeaderName; 5] = [
    CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// How a connection ended.
enum End {
    Done(hyper::Result<()>),
    TimedOut,
    Flooded,
}

/// Serves a connection to its end.
pub(super) async fn serve<H: Handler>(socket: Socket, seat: Arc<Seat<H>>, mut serving: Serving) {
    let (clock, options) = (&seat.clock, &seat.terms.options);
    let service = service_fn(|request| answer(request, Arc::clone(&seat)));
    let connection = builder(options).serve_connection(TokioIo::new(socket), service);
    let mut connection = pin!(connection);
    let mut timer = pin!(sleep(clock.left(options).unwrap_or_default()));
    let (mut ending, mut late) = (false, false);
    let end = poll_fn(|cx| {
        if !ending && serving.must_end(cx) {
            ending = true;
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(result) = connection.as_mut().poll(cx) {
            return Poll::Ready(End::Done(result));
        }
        if clock.is_flooded() {
            // GOAWAY, as far as it can be written at once.
            connection.as_mut().graceful_shutdown();
            let _ = connection.as_mut().poll(cx);
            return Poll::Ready(End::Flooded);
        }
        while timer.as_mut().poll(cx).is_ready() {
            let left = match clock.left(options) {
                Some(left) => left,
                None if late => return Poll::Ready(End::TimedOut),
                None => {
                    late = true;
                    connection.as_mut().graceful_shutdown();
                    if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                        return Poll::Ready(End::Done(result));
                    }
                    FAREWELL
                }
            };
            timer.as_mut().reset(Instant::now() + left);
        }
        Poll::Pending
    })
    .await;
    let client = seat.peer.addr;
    match end {
        End::Done(Ok(())) => (),
        End::Done(Err(error)) => tracing::debug!(%client, %error, "connection ended"),
        End::TimedOut => tracing::debug!(%client, "connection timed out"),
        End::Flooded => {
            metrics::refused("http2.resets");
            tracing::warn!(%client, "HTTP/2 client cancels its requests in a flood, cut off");
        }
    }
}

fn builder(options: &Options) -> Builder<Streams> {
    let mut builder = Builder::new(Streams::new(options.body_timeout));
    // The second bound on a head, as with HTTP/1.
    let head = u32::try_from(options.max_head()).unwrap_or(u32::MAX);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(head)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(LOCAL_RESETS)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}

async fn answer<H: Handler>(
    request: http::Request<Incoming>,
    seat: Arc<Seat<H>>,
) -> Result<http::Response<Pieces>, Infallible> {
    let mut request = Request::from(request);
    // As everything behind expects them.
    join_cookies(request.headers_mut());
    let head_only = request.method() == Method::HEAD;
    let turn = seat.clock.request();
    let timeout = seat.terms.options.body_timeout;
    let mut request = request.map(|body| Upload::wrap(Leftover::new(body), timeout));
    let mut response = seat.shared.handler.call(&mut request, &seat.peer).await;
    let turn = turn.answered();
    let length = response.body().size_hint().exact();
    let headers = response.headers_mut();
    for name in &OF_HTTP1 {
        headers.remove(name);
    }
    if head_only {
        if let Some(length) = length.filter(|length| *length > 0)
            && !headers.contains_key(CONTENT_LENGTH)
        {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        *response.body_mut() = Body::Empty;
    }
    Ok(response.map(|body| Pieces::new(body, turn)).into())
}
