//! Redis by the other URLs: with TLS and a password, and by sentinels that name the master.

use serde_json::json;

use super::nodes::{call, client, emit, section, start_at, together};
use super::support::eventually;
use super::support::gateway::Gateway;
use super::support::redis::{PLAIN, Server, free_port};
use super::tls::Authority;

/// Joins a client of each of two nodes to a room, and sends there from both.
fn talk(nodes: &[Gateway]) {
    let mut clients: Vec<_> = nodes.iter().map(client).collect();
    let ids: Vec<String> = clients.iter().map(|(_, id)| id.clone()).collect();
    assert_eq!(call(&nodes[0], "/v1/join", json!({ "to": ids, "rooms": "all" }))["sockets"], json!(2));
    for (place, node) in nodes.iter().enumerate() {
        assert_eq!(emit(node, &format!("e{place}"), "all"), 2);
    }
    for (socket, _) in &mut clients {
        let mut heard = [socket.text(), socket.text()];
        heard.sort();
        assert_eq!(heard, ["42[\"e0\"]", "42[\"e1\"]"]);
    }
}

#[test]
fn over_tls_with_a_password() {
    let (port, folder) = (free_port(), tempfile::tempdir().expect("a folder"));
    let authority = Authority::new();
    authority.sign("localhost").write(folder.path(), "redis");
    let trusted = folder.path().join("authority.pem");
    std::fs::write(&trusted, &authority.pem).expect("written");
    let own = port.to_string();
    let secure =
        ["--port", "0", "--tls-port", &own, "--tls-cert-file", "redis.crt", "--tls-key-file", "redis.key"];
    let login = ["--tls-ca-cert-file", "authority.pem", "--tls-auth-clients", "no", "--requirepass", "word"];
    let _server = Server::start(port, folder, &[&PLAIN[..], &secure, &login].concat());
    let config = |login: &str| {
        format!("{}upstream: http://127.0.0.1:9\n", section(&format!("rediss://{login}localhost:{port}")))
    };
    let nodes = [(); 2].map(|()| Gateway::start_in(("SSL_CERT_FILE", &trusted), &config(":word@")));
    together(&nodes);
    talk(&nodes);
    // Neither without the password nor from whom nobody vouches for.
    let stranger = Gateway::start_in(("SSL_CERT_FILE", &trusted), &config(""));
    let trusting = Gateway::start(&config(":word@"));
    for node in [stranger, trusting] {
        let (_ann, id) = client(&node);
        let answer = node.call("POST", "/v1/emit", &json!({ "event": "alone", "to": id }).to_string());
        assert_eq!(answer, (200, json!({ "sockets": 1 })), "it goes on alone");
        eventually("it cannot connect", || {
            (node.metric("frontroom_cluster_connections_lost_total{purpose=\"publish\"}") > 0).then_some(())
        });
    }
    assert_eq!(nodes.each_ref().map(|node| node.metric("frontroom_cluster_nodes")), [2, 2]);
}

#[test]
fn by_sentinels_that_name_another_master_when_one_dies() {
    let folder = || tempfile::tempdir().expect("a folder");
    let (first, second, third) = (free_port(), free_port(), free_port());
    let ports = [first, second, third].map(|port| port.to_string());
    let mut master = Server::start(first, folder(), &[&PLAIN[..], &["--port", &ports[0]]].concat());
    let replica = ["--port", &ports[1], "--replicaof", "127.0.0.1", &ports[0]];
    let replica = Server::start(second, folder(), &[&PLAIN[..], &replica].concat());
    eventually("the replica follows", || {
        replica.cli(&["INFO", "replication"]).contains("master_link_status:up").then_some(())
    });
    let watch = folder();
    let config = format!(
        "port {third}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {first} 1\n\
         sentinel down-after-milliseconds main 300\nsentinel failover-timeout main 3000\n"
    );
    std::fs::write(watch.path().join("sentinel.conf"), config).expect("written");
    let sentinel = Server::start(third, watch, &["sentinel.conf", "--sentinel"]);
    eventually("the sentinel knows both", || {
        sentinel.cli(&["SENTINEL", "REPLICAS", "main"]).contains(&ports[1]).then_some(())
    });
    let url = format!("redis-sentinel://127.0.0.1:{third}/main");
    let nodes = start_at(&url, 2, "upstream: http://127.0.0.1:9\n");
    talk(&nodes);
    master.stop();
    eventually("the other is the master", || {
        replica.cli(&["INFO", "replication"]).contains("role:master").then_some(())
    });
    together(&nodes);
    talk(&nodes);
}
