//! Rules and taps: events become REST requests, REST answers become events. The only module that
//! knows both sides; it implements socketio's [`Events`].

pub mod actions;
mod client;
mod context;
mod credentials;
mod decode;
mod effects;
mod emit;
mod event;
mod failure;
mod fields;
pub mod header;
mod hook;
mod limit;
mod namespace;
mod object;
mod reply;
mod request;
mod rule;
mod schema;
pub mod tap;
mod template;
mod turn;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;

use crate::config::{Problems, file};
use crate::engineio::Reason;
use crate::socketio::{Captures, Command, Event, Events, Hub, Refusal, Socket};
use crate::upstream::Upstreams;

use client::Client;
pub use client::{Destination, Resolve};
pub use credentials::Credentials;
use hook::Hooks;
use namespace::Namespaces;
use tap::Taps;

/// All rules and taps of one config, compiled.
#[derive(Debug)]
pub struct Rules {
    namespaces: Namespaces,
    credentials: Credentials,
    hooks: Hooks,
    client: Client,
}

impl Rules {
    /// Builds them from `socketio`, `taps`, `credentials` and `hooks`. `resolver` is asked which
    /// upstream serves the requests of rules that name none.
    pub fn build(
        file: &file::File,
        upstreams: &Upstreams,
        resolver: Arc<dyn Resolve>,
        problems: &mut Problems,
    ) -> Rules {
        Rules {
            namespaces: Namespaces::build(&file.socketio, upstreams, problems),
            credentials: Credentials::build(&file.credentials, problems),
            hooks: Hooks::build(&file.hooks, problems),
            client: Client { resolver, taps: Arc::new(Taps::build(&file.taps, problems)) },
        }
    }

    /// The taps, for responses that the gateway forwards.
    pub fn taps(&self) -> &Arc<Taps> {
        &self.client.taps
    }
}

/// The rules in force. A reload swaps them for the events that come after it.
#[derive(Debug)]
pub struct Rulebook(ArcSwap<Rules>);

impl Rulebook {
    /// Begins with these rules.
    pub fn new(rules: Rules) -> Rulebook {
        Rulebook(ArcSwap::from_pointee(rules))
    }

    /// Puts these rules in force.
    pub fn swap(&self, rules: Rules) {
        self.0.store(Arc::new(rules));
    }

    /// The rules in force.
    pub fn current(&self) -> Arc<Rules> {
        self.0.load_full()
    }
}

impl Events for Rulebook {
    fn namespace(&self, name: &str) -> Option<Captures> {
        self.0.load().namespaces.captures(name)
    }

    fn connect(
        &self,
        hub: &Arc<Hub>,
        socket: Arc<Socket>,
    ) -> BoxFuture<'static, Result<Vec<Command>, Refusal>> {
        Box::pin(event::connect(self.current(), Arc::clone(hub), socket))
    }

    fn event(&self, hub: &Arc<Hub>, socket: Arc<Socket>, event: Event) -> BoxFuture<'static, ()> {
        Box::pin(event::event(self.current(), Arc::clone(hub), socket, event))
    }

    fn disconnect(&self, hub: &Arc<Hub>, socket: Arc<Socket>, reason: Reason) -> BoxFuture<'static, ()> {
        Box::pin(event::disconnect(self.current(), Arc::clone(hub), socket, reason))
    }
}
