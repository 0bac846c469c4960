//! Clients that come back to another node find what they were, and get what they missed.

use serde_json::json;

use super::comers::{Comer, backend, config, config_with, rest, say, told};
use super::nodes::{section, start, together};
use super::support::eventually;
use super::support::gateway::Gateway;
use super::support::redis::Redis;

fn site(count: usize) -> (Redis, super::support::backend::Backend, Vec<Gateway>) {
    let (redis, backend) = (Redis::start(), backend());
    let nodes = start(&redis, count, &rest(&config(&redis.url(), &backend)));
    (redis, backend, nodes)
}

/// Waits until so many clients are written down.
fn written(redis: &Redis, count: usize) {
    eventually("they are written down", || (clients(redis).len() == count).then_some(()));
}

/// Keys of clients that are written down, without those that were taken.
fn clients(redis: &Redis) -> Vec<String> {
    let keys = redis.cli(&["--raw", "KEYS", "*:client:*"]);
    let is_written = |key: &&str| redis.cli(&["--raw", "STRLEN", key]).trim() != "16";
    keys.lines().filter(|key| !key.is_empty()).filter(is_written).map(str::to_owned).collect()
}

#[test]
fn a_client_goes_from_node_to_node_and_misses_nothing() {
    let (_redis, backend, nodes) = site(3);
    let mut client = Comer::new(&nodes[0]);
    let (sid, pid) = (client.sid.clone(), client.pid.clone());
    client.ask("join", json!("other"));
    client.ask("note", json!({ "n": [1, "é"] }));
    let mut n = 0;
    for round in 1..7 {
        for _ in 0..3 {
            n += 1;
            say(&nodes[n as usize % 3], n, false);
            say(&nodes[n as usize % 3], 1_000 + n, true);
        }
        client = client.back(&nodes[round % 3]);
        assert_eq!((&client.sid, &client.pid), (&sid, &pid), "round {round}");
        let me = client.ask("whoami", json!(null));
        assert_eq!(me, json!([sid, [sid, "r", "other"], true, { "note": { "n": [1, "é"] } }]));
    }
    n += 1;
    say(&nodes[1], n, false);
    client.hear(1);
    assert_eq!(lasting(&client), (1..=n).collect::<Vec<_>>());
    let told = &told(&backend)[&sid];
    let expected = ["GET /connect/false", "transport close", "GET /connect/true"];
    assert_eq!(told[..3], expected, "the end is told before the return");
    assert_eq!(told.len(), 13, "{told:?}");
    let from_nodes: u64 =
        nodes.iter().map(|node| node.metric("frontroom_cluster_recoveries_total{from=\"node\"}")).sum();
    let recovered: u64 =
        nodes.iter().map(|node| node.metric("frontroom_recoveries_total{result=\"recovered\"}")).sum();
    assert_eq!((from_nodes, recovered), (6, 6));
    assert!(nodes.iter().all(|node| !node.log().contains(&pid)), "the pid is a secret");
}

#[test]
fn a_node_that_could_not_be_asked_does_not_know_its_client_better_than_the_other() {
    let (redis, backend) = (Redis::start(), backend());
    let config = rest(&config(&redis.url(), &backend));
    let quick = format!("{}  request_timeout: 100ms\n{config}", section(&redis.url()));
    let nodes: Vec<Gateway> = (0..2).map(|_| Gateway::start(&quick)).collect();
    together(&nodes);
    let client = Comer::new(&nodes[0]);
    written(&redis, 1);
    nodes[0].signal("STOP");
    // Nor does it hear afterwards that it was asked.
    redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    let mut there = client.back(&nodes[1]);
    there.ask("join", json!("other"));
    there.ask("note", json!("there"));
    nodes[0].signal("CONT");
    let mut back = there.back(&nodes[0]);
    let me = back.ask("whoami", json!(null));
    assert_eq!(me, json!([client.sid, [client.sid, "r", "other"], true, { "note": "there" }]));
}

/// What a client heard that was not volatile.
fn lasting(client: &Comer) -> Vec<u64> {
    client.heard.iter().copied().filter(|n| *n < 1_000).collect()
}

