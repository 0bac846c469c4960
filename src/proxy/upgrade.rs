//! WebSockets that are not ours: bytes both ways, once the upstream has agreed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Response, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, copy_bidirectional_with_sizes};

use super::response;
use crate::body::Body;
use crate::fault::Fault;
use crate::headers::has_token;
use crate::telemetry::metrics;
use crate::upstream::{Stream, Switched};

/// Bytes held for each direction.
const BUFFER: usize = 8 * 1024;

/// Makes of the upstream's 101 the client's, and carries the bytes from then on, until none came for
/// `idle`, up to twice as long. The client's socket counts as open until the tunnel ends.
pub(super) fn accept(
    client: OnUpgrade,
    mut response: Response<Body>,
    idle: Duration,
) -> Result<Response<Body>, Fault> {
    if !has_token(response.headers(), &UPGRADE, "websocket") {
        return Err(Fault::new(
            StatusCode::BAD_GATEWAY,
            "upstream_error",
            "the upstream switched to another protocol",
        ));
    }
    let upstream = Switched::take(&mut response);
    let mut response = response::prepare(response);
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    tokio::spawn(async move {
        let Some((upstream, said)) = upstream else { return };
        let Ok(client) = client.await else { return };
        tunnel(client, (upstream, said), idle).await;
    });
    Ok(response)
}

/// Carries what the upstream has `said` already, then copies until both sides have ended, one has failed,
/// or nothing moves any more.
async fn tunnel(client: Upgraded, (upstream, said): (Stream, Bytes), idle: Duration) {
    let moved = Arc::new(AtomicBool::new(true));
    let mut client = Watched { io: TokioIo::new(client), moved: Arc::clone(&moved) };
    let mut upstream = Watched { io: upstream, moved: Arc::clone(&moved) };
    let copy = async {
        client.write_all(&said).await?;
        copy_bidirectional_with_sizes(&mut client, &mut upstream, BUFFER, BUFFER).await
    };
    tokio::select! {
        result = copy => if let Err(error) = result { tracing::debug!(%error, "tunnel broke") },
        () = standstill(&moved, idle) => {
            metrics::refused("upstreams.stream_idle_timeout");
            tracing::debug!("tunnel closed: nothing moved");
        }
    }
}

async fn standstill(moved: &AtomicBool, idle: Duration) {
    while moved.swap(false, Ordering::Relaxed) {
        tokio::time::sleep(idle).await;
    }
}

/// Notes that bytes came.
struct Watched<T> {
    io: T,
    moved: Arc<AtomicBool>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        self.moved.store(true, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
