//! What a client says about who it was: `pid` and `offset` in its CONNECT packet's payload.

use indexmap::IndexMap;
use memchr::memmem;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::json::Json;

/// What a client that comes back says about itself. The `pid` is a secret.
pub(in crate::socketio) struct Key {
    pub(super) pid: String,
    /// The last argument of the last event it received, if that was a string.
    pub(super) offset: Option<String>,
}

/// Takes `pid` and `offset` out of a payload. The rest stays as it was written; rules and backends
/// never see the two.
pub(super) fn split(auth: Json) -> (Json, Option<Key>) {
    let text = auth.as_str();
    let has = |needle: &[u8]| memmem::find(text.as_bytes(), needle).is_some();
    if !has(b"pid") && !has(b"offset") && !has(b"\\u") {
        return (auth, None);
    }
    let Ok(mut members) = serde_json::from_str::<IndexMap<String, &RawValue>>(text) else {
        return (auth, None);
    };
    let [pid, offset] = ["pid", "offset"].map(|key| members.shift_remove(key));
    if pid.is_none() && offset.is_none() {
        return (auth, None);
    }
    let read = |raw: Option<&RawValue>| serde_json::from_str::<String>(raw?.get()).ok();
    let key = read(pid).map(|pid| Key { pid, offset: read(offset) });
    let rest: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), value.get()))
        .collect();
    (Json::from_written(format!("{{{}}}", rest.join(","))), key)
}
