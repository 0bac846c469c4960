//! Who else may publish over Redis.

use schemars::JsonSchema;
use serde::Deserialize;

/// A library that publishes events over Redis, and where it does.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["redis", "format"]))]
pub struct Emitter {
    /// A URL as in `cluster.redis.url`.
    pub redis: String,
    /// In whose words.
    pub format: Option<EmitterFormat>,
    /// Key of `socket.io`'s channels. Default `socket.io`.
    pub key: Option<String>,
    /// Channel of `python-socketio`. Default `socketio`; Flask-SocketIO's is `flask-socketio`.
    pub channel: Option<String>,
}

/// The libraries' formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum EmitterFormat {
    /// `@socket.io/redis-emitter` 5.x and its ports.
    #[serde(rename = "socket.io")]
    SocketIo,
    /// `RedisManager(write_only=True)` of python-socketio and Flask-SocketIO, as JSON.
    #[serde(rename = "python-socketio")]
    PythonSocketio,
}
