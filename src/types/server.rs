//! Events that clients get: what rules and taps emit.

use serde_json::Value;

use crate::config::defaults;
use crate::config::file::{Emit, Rule, Tap};
use crate::rules::{Written, literals, written};

use super::infer::Sight;
use super::model::{EventName, Model};

/// Adds what a rule emits.
pub(super) fn rule(
    model: &mut Model,
    at: usize,
    event: Option<&str>,
    label: &str,
    rule: &Rule,
    data: Option<&Value>,
) {
    let Some(own) = model.namespaces.get(at).map(|namespace| namespace.name.clone()) else { return };
    let about = match (label, event) {
        ("connect" | "disconnect", None) => format!("Sent on {label}."),
        _ => format!("Sent on the event `{label}`."),
    };
    rule.emit.0.iter().for_each(|emit| add(model, &own, emit, event, data, &about));
}

/// Adds what a tap emits.
pub(super) fn tap(model: &mut Model, tap: &Tap) {
    if tap.dry_run {
        return;
    }
    let own = tap.namespace.as_deref().unwrap_or(defaults::TAP_NAMESPACE);
    let about = format!("Sent when `{}` is answered.", tap.on);
    tap.emit.0.iter().for_each(|emit| add(model, own, emit, None, None, &about));
}

fn add(model: &mut Model, own: &str, emit: &Emit, event: Option<&str>, data: Option<&Value>, about: &str) {
    let sight = Sight { schemas: &model.schemas, event, data };
    let args = match (&emit.data, &emit.args) {
        (Some(data), _) => vec![sight.schema(data)],
        (None, args) => args.iter().flatten().map(|arg| sight.schema(arg)).collect(),
    };
    let name = name(&emit.event, event);
    let namespace = emit.namespace.as_deref().unwrap_or(own);
    if let Some(namespace) = model.namespace(namespace) {
        namespace.sends(name, about.to_owned(), args);
    }
}

/// The name of an event, `{{ event }}` included where the rule is for one event alone.
fn name(text: &str, event: Option<&str>) -> EventName {
    match (written(text), event) {
        (Written::Constant, _) => EventName::Exact(text.to_owned()),
        (Written::Path(path), Some(event)) if &*path.root == "event" && path.steps.is_empty() => {
            EventName::Exact(event.to_owned())
        }
        _ => EventName::Pattern(literals(text)),
    }
}
