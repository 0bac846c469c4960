//! The stream in Redis: what was published in the last minutes, for nodes that did not hear it.
//!
//! It holds the sealed messages as they were published, each at the place that Redis gave it, bounded in length
//! (`cluster.redis.max_stream`) and in time. Its first entry is empty where nothing has been trimmed yet.

use std::sync::Arc;
use std::time::Duration;

use redis::streams::StreamRangeReply;
use redis::{RedisResult, Script, cmd};

use super::outbox::Parcel;
use crate::cluster::registry::{KEPT, NodeId, millis};
use crate::cluster::store::Commands;

/// Entries that are read in one go.
const PAGE: usize = 500;

/// Begins what is published of a message that is kept.
const KEPT_MARK: u8 = 2;

/// Bits of a place that count the entries of one millisecond.
const SEQUENCE_BITS: u32 = 20;

/// The stream of one cluster.
#[derive(Debug, Clone)]
pub(in crate::cluster) struct Stream {
    key: Arc<str>,
    prefix: Arc<str>,
    max: u64,
}

/// Where the stream begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct First {
    pub(super) id: u64,
    /// Nothing that was before it has been trimmed.
    pub(super) is_beginning: bool,
}

impl Stream {
    /// That of a prefix, with at most `max` entries.
    pub(in crate::cluster) fn new(prefix: &Arc<str>, max: u64) -> Stream {
        Stream { key: format!("{{{prefix}}}:events").into(), prefix: prefix.clone(), max }
    }

    fn batches(&self, node: NodeId) -> String {
        format!("{{{}}}:published:{node}", self.prefix)
    }

    /// Publishes a batch, once: again under the same number it does nothing.
    pub(super) async fn publish(
        &self,
        redis: &mut Commands,
        (node, number): (NodeId, u64),
        batch: &[Parcel],
        age: Duration,
    ) -> RedisResult<()> {
        let script = Script::new(include_str!("publish.lua"));
        let mut script = script.prepare_invoke();
        script.key(&*self.key).key(self.batches(node));
        script.arg(number).arg(self.max).arg(millis(age)).arg(millis(KEPT));
        for Parcel { channel, message, kept } in batch {
            script.arg(&**channel).arg(u8::from(*kept)).arg(&message[..]);
        }
        script.invoke_async::<u8>(redis).await.map(drop)
    }

    /// The number of the last batch that Redis knows to be published.
    pub(super) async fn last_batch(&self, redis: &mut Commands, node: NodeId) -> RedisResult<u64> {
        let last: Option<u64> = cmd("GET").arg(self.batches(node)).query_async(redis).await?;
        Ok(last.unwrap_or_default())
    }

    /// Where the stream begins.
    pub(super) async fn first(&self, redis: &mut Commands, age: Duration) -> RedisResult<First> {
        let script = Script::new(include_str!("begin.lua"));
        let mut script = script.prepare_invoke();
        let (id, begins): (String, u8) = script.key(&*self.key).arg(millis(age)).invoke_async(redis).await?;
        Ok(First { id: read_id(&id).unwrap_or_default(), is_beginning: begins == 1 })
    }

    /// The messages behind a place, a page of them, and the place of the last; none where there are no more.
    pub(super) async fn page(
        &self,
        redis: &mut Commands,
        after: u64,
    ) -> RedisResult<Option<(Vec<(u64, Vec<u8>)>, u64)>> {
        let (ms, sequence) = (after >> SEQUENCE_BITS, after & ((1 << SEQUENCE_BITS) - 1));
        let page: StreamRangeReply = cmd("XRANGE")
            .arg(&*self.key)
            .arg(format!("({ms}-{sequence}"))
            .arg("+")
            .arg("COUNT")
            .arg(PAGE)
            .query_async(redis)
            .await?;
        let read = |id: &redis::streams::StreamId| Some((read_id(&id.id)?, id.get::<Vec<u8>>("m")?));
        let messages: Vec<(u64, Vec<u8>)> = page.ids.iter().filter_map(read).collect();
        Ok(messages.last().map(|(id, _)| *id).map(|last| (messages, last)))
    }
}

/// What was published, and its place in the stream where it is kept.
pub(super) fn read_published(payload: &[u8]) -> (Option<u64>, &[u8]) {
    let kept = payload.strip_prefix(&[KEPT_MARK]);
    let parts = kept.and_then(|kept| Some((kept, kept.iter().position(|byte| *byte == b' ')?)));
    let read = parts.and_then(|(kept, space)| {
        let (id, message) = kept.split_at_checked(space)?;
        Some((read_id(std::str::from_utf8(id).ok()?)?, message.get(1..)?))
    });
    read.map_or((None, payload), |(id, message)| (Some(id), message))
}

/// A place in the stream as a number of the same order: Redis' `MS-SEQUENCE`.
fn read_id(id: &str) -> Option<u64> {
    let (ms, sequence) = id.split_once('-')?;
    let (ms, sequence): (u64, u64) = (ms.parse().ok()?, sequence.parse().ok()?);
    Some(ms << SEQUENCE_BITS | sequence.min((1 << SEQUENCE_BITS) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_published_with_its_place() {
        assert_eq!(
            read_published(b"\x021700000000000-3 \x01rest"),
            (read_id("1700000000000-3"), &b"\x01rest"[..])
        );
        for other in [&b"\x01rest"[..], b"", b"\x02", b"\x0217-x rest", b"\x02 rest"] {
            assert_eq!(read_published(other), (None, other));
        }
    }

    #[test]
    fn places_keep_their_order_as_numbers() {
        let ids = ["0-0", "0-1", "5-0", "1700000000000-0", "1700000000000-1", "1700000000001-0"];
        assert!(ids.map(|id| read_id(id).unwrap()).is_sorted_by(|one, next| one < next));
        for wrong in ["", "5", "a-1", "1-"] {
            assert_eq!(read_id(wrong), None, "{wrong}");
        }
    }
}
