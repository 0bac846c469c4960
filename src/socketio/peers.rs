//! The other nodes, as the hub of one sees them.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Command, Past, Place, Socket};
use crate::headers::Said;

/// The other nodes. None of its methods waits for them.
pub trait Peers: Send + Sync + 'static {
    /// Does on every other node what was done here. What has a `place` is kept there for clients that come back.
    fn pass_on(&self, command: &Command, place: Option<Place>);

    /// Lets the node that has this socket heed what a response said of it; where none has it, this node does what is
    /// to be done without it.
    fn heed(&self, socket: &str, said: &Said);

    /// A socket is connected, or its rooms or state are others than before.
    fn changed(&self, socket: &Arc<Socket>);

    /// Something else is to be known of a client that may come back, by its `pid`.
    fn session_changed(&self, pid: &Arc<str>);

    /// Takes what is known of a client that was on this node or another, which gives it up. Of several nodes that ask
    /// at once one is told. When this is answered, the rules have been told of the end that it had there.
    fn recall(&self, pid: &str, namespace: &str) -> BoxFuture<'static, Option<Past>>;

    /// The rules are told now of a socket's end: nobody else is to tell them.
    fn ended(&self, socket: &Socket);

    /// What to wait for before the rules are told of an end: that no other node has told them. `None` where there
    /// is nothing to wait for.
    fn settled(&self, socket: &Arc<Socket>) -> Option<BoxFuture<'static, ()>>;
}
