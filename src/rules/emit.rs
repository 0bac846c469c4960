//! Emissions with templates, shared by rules and taps.

use std::sync::Arc;

use crate::config::file;
use crate::json::Json;

use super::actions::{Emission, event_name, refused_name};
use super::object;
use super::template::{Compiler, Error, Scope, Template, Text};

/// An emission with templates.
#[derive(Debug)]
pub(crate) struct Emit {
    event: Text,
    to: Option<Template>,
    except: Option<Template>,
    everyone: bool,
    args: Vec<Template>,
    namespace: Option<Arc<str>>,
    volatile: bool,
}

impl Emit {
    /// Compiles one. In a tap, whom it goes to and what is sent must be written.
    pub(crate) fn compile(compiler: &mut Compiler<'_>, key: &str, raw: &file::Emit, in_tap: bool) -> Emit {
        check(compiler, key, raw, in_tap);
        let args = match (&raw.data, &raw.args) {
            (Some(data), _) => vec![compiler.template(&format!("{key}.data"), data)],
            (None, args) => args
                .iter()
                .flatten()
                .enumerate()
                .map(|(index, arg)| compiler.template(&format!("{key}.args[{index}]"), arg))
                .collect(),
        };
        Emit {
            event: compiler.text(&format!("{key}.event"), &raw.event),
            to: raw.to.as_ref().map(|to| compiler.rooms(&format!("{key}.to"), to)),
            except: raw.except.as_ref().map(|except| compiler.template(&format!("{key}.except"), except)),
            everyone: raw.everyone,
            args,
            namespace: raw.namespace.as_deref().map(Into::into),
            volatile: raw.volatile,
        }
    }

    /// The emission with its values in place.
    pub(crate) fn fill(&self, scope: &Arc<dyn Scope>) -> Result<Emission, Error> {
        let name = object::string(&self.event.render(scope)?);
        let event = event_name("event", &name).map_err(|error| Error::other(error.to_string()))?;
        Ok(Emission {
            event,
            to: self.to.as_ref().map(|to| to.rooms(scope)).transpose()?,
            except: self
                .except
                .as_ref()
                .map_or_else(|| Ok(Vec::new()), |rooms| rooms.rooms_left_out(scope))?,
            everyone: self.everyone,
            args: self.args.iter().map(|arg| arg.json(scope)).collect::<Result<Vec<Json>, _>>()?,
            namespace: self.namespace.clone(),
            volatile: self.volatile,
            ack: false,
        })
    }
}

fn check(compiler: &mut Compiler<'_>, key: &str, raw: &file::Emit, in_tap: bool) {
    let problems = &mut *compiler.problems;
    if let Some(wrong) = refused_name(&raw.event) {
        problems.add(format!("{key}.event"), wrong, "the name of one of your own events");
    }
    if raw.everyone && raw.to.is_some() {
        problems.add(format!("{key}.everyone"), "contradicts `to`", "one of the two");
    }
    if raw.data.is_some() && raw.args.is_some() {
        problems.add(format!("{key}.data"), "contradicts `args`", "one of the two");
    }
    if raw.namespace.as_ref().is_some_and(|name| !name.starts_with('/')) {
        problems.add(format!("{key}.namespace"), "does not begin with `/`", "a name such as /support");
    }
    if in_tap && raw.data.is_none() && raw.args.is_none() {
        let right = "write what clients may see, such as data: \"{{ response.body }}\"";
        problems.add(key, "neither `data` nor `args`", right);
    }
    if in_tap && !raw.everyone && raw.to.is_none() {
        problems.add(key, "neither `to` nor `everyone: true`", "write whom the event is for");
    }
}

/// Rooms a socket joins or leaves; without a socket there is nothing to do.
pub(crate) fn rooms(rooms: Option<&Template>, scope: &Arc<dyn Scope>) -> Result<Vec<Arc<str>>, Error> {
    rooms.map_or_else(|| Ok(Vec::new()), |rooms| rooms.rooms(scope))
}
