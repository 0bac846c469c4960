//! HTTP/1.1 as a server (RFC 9112): a task for each connection, which reads heads, lets the handler answer
//! and writes what it says. One request after the other; what is pipelined waits.

mod answer;
mod date;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod head;
mod link;
mod spare;
#[cfg(test)]
mod tests;
mod upload;

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

use super::connection::{LINGER, LINGER_BYTES, Seat};
use super::drain::Serving;
use super::{Handler, Peer, Socket};
use crate::body::Body;
use crate::http1::Framing;
use crate::http1::upgrade::Offer;
use crate::message::{Fields, Request, Response};
use head::{Bounds, Head};
use link::Link;

/// How a connection ends.
enum End {
    /// With the last answer, or without one.
    Closed,
    /// It is given away.
    Upgraded(Offer),
}

/// Serves a connection to its end.
pub(super) async fn serve<H: Handler>(socket: Socket, seat: Seat<H>, mut serving: Serving) {
    let (clock, options) = (&seat.clock, &seat.terms.options);
    let mut link = Link::new(socket);
    let mut timer = pin!(sleep(clock.left(options).unwrap_or_default()));
    let end = {
        let mut requests = pin!(requests(&mut link, &seat, &mut serving));
        poll_fn(|cx| {
            if let Poll::Ready(end) = requests.as_mut().poll(cx) {
                return Poll::Ready(Some(end));
            }
            while timer.as_mut().poll(cx).is_ready() {
                let Some(left) = clock.left(options) else { return Poll::Ready(None) };
                timer.as_mut().reset(Instant::now() + left);
            }
            Poll::Pending
        })
        .await
    };
    let client = seat.peer.addr;
    match end {
        Some(Ok(End::Upgraded(offer))) => offer.give(link.into_upgraded()),
        Some(Ok(End::Closed)) => Box::pin(close(link)).await,
        Some(Err(error)) => tracing::debug!(%client, %error, "connection ended"),
        None => tracing::debug!(%client, "connection timed out"),
    }
}

/// Answers one request after another.
async fn requests<H: Handler>(link: &mut Link, seat: &Seat<H>, serving: &mut Serving) -> io::Result<End> {
    let options = &seat.terms.options;
    let bounds = Bounds { bytes: options.max_head(), fields: options.max_fields() };
    let mut request = Request::new(Body::Empty);
    loop {
        let head = poll_fn(|cx| {
            if link.is_idle() && serving.must_end(cx) {
                return Poll::Ready(Ok(None));
            }
            link.poll_head(bounds, &mut request, cx)
        });
        let Some(head) = head.await? else { return Ok(End::Closed) };
        let turn = seat.clock.request();
        let mut manner = head.manner;
        let (mut response, offer) = answer(head, &mut request, link, seat).await?;
        let turn = turn.answered();
        head::clear(&mut request);
        let switches = settle(&mut response, &offer);
        manner.persistent &= !switches && !serving.has_begun();
        let persistent = link.begin(&mut response, manner);
        let body = response.body_mut();
        poll_fn(|cx| link.poll_send(body, cx)).await?;
        if let Some(offer) = offer.filter(|_| switches) {
            return Ok(End::Upgraded(offer));
        }
        if !persistent || !poll_fn(|cx| link.poll_rest(cx)).await {
            return Ok(End::Closed);
        }
        drop(turn);
    }
}

/// Lets the handler answer a request; what gives the connection away is told where the request asks for it.
async fn answer<H: Handler>(
    head: Head,
    request: &mut Request<Body>,
    link: &mut Link,
    seat: &Seat<H>,
) -> io::Result<(Response<Body>, Option<Offer>)> {
    *request.body_mut() = body(head, link, seat);
    let offer = head.upgrades.then(|| Offer::put(request));
    let peer = Peer { refused: seat.peer.refused.or(head.refused), ..seat.peer };
    let mut answer = pin!(seat.shared.handler.call(request, &peer));
    let response = poll_fn(|cx| link.poll_answer(answer.as_mut(), cx)).await?;
    Ok((response, offer))
}

/// The request's body. What has come with the head needs nobody to wait for it.
fn body<H>(head: Head, link: &mut Link, seat: &Seat<H>) -> Body {
    match head.framing {
        Framing::None | Framing::Close => return Body::Empty,
        Framing::Length(length) if !head.expects => {
            if let Some(body) = link.take_whole(length) {
                return Body::Full(body);
            }
        }
        Framing::Length(_) | Framing::Chunked => (),
    }
    let (intake, upload) = upload::open(head.framing, head.expects, seat.terms.options.body_timeout);
    link.expect(intake);
    Body::boxed(upload)
}

/// Whether the connection leaves HTTP with this response. Interim ones are no answers, and nobody can switch
/// who was not asked to.
fn settle(response: &mut Response<Body>, offer: &Option<Offer>) -> bool {
    let status = response.status();
    if status == StatusCode::SWITCHING_PROTOCOLS && offer.is_some() {
        return true;
    }
    if status.is_informational() {
        tracing::error!(%status, "a response that cannot be one");
        (*response.status_mut(), *response.headers_mut()) =
            (StatusCode::INTERNAL_SERVER_ERROR, Fields::new());
        *response.body_mut() = Body::Empty;
    }
    false
}

/// Ends a connection in order. What still comes is read for a while, so that the client gets to read the answer.
async fn close(link: Link) {
    let lingers = link.has_leftovers();
    let mut socket = link.socket;
    let close = async {
        socket.shutdown().await?;
        let mut buffer = [0; 4096];
        let mut left = if lingers { LINGER_BYTES } else { 0 };
        while left > 0 {
            match socket.read(&mut buffer).await? {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        io::Result::Ok(())
    };
    let _ = timeout(LINGER, close).await;
}
