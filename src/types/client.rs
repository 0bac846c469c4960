//! Events that clients send: one for each rule.

use serde_json::{Value, json};

use crate::config::file::{Emit, Rule, Tree};
use crate::rules::{AUTH, Path, Step, reads, reads_of_expression};

use super::infer::{Sight, unknown};
use super::model::{Ack, Args, ClientEvent};
use super::schemas::Schemas;

/// The event of a rule; `data` is the schema of its first argument.
pub(super) fn event(name: &str, rule: &Rule, data: Option<&Value>, schemas: &Schemas) -> ClientEvent {
    let sight = Sight { schemas, event: Some(name), data };
    ClientEvent { name: name.to_owned(), about: about(rule), args: args(rule, data), ack: ack(rule, &sight) }
}

/// The event that every namespace takes: a new token.
pub(super) fn auth() -> ClientEvent {
    let token = json!({"type": "object", "required": ["token"], "properties": {"token": {"type": "string"}}});
    ClientEvent {
        name: AUTH.to_owned(),
        about: Some("Renews the token without reconnecting.".to_owned()),
        args: Args::Known(vec![token]),
        ack: Ack::Known(vec![Vec::new()]),
    }
}

/// Whom the rule asks.
fn about(rule: &Rule) -> Option<String> {
    let request = rule.request.as_ref().map(|request| format!("Asks `{} {}`.", request.method, request.path));
    request.or_else(|| rule.hook.as_ref().map(|hook| format!("Asks the hook `{hook}`.")))
}

/// The arguments that the rule has a use for.
fn args(rule: &Rule, data: Option<&Value>) -> Args {
    if rule.hook.is_some() && data.is_none() {
        return Args::Any;
    }
    let mut count = usize::from(data.is_some() || takes_first(rule));
    for path in read_by(rule) {
        count = match (&*path.root, path.steps.first()) {
            ("data", _) => count.max(1),
            ("args", Some(Step::Index(index))) => count.max(index.saturating_add(1)),
            ("args", _) => return Args::Any,
            _ => count,
        };
    }
    let first = data.cloned().unwrap_or_else(unknown);
    Args::Known(
        (0..count.min(MAX_ARGS)).map(|index| if index == 0 { first.clone() } else { unknown() }).collect(),
    )
}

/// Arguments that are worth writing out one by one.
const MAX_ARGS: usize = 20;

/// Whether the first argument is the request's body.
fn takes_first(rule: &Rule) -> bool {
    let method = rule.request.as_ref().map(|request| request.method.as_str());
    rule.body.is_none() && matches!(method, Some("POST" | "PUT" | "PATCH"))
}

/// Every path that the rule's templates read.
fn read_by(rule: &Rule) -> Vec<Path> {
    let mut found: Vec<Path> = rule.when.iter().flat_map(|when| reads_of_expression(when)).collect();
    let mut text = |text: &str| found.extend(reads(text));
    if let Some(request) = &rule.request {
        text(&request.path);
        request.headers.values().for_each(|value| text(value));
    }
    rule.hook.iter().for_each(|hook| text(hook));
    let trees = [&rule.body, &rule.leave, &rule.join, &rule.ack, &rule.disconnect];
    trees.into_iter().flatten().for_each(|tree| each_text(tree, &mut text));
    rule.state.iter().flat_map(|state| state.values()).for_each(|tree| each_text(tree, &mut text));
    for Emit { event, to, except, data, args, .. } in &rule.emit.0 {
        text(event);
        [to, except, data].into_iter().flatten().for_each(|tree| each_text(tree, &mut text));
        args.iter().flatten().for_each(|tree| each_text(tree, &mut text));
    }
    found
}

fn each_text(tree: &Tree, see: &mut impl FnMut(&str)) {
    match tree {
        Tree::String(text) => see(text),
        Tree::Array(items) => items.iter().for_each(|item| each_text(item, see)),
        Tree::Object(map) => map.values().for_each(|item| each_text(item, see)),
        _ => {}
    }
}

/// What the client's ack gets.
fn ack(rule: &Rule, sight: &Sight<'_>) -> Ack {
    // The body of a response is known to the backend alone.
    let default = if rule.request.is_some() { vec![unknown()] } else { Vec::new() };
    let written = match &rule.ack {
        Some(Tree::Bool(false)) => return Ack::Never,
        _ if rule.hook.is_some() => return Ack::Unknown,
        None => return Ack::Known(vec![default]),
        Some(Tree::Array(args)) => args.iter().map(|arg| sight.schema(arg)).collect(),
        Some(only) => vec![sight.schema(only)],
    };
    match rule.when {
        Some(_) if written != default => Ack::Known(vec![written, default]),
        _ => Ack::Known(vec![written]),
    }
}
