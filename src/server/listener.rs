//! The accepting socket.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use super::connection::{self, Shared};
use super::drain::Open;
use super::tcp::prepare;
use super::{Crowd, Drain, Handle, Handler, Peer, Refused, Terms, Workers};
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
        prepare(&socket)?;
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

    /// Accepts connections on the terms of `handle` and hands them to the workers in turn, until the
    /// drain begins. `crowd` counts them together with those of other listeners.
    ///
    /// # Errors
    /// When the socket cannot be used by the current runtime.
    pub async fn run<H: Handler>(
        self,
        handler: Arc<H>,
        handle: Handle,
        workers: &Workers,
        (drain, crowd): (Drain, Crowd),
    ) -> io::Result<()> {
        let listener = TcpListener::from_std(self.socket)?;
        let shared = Arc::new(Shared { handler, drain: drain.clone(), crowd });
        let mut begun = std::pin::pin!(drain.begun());
        let mut failing = false;
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut begun => return Ok(()),
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    failing = false;
                    if let Err(error) = hand_over(stream, peer, &shared, handle.load(), workers) {
                        tracing::debug!(client = %peer, %error, "connection lost while it was accepted");
                    }
                }
                Err(error) if is_of_one_connection(&error) => (),
                Err(error) => {
                    if !failing {
                        tracing::error!(%error, "cannot accept connections for now");
                    }
                    failing = true;
                    metrics::refused("open_files");
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
        }
    }
}

/// Gives a connection to a worker.
fn hand_over<H: Handler>(
    stream: TcpStream,
    addr: SocketAddr,
    shared: &Arc<Shared<H>>,
    terms: Arc<Terms>,
    workers: &Workers,
) -> io::Result<()> {
    let mut peer = Peer { addr, secure: false, refused: None };
    let bound = terms.options.connections;
    if bound > 0 && shared.drain.open() >= bound {
        peer.refused = Some(Refused::Connections);
    }
    let mut open = shared.drain.enter();
    // Behind the PROXY protocol the address is yet to be told.
    if !terms.proxy_protocol && !admit(&mut peer, shared, &terms, &mut open) {
        return Ok(());
    }
    let shared = Arc::clone(shared);
    let Some(worker) = workers.next() else {
        tokio::spawn(connection::serve(stream, peer, shared, terms, open));
        return Ok(());
    };
    let stream = stream.into_std()?;
    worker.spawn(async move {
        if let Ok(stream) = TcpStream::from_std(stream) {
            connection::serve(stream, peer, shared, terms, open).await;
        }
    });
    Ok(())
}

/// Counts a connection within the bounds. One beyond them is told so, but only few at a time: false
/// where it is to be closed without a word.
pub(super) fn admit<H>(peer: &mut Peer, shared: &Shared<H>, terms: &Terms, open: &mut Open) -> bool {
    let bound = terms.options.connections_per_ip;
    if peer.refused.is_none() && bound > 0 && !terms.trusted.contains(peer.addr.ip()) {
        match shared.crowd.enter(peer.addr.ip(), bound) {
            Some(place) => open.hold(place),
            None => peer.refused = Some(Refused::ConnectionsPerIp),
        }
    }
    let Some(refused) = peer.refused else { return true };
    metrics::refused(match refused {
        Refused::ConnectionsPerIp => "limits.connections_per_ip",
        _ => "limits.connections",
    });
    shared.crowd.tell().map(|told| open.tell(told)).is_some()
}

/// Errors of the connection that was about to be accepted, not of the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use socket2::SockRef;

    use super::*;

    #[test]
    fn what_is_accepted_sends_at_once_and_notices_peers_that_vanished() {
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        let _client = std::net::TcpStream::connect(listener.local_addr()).unwrap();
        let accepted = loop {
            match listener.socket.accept() {
                Ok((accepted, _)) => break accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        };
        let socket = SockRef::from(&accepted);
        assert!(socket.tcp_nodelay().unwrap());
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(60));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(10));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 6);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(120)));
    }
}
