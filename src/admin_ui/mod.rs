//! The namespace that the official Socket.IO Admin UI connects to, as `instrument()` of `@socket.io/admin-ui` makes
//! it on a Node server. It stands before whoever else decides about events, and handles what is its own.

mod login;
mod options;
mod orders;
mod sessions;
mod shared;
mod stats;
#[cfg(test)]
mod tests;
mod told;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::runtime::Handle;

use crate::engineio::{Engine, Reason, Session};
use crate::headers::Said;
use crate::socketio::{Asking, Captures, Command, Event, Events, Hub, Refusal, Socket, Sockets};

pub use options::Options;
use shared::{Force, Guest, Place, Shared};

/// The namespace of the Admin UI, before other [`Events`].
pub struct AdminUi {
    events: Arc<dyn Events>,
    shared: Arc<Shared>,
}

impl AdminUi {
    /// Before `events`, who are asked about everything else. `None` for no namespace of the Admin UI.
    pub fn new(events: Arc<dyn Events>, options: Option<Options>) -> AdminUi {
        let shared = Arc::new(Shared::default());
        shared.put_in_force(options);
        AdminUi { events, shared }
    }

    /// Begins to tell of `hub` and `engine`, with tasks on the current runtime; once. `sockets` are those of all nodes.
    pub fn start(&self, hub: &Arc<Hub>, engine: &Arc<Engine>, sockets: Arc<dyn Sockets>, clustered: bool) {
        let place = Place { hub: hub.clone(), sockets, runtime: Handle::current(), clustered };
        if self.shared.settle(place) {
            tokio::spawn(stats::tell(self.shared.clone(), hub.clone(), engine.clone(), clustered));
        }
    }

    /// Puts other options in force. Who has logged in under another account, or into another namespace, is
    /// disconnected.
    pub fn set(&self, options: Option<Options>) {
        self.shared.change(options);
    }

    /// What is in force, if the namespace is the Admin UI's.
    fn of(&self, namespace: &str) -> Option<Arc<Force>> {
        let force = self.shared.force.load();
        force.as_ref().filter(|force| &*force.options.namespace == namespace).cloned()
    }
}

fn is_guest(socket: &Socket) -> bool {
    socket.extensions().get::<Guest>().is_some()
}

impl Events for AdminUi {
    fn namespace(&self, name: &str) -> Option<Captures> {
        self.of(name).map(|_| Captures::new()).or_else(|| self.events.namespace(name))
    }

    fn no_namespace(&self, session: &Session, name: &str) {
        self.events.no_namespace(session, name);
    }

    fn connect(
        &self,
        hub: &Arc<Hub>,
        socket: Arc<Socket>,
    ) -> BoxFuture<'static, Result<Vec<Command>, Refusal>> {
        match self.of(socket.namespace()) {
            Some(force) => self.shared.clone().admit(force, socket).boxed(),
            None => self.events.connect(hub, socket),
        }
    }

    fn connected(&self, hub: &Arc<Hub>, socket: &Arc<Socket>) {
        let guest = socket.extensions().get::<Guest>().cloned();
        match guest {
            Some(guest) => self.shared.welcome(guest, socket),
            None => self.events.connected(hub, socket),
        }
    }

    fn may_lose(&self, namespace: &str) -> bool {
        self.of(namespace).is_some() || self.events.may_lose(namespace)
    }

    fn event(&self, hub: &Arc<Hub>, socket: Arc<Socket>, event: Event) -> Option<BoxFuture<'static, ()>> {
        // Who was in a namespace before it was the Admin UI's has not logged in.
        match self.of(socket.namespace()).filter(|_| is_guest(&socket)) {
            Some(force) => {
                force.obey(hub, &socket, event);
                None
            }
            None => self.events.event(hub, socket, event),
        }
    }

    fn disconnect(&self, hub: &Arc<Hub>, socket: Arc<Socket>, reason: Reason) -> BoxFuture<'static, ()> {
        if !is_guest(&socket) {
            return self.events.disconnect(hub, socket, reason);
        }
        if let Some(force) = self.of(socket.namespace()) {
            force.log(&socket, "disconnect", None, Some(reason), Duration::ZERO);
        }
        self.shared.left();
        std::future::ready(()).boxed()
    }

    fn let_go(&self, socket: &Arc<Socket>) {
        self.events.let_go(socket);
    }

    fn is_told_of_ends(&self, namespace: &str) -> bool {
        self.events.is_told_of_ends(namespace)
    }

    fn held(&self, socket: &Socket) -> Value {
        self.events.held(socket)
    }

    fn hold(&self, socket: &Socket, held: &Value) {
        self.events.hold(socket, held);
    }

    fn heed(&self, hub: &Arc<Hub>, socket: Option<Arc<Socket>>, said: &Said) {
        self.events.heed(hub, socket, said);
    }

    fn asking(&self, hub: &Arc<Hub>, place: &str) -> Option<Asking> {
        self.events.asking(hub, place)
    }
}
