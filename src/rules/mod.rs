//! Rules and taps: events become REST requests, REST answers become events. The only module that
//! knows both sides; it implements socketio's [`Events`].

pub mod actions;
mod carried;
mod client;
mod context;
mod decode;
mod effects;
mod emit;
mod event;
mod failure;
mod fields;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod grants;
pub mod header;
mod hook;
mod limit;
mod namespace;
mod object;
mod record;
mod reply;
mod request;
mod rule;
mod schema;
mod seats;
pub mod tap;
mod template;
mod turn;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::config::{Problems, defaults, file};
use crate::credentials::{Credentials, Grant};
use crate::engineio::{Reason, Session};
use crate::headers::Said;
use crate::socketio::{Asking, Captures, Command, Event, Events, Hub, Refusal, Socket};
use crate::upstream::Upstreams;

use client::Client;
pub use client::{Destination, Resolve};
pub(crate) use grants::AUTH;
use hook::Hooks;
pub use limit::Bucket;
use namespace::Namespaces;
pub(crate) use namespace::pattern as namespace_pattern;
use seats::Seats;
use tap::Taps;
pub(crate) use template::{Path, Step, Written, literals, reads, reads_of_expression, written};

/// All rules and taps of one config, compiled.
#[derive(Debug)]
pub struct Rules {
    namespaces: Namespaces,
    credentials: Arc<Credentials>,
    max_sockets_per_user: usize,
    hooks: Hooks,
    client: Client,
    /// Whether each connect, event and disconnect gets a line in the log.
    event_log: bool,
}

impl Rules {
    /// Builds them from `socketio`, `taps` and `hooks`. `resolver` is asked which upstream serves the
    /// requests of rules that name none.
    pub fn build(
        file: &file::File,
        credentials: Arc<Credentials>,
        upstreams: &Upstreams,
        resolver: Arc<dyn Resolve>,
        problems: &mut Problems,
    ) -> Rules {
        grants::check(&file.socketio, &credentials, problems);
        let most = file.socketio.max_sockets_per_user;
        Rules {
            namespaces: Namespaces::build(&file.socketio, upstreams, problems),
            credentials,
            max_sockets_per_user: most.unwrap_or(defaults::MAX_SOCKETS_PER_USER),
            hooks: Hooks::build(&file.hooks, problems),
            client: Client {
                resolver,
                taps: Arc::new(Taps::build(&file.taps, file.limits.tap_backlog, problems)),
            },
            event_log: file.log.events.unwrap_or(defaults::LOG_EVENTS),
        }
    }

    /// The taps, for responses that the gateway forwards.
    pub fn taps(&self) -> &Arc<Taps> {
        &self.client.taps
    }
}

/// The rules in force. A reload swaps them for the events that come after it.
#[derive(Debug)]
pub struct Rulebook {
    rules: ArcSwap<Rules>,
    /// Who is here stays here when rules are swapped.
    seats: Arc<Seats>,
}

impl Rulebook {
    /// Begins with these rules.
    pub fn new(rules: Rules) -> Rulebook {
        Rulebook { rules: ArcSwap::from_pointee(rules), seats: Arc::default() }
    }

    /// Puts these rules in force.
    pub fn swap(&self, rules: Rules) {
        self.rules.store(Arc::new(rules));
    }

    /// The rules in force.
    pub fn current(&self) -> Arc<Rules> {
        self.rules.load_full()
    }
}

impl Events for Rulebook {
    fn namespace(&self, name: &str) -> Option<Captures> {
        self.rules.load().namespaces.captures(name)
    }

    fn no_namespace(&self, session: &Session, name: &str) {
        record::no_namespace(&self.rules.load(), session, name);
    }

    fn connect(
        &self,
        hub: &Arc<Hub>,
        socket: Arc<Socket>,
    ) -> BoxFuture<'static, Result<Vec<Command>, Refusal>> {
        Box::pin(event::connect(self.current(), self.seats.clone(), hub.clone(), socket))
    }

    fn event(&self, hub: &Arc<Hub>, socket: Arc<Socket>, event: Event) -> Option<BoxFuture<'static, ()>> {
        event::event(self.current(), &self.seats, hub, socket, event)
    }

    fn disconnect(&self, hub: &Arc<Hub>, socket: Arc<Socket>, reason: Reason) -> BoxFuture<'static, ()> {
        grants::release(&self.seats, &socket);
        Box::pin(event::disconnect(self.current(), Arc::clone(hub), socket, reason))
    }

    fn let_go(&self, socket: &Arc<Socket>) {
        grants::release(&self.seats, socket);
    }

    fn is_told_of_ends(&self, namespace: &str) -> bool {
        self.rules.load().namespaces.get(namespace).is_some_and(|rules| rules.disconnect.is_some())
    }

    fn held(&self, socket: &Socket) -> Value {
        grants::held(&self.rules.load().credentials, socket).to_value()
    }

    fn hold(&self, socket: &Socket, held: &Value) {
        socket.extensions().insert(Grant::from_value(held));
    }

    fn heed(&self, hub: &Arc<Hub>, socket: Option<Arc<Socket>>, said: &Said) {
        header::heed(hub, socket, said);
    }

    fn asking(&self, hub: &Arc<Hub>, place: &str) -> Option<Asking> {
        Some(turn::asking(&self.current(), hub, &place.parse().ok()?))
    }
}
