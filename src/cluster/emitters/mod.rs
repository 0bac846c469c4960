//! Other programs that publish over Redis, in the formats that their libraries speak. What cannot be
//! read is counted and passed over: anybody who reaches Redis can write there.

mod msgpack;
mod python;
mod socketio;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use redis::{Msg, RedisError};

use super::store::Store;
use crate::config::Problems;
use crate::config::file::{self, EmitterFormat};
use crate::socketio::{Command, Hub};
use crate::telemetry::metrics;

/// Bytes of a message that are looked at. A client takes no more in one packet by default.
const MAX_BYTES: usize = 1_000_000;

/// Wait before the connection is tried again: doubled from the first to the second.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The compiled `emitters` section.
#[derive(Debug, Clone, Default)]
pub struct Emitters(Vec<Emitter>);

/// One place in Redis where a library publishes.
#[derive(Debug, Clone)]
struct Emitter {
    store: Arc<Store>,
    dialect: Dialect,
}

/// Which channels, and how they are read.
#[derive(Debug, Clone)]
enum Dialect {
    SocketIo { key: String },
    Python { channel: String },
}

/// A message that cannot be read.
#[derive(Debug, PartialEq, Eq)]
struct Unreadable;

impl Emitters {
    /// Compiles the `emitters` section.
    pub fn build(written: &[file::Emitter], problems: &mut Problems) -> Emitters {
        let emitters = written.iter().enumerate();
        Emitters(emitters.filter_map(|(index, emitter)| Emitter::build(index, emitter, problems)).collect())
    }

    /// Listens for ever, with a task for each.
    pub fn start(self, hub: &Arc<Hub>) {
        for emitter in self.0 {
            tokio::spawn(emitter.listen(Arc::clone(hub)));
        }
    }
}

impl Emitter {
    fn build(index: usize, written: &file::Emitter, problems: &mut Problems) -> Option<Emitter> {
        let at = |key: &str| format!("emitters[{index}].{key}");
        let dialect = match written.format {
            Some(EmitterFormat::SocketIo) => {
                if written.channel.is_some() {
                    problems.add(at("channel"), "is for python-socketio", "write `key`, or another `format`");
                }
                Dialect::SocketIo { key: written.key.clone().unwrap_or_else(|| "socket.io".to_owned()) }
            }
            Some(EmitterFormat::PythonSocketio) => {
                if written.key.is_some() {
                    problems.add(at("key"), "is for socket.io", "write `channel`, or another `format`");
                }
                Dialect::Python { channel: written.channel.clone().unwrap_or_else(|| "socketio".to_owned()) }
            }
            None => return None,
        };
        let store = Store::parse(&written.redis)
            .map_err(|right| problems.add(at("redis"), "this is no URL of a Redis", right))
            .ok()?;
        Some(Emitter { store: Arc::new(store), dialect })
    }

    async fn listen(self, hub: Arc<Hub>) {
        let mut wait = BACK_OFF.0;
        loop {
            let heard = self.hear(&hub).await;
            match heard {
                Ok(()) => wait = BACK_OFF.0,
                Err(error) => tracing::warn!(%error, "an emitter's Redis is away; it is tried again"),
            }
            metrics::emitter_connection_lost();
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(BACK_OFF.1);
        }
    }

    /// Hears messages until the connection ends.
    async fn hear(&self, hub: &Hub) -> Result<(), RedisError> {
        let mut redis = self.store.subscriber().await?;
        match &self.dialect {
            Dialect::SocketIo { key } => {
                let key = literal(key);
                redis.psubscribe(format!("{key}#*")).await?;
                redis.psubscribe(format!("{key}-request#*")).await?;
            }
            Dialect::Python { channel } => redis.subscribe(channel).await?,
        }
        tracing::info!("listening to an emitter's Redis");
        let mut messages = redis.on_message();
        while let Some(message) = messages.next().await {
            match self.dialect.read(&message) {
                Ok(commands) => {
                    metrics::emitter_message(if commands.is_empty() { "ignored" } else { "ok" });
                    for command in &commands {
                        // Every node listens: nobody passes it on.
                        hub.run_here(command);
                    }
                }
                Err(Unreadable) => metrics::emitter_message("unreadable"),
            }
        }
        Ok(())
    }
}

impl Dialect {
    fn read(&self, message: &Msg) -> Result<Vec<Command>, Unreadable> {
        let (channel, bytes) = (message.get_channel_name(), message.get_payload_bytes());
        if bytes.len() > MAX_BYTES {
            return Err(Unreadable);
        }
        let command = match self {
            Dialect::SocketIo { key } => socketio::read(key, channel, bytes)?,
            Dialect::Python { .. } => python::read(bytes)?,
        };
        Ok(command.into_iter().collect())
    }
}

/// A text in a glob pattern that stands for nothing but itself.
fn literal(text: &str) -> String {
    text.chars().flat_map(|c| "*?[]^\\".contains(c).then_some('\\').into_iter().chain([c])).collect()
}
