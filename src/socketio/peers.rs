//! The other nodes, as the hub of one sees them.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Command, Socket};
use crate::headers::Said;

/// The other nodes. None of its methods waits for them.
pub trait Peers: Send + Sync + 'static {
    /// Does on every other node what was done here.
    fn pass_on(&self, command: &Command);

    /// Lets the node that has this socket heed what a response said of it; where none has it, this node does what is
    /// to be done without it.
    fn heed(&self, socket: &str, said: &Said);

    /// A socket is connected, or its rooms or state are others than before.
    fn changed(&self, socket: &Arc<Socket>);

    /// The rules are told now of a socket's end: nobody else is to tell them.
    fn ended(&self, socket: &Socket);

    /// What to wait for before the rules are told of an end: that no other node has told them. `None` where there
    /// is nothing to wait for.
    fn settled(&self) -> Option<BoxFuture<'static, ()>>;
}
