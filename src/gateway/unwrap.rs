//! From an upgraded connection back to the socket under it.

use bytes::Bytes;

use crate::engineio::Carrier;
use crate::http1::upgrade::Upgraded;
use crate::server::Socket;

/// Finds the socket under a connection that [`server`](crate::server) accepted.
pub fn unwrap(upgraded: Upgraded) -> Carrier {
    let (socket, read) = match upgraded.downcast::<Socket>() {
        Ok(parts) => parts,
        Err(upgraded) => return Carrier::covered(upgraded, Bytes::new()),
    };
    match socket.into_tcp() {
        Ok((tcp, ahead, open)) => {
            let read = if ahead.is_empty() { read } else { [read, ahead].concat().into() };
            Carrier::Plain { tcp, read, guard: Box::new(open) }
        }
        Err(socket) => Carrier::covered(*socket, read),
    }
}
