//! Nodes that die, and nodes that only seemed to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::nodes::{client, start};
use super::support::backend::Backend;
use super::support::eventually;
use super::support::redis::Redis;

/// Told of connects and ends.
pub(crate) fn backend() -> Backend {
    Backend::start(|line, body| match line {
        "POST /hook" if body.contains("\"type\":\"connect\"") => {
            (200, "{\"state\":{\"user\":\"u\"},\"join\":[\"club\"]}".into())
        }
        _ => (204, String::new()),
    })
}

pub(crate) fn config(backend: &Backend) -> String {
    format!(
        "upstream: {}\nsocketio: {{connect: {{hook: /hook}}, disconnect: {{hook: /hook}}}}\n",
        backend.url
    )
}

/// The ends that were told: each socket's reasons.
pub(crate) fn ends(backend: &Backend) -> BTreeMap<String, Vec<String>> {
    let mut ends = BTreeMap::<String, Vec<String>>::new();
    for seen in backend.seen() {
        let told: Value = serde_json::from_str(&seen.body).unwrap_or_default();
        if told["type"] == "disconnect" {
            assert_eq!(told["socket"]["state"], json!({ "user": "u" }));
            assert_eq!(told["socket"]["rooms"][1], json!("club"));
            assert_eq!(told["socket"]["handshake"]["headers"]["upgrade"], json!("websocket"));
            let id = told["socket"]["id"].as_str().unwrap().to_owned();
            ends.entry(id).or_default().push(told["reason"].as_str().unwrap().to_owned());
        }
    }
    ends
}

#[test]
fn the_ends_of_a_dead_nodes_sockets_are_told_once_and_counts_are_right_again() {
    let (redis, backend) = (Redis::start(), backend());
    let mut nodes = start(&redis, 3, &config(&backend));
    let dead = nodes.remove(0);
    let mut clients: Vec<_> = (0..60).map(|_| client(&dead)).collect();
    let (_alive, alive) = client(&nodes[0]);
    // One that left before is nobody's any more.
    let (mut left, left_id) = clients.pop().unwrap();
    left.send("41");
    eventually("its end is told", || ends(&backend).contains_key(&left_id).then_some(()));
    let written = || {
        redis.cli(&["--raw", "EVAL", "local n=0 for _,k in ipairs(redis.call('KEYS','*sockets*')) do n=n+redis.call('HLEN',k) end return n", "0"])
    };
    eventually("all are written down", || (written().trim() == "60").then_some(()));
    assert!(!redis.cli(&["--raw", "EVAL", "local t='' for _,k in ipairs(redis.call('KEYS','*sockets*')) do t=t..table.concat(redis.call('HVALS',k)) end return t", "0"]).contains("websocket"), "records can be read");
    let (_, rooms) = nodes[1].call("GET", "/v1/rooms", "");
    assert_eq!(rooms["rooms"][0]["sockets"], json!(60));
    dead.signal("KILL");
    eventually("all ends are told", || (ends(&backend).len() >= 60).then_some(()));
    for node in &nodes {
        eventually("the counts are right again", || {
            let (_, rooms) = node.call("GET", "/v1/rooms", "");
            let right = json!({ "rooms": [{ "namespace": "/", "room": "club", "sockets": 1 }], "total": 1 });
            (rooms == right && node.metric("frontroom_cluster_nodes") == 2).then_some(())
        });
    }
    let told = |node: &super::support::gateway::Gateway| {
        node.metric("frontroom_cluster_departures_total{result=\"told\"}")
    };
    assert_eq!(told(&nodes[0]) + told(&nodes[1]), 59);
    let ends = ends(&backend);
    assert!(!ends.contains_key(&alive));
    for (_, id) in &clients {
        assert_eq!(ends[id], ["node lost"], "{id}");
    }
    assert_eq!(ends[&left_id], ["client namespace disconnect"]);
}

#[test]
fn a_node_that_was_only_stopped_for_a_while_tells_nothing_twice() {
    let (redis, backend) = (Redis::start(), backend());
    let nodes = start(&redis, 2, &config(&backend));
    let mut clients: Vec<_> = (0..10).map(|_| client(&nodes[0])).collect();
    eventually("all are written down", || {
        let key = redis.cli(&["--raw", "KEYS", "*sockets*"]);
        (redis.cli(&["HLEN", key.trim()]).trim() == "10").then_some(())
    });
    nodes[0].signal("STOP");
    eventually("all ends are told", || (ends(&backend).len() == 10).then_some(()));
    nodes[0].signal("CONT");
    for (socket, _) in &mut clients {
        socket.closed();
    }
    // Whoever comes back is somebody new, and its end is its own node's to tell.
    let (mut back, id) = client(&nodes[0]);
    back.send("41");
    eventually("the end is told", || ends(&backend).contains_key(&id).then_some(()));
    for (id, reasons) in ends(&backend) {
        assert_eq!(reasons.len(), 1, "{id}: {reasons:?}");
    }
    super::nodes::together(&nodes);
}

#[test]
fn a_node_that_ends_in_order_is_gone_at_once_and_tells_its_ends_itself() {
    let (redis, backend) = (Redis::start(), backend());
    let mut nodes = start(&redis, 2, &config(&backend));
    let clients: Vec<_> = (0..5).map(|_| client(&nodes[0])).collect();
    nodes[0].terminate();
    assert_eq!(nodes[0].wait(), Some(0));
    eventually("the other is alone", || (nodes[1].metric("frontroom_cluster_nodes") == 1).then_some(()));
    let ends = ends(&backend);
    for (_, id) in &clients {
        assert_eq!(ends[id], ["server shutting down"]);
    }
    assert_eq!(nodes[1].metric("frontroom_cluster_departures_total{result=\"told\"}"), 0);
}
