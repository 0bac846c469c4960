//! What a rule does after its request: `state`, `leave`, `join`, `emit`, `ack`, `disconnect`.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::config::file;
use crate::json::Json;

use super::actions::{Doer, Here};
use super::emit::{Emit, rooms};
use super::reply::Reply;
use super::template::{Compiler, Error, Scope, Template};

/// What a rule does after its request.
#[derive(Debug)]
pub(crate) struct Effects {
    state: Vec<(String, Template)>,
    leave: Option<Template>,
    join: Option<Template>,
    emit: Vec<Emit>,
    /// How the client's wish for an ack is answered.
    pub(crate) ack: Ack,
    disconnect: Option<Template>,
}

/// How a client's wish for an ack is answered.
#[derive(Debug)]
pub(crate) enum Ack {
    /// With the response's body where there was a request, else without arguments.
    Default,
    /// Never.
    Never,
    /// With these arguments.
    Args(Vec<Template>),
}

impl Effects {
    pub(crate) fn compile(compiler: &mut Compiler<'_>, key: &str, rule: &file::Rule) -> Effects {
        let state =
            rule.state.iter().flatten().map(|(name, value)| {
                (name.clone(), compiler.template(&format!("{key}.state.{name}"), value))
            });
        let state = state.collect();
        let mut rooms = |name: &str, tree: &Option<file::Tree>| {
            tree.as_ref().map(|tree| compiler.rooms(&format!("{key}.{name}"), tree))
        };
        let (leave, join) = (rooms("leave", &rule.leave), rooms("join", &rule.join));
        let disconnect = rule.disconnect.as_ref();
        let disconnect = disconnect.map(|tree| compiler.template(&format!("{key}.disconnect"), tree));
        let emit_key = |index: usize| match rule.emit.0.len() {
            1 => format!("{key}.emit"),
            _ => format!("{key}.emit[{index}]"),
        };
        let emit = rule.emit.0.iter().enumerate();
        let emit = emit.map(|(index, emit)| Emit::compile(compiler, &emit_key(index), emit, false)).collect();
        let ack = Ack::compile(compiler, &format!("{key}.ack"), rule.ack.as_ref());
        Effects { state, leave, join, emit, ack, disconnect }
    }

    /// Does everything before the ack. Each step sees what the steps before it did; the first
    /// failure ends the rule.
    pub(crate) fn perform(
        &self,
        scope: &Arc<dyn Scope>,
        here: &Here,
        doer: &mut dyn Doer,
    ) -> Result<(), Error> {
        if !self.state.is_empty() {
            doer.state(self.changes(scope)?);
        }
        if let Some(command) = here.leave(rooms(self.leave.as_ref(), scope)?) {
            doer.command(command);
        }
        if let Some(command) = here.join(rooms(self.join.as_ref(), scope)?) {
            doer.command(command);
        }
        for emit in &self.emit {
            if let Some(command) = emit.fill(scope)?.command(here) {
                doer.command(command);
            }
        }
        Ok(())
    }

    fn changes(&self, scope: &Arc<dyn Scope>) -> Result<Map<String, Value>, Error> {
        let value = |template: &Template| {
            template.json(scope)?.to_value().map_err(|error| Error::other(format!("in the state: {error}")))
        };
        self.state.iter().map(|(key, template)| Ok((key.clone(), value(template)?))).collect()
    }

    /// Whether the socket is disconnected in the end.
    pub(crate) fn disconnects(&self, scope: &Arc<dyn Scope>) -> Result<bool, Error> {
        match &self.disconnect {
            None => Ok(false),
            Some(Template::Value(source)) => source.is_true(scope),
            Some(other) => Ok(other.json(scope)?.as_str() == "true"),
        }
    }
}

impl Ack {
    fn compile(compiler: &mut Compiler<'_>, key: &str, tree: Option<&Value>) -> Ack {
        match tree {
            None => Ack::Default,
            Some(Value::Bool(false)) => Ack::Never,
            Some(Value::Array(args)) => {
                let args = args.iter().enumerate();
                Ack::Args(
                    args.map(|(index, arg)| compiler.template(&format!("{key}[{index}]"), arg)).collect(),
                )
            }
            Some(only) => Ack::Args(vec![compiler.template(key, only)]),
        }
    }

    /// The arguments, or `None` where no ack is sent.
    pub(crate) fn args(
        &self,
        scope: &Arc<dyn Scope>,
        reply: Option<&Reply>,
    ) -> Result<Option<Vec<Json>>, Error> {
        match self {
            Ack::Never => Ok(None),
            Ack::Default => Ok(Some(reply.map(Reply::body).into_iter().collect())),
            Ack::Args(args) => args.iter().map(|arg| arg.json(scope)).collect::<Result<_, _>>().map(Some),
        }
    }
}
