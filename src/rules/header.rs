//! What responses say in `Frontroom-Actions`. Whatever is wrong with it, the answer itself goes on.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::headers::Said;
use crate::json::Json;
use crate::message::Fields;
use crate::socketio::{Command, Hub, Socket};
use crate::telemetry::metrics;

use super::actions::{Actions, Doer, Here, Result, invalid};
use super::carried::X_SOCKET_ID;
use super::template::elements;

/// What responses to forwarded requests say, done to the socket that the request names.
#[derive(Debug, Clone, Default)]
pub struct Hearing {
    /// The request's `X-Socket-Id`.
    socket: Option<Box<str>>,
}

impl Hearing {
    /// Notes whom the request names.
    pub fn of(request: &Fields) -> Hearing {
        let named = request.get(&X_SOCKET_ID).and_then(|id| id.to_str().ok());
        Hearing { socket: named.map(Into::into) }
    }

    /// Does what the response to it said. There is no event to ack or to fail: `ack` means nothing
    /// here, and with `error` nothing is done.
    pub fn heed(&self, said: &Said, hub: &Arc<Hub>) {
        hub.heed(self.socket.as_deref(), said);
    }
}

/// Does what a response said to the socket that its request named.
pub(super) fn heed(hub: &Arc<Hub>, socket: Option<Arc<Socket>>, said: &Said) {
    let here = socket.as_deref().map_or_else(|| Here::namespace("/".into()), Here::of);
    let mut hands = Hands { socket, hub };
    for actions in read(said) {
        if actions.error.is_some() {
            metrics::header_actions("refused");
            continue;
        }
        let lost = here.socket.is_none() && actions.needs_socket();
        metrics::header_actions(if lost { "no_socket" } else { "done" });
        let disconnect = actions.disconnect;
        actions.perform(&here, &mut hands);
        if disconnect && let Some(command) = here.disconnect() {
            hands.command(command);
        }
    }
}

/// Acts at once, on the socket named if there is one.
struct Hands<'a> {
    socket: Option<Arc<Socket>>,
    hub: &'a Arc<Hub>,
}

impl Doer for Hands<'_> {
    fn state(&mut self, changes: Map<String, Value>) {
        if let Some(socket) = &self.socket {
            socket.state().extend(changes);
            self.hub.note_change(socket);
        }
    }

    fn command(&mut self, command: Command) {
        self.hub.run(&command);
    }
}

/// The actions of a header, none where one of them is wrong: logged and counted.
pub(super) fn read(said: &Said) -> Vec<Actions> {
    parse(said).unwrap_or_else(|error| {
        metrics::header_actions("bad");
        tracing::warn!(%error, "a response's Frontroom-Actions cannot be understood");
        Vec::new()
    })
}

/// Several lines, or several values in one, are done one after another (RFC 9110 5.3).
fn parse(said: &Said) -> Result<Vec<Actions>> {
    let mut all = Vec::new();
    for value in &said.0 {
        let list = Bytes::from([b"[", value.as_bytes(), b"]"].concat());
        let values = Json::parse(list).ok().and_then(|list| elements(&list));
        let Some(values) = values.filter(|values| !values.is_empty()) else {
            return invalid("Frontroom-Actions", "must be a JSON object; write what is not ASCII as \\uXXXX");
        };
        for value in values {
            all.push(Actions::parse(&value)?);
        }
    }
    match all.iter().flat_map(|actions| &actions.emit).any(|emission| emission.ack) {
        true => invalid("emit.ack", "only a hook is told what clients answer"),
        false => Ok(all),
    }
}
