//! One client connection: what it speaks, and what its requests have in common.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::clock::Clock;
use super::drain::{Drain, Open, Serving};
use super::listener::admit;
use super::opening::{self, Protocol};
use super::socket::Stream;
use super::tcp::Tcp;
use super::terms::Terms;
use super::{Crowd, Handler, Peer, Socket, http1, http2};

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
                http1::serve(socket, Seat { shared, terms, peer, clock }, serving).await;
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
