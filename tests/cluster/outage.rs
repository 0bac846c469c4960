//! Redis goes away and comes back.

use serde_json::json;

use super::nodes::{call, client, emit, section, start, together};
use super::support::eventually;
use super::support::gateway::Gateway;
use super::support::http;
use super::support::redis::Redis;

#[test]
fn each_node_goes_on_without_redis_and_finds_the_others_again() {
    let mut redis = Redis::start();
    let nodes = start(&redis, 2, "upstream: http://127.0.0.1:9\n");
    let ((mut ann, ann_id), (mut bob, bob_id)) = (client(&nodes[0]), client(&nodes[1]));
    call(&nodes[0], "/v1/join", json!({ "to": [ann_id, bob_id], "rooms": "club" }));
    redis.stop();
    eventually("the loss is noticed", || {
        (nodes[0].metric("frontroom_cluster_connections_lost_total{purpose=\"publish\"}") > 0).then_some(())
    });
    // Local delivery goes on at once, and what is not known of the others is said.
    let (status, answer) = nodes[0].call("POST", "/v1/emit", "{\"event\":\"alone\",\"to\":\"club\"}");
    assert_eq!((status, answer), (200, json!({ "sockets": 1, "silent_nodes": 1 })));
    assert_eq!(ann.text(), "42[\"alone\"]");
    let volatile = "{\"event\":\"v\",\"to\":\"club\",\"volatile\":true}";
    nodes[0].call("POST", "/v1/emit", volatile);
    assert_eq!(ann.text(), "42[\"v\"]");
    assert_eq!(http::request(&nodes[0].admin, "GET", "/readyz", &[], b"").status, 200);
    redis.launch();
    together(&nodes);
    assert_eq!(emit(&nodes[0], "together", "club"), 2);
    assert_eq!(ann.text(), "42[\"together\"]");
    // What waited meanwhile comes in its order, or it was counted.
    let mut last = bob.text();
    let late = last == "42[\"alone\"]";
    if late {
        last = bob.text();
    }
    assert_eq!(last, "42[\"together\"]");
    let lost = nodes[0].metric("frontroom_cluster_dropped_total{reason=\"connection_lost\"}")
        + nodes[1].metric("frontroom_cluster_missed_total");
    assert!(late || lost > 0, "it is neither there nor counted");
    // Nobody was taken for dead.
    assert_eq!(nodes.iter().map(|node| node.metric("frontroom_cluster_nodes")).collect::<Vec<_>>(), [2, 2]);
}

#[test]
fn what_waits_for_redis_is_bounded_and_counted() {
    let mut redis = Redis::start();
    let config = section(&redis.url()).replace("\"}\n  node", "\", max_queue: 10KB}\n  node");
    let nodes = [Gateway::start(&format!("{config}upstream: http://127.0.0.1:9\n"))];
    together(&nodes);
    let (_ann, id) = client(&nodes[0]);
    redis.stop();
    eventually("the loss is noticed", || {
        (nodes[0].metric("frontroom_cluster_connections_lost_total{purpose=\"publish\"}") > 0).then_some(())
    });
    for _ in 0..20 {
        let body = json!({ "event": "e", "to": ["nobody", id], "data": "x".repeat(1000) });
        assert_eq!(nodes[0].call("POST", "/v1/emit", &body.to_string()).0, 200);
    }
    let dropped = nodes[0].metric("frontroom_cluster_dropped_total{reason=\"queue_full\"}");
    assert!((8..20).contains(&dropped), "{dropped}");
}

#[test]
fn a_message_too_large_for_the_others_is_heard_here_and_counted_on_both_sides() {
    let redis = Redis::start();
    let config = format!(
        "{}upstream: http://127.0.0.1:9\nlisten: 127.0.0.1:0\nlog: {{access: false}}\n\
         admin: {{listen: 127.0.0.1:0, token: test, max_body: 40MB}}\n\
         socketio: {{send_queue: {{max_bytes: 64MB}}}}\n",
        section(&redis.url())
    );
    let nodes = [Gateway::start_whole(&config), Gateway::start_whole(&config)];
    together(&nodes);
    let ((mut ann, _), (mut bob, _)) = (client(&nodes[0]), client(&nodes[1]));
    let large = "x".repeat(17 << 20);
    let body = json!({ "event": "large", "everyone": true, "data": large });
    let (status, answer) = nodes[0].call("POST", "/v1/emit", &body.to_string());
    assert_eq!(status, 200, "{answer}");
    assert_eq!(ann.text(), format!("42[\"large\",\"{large}\"]"));
    assert_eq!(nodes[0].metric("frontroom_cluster_dropped_total{reason=\"too_large\"}"), 1);
    call(&nodes[0], "/v1/emit", json!({ "event": "small", "everyone": true }));
    assert_eq!(bob.text(), "42[\"small\"]");
    assert_eq!(nodes[1].metric("frontroom_cluster_missed_total"), 1);
}
