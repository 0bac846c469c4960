//! A compiled rule.

use std::sync::Arc;

use crate::config::value::Rate;
use crate::config::{Problems, file};
use crate::upstream::Upstreams;

use super::effects::Effects;
use super::request::Request;
use super::schema::Schema;
use super::template::{Compiler, Names, Source, Url};

/// A compiled rule.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Its event as written: `joinRoom`, `*`, `connect`. Names its metrics and its rate limit.
    pub(crate) label: Arc<str>,
    pub(crate) rate_limit: Option<Rate>,
    /// What the first argument has to be.
    pub(crate) schema: Option<Schema>,
    pub(crate) call: Option<Call>,
    pub(crate) when: Option<Source>,
    pub(crate) effects: Effects,
}

/// Whom a rule asks.
#[derive(Debug)]
pub(crate) enum Call {
    /// The REST API.
    Request(Box<Request>),
    /// A hook at this path.
    Hook(Url),
}

/// What a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A client joins.
    Connect,
    /// An event.
    Event,
    /// A client left.
    Disconnect,
}

impl Rule {
    /// Compiles the rule at `key` of a namespace with these captures.
    pub(crate) fn compile(
        key: &str,
        raw: &file::Rule,
        (kind, label): (Kind, &str),
        captures: &[String],
        upstreams: &Upstreams,
        problems: &mut Problems,
    ) -> Rule {
        check(key, raw, kind, problems);
        let names = match kind {
            Kind::Connect => Names::connect(captures),
            Kind::Event => Names::event(captures),
            Kind::Disconnect => Names::disconnect(captures),
        };
        let schema = raw.schema.as_ref();
        let schema = schema.and_then(|tree| Schema::compile(&format!("{key}.schema"), tree, problems));
        let mut compiler = Compiler::new(names, problems);
        let call = match (&raw.request, &raw.hook) {
            (Some(request), _) => {
                let body = raw.body.as_ref();
                let request = Request::compile(&mut compiler, key, request, body, upstreams);
                Some(Call::Request(Box::new(request)))
            }
            (None, Some(hook)) => Some(Call::Hook(compiler.url(&format!("{key}.hook"), hook))),
            (None, None) => None,
        };
        if call.is_some() {
            compiler.names = compiler.names.with_response();
        }
        let when = raw.when.as_ref().map(|when| compiler.expression(&format!("{key}.when"), when));
        let effects = Effects::compile(&mut compiler, key, raw);
        Rule { label: label.into(), rate_limit: raw.rate_limit, schema, call, when, effects }
    }
}

fn check(key: &str, raw: &file::Rule, kind: Kind, problems: &mut Problems) {
    if raw.request.is_some() && raw.hook.is_some() {
        problems.add(key, "both `request` and `hook`", "one of the two");
    }
    if raw.body.is_some() && raw.request.is_none() && raw.hook.is_none() {
        problems.add(format!("{key}.body"), "a body without a `request`", "a `request` beside it");
    }
    if kind != Kind::Event {
        let event_only = [
            ("ack", raw.ack.is_some()),
            ("rate_limit", raw.rate_limit.is_some()),
            ("schema", raw.schema.is_some()),
        ];
        for (name, _) in event_only.iter().filter(|(_, written)| *written) {
            problems.add(format!("{key}.{name}"), "has no meaning here", "it belongs to rules of events");
        }
    }
    if raw.disconnect.as_ref().is_some_and(|value| !(value.is_boolean() || value.is_string())) {
        problems.add(format!("{key}.disconnect"), "is neither true nor false", "true, or an expression");
    }
}
