//! Random operations on three nodes, against a model that knows of no nodes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::nodes::{call, client, start};
use super::support::gateway::Gateway;
use super::support::redis::Redis;
use super::support::websocket::WebSocket;

const OPERATIONS: usize = 2_000;

const ROOMS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// A generator whose seed is printed, so that a failure can be had again (xorshift64*, Vigna 2016).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

/// A client, and what the model says of it.
struct Client {
    socket: WebSocket,
    node: usize,
    rooms: BTreeSet<String>,
    expected: Vec<String>,
    /// Events it has got.
    got: usize,
}

struct Model {
    clients: BTreeMap<String, Client>,
    random: Random,
    /// Events that those have got who are gone.
    delivered: usize,
}

impl Model {
    /// Some rooms, perhaps with the ids of sockets.
    fn names(&mut self, most: usize) -> Vec<String> {
        let ids: Vec<String> = self.clients.keys().cloned().collect();
        (0..self.random.below(most + 1))
            .map(|_| match self.random.below(4) {
                0 => ids[self.random.below(ids.len())].clone(),
                _ => ROOMS[self.random.below(ROOMS.len())].to_owned(),
            })
            .collect()
    }

    fn client(&mut self, id: &str) -> &mut Client {
        self.clients.get_mut(id).expect("it is there")
    }

    /// Notes that a socket is in rooms now, or no longer.
    fn note(&mut self, id: &str, rooms: &[String], joins: bool) {
        let client = self.client(id);
        for room in rooms.iter().filter(|room| *room != id) {
            if joins {
                client.rooms.insert(room.clone());
            } else {
                client.rooms.remove(room);
            }
        }
    }

    /// The ids of those that are meant.
    fn meant(&self, to: &[String], except: &[String], everyone: bool) -> Vec<String> {
        let in_any = |id: &String, client: &Client, rooms: &[String]| {
            rooms.iter().any(|room| room == id || client.rooms.contains(room))
        };
        let all = self.clients.iter();
        all.filter(|(id, client)| everyone || in_any(id, client, to))
            .filter(|(id, client)| !in_any(id, client, except))
            .map(|(id, _)| id.clone())
            .collect()
    }
}

#[test]
fn two_thousand_operations_on_three_nodes_do_what_the_model_says() {
    let redis = Redis::start();
    let rules = "upstream: http://127.0.0.1:9\nsocketio:\n  events:\n    \
                 enter: {join: \"{{ data }}\"}\n    quit: {leave: \"{{ data }}\"}\n";
    let nodes = start(&redis, 3, rules);
    let seed =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
    println!("seed {seed}");
    let mut model = Model { clients: BTreeMap::new(), random: Random(seed), delivered: 0 };
    let enter = |model: &mut Model| {
        let node = model.random.below(nodes.len());
        let (socket, id) = client(&nodes[node]);
        let new = Client { socket, node, rooms: BTreeSet::new(), expected: Vec::new(), got: 0 };
        model.clients.insert(id, new);
    };
    while model.clients.len() < 15 {
        enter(&mut model);
    }
    for operation in 0..OPERATIONS {
        let node = &nodes[model.random.below(nodes.len())];
        match model.random.below(20) {
            0..11 => send(&mut model, node, operation),
            11..17 => moves(&mut model, node, operation),
            17..19 => moves_itself(&mut model),
            _ => {
                leave(&mut model, node);
                while model.clients.len() < 15 {
                    enter(&mut model);
                }
            }
        }
    }
    let (rooms, total) = (nodes[0].call("GET", "/v1/rooms?limit=10000", "").1, model.clients.len());
    let mut counts = BTreeMap::<String, u64>::new();
    model
        .clients
        .values()
        .flat_map(|client| &client.rooms)
        .for_each(|room| *counts.entry(room.clone()).or_default() += 1);
    let listed = rooms["rooms"].as_array().unwrap().iter();
    let listed: BTreeMap<String, u64> = listed
        .map(|room| (room["room"].as_str().unwrap().to_owned(), room["sockets"].as_u64().unwrap()))
        .collect();
    assert_eq!(listed, counts);
    assert_eq!(nodes[1].call("GET", "/v1/sockets", "").1["total"], json!(total));
    call(&nodes[2], "/v1/emit", json!({ "event": "end", "everyone": true }));
    for (id, client) in &mut model.clients {
        client.expected.push("42[\"end\"]".into());
        check(id, client);
        model.delivered += client.got;
    }
    assert!(model.delivered > 3_000, "only {} events were delivered", model.delivered);
}

/// Sends an event through a node.
fn send(model: &mut Model, node: &Gateway, operation: usize) {
    let (to, except) = (model.names(3), model.names(2));
    let everyone = model.random.below(6) == 0;
    let name = format!("e{operation}");
    let mut body = json!({ "event": name, "except": except });
    if everyone {
        body["everyone"] = json!(true);
    } else {
        body["to"] = json!(to);
    }
    let meant = model.meant(&to, &except, everyone);
    assert_eq!(done(node, "/v1/emit", body), meant.len(), "operation {operation}");
    for id in meant {
        model.client(&id).expected.push(format!("42[\"{name}\"]"));
    }
}

/// Lets sockets join or leave rooms through a node.
fn moves(model: &mut Model, node: &Gateway, operation: usize) {
    let (to, except, rooms) = (model.names(3), model.names(2), model.names(2));
    let path = ["/v1/join", "/v1/leave"][model.random.below(2)];
    let meant = model.meant(&to, &except, false);
    let count = done(node, path, json!({ "to": to, "except": except, "rooms": rooms }));
    assert_eq!(count, meant.len(), "operation {operation}");
    for id in meant {
        model.note(&id, &rooms, path == "/v1/join");
    }
}

/// A client asks its rule to let it join or leave a room.
fn moves_itself(model: &mut Model) {
    let ids: Vec<String> = model.clients.keys().cloned().collect();
    let id = &ids[model.random.below(ids.len())];
    let room = ROOMS[model.random.below(ROOMS.len())].to_owned();
    let event = ["enter", "quit"][model.random.below(2)];
    let client = model.client(id);
    client.socket.send(&format!("421[\"{event}\",\"{room}\"]"));
    client.expected.push("431[]".into());
    // It is done once it is acked.
    check(id, client);
    model.note(id, &[room], event == "enter");
}

/// Somebody is disconnected through a node, with all who are in the room of that name.
fn leave(model: &mut Model, node: &Gateway) {
    let ids: Vec<String> = model.clients.keys().cloned().collect();
    let id = ids[model.random.below(ids.len())].clone();
    let meant = model.meant(std::slice::from_ref(&id), &[], false);
    assert_eq!(done(node, "/v1/disconnect", json!({ "to": id })), meant.len());
    for gone in meant {
        let mut client = model.clients.remove(&gone).expect("it was there");
        client.expected.push("41".into());
        check(&gone, &mut client);
        model.delivered += client.got;
    }
}

/// Makes a call; how many sockets it was done to.
fn done(node: &Gateway, path: &str, body: Value) -> usize {
    call(node, path, body)["sockets"].as_u64().expect("a count") as usize
}

/// What a client got since the last time is what the model says, in its order.
fn check(id: &str, client: &mut Client) {
    for expected in std::mem::take(&mut client.expected) {
        assert_eq!(client.socket.text(), expected, "event {} of {id} on node {}", client.got, client.node);
        client.got += 1;
    }
}