#[test]
fn when_a_node_is_killed_its_clients_come_back_elsewhere() {
    let (redis, backend, mut nodes) = site(3);
    let dead = nodes.remove(0);
    let mut clients: Vec<Comer> = (0..20).map(|_| Comer::new(&dead)).collect();
    for (place, client) in clients.iter_mut().enumerate() {
        client.ask("note", json!(place));
        client.ask("join", json!(format!("own {place}")));
    }
    let pids: Vec<String> = clients.iter().map(|client| client.pid.clone()).collect();
    for n in 1..=10 {
        say(if n % 2 == 0 { &dead } else { &nodes[0] }, n, false);
    }
    // One of them has read all, one nothing.
    clients[0].hear(10);
    written(&redis, 20);
    // To itself alone, and to everybody.
    clients[1].ask("me", json!(11));
    say(&nodes[1], 12, false);
    eventually("what it said is in the stream", || (kept(&redis) >= 12).then_some(()));
    let all = redis.cli(&["--raw", "EVAL", "local t='' for _,k in ipairs(redis.call('KEYS','*:client:*')) do t=t..k..redis.call('GET',k) end return t", "0"]);
    assert!(
        pids.iter().all(|pid| !all.contains(pid)) && !all.contains("own 1"),
        "clients can be read in Redis"
    );
    dead.signal("KILL");
    for n in 13..=20 {
        say(&nodes[n as usize % 2], n, n == 15);
    }
    for (place, client) in clients.into_iter().enumerate() {
        let sid = client.sid.clone();
        let mut back = client.back(&nodes[place % 2]);
        assert_eq!(back.sid, sid, "client {place}");
        let me = back.ask("whoami", json!(null));
        assert_eq!(me, json!([sid, [sid, "r", format!("own {place}")], true, { "note": place }]));
        let expected = (1..=20).filter(|n| *n != 15 && (place == 1 || *n != 11));
        assert_eq!(in_order(&back), expected.collect::<Vec<_>>(), "client {place}");
    }
    let told = told(&backend);
    for (sid, told) in &told {
        assert_eq!(told[..3], ["GET /connect/false", "node lost", "GET /connect/true"], "{sid}");
        // Its second connection may have ended by now, by this test.
        assert!(told.iter().skip(3).all(|end| end == "transport close") && told.len() < 5, "{told:?}");
    }
    assert_eq!(told.len(), 20);
}

/// Messages in the stream that hold an event.
fn kept(redis: &Redis) -> usize {
    redis.cli(&["--raw", "XRANGE", "{frontroom}:events", "-", "+"]).matches("said").count()
}

/// What a client heard. Messages of several nodes have no order between them, those of one have.
fn in_order(client: &Comer) -> Vec<u64> {
    let mut heard = client.heard.clone();
    for of_one in [0, 1] {
        let of_one: Vec<u64> =
            heard.iter().copied().filter(|n| n % 2 == of_one && *n != 11 && *n != 12).collect();
        assert!(of_one.is_sorted(), "{heard:?}");
    }
    heard.sort_unstable();
    heard
}

#[test]
fn of_two_nodes_that_are_asked_at_once_one_has_the_client() {
    let (redis, backend, mut nodes) = site(3);
    let owner = nodes.remove(0);
    for _ in 0..5 {
        let before = clients(&redis).len();
        let client = Comer::new(&owner);
        written(&redis, before + 1);
        let backs: Vec<Comer> = std::thread::scope(|scope| {
            let back = |n: usize| {
                let (client, node) = (&client, &nodes[n % 2]);
                scope.spawn(move || client.back(node))
            };
            let asked: Vec<_> = (0..6).map(back).collect();
            // Who was taken over before it was told anything has lost its connection.
            asked.into_iter().filter_map(|asked| asked.join().ok()).collect()
        });
        let same: Vec<&Comer> = backs.iter().filter(|back| back.pid == client.pid).collect();
        assert!(!same.is_empty(), "nobody came back");
        // Whoever came last has it: only one of those that were told so is still there.
        let (_, page) = nodes[0].call("GET", "/v1/sockets", "");
        let alive =
            page["sockets"].as_array().unwrap().iter().filter(|it| it["id"] == json!(client.sid)).count();
        assert_eq!(alive, 1, "{} came back: {:?} {page}", same.len(), told(&backend)[&client.sid]);
    }
}

#[test]
fn a_node_that_has_just_started_knows_what_was_missed_before_it_was_there() {
    let (redis, backend, mut nodes) = site(2);
    let mut client = Comer::new(&nodes[0]);
    say(&nodes[0], 1, false);
    client.hear(1);
    written(&redis, 1);
    for n in 2..600 {
        say(&nodes[n as usize % 2], n, false);
    }
    eventually("all is in the stream", || (kept(&redis) == 599).then_some(()));
    nodes.drain(..).for_each(|node| node.signal("KILL"));
    let fresh = Gateway::start(&config(&redis.url(), &backend));
    let mut back = client.back(&fresh);
    assert_eq!(back.sid, client.sid);
    assert_eq!(back.heard.len(), 599);
    assert_eq!(in_order(&back), (1..600).collect::<Vec<_>>());
    say(&fresh, 600, false);
    back.hear(1);
    assert_eq!(back.heard.last(), Some(&600));
}

