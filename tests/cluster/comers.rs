//! Clients that come back to another node: sites of several nodes, and clients that keep what the stock one keeps.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::nodes::section;
use super::support::backend::Backend;
use super::support::gateway::Gateway;
use super::support::http;
use super::support::websocket::WebSocket;

/// Rules whose every connect and end the backend is told.
const RULES: &str = r#"
  connect: {request: "GET /connect/{{ socket.recovered }}/{{ socket.id }}", join: "{{ socket.handshake.auth.room }}"}
  disconnect: {request: "POST /left/{{ socket.id }}", body: {reason: "{{ reason }}", state: "{{ state }}"}}
  events:
    join: {join: "{{ data }}", ack: true}
    leave: {leave: "{{ data }}", ack: true}
    note: {state: {note: "{{ data }}"}, ack: true}
    me: {emit: {event: said, to: "{{ socket.id }}", data: "{{ data }}"}, ack: true}
    say: {emit: {event: said, to: r, data: "{{ data }}"}, ack: true}
    whoami: {ack: ["{{ socket.id }}", "{{ socket.rooms }}", "{{ socket.recovered }}", "{{ state }}"]}
"#;

pub(crate) fn backend() -> Backend {
    Backend::start(|_, _| (200, "{}".into()))
}

/// The config of a node whose clients may come back; `recovery` and `redis` are more of these sections.
pub(crate) fn config_with(url: &str, backend: &Backend, recovery: &str, redis: &str) -> String {
    let section = section(url).replace("\"}\n  node", &format!("\"{redis}}}\n  node"));
    format!("{section}upstream: {}\nsocketio:\n  recovery: {{enabled: true{recovery}}}\n{RULES}", backend.url)
}

pub(crate) fn config(url: &str, backend: &Backend) -> String {
    config_with(url, backend, "", "")
}

/// A config without the section of the cluster, which `start` writes.
pub(crate) fn rest(config: &str) -> String {
    config.split_once("lease: 1500ms\n").expect("a section").1.to_owned()
}

/// A client with what it was told in its CONNECT packet, and what it says of itself when it comes back.
pub(crate) struct Comer {
    pub(crate) socket: WebSocket,
    pub(crate) sid: String,
    pub(crate) pid: String,
    /// The last argument of the last event.
    pub(crate) offset: Option<String>,
    /// First arguments of the events that came.
    pub(crate) heard: Vec<u64>,
}

impl Comer {
    /// One that is new.
    pub(crate) fn new(node: &Gateway) -> Comer {
        Comer::open(node, json!({ "room": "r" }))
    }

    fn open(node: &Gateway, auth: Value) -> Comer {
        let target = "/socket.io/?EIO=4&transport=websocket";
        let mut socket = WebSocket::open_on(http::connect(&node.address), target);
        assert!(socket.text().starts_with("0{"));
        socket.send(&format!("40{auth}"));
        let mut comer =
            Comer { socket, sid: String::new(), pid: String::new(), offset: None, heard: Vec::new() };
        comer.read_until("40");
        comer
    }

    /// The same client on another connection, which has what it has.
    pub(crate) fn back(&self, node: &Gateway) -> Comer {
        let mut auth = json!({ "room": "r", "pid": self.pid });
        if let Some(offset) = &self.offset {
            auth["offset"] = offset.as_str().into();
        }
        let mut back = Comer::open(node, auth);
        back.heard = self.heard.iter().copied().chain(back.heard).collect();
        back.offset = back.offset.or_else(|| self.offset.clone());
        back
    }

    /// Reads up to a packet that begins so, and notes what comes before it.
    fn read_until(&mut self, beginning: &str) -> String {
        loop {
            let text = self.socket.text();
            if let Some(event) = text.strip_prefix("42").filter(|rest| rest.starts_with('[')) {
                let args: Vec<Value> = serde_json::from_str(event).expect("a list");
                self.heard.extend(args[1].as_u64());
                if let Some(offset) = args[args.len() - 1].as_str() {
                    self.offset = Some(offset.to_owned());
                }
            }
            if let Some(open) = text.strip_prefix("40{") {
                let told: Value = serde_json::from_str(&format!("{{{open}")).expect("an object");
                (self.sid, self.pid) = (text_of(&told["sid"]), text_of(&told["pid"]));
            }
            if text.starts_with(beginning) {
                return text;
            }
        }
    }

    /// Sends an event, and waits for its ack: what came before is noted.
    pub(crate) fn ask(&mut self, event: &str, data: Value) -> Value {
        self.socket.send(&format!("421{}", json!([event, data])));
        let ack = self.read_until("431");
        serde_json::from_str(&ack[3..]).expect("a list")
    }

    /// Reads so many events.
    pub(crate) fn hear(&mut self, count: usize) {
        let until = self.heard.len() + count;
        while self.heard.len() < until {
            self.read_until("42[");
        }
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// Sends a number to the room, over the admin API; volatile or not.
pub(crate) fn say(node: &Gateway, n: u64, volatile: bool) {
    let body = json!({ "event": "said", "data": n, "to": "r", "volatile": volatile });
    assert_eq!(node.call("POST", "/v1/emit", &body.to_string()).0, 200);
}

/// What the backend was told of each socket, in order.
pub(crate) fn told(backend: &Backend) -> BTreeMap<String, Vec<String>> {
    let mut told = BTreeMap::<String, Vec<String>>::new();
    for seen in backend.seen() {
        let (line, id) = seen.line.rsplit_once('/').expect("a path");
        let reason = serde_json::from_str::<Value>(&seen.body).unwrap_or_default()["reason"].clone();
        let what = reason.as_str().map_or_else(|| line.to_owned(), str::to_owned);
        told.entry(id.to_owned()).or_default().push(what);
    }
    told
}
