//! Names of events and rooms, and what is said of a wrong field.

use std::sync::Arc;

use crate::json::Json;
use crate::rules::template::{elements, room, string};
use crate::socketio::EventName;

/// Names that Socket.IO keeps for itself.
const RESERVED: &[&str] =
    &["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Begins the names of events that are frontroom's own.
const OWN: &str = "frontroom:";

/// What is wrong with actions, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {wrong}")]
pub struct Invalid {
    /// Dotted path of the field.
    pub field: String,
    /// What is wrong.
    pub wrong: String,
}

pub(crate) type Result<T> = std::result::Result<T, Invalid>;

pub(crate) fn invalid<T>(field: &str, wrong: impl Into<String>) -> Result<T> {
    Err(Invalid { field: field.to_owned(), wrong: wrong.into() })
}

/// Reads an event's name. Socket.IO's own names and frontroom's are refused.
pub fn event_name(field: &str, json: &Json) -> Result<EventName> {
    let Some(name) = string(json) else {
        return match json.as_str().as_bytes().first() {
            Some(b'-' | b'0'..=b'9') => Ok(EventName::Number(json.clone())),
            _ => invalid(field, "must be a string or a number"),
        };
    };
    match refused_name(&name) {
        Some(wrong) => invalid(field, wrong),
        None => Ok(EventName::Text(name.into())),
    }
}

/// Why an event may not have this name.
pub(crate) fn refused_name(name: &str) -> Option<String> {
    match name {
        "" => Some("is empty".to_owned()),
        name if RESERVED.contains(&name) => Some(format!("`{name}` is reserved by Socket.IO")),
        name if name.starts_with(OWN) => Some(format!("names that begin with `{OWN}` are frontroom's own")),
        _ => None,
    }
}

/// Reads one or several rooms.
pub fn rooms(field: &str, json: &Json) -> Result<Vec<Arc<str>>> {
    let read = |field: &str, json: &Json| {
        room(json).or_else(|error| invalid(field, format!("must be a room's name: {error}")))
    };
    match elements(json) {
        Some(list) => {
            list.iter().enumerate().map(|(index, item)| read(&format!("{field}[{index}]"), item)).collect()
        }
        None => Ok(vec![read(field, json)?]),
    }
}
