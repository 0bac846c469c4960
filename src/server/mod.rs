//! Listeners, worker threads and client connections. Knows no feature: what is served is a [`Handler`].

mod clock;
mod connection;
mod crowd;
mod drain;
mod http1;
mod http2;
mod listener;
mod opening;
mod options;
mod proxy_protocol;
mod refused;
mod socket;
mod tcp;
mod terms;
mod tls;
mod worker;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::SocketAddr;

use crate::body::Body;
use crate::message::{Request, Response};

pub use crowd::Crowd;
pub use drain::{Drain, Left, Open};
pub use listener::Listener;
pub use options::Options;
pub use refused::Refused;
pub use socket::Socket;
pub use terms::{Handle, Terms};
pub use tls::keep_fresh;
pub use worker::Workers;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use http1::fuzz;

/// Who is at the other end of a client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The client's address, as a balancer's PROXY protocol header tells it.
    pub addr: SocketAddr,
    /// Whether the connection is TLS.
    pub secure: bool,
    /// What the client is to be answered, whatever it asks.
    pub refused: Option<Refused>,
}

/// What answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers a request, of which it takes what it needs. [`upgrade::on`](crate::http1::upgrade::on) finds
    /// in it what tells of an upgrade. The future is dropped when the client goes away.
    fn call(&self, request: &mut Request<Body>, peer: &Peer) -> impl Future<Output = Response<Body>> + Send;
}
