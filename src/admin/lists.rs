//! Who is here.

use http::StatusCode;
use serde::Serialize;

use crate::fault::Fault;
use crate::socketio::{Heard, Member, Page, Query, Room, Sockets};

use super::body::bad;

/// Entries of a list that names no `limit`, and most that it may name.
const LIMIT: usize = 1_000;
const MAX_LIMIT: usize = 10_000;

#[derive(Debug, Serialize)]
pub(super) struct SocketsPage {
    sockets: Vec<Member>,
    total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Nodes that did not answer in time.
    #[serde(skip_serializing_if = "is_zero")]
    silent_nodes: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct RoomsPage {
    rooms: Vec<Room>,
    total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Nodes that did not answer in time.
    #[serde(skip_serializing_if = "is_zero")]
    silent_nodes: usize,
}

/// Lists sockets.
pub(super) async fn sockets(sockets: &dyn Sockets, written: Option<&str>) -> Result<SocketsPage, Fault> {
    let Heard { said: Page { items, total, next }, silent_nodes } = sockets.list(query(written)?).await;
    Ok(SocketsPage { sockets: items, total, next, silent_nodes })
}

/// Lists rooms.
pub(super) async fn rooms(sockets: &dyn Sockets, written: Option<&str>) -> Result<RoomsPage, Fault> {
    let Heard { said: Page { items, total, next }, silent_nodes } = sockets.rooms(query(written)?).await;
    Ok(RoomsPage { rooms: items, total, next, silent_nodes })
}

/// Tells of one socket, without the headers and parameters that `tokens` names (`header:NAME`, `query:NAME`).
pub(super) async fn socket(sockets: &dyn Sockets, id: &str, tokens: &[String]) -> Result<Member, Fault> {
    let Heard { said, silent_nodes } = sockets.find(id).await;
    let mut found = said.ok_or_else(|| match silent_nodes {
        0 => Fault::new(StatusCode::NOT_FOUND, "no_socket", "no socket has this id"),
        _ => {
            let message =
                format!("no socket of the nodes that answered has this id; {silent_nodes} did not answer");
            Fault::new(StatusCode::NOT_FOUND, "no_socket", message)
        }
    })?;
    found.handshake.iter_mut().for_each(|handshake| handshake.hide_tokens(tokens));
    Ok(found)
}

/// Whether there is nothing to tell.
pub(super) fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Reads `namespace`, `room`, `after` and `limit`. An empty one is as good as none.
fn query(written: Option<&str>) -> Result<Query, Fault> {
    let mut query = Query { limit: LIMIT, ..Query::default() };
    let mut seen = Vec::new();
    for (key, value) in form_urlencoded::parse(written.unwrap_or_default().as_bytes()) {
        if seen.contains(&key) {
            return Err(bad(format!("{key}: is given twice")));
        }
        match (&*key, &*value) {
            ("namespace" | "room" | "after" | "limit", "") => {}
            ("namespace", name) if name.starts_with('/') => query.namespace = Some(name.into()),
            ("namespace", _) => return Err(bad("namespace: must begin with `/`")),
            ("room", room) => query.room = Some(room.into()),
            ("after", after) => query.after = Some(after.to_owned()),
            ("limit", limit) => {
                let number = limit.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                query.limit =
                    number.ok_or_else(|| bad(format!("limit: must be a number from 1 to {MAX_LIMIT}")))?;
            }
            _ => {
                let known = "namespace, room, after and limit are known";
                return Err(bad(format!("{key}: unknown parameter; {known}")));
            }
        }
        seen.push(key);
    }
    Ok(query)
}
