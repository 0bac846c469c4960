//! Sockets whose clients are back on another node before their own node is lost: who tells of their ends.

use redis::{RedisResult, Script};

use super::{Departures, field, field_of, sockets_of};
use crate::cluster::registry::NodeId;
use crate::socketio::Socket;

impl Departures {
    /// Tells of one socket's end where its node does not answer and its client is back; nobody else does then.
    pub(in crate::cluster) async fn tell_of_one(&self, node: NodeId, (namespace, id): (&str, &str)) {
        let script = Script::new(include_str!("claim.lua"));
        let mut script = script.prepare_invoke();
        script.key(sockets_of(&self.prefix, node)).arg(&field(namespace, id)[..]);
        let claimed: RedisResult<Option<Vec<u8>>> = self.line.run(&self.store, &script).await;
        if let Ok(Some(closed)) = claimed {
            self.tell(closed).await;
        }
    }

    /// Before this node tells of one of its own sockets: whether another node has, to which its client has come back.
    pub(super) async fn claim_own(&self, socket: &Socket) {
        let script = Script::new(include_str!("claim.lua"));
        let mut script = script.prepare_invoke();
        script.key(&self.key).arg(&field_of(socket)[..]);
        let claimed: RedisResult<Option<Vec<u8>>> = self.line.run(&self.store, &script).await;
        if matches!(claimed, Ok(Some(closed)) if closed.is_empty()) {
            socket.was_told();
        }
    }
}