#[test]
fn a_node_that_ends_in_order_leaves_its_clients_to_the_others() {
    let (_redis, backend, mut nodes) = site(2);
    let mut client = Comer::new(&nodes[0]);
    say(&nodes[1], 1, false);
    client.hear(1);
    nodes[0].terminate();
    assert_eq!(nodes[0].wait(), Some(0));
    say(&nodes[1], 2, false);
    let back = client.back(&nodes[1]);
    assert_eq!((&back.sid, back.heard), (&client.sid, vec![1, 2]));
    assert_eq!(
        told(&backend)[&client.sid],
        ["GET /connect/false", "server shutting down", "GET /connect/true"]
    );
}

#[test]
fn whoever_left_on_purpose_is_nobody_elsewhere() {
    let (redis, backend, nodes) = site(2);
    let mut client = Comer::new(&nodes[0]);
    written(&redis, 1);
    client.socket.send("41");
    eventually("its end is told", || (told(&backend)[&client.sid].len() == 2).then_some(()));
    written(&redis, 0);
    let back = client.back(&nodes[1]);
    assert_ne!((&back.sid, &back.pid), (&client.sid, &client.pid));
    assert_eq!(nodes[1].metric("frontroom_recoveries_total{result=\"unknown\"}"), 1);
}

#[test]
fn an_offset_that_never_was_is_the_last_that_is_known() {
    let (redis, _backend, nodes) = site(2);
    let client = Comer::new(&nodes[0]);
    say(&nodes[0], 1, false);
    written(&redis, 1);
    for strange in ["zebra", "aaaaaaaaaa", "AAAAAAAAAAD__________wAAAAAB", "____________________________"] {
        let mut liar = client.back(&nodes[0]);
        assert_eq!(liar.sid, client.sid, "{strange}");
        liar.offset = Some(strange.to_owned());
        let back = liar.back(&nodes[1]);
        assert_eq!(back.sid, client.sid, "{strange}");
        assert_eq!(back.heard.last(), Some(&1), "{strange}");
    }
}

#[test]
fn what_the_stream_no_longer_has_makes_a_new_client() {
    let (redis, backend) = (Redis::start(), backend());
    let config = config_with(&redis.url(), &backend, "", ", max_stream: 100");
    let mut nodes = vec![Gateway::start(&config)];
    together(&nodes);
    let client = Comer::new(&nodes[0]);
    written(&redis, 1);
    for n in 1..=400 {
        say(&nodes[0], n, false);
    }
    let length: usize = redis.cli(&["XLEN", "{frontroom}:events"]).trim().parse().unwrap();
    assert!((100..350).contains(&length), "{length}");
    nodes.drain(..).for_each(|node| node.signal("KILL"));
    let fresh = Gateway::start(&config);
    let back = client.back(&fresh);
    assert_ne!(back.sid, client.sid);
    assert_eq!(fresh.metric("frontroom_recoveries_total{result=\"too_old\"}"), 1);
}

#[test]
fn whoever_comes_too_late_is_nobody() {
    let (redis, backend) = (Redis::start(), backend());
    let config = config_with(&redis.url(), &backend, ", max_disconnection: 1s", "");
    let nodes: Vec<Gateway> = (0..2).map(|_| Gateway::start(&config)).collect();
    together(&nodes);
    let (client, kept) = (Comer::new(&nodes[0]), Comer::new(&nodes[1]));
    written(&redis, 2);
    // Who stays connected is known for longer than that.
    let sid = client.sid.clone();
    nodes[0].signal("KILL");
    drop(client.socket);
    eventually("it is forgotten", || (clients(&redis).len() == 1).then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(1_600));
    assert_eq!(clients(&redis).len(), 1, "the other one is connected, and written again");
    let late =
        Comer { socket: Comer::new(&nodes[1]).socket, sid, pid: client.pid, offset: None, heard: Vec::new() };
    let back = late.back(&nodes[1]);
    assert_ne!(back.sid, late.sid);
    assert_eq!(nodes[1].metric("frontroom_recoveries_total{result=\"unknown\"}"), 1);
    drop(kept);
}
