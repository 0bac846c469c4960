//! A Redis Cluster between the nodes.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::comers::{self, Comer};
use super::nodes::{call, client, emit, start_at};
use super::support::eventually;

/// Three servers that share the keys.
struct Servers {
    children: Vec<Child>,
    ports: Vec<u16>,
    _folders: Vec<tempfile::TempDir>,
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

impl Servers {
    fn start() -> Servers {
        let mut servers = Servers { children: Vec::new(), ports: Vec::new(), _folders: Vec::new() };
        for _ in 0..3 {
            let (port, bus, folder) = (free_port(), free_port(), tempfile::tempdir().expect("a folder"));
            let child = Command::new("redis-server")
                .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--cluster-enabled", "yes"])
                .args(["--port", &port.to_string(), "--cluster-port", &bus.to_string()])
                .current_dir(folder.path())
                .stdout(Stdio::null())
                .spawn()
                .expect("redis-server is installed");
            servers.children.push(child);
            servers.ports.push(port);
            servers._folders.push(folder);
        }
        for port in &servers.ports {
            eventually("a server answers", || servers.cli(*port, &["PING"]).contains("PONG").then_some(()));
        }
        let places: Vec<String> = servers.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let created = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(&places)
            .args(["--cluster-replicas", "0", "--cluster-yes"])
            .output()
            .expect("redis-cli runs");
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stdout));
        for port in &servers.ports {
            eventually("the servers are one cluster", || {
                servers.cli(*port, &["CLUSTER", "INFO"]).contains("cluster_state:ok").then_some(())
            });
        }
        servers
    }

    fn cli(&self, port: u16, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &port.to_string()]).args(arguments).output();
        String::from_utf8_lossy(&output.expect("redis-cli runs").stdout).into_owned()
    }

    fn url(&self) -> String {
        let places: Vec<String> = self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("redis-cluster://{}", places.join(","))
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
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
        let written = |port: &u16| {
            servers.cli(*port, &["--raw", "KEYS", "*sockets*"]).lines().filter(|key| !key.is_empty()).count()
        };
        (servers.ports.iter().map(written).sum::<usize>() == 3).then_some(())
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
        let written =
            |port: &u16| servers.cli(*port, &["--raw", "KEYS", "*:client:*"]).matches(":client:").count();
        let each: Vec<usize> = servers.ports.iter().map(written).collect();
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
