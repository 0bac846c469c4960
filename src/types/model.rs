//! The events of a config, namespace by namespace.

use regex::Regex;
use serde_json::Value;

use crate::config::file::{File, Rule};
use crate::rules::namespace_pattern;

use super::client;
use super::name::{Names, pascal};
use super::schemas::Schemas;
use super::server;

/// The names that the texts themselves use.
pub(super) const OWN_NAMES: [&str; 4] = ["EventError", "ErrorResponse", "Exception", "Binary"];

/// The events of a config.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) namespaces: Vec<Namespace>,
    pub(super) schemas: Schemas,
}

/// The events of a namespace, or of all that match a pattern.
#[derive(Debug)]
pub(super) struct Namespace {
    /// As written: `/`, `/support`, `/org-{id}`.
    pub(super) name: String,
    /// Begins the names of its interfaces; empty for `/`.
    pub(super) prefix: String,
    /// What its name captures.
    pub(super) captures: Vec<String>,
    pattern: Option<Regex>,
    /// What clients send.
    pub(super) client: Vec<ClientEvent>,
    /// What clients get.
    pub(super) server: Vec<ServerEvent>,
    /// Whether a rule `"*"` takes every other event.
    pub(super) takes_any: bool,
    /// Whether that rule asks a hook, which then decides what clients get, too.
    pub(super) sends_any: bool,
    /// Rules that ask a hook, which may send more than is known.
    pub(super) hooks: Vec<String>,
}

/// An event that clients send.
#[derive(Debug)]
pub(super) struct ClientEvent {
    pub(super) name: String,
    pub(super) about: Option<String>,
    pub(super) args: Args,
    pub(super) ack: Ack,
}

/// Arguments of an event that clients send.
#[derive(Debug, PartialEq)]
pub(super) enum Args {
    /// These, by their schemas.
    Known(Vec<Value>),
    /// As many as one likes.
    Any,
}

/// What comes back where an ack is asked for. An error response may always come instead.
#[derive(Debug, PartialEq)]
pub(super) enum Ack {
    /// Nothing ever.
    Never,
    /// One of these lists of arguments.
    Known(Vec<Vec<Value>>),
    /// What a hook says.
    Unknown,
}

/// An event that clients get.
#[derive(Debug)]
pub(super) struct ServerEvent {
    pub(super) name: EventName,
    /// What sends it.
    pub(super) about: Vec<String>,
    /// Every list of arguments that it may come with.
    pub(super) args: Vec<Vec<Value>>,
}

/// The name of an event that clients get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EventName {
    /// Always the same.
    Exact(String),
    /// Made by a template: the literal pieces around its values.
    Pattern(Vec<String>),
}

impl Model {
    pub(super) fn build(file: &File) -> Model {
        let mut model = Model { namespaces: Vec::new(), schemas: Schemas::default() };
        OWN_NAMES.iter().for_each(|name| drop(model.schemas.name(name)));
        let mut prefixes = Names::default();
        let root = (&file.socketio.connect, &file.socketio.events, &file.socketio.disconnect);
        let others = file.socketio.namespaces.iter();
        let others = others.map(|(name, raw)| (name.as_str(), (&raw.connect, &raw.events, &raw.disconnect)));
        let all: Vec<_> = std::iter::once(("/", root)).chain(others).collect();
        model.namespaces = all.iter().map(|(name, _)| Namespace::named(name, &mut prefixes)).collect();
        for namespace in &model.namespaces {
            for side in ["ClientToServerEvents", "ServerToClientEvents"] {
                model.schemas.name(&format!("{}{side}", namespace.prefix));
            }
        }
        for (index, (_, (connect, events, disconnect))) in all.iter().enumerate() {
            let rules = connect.iter().map(|rule| ("connect", rule)).chain(
                events
                    .iter()
                    .map(|(event, rule)| (event.as_str(), rule))
                    .chain(disconnect.iter().map(|rule| ("disconnect", rule))),
            );
            for (event, rule) in rules {
                let is_event = events.get(event).is_some_and(|of| std::ptr::eq(of, rule));
                model.rule(index, is_event.then_some(event), event, rule);
            }
            model
                .namespaces
                .get_mut(index)
                .into_iter()
                .for_each(|namespace| namespace.client.push(client::auth()));
        }
        file.taps.iter().for_each(|tap| server::tap(&mut model, tap));
        model
    }

    /// Adds what a rule of a namespace tells; `event` is none for `connect` and `disconnect`.
    fn rule(&mut self, at: usize, event: Option<&str>, label: &str, rule: &Rule) {
        let Some(namespace) = self.namespaces.get_mut(at) else { return };
        let data = event.zip(rule.schema.as_ref()).map(|(event, schema)| {
            let stem = format!("{}{}", namespace.prefix, pascal(event, "Event"));
            self.schemas.add(&format!("{stem}Data"), &stem, schema)
        });
        if rule.hook.is_some() {
            namespace.hooks.push(label.to_owned());
        }
        match event {
            Some("*") => {
                namespace.takes_any = true;
                namespace.sends_any = rule.hook.is_some();
            }
            Some(event) => namespace.client.push(client::event(event, rule, data.as_ref(), &self.schemas)),
            None => {}
        }
        let event = event.filter(|event| *event != "*");
        server::rule(self, at, event, label, rule, data.as_ref());
    }

    /// The namespaces that `name` means: itself, or the first pattern that it matches. Without rules it
    /// does not exist, and nobody gets its events.
    pub(super) fn namespace(&mut self, name: &str) -> Option<&mut Namespace> {
        let exact = self.namespaces.iter().position(|namespace| namespace.name == name);
        let matches = |namespace: &Namespace| namespace.pattern.as_ref().is_some_and(|p| p.is_match(name));
        let at = exact.or_else(|| self.namespaces.iter().position(matches))?;
        self.namespaces.get_mut(at)
    }
}

impl Namespace {
    fn named(name: &str, prefixes: &mut Names) -> Namespace {
        let prefix = match name {
            "/" => String::new(),
            other => prefixes.take(&pascal(other, "Namespace")),
        };
        let (pattern, captures) = namespace_pattern(name).unwrap_or_default();
        Namespace {
            name: name.to_owned(),
            prefix,
            captures,
            pattern,
            client: Vec::new(),
            server: Vec::new(),
            takes_any: false,
            sends_any: false,
            hooks: Vec::new(),
        }
    }

    /// Adds an event that clients get; the same from several places is one.
    pub(super) fn sends(&mut self, name: EventName, about: String, args: Vec<Value>) {
        match self.server.iter_mut().find(|event| event.name == name) {
            Some(event) => {
                if !event.args.contains(&args) {
                    event.args.push(args);
                }
                if !event.about.contains(&about) {
                    event.about.push(about);
                }
            }
            None => self.server.push(ServerEvent { name, about: vec![about], args: vec![args] }),
        }
    }
}
