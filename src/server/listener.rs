//! The accepting socket.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

use super::connection::{self, Shared};
use super::{Drain, Handler, Options, Peer, Workers};
use crate::telemetry::metrics;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// Wait after an accept that failed for want of files or memory. Connections wait in the backlog.
const BACK_OFF: Duration = Duration::from_millis(100);

/// A bound address.
#[derive(Debug)]
pub struct Listener {
    socket: std::net::TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds `HOST:PORT`; port 0 takes a free one. Resolves names, so it may block.
    pub fn bind(address: &str) -> io::Result<Listener> {
        let mut failure = io::Error::new(io::ErrorKind::InvalidInput, "no address");
        for address in address.to_socket_addrs()? {
            match Listener::bind_to(address) {
                Ok(listener) => return Ok(listener),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Whether an address could be bound: a host and a port.
    pub fn is_address(address: &str) -> bool {
        address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
    }

    fn bind_to(address: SocketAddr) -> io::Result<Listener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let socket = std::net::TcpListener::from(socket);
        let address = socket.local_addr()?;
        Ok(Listener { socket, address })
    }

    /// The address bound, with the port that was taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Accepts connections and hands them to the workers in turn, until the drain begins.
    ///
    /// # Errors
    /// When the socket cannot be used by the current runtime.
    pub async fn run<H: Handler>(
        self,
        handler: Arc<H>,
        options: Options,
        workers: &Workers,
        drain: Drain,
    ) -> io::Result<()> {
        let listener = TcpListener::from_std(self.socket)?;
        let shared = Arc::new(Shared { handler, options, drain: drain.clone() });
        let mut begun = std::pin::pin!(drain.begun());
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut begun => return Ok(()),
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    if let Err(error) = hand_over(stream, peer, &shared, workers) {
                        tracing::debug!(client = %peer, %error, "connection lost while it was accepted");
                    }
                }
                Err(error) if is_of_one_connection(&error) => (),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections");
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
        }
    }
}

/// Gives a connection to a worker, or closes it at the bound: a client learns more from that than
/// from a connection that nobody serves.
fn hand_over<H: Handler>(
    stream: TcpStream,
    addr: SocketAddr,
    shared: &Arc<Shared<H>>,
    workers: &Workers,
) -> io::Result<()> {
    let bound = shared.options.connections;
    if bound > 0 && shared.drain.open() >= bound {
        metrics::refused("limits.connections");
        return Ok(());
    }
    let open = shared.drain.enter();
    prepare(&stream)?;
    let peer = Peer { addr, local: stream.local_addr()?, secure: false };
    let stream = stream.into_std()?;
    let Some(worker) = workers.next() else { return Ok(()) };
    let shared = Arc::clone(shared);
    worker.spawn(async move {
        if let Ok(stream) = TcpStream::from_std(stream) {
            connection::serve(stream, peer, shared, open).await;
        }
    });
    Ok(())
}

/// Sends small writes at once, and notices peers that vanished: after 60 s of silence it asks 6 times,
/// 10 s apart.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(10))
        .with_retries(6);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Errors of the connection that was about to be accepted, not of the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
