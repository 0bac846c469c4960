//! Templates of rules and taps: compiled once, then filled in exactly.
//!
//! A scalar that is one `{{ expression }}` keeps its value's JSON type. A plain path such as
//! `data.a[0]` is looked up in the JSON text itself, so that key order, number spelling and escapes
//! survive; everything else goes through MiniJinja.

mod compiler;
mod filters;
mod names;
mod pointer;
mod scope;
mod source;
mod text;
mod url;
mod value;
mod written;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use crate::json::Json;

pub(crate) use compiler::Compiler;
pub(crate) use names::{Names, Uses};
pub(crate) use pointer::{Path, Step, elements, follow, member, members, text as string};
pub(crate) use scope::Scope;
pub(crate) use source::{Error, Source};
pub(crate) use text::{Text, scalar};
pub(crate) use url::Url;
pub(crate) use value::push_string;
pub(crate) use written::{Written, literals, reads, reads_of_expression, written};

/// A YAML value with templates in its scalars.
#[derive(Debug)]
pub(crate) enum Template {
    /// A value without templates.
    Constant(Json),
    /// A scalar that is one expression.
    Value(Source),
    /// A text with templates in it.
    Text(Text),
    /// A list with templates in it.
    List(Vec<Template>),
    /// A map with templates in it, by keys that are JSON strings.
    Map(Vec<(Box<str>, Template)>),
}

impl Template {
    /// Its value.
    pub(crate) fn json(&self, scope: &Arc<dyn Scope>) -> Result<Json, Error> {
        match self {
            Template::Constant(json) => Ok(json.clone()),
            Template::Value(source) => source.json(scope),
            _ => {
                let mut text = String::new();
                self.write(scope, &mut text)?;
                Ok(Json::from_written(text))
            }
        }
    }

    fn write(&self, scope: &Arc<dyn Scope>, out: &mut String) -> Result<(), Error> {
        match self {
            Template::Constant(json) => out.push_str(json.as_str()),
            Template::Value(source) => out.push_str(source.json(scope)?.as_str()),
            Template::Text(text) => push_string(out, &text.render(scope)?),
            Template::List(list) => {
                out.push('[');
                for (index, item) in list.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(scope, out)?;
                }
                out.push(']');
            }
            Template::Map(map) => {
                out.push('{');
                for (index, (key, item)) in map.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    out.push_str(key);
                    out.push(':');
                    item.write(scope, out)?;
                }
                out.push('}');
            }
        }
        Ok(())
    }

    /// Its value as one or several rooms: a scalar, or a list of scalars. Null, an empty text,
    /// objects and nested lists are errors.
    pub(crate) fn rooms(&self, scope: &Arc<dyn Scope>) -> Result<Vec<Arc<str>>, Error> {
        match self {
            Template::List(list) => list.iter().map(|item| item.room(scope)).collect(),
            Template::Text(_) => Ok(vec![self.room(scope)?]),
            _ => {
                let json = self.json(scope)?;
                match elements(&json) {
                    Some(list) => list.iter().map(room).collect(),
                    None => Ok(vec![room(&json)?]),
                }
            }
        }
    }

    /// Its value as rooms to leave out: what is undefined, null or empty means nobody.
    pub(crate) fn rooms_left_out(&self, scope: &Arc<dyn Scope>) -> Result<Vec<Arc<str>>, Error> {
        let items = match self {
            Template::List(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut rooms = Vec::new();
        for item in items {
            let nobody = |json: Json| matches!(json.as_str(), "null" | "\"\"");
            match item.rooms(scope) {
                Ok(more) => rooms.extend(more),
                Err(Error::Undefined(_)) => {}
                Err(_) if item.json(scope).is_ok_and(nobody) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(rooms)
    }

    fn room(&self, scope: &Arc<dyn Scope>) -> Result<Arc<str>, Error> {
        match self {
            Template::Text(text) => named(text.render_scalars(scope)?),
            _ => room(&self.json(scope)?),
        }
    }
}

/// A room's name: a scalar, numbers as they are spelled.
pub(crate) fn room(json: &Json) -> Result<Arc<str>, Error> {
    named(scalar(json)?)
}

fn named(name: String) -> Result<Arc<str>, Error> {
    if name.is_empty() { Err(Error::other("a room's name is empty")) } else { Ok(name.into()) }
}
