//! A Redis Cluster between the nodes.

use std::process::Command;

use serde_json::json;

use super::comers::{self, Comer};
use super::nodes::{call, client, emit, start_at};
use super::support::eventually;
use super::support::redis::{PLAIN, Server, free_port};

/// Three servers that share the keys.
struct Servers(Vec<Server>);

impl Servers {
    fn start() -> Servers {
        let servers = Servers((0..3).map(|_| Servers::one()).collect());
        let created = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(servers.places())
            .args(["--cluster-replicas", "0", "--cluster-yes"])
            .output()
            .expect("redis-cli runs");
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stdout));
        for server in &servers.0 {
            eventually("the servers are one cluster", || {
                server.cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok").then_some(())
            });
        }
        servers
    }

    fn one() -> Server {
        let (port, folder) = (free_port(), tempfile::tempdir().expect("a folder"));
        let (own, bus) = (port.to_string(), free_port().to_string());
        let many = ["--cluster-enabled", "yes", "--port", &own, "--cluster-port", &bus];
        Server::start(port, folder, &[&PLAIN[..], &many].concat())
    }

    fn places(&self) -> Vec<String> {
        self.0.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect()
    }

    fn url(&self) -> String {
        format!("redis-cluster://{}", self.places().join(","))
    }

    /// How many keys match on each.
    fn keys(&self, pattern: &str) -> Vec<usize> {
        let keys = |server: &Server| {
            server.cli(&["--raw", "KEYS", pattern]).lines().filter(|key| !key.is_empty()).count()
        };
        self.0.iter().map(keys).collect()
    }
}

#[test]
fn nodes_find_each_other_over_a_redis_cluster_of_three() {
    let servers = Servers::start();
    let backend = super::deaths::backend();
    let mut nodes = start_at(&servers.url(), 3, &super::deaths::config(&backend));
    let mut clients: Vec<_> = nodes.iter().map(client).collect();
    let ids: Vec<String> = clients.iter().map(|(_, id)| id.clone()).collect();
    assert_eq!(call(&nodes[0], "/v1/join", json!({ "to": ids, "rooms": "all" }))["sockets"], json!(3));
    for n in 0..100 {
        assert_eq!(emit(&nodes[n % 3], &format!("e{n}"), "all"), 3);
    }
    for (socket, _) in &mut clients {
        for n in 0..100 {
            assert_eq!(socket.text(), format!("42[\"e{n}\"]"));
        }
    }
    let dead = nodes.remove(0);
    eventually("all are written down", || {
        (servers.keys("*sockets*").iter().sum::<usize>() == 3).then_some(())
    });
    dead.signal("KILL");
    eventually("its end is told", || {
        let told = |node: &super::support::gateway::Gateway| {
            node.metric("frontroom_cluster_departures_total{result=\"told\"}")
        };
        (nodes.iter().map(told).sum::<u64>() == 1).then_some(())
    });
    eventually("its reason is told", || {
        let ends = super::deaths::ends(&backend);
        (ends.get(&ids[0])? == &["node lost"]).then_some(())
    });
}

#[test]
fn clients_come_back_to_another_node_over_a_redis_cluster_of_three() {
    let servers = Servers::start();
    let backend = comers::backend();
    let config = comers::rest(&comers::config(&servers.url(), &backend));
    let mut nodes = start_at(&servers.url(), 3, &config);
    let dead = nodes.remove(0);
    let clients: Vec<Comer> = (0..30).map(|_| Comer::new(&dead)).collect();
    for n in 1..=30 {
        comers::say(if n % 3 == 0 { &dead } else { &nodes[n as usize % 3 - 1] }, n, false);
    }
    eventually("all are written down", || {
        let each = servers.keys("*:client:*");
        // Not all by one server.
        (each.iter().sum::<usize>() == 30 && each.iter().all(|count| *count < 30)).then_some(())
    });
    dead.signal("KILL");
    comers::say(&nodes[0], 31, false);
    for (place, client) in clients.into_iter().enumerate() {
        let back = client.back(&nodes[place % 2]);
        assert_eq!((&back.sid, &back.heard), (&client.sid, &(1..=31).collect()), "client {place}");
    }
}
