//! One connection to an endpoint: hyper's sender, the task that drives it, and when it may idle.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use super::body::Outgoing;

/// Read and write buffer of a connection; a larger head is refused as too large.
const MAX_BUFFER: usize = 256 * 1024;

/// Bytes of a response's head that are taken.
const MAX_HEAD: usize = 64 * 1024;

/// How long an upstream may take no byte of a request. Without it a request would hang for ever
/// between an upstream that stopped reading and a client that went away unseen.
const STALL: Duration = Duration::from_secs(60);

/// A connection that carries one exchange at a time. Dropping it closes it.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Outgoing>,
    driver: Option<AbortHandle>,
    life: Arc<Life>,
    /// Index of the pool's shard that belongs to the thread that drives it.
    pub(super) shard: usize,
    /// Whether it has carried an exchange before, so that the upstream may have closed it meanwhile.
    pub(super) reused: bool,
}

impl Connection {
    /// Speaks HTTP/1.1 over `stream`, driven by a task on the current runtime.
    pub(super) async fn open(
        stream: TcpStream,
        shard: usize,
        idle_timeout: Duration,
    ) -> hyper::Result<Connection> {
        let life = Arc::new(Life::default());
        let io = TokioIo::new(Watched { stream, life: Arc::clone(&life) });
        let (sender, connection) =
            http1::Builder::new().max_buf_size(MAX_BUFFER).max_header_size(MAX_HEAD).handshake(io).await?;
        let task = tokio::spawn(drive(connection.with_upgrades(), Arc::clone(&life), idle_timeout));
        Ok(Connection { sender, driver: Some(task.abort_handle()), life, shard, reused: false })
    }

    /// Sends a request and waits for the response's head. The error holds the request if it was never sent.
    pub(super) fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Outgoing>>>> + use<> {
        self.life.received.store(false, Ordering::Relaxed);
        self.sender.try_send_request(request)
    }

    /// Whether any byte came since the last [`Connection::send`].
    pub(super) fn received(&self) -> bool {
        self.life.received.load(Ordering::Relaxed)
    }

    /// Whether it was given up because the upstream took no more bytes.
    pub(super) fn stalled(&self) -> bool {
        self.life.is_over()
    }

    /// Whether the exchange is over and the next one may begin.
    pub(super) fn is_ready(&self) -> bool {
        !self.life.deaf.load(Ordering::Relaxed) && self.sender.is_ready()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed() || self.life.is_over() || self.life.deaf.load(Ordering::Relaxed)
    }

    /// Waits until the next exchange may begin.
    pub(super) async fn ready(&mut self) -> hyper::Result<()> {
        self.sender.ready().await
    }

    /// Lets it idle: it closes itself after `timeout` unless [`Connection::wake`] comes first.
    pub(super) fn rest(&mut self, timeout: Duration) {
        self.reused = true;
        self.life.rest(timeout);
    }

    /// Takes it out of idling; false if it has closed itself.
    pub(super) fn wake(&self) -> bool {
        self.life.wake() && self.is_ready()
    }

    /// Leaves the socket to whoever took over after a 101.
    pub(super) fn detach(mut self) {
        self.driver = None;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(driver) = &self.driver {
            driver.abort();
        }
    }
}

/// Drives a connection to its end, or until it has idled for too long.
async fn drive(connection: impl Future<Output = hyper::Result<()>>, life: Arc<Life>, idle_timeout: Duration) {
    let mut connection = pin!(connection);
    let interval = idle_timeout.min(STALL);
    let mut check = pin!(tokio::time::sleep(interval));
    std::future::poll_fn(|cx| {
        if let Poll::Ready(result) = connection.as_mut().poll(cx) {
            if let Err(error) = result {
                tracing::debug!(%error, "upstream connection ended");
            }
            return Poll::Ready(());
        }
        while check.as_mut().poll(cx).is_ready() {
            let Some(wait) = life.expire(interval) else { return Poll::Ready(()) };
            check.as_mut().reset(tokio::time::Instant::now() + wait);
        }
        Poll::Pending
    })
    .await;
}

const BUSY: u64 = 0;
const OVER: u64 = u64::MAX;

/// Shared by a connection's owner, its driver and its socket.
#[derive(Debug, Default)]
struct Life {
    /// [`BUSY`], [`OVER`], or the millisecond at which idling ends. One word, so that the driver's
    /// expiry and the owner's wake-up cannot both win.
    idle_until: AtomicU64,
    /// Whether any byte came since the last request.
    received: AtomicBool,
    /// The millisecond since which the socket takes no bytes; 0 while it does.
    blocked_since: AtomicU64,
    /// Whether a write has failed; see [`Watched`].
    deaf: AtomicBool,
}

/// Milliseconds of this process's life; never [`BUSY`].
fn now() -> u64 {
    static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(EPOCH.elapsed().as_millis()).unwrap_or(OVER - 1) + 1
}

impl Life {
    fn rest(&self, timeout: Duration) {
        let timeout = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX / 2);
        self.idle_until.store(now().saturating_add(timeout).min(OVER - 1), Ordering::Release);
    }

    fn wake(&self) -> bool {
        let idle_until = self.idle_until.load(Ordering::Acquire);
        idle_until != OVER
            && self.idle_until.compare_exchange(idle_until, BUSY, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn is_over(&self) -> bool {
        self.idle_until.load(Ordering::Acquire) == OVER
    }

    /// Notes whether the socket took bytes.
    fn wrote(&self, taken: bool) {
        let blocked = self.blocked_since.load(Ordering::Relaxed) != 0;
        if blocked == taken {
            self.blocked_since.store(if taken { 0 } else { now() }, Ordering::Relaxed);
        }
    }

    fn is_stalled(&self) -> bool {
        let since = self.blocked_since.load(Ordering::Relaxed);
        since != 0 && Duration::from_millis(now().saturating_sub(since)) >= STALL
    }

    /// Ends it if it has idled or stalled for too long; else how long to wait before asking again,
    /// `interval` while it is busy.
    fn expire(&self, interval: Duration) -> Option<Duration> {
        let idle_until = self.idle_until.load(Ordering::Acquire);
        if idle_until == BUSY && !self.is_stalled() {
            return Some(interval);
        }
        let left = idle_until.saturating_sub(now());
        if left > 0 {
            return Some(Duration::from_millis(left));
        }
        match self.idle_until.compare_exchange(idle_until, OVER, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => None,
            Err(_) => Some(interval),
        }
    }
}

/// A socket that notes when bytes come: a request that got none may be sent again.
///
/// After a failed write it goes on to read and takes further bytes to nowhere: an upstream that answers
/// early and closes, as it does with an upload it refuses, has said why before it stopped listening.
struct Watched {
    stream: TcpStream,
    life: Arc<Life>,
}

impl Watched {
    fn wrote(&self, polled: Poll<io::Result<usize>>, offered: usize) -> Poll<io::Result<usize>> {
        self.life.wrote(polled.is_ready());
        if let Poll::Ready(Err(error)) = &polled {
            tracing::debug!(%error, "upstream takes no more bytes");
            self.life.deaf.store(true, Ordering::Relaxed);
            return Poll::Ready(Ok(offered));
        }
        polled
    }

    fn is_deaf(&self) -> bool {
        self.life.deaf.load(Ordering::Relaxed)
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.life.received.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_deaf() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(polled, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let offered = slices.iter().map(|slice| slice.len()).sum();
        if self.is_deaf() {
            return Poll::Ready(Ok(offered));
        }
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(polled, offered)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
