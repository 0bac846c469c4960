//! One endpoint of an upstream: its connections, and how it is connected to.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use http::uri::{Authority, Scheme as UriScheme};
use rustls::pki_types::ServerName;
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::Timeouts;
use super::dial::dial;
use super::error::{Error, Full};
use super::failfast::Failfast;
use super::gate::{Gate, Slot};
use super::http1::Connection;
use super::http2::{self, Connections, Shared};
use super::load::Load;
use super::pool::{self, Pool, SHARDS};
use super::resolve::{Lookup, Resolver};
use super::standing::Standing;
use super::stream::{Kind, Stream};
use super::target::{Place, Scheme, Target};
use super::tls::Tls;
use crate::telemetry::metrics;

/// One endpoint of an upstream.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// For messages.
    pub(super) name: String,
    target: Target,
    pub(super) timeouts: Timeouts,
    tls: Option<(Tls, ServerName<'static>)>,
    /// None for a unix socket.
    pub(super) resolver: Option<Resolver>,
    pub(super) gate: Arc<Gate>,
    /// All endpoints of the upstream, whose idle connections make way where too many are open.
    siblings: OnceLock<Vec<Weak<Endpoint>>>,
    pool: Pool,
    /// HTTP/2 connections by thread; empty where there can be none.
    multiplexed: Vec<Connections>,
    /// Whether ALPN chose HTTP/1.1 the last time.
    chose_http1: AtomicBool,
    pub(super) load: Arc<Load>,
    pub(super) standing: Standing,
    reach: Failfast,
}

/// The right to send one request over a connection.
#[derive(Debug)]
pub(super) enum Lease {
    Http1(Box<Connection>),
    Http2(http2::Place),
}

impl Endpoint {
    pub(super) fn new(
        target: Target,
        tls: Option<&Tls>,
        timeouts: Timeouts,
        gate: Arc<Gate>,
        lookup: Arc<dyn Lookup>,
    ) -> Endpoint {
        let (resolver, host) = match &target.place {
            Place::Host { host, port } => (Some(Resolver::new(host, *port, lookup)), host.as_str()),
            Place::Unix(_) => (None, "localhost"),
        };
        let tls = tls.filter(|_| target.scheme == Scheme::Https).and_then(|tls| {
            let own = || ServerName::try_from(host.to_owned()).ok();
            Some((tls.clone(), tls.server_name.clone().or_else(own)?))
        });
        let threads = if target.scheme == Scheme::Http { 0 } else { SHARDS };
        Endpoint {
            name: target.name(),
            target,
            timeouts,
            tls,
            resolver,
            gate,
            siblings: OnceLock::new(),
            pool: Pool::new(),
            multiplexed: (0..threads).map(|_| Connections::default()).collect(),
            chose_http1: AtomicBool::new(false),
            load: Load::new(),
            standing: Standing::default(),
            reach: Failfast::default(),
        }
    }

    /// Tells it of the upstream's endpoints, itself among them.
    pub(super) fn know(&self, siblings: Vec<Weak<Endpoint>>) {
        let _ = self.siblings.set(siblings);
    }

    /// The `Host` of requests that name none.
    pub(super) fn authority(&self) -> &Authority {
        &self.target.authority
    }

    /// The scheme of requests over HTTP/2.
    pub(super) fn scheme(&self) -> UriScheme {
        if self.target.scheme == Scheme::Https { UriScheme::HTTPS } else { UriScheme::HTTP }
    }

    /// An idle connection for one request, if nobody waits for one. One that `upgrades` is HTTP/1.1.
    pub(super) fn at_hand(&self, upgrades: bool) -> Option<Lease> {
        self.gate.is_calm().then(|| self.idle(upgrades)).flatten()
    }

    /// A connection for a request that found none [`at_hand`](Self::at_hand), or wants a `fresh` one.
    pub(super) async fn lease(&self, fresh: bool, upgrades: bool) -> Result<Lease, Error> {
        if upgrades && self.target.scheme == Scheme::H2c {
            return Err(Error::NoUpgrade { endpoint: self.name.clone() });
        }
        if !self.reach.admits() {
            return Err(Error::Unavailable { endpoint: self.name.clone() });
        }
        let shared = match self.multiplexed.get(pool::shard()) {
            Some(connections) if !upgrades && !self.chose_http1.load(Ordering::Relaxed) => connections,
            _ => return self.open(fresh, upgrades).await,
        };
        // Those who come while a connection is opened wait for it, and use it too.
        let pending = self.gate.enter().map_err(busy)?;
        let opening = timeout(self.timeouts.connect, shared.opening.lock()).await;
        let opening = opening.map_err(|_| Error::ConnectTimeout { endpoint: self.name.clone() })?;
        if let Some(place) = shared.take() {
            return Ok(Lease::Http2(place));
        }
        // One after another only where the next can use what this one opens.
        let _guards = (!self.chose_http1.load(Ordering::Relaxed)).then_some((pending, opening));
        self.open(fresh, upgrades).await
    }

    /// An idle connection of this thread.
    fn idle(&self, upgrades: bool) -> Option<Lease> {
        let shared = self.multiplexed.get(pool::shard()).filter(|_| !upgrades);
        let place = shared.and_then(Connections::take).map(Lease::Http2);
        place.or_else(|| self.pool.take().map(Lease::Http1))
    }

    /// Opens a connection, as soon as there may be one more; what is given back meanwhile will do too.
    async fn open(&self, fresh: bool, upgrades: bool) -> Result<Lease, Error> {
        if let Some(slot) = self.gate.slot() {
            return self.connect(slot, upgrades).await;
        }
        let _pending = self.gate.enter().map_err(busy)?;
        let found = self.gate.wait(self.timeouts.connect, || self.find(fresh, upgrades)).await;
        match found.map_err(busy)? {
            Found::Lease(lease) => Ok(lease),
            Found::Slot(slot) => self.connect(slot, upgrades).await,
        }
    }

