//! This node among others: its name, where they reach it, and what it sends on to them.

use std::sync::Arc;
use std::time::Duration;

use crate::body::Body;
use crate::cluster::{Door, Forwarder, Guests, Options, Registry, Secrets};
use crate::engineio::{Engine, NewId};
use crate::fault::Fault;
use crate::gateway::unwrap;
use crate::message::{Request, Response};
use crate::server::{self, Handler, Listener, Peer, Terms};

/// How long the first client waits for the cluster's Redis to know this node. Sessions that it cannot be
/// found for would be unknown to the other nodes.
const JOINING: Duration = Duration::from_secs(3);

/// This node among others.
pub(super) struct Nodes {
    pub(super) registry: Arc<Registry>,
    secrets: Secrets,
    pub(super) forwarder: Arc<Forwarder>,
    /// What others have opened to this node.
    pub(super) guests: Guests,
}

/// Listens for other nodes, where there are any.
pub(super) fn bind(options: Option<&mut Options>) -> Result<Option<Listener>, String> {
    let Some(options) = options else { return Ok(None) };
    let listener = Listener::bind(&options.listen);
    let listener = listener.map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    options.listens_at(listener.local_addr().port());
    Ok(Some(listener))
}

impl Nodes {
    /// As a node that nobody knows yet.
    pub(super) fn new(options: &Options) -> Nodes {
        let registry = Arc::new(Registry::new(options));
        let (secrets, bounds) = (options.secrets.clone(), options.bounds.clone());
        let forwarder = Arc::new(Forwarder::new(&secrets.0, Arc::clone(&registry), bounds));
        Nodes { registry, secrets, forwarder, guests: Guests::default() }
    }

    /// Names the sessions of this node.
    pub(super) fn new_id(&self) -> NewId {
        let forwarder = Arc::clone(&self.forwarder);
        Box::new(move || forwarder.new_id())
    }

    /// Waits until the others can find this node, as long as there is hope.
    pub(super) async fn join(&self) {
        self.registry.joined(JOINING).await;
    }

    /// What answers the others.
    pub(super) fn door(&self, engine: &Arc<Engine>) -> Arc<Door> {
        let (engine, guests) = (Arc::clone(engine), self.guests.clone());
        Arc::new(Door::new(&self.secrets.0, self.registry.id(), engine, unwrap, guests))
    }

    /// On which terms they are let in: a head may be as large as a client's.
    pub(super) fn terms(clients: Option<&server::Handle>) -> server::Handle {
        let default = server::Options::default();
        let (header_bytes, header_fields) =
            clients.map_or((default.header_bytes, default.header_fields), |terms| {
                let options = &terms.load().options;
                (options.header_bytes, options.header_fields)
            });
        server::Handle::new(Terms::plain(server::Options { header_bytes, header_fields, ..default }))
    }
}

impl Handler for Door {
    async fn call(&self, request: &mut Request<Body>, peer: &Peer) -> Response<Body> {
        match peer.refused {
            Some(refused) => Fault::from(refused).into_response(""),
            None => self.answer(request).await,
        }
    }
}
