//! HTTP/2 connections of an endpoint: each carries many requests, and another one is opened when the
//! streams that the upstream allows run out.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::body::Outgoing;
use super::gate::Gate;
use super::resolve::Address;
use super::stream::Stream;

/// What an upstream may send of one response before its client takes it.
const STREAM_WINDOW: u32 = 256 * 1024;

/// The same for all responses of a connection: so many slow clients do not hold up the others.
const CONNECTION_WINDOW: u32 = 64 * STREAM_WINDOW;

/// Bytes of a request's body that hyper holds.
const SEND_BUFFER: usize = 128 * 1024;

/// How often a connection with open streams is asked for a sign of life, and how long that may take.
const PING: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));

/// Bytes of a response's head that are taken.
const MAX_HEAD: u32 = 64 * 1024;

/// Requests on one connection, whatever the upstream allows.
const MAX_STREAMS: usize = 1000;

/// One connection.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    sender: SendRequest<Outgoing>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    use_of: Mutex<Use>,
    gate: Arc<Gate>,
    /// Where it leads, unless to a unix socket.
    address: Option<Arc<Address>>,
    /// From when on no further request begins on it.
    ends: Instant,
}

#[derive(Debug)]
struct Use {
    /// Requests on it.
    streams: usize,
    /// As many as the upstream allows.
    max: usize,
    /// Since when there is none.
    idle_since: Instant,
    /// Whether it has carried one.
    used: bool,
    over: bool,
}

/// One request's place on a connection, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    connection: Shared,
    /// Whether the connection has carried a request before.
    pub(super) reused: bool,
}

impl Shared {
    /// Speaks HTTP/2 over `stream`, driven by tasks on the current runtime, and waits for the
    /// upstream's settings: before them it is not known how many streams it allows.
    pub(super) async fn open(stream: Stream, gate: Arc<Gate>, idle_timeout: Duration) -> io::Result<Shared> {
        let (address, ends, io) = (stream.address(), stream.ends(), TokioIo::new(stream));
        let settling = Arc::new(Settling::default());
        let (sender, connection) = http2::Builder::new(Spawner(Arc::clone(&settling)))
            .timer(TokioTimer::new())
            .initial_max_send_streams(0)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEAD)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(PING.0)
            .keep_alive_timeout(PING.1)
            .handshake(io)
            .await
            .map_err(io::Error::other)?;
        let use_of = Use { streams: 0, max: 0, idle_since: Instant::now(), used: false, over: false };
        let state = Arc::new(State { use_of: Mutex::new(use_of), gate, address, ends });
        let (settled, settings) = oneshot::channel();
        tokio::spawn(drive(connection, Arc::clone(&state), settling, settled, idle_timeout));
        match settings.await {
            Ok(()) => Ok(Shared { sender, state }),
            Err(_) => Err(io::Error::other("the upstream does not speak HTTP/2")),
        }
    }

    /// A place for one more request, if there is one.
    fn begin(&self) -> Option<Place> {
        let mut used = self.state.lock();
        if used.over || used.streams >= used.max || self.sender.is_closed() {
            return None;
        }
        used.streams += 1;
        let reused = std::mem::replace(&mut used.used, true);
        drop(used);
        Some(Place { connection: self.clone(), reused })
    }

    /// Whether no further request may begin on it.
    fn is_over(&self) -> bool {
        let gone = self.state.address.as_ref().is_some_and(|address| address.is_gone());
        gone || self.state.ends <= Instant::now() || self.sender.is_closed() || self.state.lock().over
    }
}

impl Place {
    /// Sends a request and waits for the response's head. The error holds the request if it was never sent.
    pub(super) fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Outgoing>>>> + use<> {
        self.connection.sender.try_send_request(request)
    }

    /// Lets no further request begin on the connection: it is about to end, which hyper tells a moment later.
    pub(super) fn retire(&self) {
        self.connection.state.lock().over = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut used = self.connection.state.lock();
        used.streams = used.streams.saturating_sub(1);
        if used.streams == 0 {
            used.idle_since = Instant::now();
        }
        drop(used);
        self.connection.state.gate.freed();
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Use> {
        self.use_of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it if it has idled for `timeout` or is idle and too old; else when to look again.
    fn expire(&self, timeout: Duration) -> Option<Instant> {
        let mut used = self.lock();
        let end = match used.streams {
            0 => (used.idle_since + timeout).min(self.ends),
            _ => Instant::now() + timeout,
        };
        if end <= Instant::now() {
            used.over = true;
            return None;
        }
        Some(end)
    }
}

type Connection = http2::Connection<TokioIo<Stream>, Outgoing, Spawner>;

/// Drives a connection to its end, or until it has idled for too long.
async fn drive(
    mut connection: Connection,
    state: Arc<State>,
    settling: Arc<Settling>,
    settled: oneshot::Sender<()>,
    idle_timeout: Duration,
) {
    let mut settled = Some(settled);
    let mut check = pin!(tokio::time::sleep(idle_timeout));
    std::future::poll_fn(|cx| {
        settling.driver.register(cx.waker());
        if let Poll::Ready(result) = Pin::new(&mut connection).poll(cx) {
            if let Err(error) = result {
                tracing::debug!(%error, "upstream connection ended");
            }
            return Poll::Ready(());
        }
        let max = connection.current_max_send_streams();
        state.lock().max = max.min(MAX_STREAMS);
        if max > 0
            && let Some(settled) = settled.take()
        {
            settling.done.store(true, Ordering::Relaxed);
            let _ = settled.send(());
        }
        while check.as_mut().poll(cx).is_ready() {
            let Some(again) = state.expire(idle_timeout) else { return Poll::Ready(()) };
            check.as_mut().reset(again);
        }
        Poll::Pending
    })
    .await;
    state.lock().over = true;
}

/// Wakes the driver when something happened on the connection, until its settings have come: hyper
/// reads them in a task of its own and tells nobody.
#[derive(Debug, Default)]
struct Settling {
    driver: AtomicWaker,
    done: AtomicBool,
}

/// Runs hyper's tasks of a connection on the current runtime.
#[derive(Debug, Clone)]
struct Spawner(Arc<Settling>);

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        let settling = Arc::clone(&self.0);
        tokio::spawn(async move {
            let mut future = pin!(future);
            std::future::poll_fn(|cx| {
                let polled = future.as_mut().poll(cx);
                if !settling.done.load(Ordering::Relaxed) {
                    settling.driver.wake();
                }
                polled
            })
            .await
        });
    }
}

/// The connections of an endpoint that one thread uses.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: Mutex<Vec<Shared>>,
    /// Held while one is opened: those who come meanwhile use it too.
    pub(super) opening: tokio::sync::Mutex<()>,
}

impl Connections {
    /// A place on the first connection that has one.
    pub(super) fn take(&self) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|connection| !connection.is_over());
        open.iter().find_map(Shared::begin)
    }

    /// Adds a connection, and takes a place on it.
    pub(super) fn add(&self, connection: Shared) -> Option<Place> {
        let place = connection.begin();
        self.open.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        place
    }
}
