//! From an upgraded connection back to the socket under it.

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;

use crate::engineio::Carrier;
use crate::server::Socket;

/// Finds the socket under a connection that [`server`](crate::server) accepted.
pub fn unwrap(upgraded: Upgraded) -> Carrier {
    let parts = match upgraded.downcast::<TokioIo<Socket>>() {
        Ok(parts) => parts,
        // A stream of HTTP/2.
        Err(upgraded) => return Carrier::covered(TokioIo::new(upgraded), Bytes::new()),
    };
    match parts.io.into_inner().into_tcp() {
        Ok((tcp, ahead, open)) => {
            let read =
                if ahead.is_empty() { parts.read_buf } else { [parts.read_buf, ahead].concat().into() };
            Carrier::Plain { tcp, read, guard: Box::new(open) }
        }
        Err(socket) => Carrier::covered(*socket, parts.read_buf),
    }
}
