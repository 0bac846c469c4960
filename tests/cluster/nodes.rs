//! Nodes of one cluster.

use serde_json::{Value, json};

use super::support::eventually;
use super::support::gateway::Gateway;
use super::support::http;
use super::support::redis::Redis;
use super::support::websocket::WebSocket;

/// The `cluster` section of a node.
pub(crate) fn section(redis: &str) -> String {
    format!(
        "cluster:\n  redis: {{url: \"{redis}\"}}\n  \
         node: {{listen: \"127.0.0.1:0\", advertise: \"http://127.0.0.1:1\", secret: test}}\n  lease: 1500ms\n"
    )
}

/// Starts so many nodes that know each other; `config` is what each has besides.
pub(crate) fn start(redis: &Redis, count: usize, config: &str) -> Vec<Gateway> {
    start_at(&redis.url(), count, config)
}

/// The same with the Redis at a URL.
pub(crate) fn start_at(redis: &str, count: usize, config: &str) -> Vec<Gateway> {
    let config = format!("{}{config}", section(redis));
    let nodes: Vec<Gateway> = (0..count).map(|_| Gateway::start(&config)).collect();
    together(&nodes);
    nodes
}

/// Waits until every node knows and hears the others.
pub(crate) fn together(nodes: &[Gateway]) {
    for node in nodes {
        eventually("the nodes know each other", || {
            (node.metric("frontroom_cluster_nodes") == nodes.len() as u64).then_some(())
        });
        eventually("the nodes hear each other", || {
            let (status, rooms) = node.call("GET", "/v1/rooms", "");
            (status == 200 && rooms.get("silent_nodes").is_none()).then_some(())
        });
    }
}

/// A client with its id; `node` is where it is connected.
pub(crate) fn client(node: &Gateway) -> (WebSocket, String) {
    WebSocket::join(http::connect(&node.address))
}

/// Makes a call that must succeed.
pub(crate) fn call(node: &Gateway, path: &str, body: Value) -> Value {
    let (status, answer) = node.call("POST", path, &body.to_string());
    assert_eq!(status, 200, "{path} {body}: {answer}");
    assert!(answer.get("silent_nodes").is_none(), "{path} {body}: {answer}");
    answer
}

/// Emits `name` to a room; how many sockets it was queued for.
pub(crate) fn emit(node: &Gateway, name: &str, to: &str) -> u64 {
    call(node, "/v1/emit", json!({ "event": name, "to": to }))["sockets"].as_u64().expect("a count")
}
