//! One socket's events, live: JSON lines for as long as the socket is here and somebody reads.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http_body::Frame;
use tokio::time::{Instant, Interval, interval_at};

use super::body::bad;
use crate::body::Body;
use crate::fault::Fault;
use crate::message::Response;
use crate::socketio::{Follower, Hub, NotFollowed, Terms};
use crate::telemetry::metrics;

/// An empty line this often shows proxies, and us, that the other side is still there.
const BEAT: Duration = Duration::from_secs(15);

/// Bytes of lines that are sent together.
const ENOUGH: usize = 16_384;

/// Bounds on those who follow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) max_followers: usize,
    pub(super) max_queue: usize,
}

/// Begins to follow a socket.
pub(super) fn follow(
    hub: &Arc<Hub>,
    id: &str,
    written: Option<&str>,
    bounds: Bounds,
) -> Result<Response<Body>, Fault> {
    let Bounds { max_followers, max_queue } = bounds;
    let terms = Terms { content: wants_payload(written)?, max_queue, max_followers };
    let follower = hub.follow(id, terms).map_err(|why| match why {
        NotFollowed::NoSocket => {
            Fault::new(StatusCode::NOT_FOUND, "no_socket", "no socket of this node has this id")
        }
        NotFollowed::TooMany => {
            metrics::refused("admin.max_followers");
            let message = format!("{max_followers} sockets are followed already: admin.max_followers");
            Fault::new(StatusCode::TOO_MANY_REQUESTS, "too_many_followers", message)
        }
    })?;
    let lines = Lines { follower, beat: interval_at(Instant::now() + BEAT, BEAT) };
    let mut response = Response::new(Body::boxed(lines));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would keep lines back until it has enough of them.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// Reads `payload`: whether arguments are shown.
fn wants_payload(written: Option<&str>) -> Result<bool, Fault> {
    let mut wanted = None;
    for (key, value) in form_urlencoded::parse(written.unwrap_or_default().as_bytes()) {
        let said = match (&*key, &*value) {
            ("payload", "true") => true,
            ("payload", "false" | "") => false,
            ("payload", _) => return Err(bad("payload: must be true or false")),
            _ => return Err(bad(format!("{key}: unknown parameter; payload is known"))),
        };
        if wanted.replace(said).is_some() {
            return Err(bad("payload: is given twice"));
        }
    }
    Ok(wanted.unwrap_or_default())
}

/// What happens to the socket, a line each.
struct Lines {
    follower: Follower,
    beat: Interval,
}

impl http_body::Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let mut lines = Vec::new();
        while lines.len() < ENOUGH {
            match Pin::new(&mut this.follower).poll_next(cx) {
                Poll::Ready(Some(moment)) => {
                    if serde_json::to_writer(&mut lines, &moment).is_ok() {
                        lines.push(b'\n');
                    }
                }
                Poll::Ready(None) if lines.is_empty() => return Poll::Ready(None),
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        if lines.is_empty() {
            ready!(this.beat.poll_tick(cx));
            lines.push(b'\n');
        }
        Poll::Ready(Some(Ok(Frame::data(lines.into()))))
    }
}