    fn find(&self, fresh: bool, upgrades: bool) -> Option<Found> {
        let shared = self.multiplexed.iter().filter(|_| !upgrades);
        let place = shared.into_iter().find_map(Connections::take).map(Lease::Http2);
        let alone = || if fresh { None } else { self.pool.take_any().map(Lease::Http1) };
        if let Some(lease) = place.or_else(alone) {
            return Some(Found::Lease(lease));
        }
        if let Some(slot) = self.gate.slot() {
            return Some(Found::Slot(slot));
        }
        // The slot of one that makes way comes back once it is closed. Our own would do themselves,
        // unless a fresh one is asked for.
        let siblings = self.siblings.get().into_iter().flatten().filter_map(Weak::upgrade);
        let mut others = siblings.filter(|sibling| fresh || !std::ptr::eq(&**sibling, self));
        drop(others.find_map(|sibling| sibling.pool.take_any()));
        None
    }

    async fn connect(&self, slot: Slot, upgrades: bool) -> Result<Lease, Error> {
        let connected = timeout(self.timeouts.connect, self.open_connection(slot, upgrades)).await;
        let late = || Err(Error::ConnectTimeout { endpoint: self.name.clone() });
        let connected = connected.unwrap_or_else(|_| late());
        match &connected {
            Ok(_) | Err(Error::Unreachable { .. }) => self.reach.note(true),
            Err(Error::ConnectTimeout { .. } | Error::Unresolved { .. }) => self.reach.note(false),
            Err(_) => {}
        }
        connected
    }

    /// Connects and says hello: TCP, TLS and what the protocol needs.
    pub(super) async fn open_connection(&self, slot: Slot, upgrades: bool) -> Result<Lease, Error> {
        let (stream, http2) = self.open_stream(slot, upgrades).await?;
        if !http2 {
            return Ok(Lease::Http1(Box::new(Connection::new(stream, pool::shard()))));
        }
        let shared = Shared::open(stream, Arc::clone(&self.gate), self.timeouts.idle).await;
        let shared = shared.map_err(|error| self.tls_or_broken(error.into()))?;
        let connections = self.multiplexed.get(pool::shard());
        let place = connections.and_then(|connections| connections.add(shared));
        let closed = || Error::Broken { endpoint: self.name.clone(), source: "it closed at once".into() };
        place.map(Lease::Http2).ok_or_else(closed)
    }

    /// Connects; whether the connection speaks HTTP/2.
    async fn open_stream(&self, slot: Slot, upgrades: bool) -> Result<(Stream, bool), Error> {
        let (endpoint, age) = (|| self.name.clone(), self.timeouts.age);
        let unreachable = |source| Error::Unreachable { endpoint: endpoint(), source };
        let resolver = match (&self.resolver, &self.target.place) {
            (Some(resolver), _) => resolver,
            (None, Place::Unix(path)) => {
                let stream = UnixStream::connect(path).await.map_err(unreachable)?;
                return Ok((Stream::new(Kind::Unix(stream), None, slot, age), false));
            }
            (None, Place::Host { .. }) => return Err(unreachable(io::ErrorKind::NotFound.into())),
        };
        let unresolved = |source| Error::Unresolved { endpoint: endpoint(), source };
        let addresses = resolver.addresses().await.map_err(unresolved)?;
        let (stream, address) = dial(&addresses).await.map_err(unreachable)?;
        let Some((tls, name)) = &self.tls else {
            let stream = Stream::new(Kind::Tcp(stream), Some(address), slot, age);
            return Ok((stream, self.target.scheme == Scheme::H2c));
        };
        let config = if upgrades { &tls.http1 } else { &tls.any };
        let stream = TlsConnector::from(Arc::clone(config)).connect(name.clone(), stream).await;
        let stream = stream.map_err(|error| Error::Tls { endpoint: endpoint(), source: error.into() })?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        if !upgrades {
            self.chose_http1.store(!http2, Ordering::Relaxed);
        }
        Ok((Stream::new(Kind::Tls(Box::new(stream)), Some(address), slot, age), http2))
    }

    /// What broke: a certificate of ours that was not taken shows only when the first answer is read.
    pub(super) fn tls_or_broken(&self, source: crate::body::BodyError) -> Error {
        let endpoint = self.name.clone();
        let mut causes =
            std::iter::successors(Some(&*source as &(dyn std::error::Error + 'static)), |error| {
                // An io::Error's own source is that of what it holds.
                match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                    Some(inner) => Some(inner),
                    None => error.source(),
                }
            });
        if causes.any(|cause| matches!(cause.downcast_ref(), Some(rustls::Error::AlertReceived(_)))) {
            return Error::Tls { endpoint, source };
        }
        Error::Broken { endpoint, source }
    }

    /// How long a response's body may stand still.
    pub(super) fn stream_idle_timeout(&self) -> Duration {
        self.timeouts.stream
    }

    /// Takes a connection back after a complete response, if it is `persistent`.
    pub(super) fn take_back(&self, mut connection: Box<Connection>, persistent: bool) {
        connection.in_flight = None;
        if persistent && connection.is_clean() {
            self.pool.put(connection, self.timeouts.idle);
            self.gate.freed();
        }
    }
}

/// What comes of waiting for a connection.
enum Found {
    Lease(Lease),
    Slot(Slot),
}

fn busy(full: Full) -> Error {
    metrics::refused(match full {
        Full::Pending => "upstreams.max_pending",
        Full::Late => "upstreams.max_connections",
    });
    Error::Busy { full }
}
