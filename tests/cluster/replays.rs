//! What a node did not hear while Redis was away, it hears afterwards.

use super::comers::{Comer, backend, config, rest, say};
use super::nodes::{start_at, together};
use super::support::backend::Backend;
use super::support::eventually;
use super::support::gateway::Gateway;
use super::support::redis::Redis;

fn nodes_at(url: &str, backend: &Backend) -> Vec<Gateway> {
    start_at(url, 2, &rest(&config(url, backend)))
}

/// Every message once, in the order of their node.
fn assert_all(client: &Comer, count: u64) {
    assert_eq!(client.heard, (1..=count).collect::<Vec<_>>());
}

#[test]
fn what_is_published_while_redis_restarts_reaches_every_client_once() {
    let (mut redis, backend) = (Redis::start(), backend());
    let nodes = nodes_at(&redis.url(), &backend);
    let (mut near, mut far, gone) = (Comer::new(&nodes[0]), Comer::new(&nodes[1]), Comer::new(&nodes[1]));
    drop(gone.socket);
    for n in 1..=400 {
        if n == 150 {
            redis.stop();
        }
        if n == 300 {
            redis.launch();
        }
        say(&nodes[0], n, false);
    }
    for client in [&mut near, &mut far] {
        client.hear(400);
        assert_all(client, 400);
    }
    together(&nodes);
    // Whoever was gone meanwhile comes back to its own node as ever, and to the other as soon as that knows.
    let gone = Comer { socket: Comer::new(&nodes[1]).socket, ..gone };
    let back = gone.back(&nodes[1]);
    assert_eq!(back.sid, gone.sid);
    assert_all(&back, 400);
    eventually("it is written down again", || {
        (redis.cli(&["KEYS", "*:client:*"]).contains(":client:")).then_some(())
    });
    let mut again = eventually("it comes back to the other node", || {
        let again = back.back(&nodes[0]);
        (again.sid == gone.sid).then_some(again)
    });
    say(&nodes[1], 401, false);
    again.hear(1);
    assert_all(&again, 401);
    assert_eq!(nodes.iter().map(|node| node.metric("frontroom_cluster_stream_gaps_total")).sum::<u64>(), 0);
}

#[test]
fn what_a_broken_subscription_did_not_bring_is_read_from_the_stream() {
    let (redis, backend) = (Redis::start(), backend());
    let nodes = nodes_at(&redis.url(), &backend);
    let (mut far, mut ahead) = (Comer::new(&nodes[1]), Comer::new(&nodes[0]));
    let mut n = 0;
    for _ in 0..4 {
        redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        for _ in 0..50 {
            n += 1;
            say(&nodes[0], n, false);
        }
        // It has heard what the other node has not yet.
        ahead.hear(50);
        let there = ahead.back(&nodes[1]);
        assert_eq!(there.sid, ahead.sid);
        ahead = there.back(&nodes[0]);
        assert_eq!(ahead.sid, there.sid);
    }
    far.hear(200);
    assert_all(&far, 200);
    assert_all(&ahead, 200);
    assert!(nodes[1].metric("frontroom_cluster_replayed_total") > 0);
    assert_eq!(nodes[1].metric("frontroom_cluster_stream_gaps_total"), 0);
}

#[test]
fn a_client_that_has_more_than_the_node_it_comes_to_gets_nothing_twice() {
    let (mut redis, backend) = (Redis::start(), backend());
    let nodes = nodes_at(&redis.url(), &backend);
    let mut client = Comer::new(&nodes[0]);
    eventually("it is written down", || {
        (redis.cli(&["KEYS", "*:client:*"]).contains(":client:")).then_some(())
    });
    redis.stop();
    eventually("the loss is noticed", || {
        (nodes[0].metric("frontroom_cluster_connections_lost_total{purpose=\"publish\"}") > 0).then_some(())
    });
    for n in 1..=20 {
        say(&nodes[0], n, false);
    }
    // Told at once by its own node, which cannot pass it on.
    client.hear(20);
    assert_all(&client, 20);
    redis.launch();
    let mut there = eventually("it comes back to the other node", || {
        let there = client.back(&nodes[1]);
        (there.sid == client.sid).then_some(there)
    });
    say(&nodes[0], 21, false);
    there.hear(1);
    assert_all(&there, 21);
    for node in [0, 1, 0, 1] {
        there = there.back(&nodes[node]);
        assert_all(&there, 21);
    }
}
