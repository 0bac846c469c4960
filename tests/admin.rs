//! The admin API over the real binary, and the commands that call it.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is all a test")]

mod support;

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use support::backend::Backend;
use support::eventually;
use support::gateway::Gateway;
use support::http;
use support::polling::Polling;
use support::websocket::WebSocket;

const RULES: &str = "socketio:\n  connect: {state: {n: 1}}\n  events: {join: {join: '{{ data }}'}, fence: {}}\n  namespaces: {/side: {}}\n";

fn gateway(config: &str) -> Gateway {
    Gateway::start(&format!("upstream: {}\n{RULES}{config}", Backend::empty().url))
}

/// A socket in `/` and in this room, with its id.
fn join(gateway: &Gateway, room: &str) -> (WebSocket, String) {
    let (mut socket, id) = WebSocket::join(http::connect(&gateway.address));
    socket.send(&format!(r#"420["join","{room}"]"#));
    assert_eq!(socket.text(), "430[]");
    (socket, id)
}

#[test]
fn an_emit_counts_those_it_was_queued_for_and_collects_their_acks() {
    let gateway = gateway("");
    let (mut ada, ada_id) = join(&gateway, "r");
    let (mut bob, bob_id) = join(&gateway, "r");
    let (mut eve, _) = join(&gateway, "r");
    let (_other, _) = join(&gateway, "elsewhere");
    let emit = |body: Value| gateway.call("POST", "/v1/emit", &body.to_string());
    assert_eq!(emit(json!({"event": "e", "to": "r"})), (200, json!({"sockets": 3})));
    assert_eq!(
        emit(json!({"event": "e", "to": ["r", ada_id], "except": bob_id})),
        (200, json!({"sockets": 2}))
    );
    assert_eq!(emit(json!({"event": "e", "to": "nobody"})), (200, json!({"sockets": 0})));
    assert_eq!(
        emit(json!({"event": "e", "everyone": true, "namespace": "/side"})),
        (200, json!({"sockets": 0}))
    );
    for (socket, count) in [(&mut ada, 2), (&mut bob, 1), (&mut eve, 2)] {
        (0..count).for_each(|_| assert_eq!(socket.text(), r#"42["e"]"#));
    }
    let address = gateway.admin.clone();
    let asked = std::thread::spawn(move || {
        let body = r#"{"event":"q","to":"r","data":[1.0],"ack_timeout":"700ms"}"#;
        http::request(&address, "POST", "/v1/emit", &["Authorization: Bearer test"], body.as_bytes())
    });
    for socket in [&mut ada, &mut bob, &mut eve] {
        assert_eq!(socket.text(), r#"420["q",[1.0]]"#);
    }
    ada.send(r#"430["a",1.0]"#);
    bob.send("430[]");
    let answer = asked.join().expect("an answer").text();
    let (start, end) = (r#"{"sockets":3,"acks":["#, r#"],"missing":1}"#);
    assert!(answer.starts_with(start) && answer.ends_with(end), "{answer}");
    assert!(answer.contains(&format!(r#"{{"socket":"{ada_id}","args":["a",1.0]}}"#)), "{answer}");
    assert!(answer.contains(&format!(r#"{{"socket":"{bob_id}","args":[]}}"#)), "{answer}");
    // Nobody waits for the third any more, and its late answer hurts nobody.
    eve.send("430[]");
    eve.send(r#"421["fence"]"#);
    assert_eq!(eve.text(), "431[]");
    // All answers there: nobody waits for the time.
    let started = Instant::now();
    let (status, told) = emit(json!({"event": "q", "to": "nobody", "ack_timeout": "60s"}));
    assert_eq!((status, told), (200, json!({"sockets": 0, "acks": [], "missing": 0})));
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn sockets_and_rooms_are_listed() {
    let gateway = gateway("");
    let (mut ada, ada_id) = join(&gateway, "chat:7");
    let side_id = ada.enter("/side");
    let (_bob, bob_id) = join(&gateway, "chat:7");
    let (_eve, _) = join(&gateway, "chat:8");
    let get = |path: &str| gateway.call("GET", path, "");
    let ids = |path: &str| {
        let (status, page) = get(path);
        assert_eq!(status, 200, "{page}");
        let sockets = page["sockets"].as_array().expect("a list").clone();
        assert_eq!(page["total"], sockets.len(), "{page}");
        sockets.iter().map(|socket| socket["id"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let mut both = vec![ada_id.clone(), bob_id];
    both.sort();
    assert_eq!(ids("/v1/sockets?namespace=/&room=chat:7"), both);
    assert_eq!(ids("/v1/sockets?room=chat%3A7"), both);
    assert_eq!(ids("/v1/sockets?namespace=/side").concat(), side_id);
    assert_eq!(ids("/v1/sockets").len(), 4);
    assert_eq!(ids("/v1/sockets?room=nobody"), [""; 0]);
    let (_, page) = get("/v1/sockets?namespace=/&limit=2");
    assert_eq!((page["sockets"].as_array().map(Vec::len), &page["total"]), (Some(2), &json!(3)));

    let (status, told) = get(&format!("/v1/sockets/{ada_id}"));
    assert_eq!(status, 200);
    assert_eq!(told["rooms"], json!([ada_id, "chat:7"]));
    for (key, value) in [
        ("id", json!(ada_id)),
        ("namespace", json!("/")),
        ("state", json!({"n": 1})),
        ("transport", json!("websocket")),
        ("address", json!("127.0.0.1")),
        ("secure", json!(false)),
        ("recovered", json!(false)),
    ] {
        assert_eq!(told[key], value, "{key}");
    }
    assert_eq!(get(&format!("/v1/sockets/{side_id}")).1["namespace"], "/side");
    assert_eq!(get("/v1/sockets/nobody").0, 404);

    let room = |room: &str, sockets: u64| json!({"namespace": "/", "room": room, "sockets": sockets});
    let rooms = json!({"rooms": [room("chat:7", 2), room("chat:8", 1)], "total": 2});
    assert_eq!(get("/v1/rooms"), (200, rooms.clone()));
    assert_eq!(get("/v1/rooms?namespace=/").1, rooms);
    assert_eq!(get("/v1/rooms?namespace=/side").1, json!({"rooms": [], "total": 0}));
}

#[test]
fn sockets_are_moved_and_disconnected() {
    let gateway = gateway("");
    let (mut ada, ada_id) = join(&gateway, "user:1");
    ada.enter("/side");
    let (mut bob, _) = join(&gateway, "user:2");
    let call = |path: &str, body: Value| {
        let (status, told) = gateway.call("POST", path, &body.to_string());
        assert_eq!(status, 200, "{told}");
        told["sockets"].as_u64().expect("a count")
    };
    assert_eq!(call("/v1/join", json!({"to": ["user:1", "user:2"], "except": ada_id, "rooms": ["a", 7]})), 1);
    assert_eq!(call("/v1/emit", json!({"event": "e", "to": "a"})), 1);
    assert_eq!(call("/v1/leave", json!({"to": "user:2", "rooms": 7})), 1);
    assert_eq!(call("/v1/emit", json!({"event": "e", "to": 7})), 0);
    assert_eq!(bob.text(), r#"42["e"]"#);
    assert_eq!(call("/v1/disconnect", json!({"to": "user:2"})), 1);
    assert_eq!(bob.text(), "41");
    bob.enter("/side");
    assert_eq!(call("/v1/disconnect", json!({"to": "user:1", "close": true})), 1);
    let mut left = [ada.text(), ada.text()];
    left.sort();
    assert_eq!(left, ["41", "41/side,"]);
    ada.closed();
    assert_eq!(call("/v1/disconnect", json!({"everyone": true, "namespace": "/side"})), 1);
    assert_eq!(bob.text(), "41/side,");
}

#[test]
fn a_polling_client_is_told_of_its_disconnect_before_the_connection_closes() {
    let gateway = gateway("");
    let client = Polling::connect(&gateway.address);
    let (_, told) = gateway.call("POST", "/v1/disconnect", r#"{"everyone":true,"close":true}"#);
    assert_eq!(told, json!({"sockets": 1}));
    assert_eq!(client.get().text(), "41");
    assert_eq!(client.get().text(), "6\x1e1");
    assert!(client.get().text().contains("Session ID unknown"));
}

#[test]
fn a_call_needs_the_token_and_a_body_within_the_bound() {
    let gateway = Gateway::start(&format!("upstream: {}\n", Backend::empty().url));
    let ask = |headers: &[&str], body: &str| {
        http::request(&gateway.admin, "POST", "/v1/emit", headers, body.as_bytes())
    };
    let answer = ask(&[], r#"{"event":"e","to":"a"}"#);
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")));
    let answer = ask(&["Authorization: Bearer wrong"], "{}");
    assert_eq!(answer.status, 401);
    let answer =
        ask(&["Authorization: Bearer test"], &format!(r#"{{"event":"e","to":"{}"}}"#, "x".repeat(1_000_000)));
    assert_eq!(answer.status, 413, "{}", answer.text());
    let (status, told) = gateway.call("GET", "/v1/emit", "");
    assert_eq!((status, &told["error"]["code"]), (405, &json!("method_not_allowed")));
    let answer = http::request(&gateway.admin, "GET", "/v1/emit", &["Authorization: Bearer test"], b"");
    assert_eq!(answer.header("allow"), Some("POST"));
    assert_eq!(gateway.call("POST", "/v1/nothing", "{}").0, 404);
    assert!(gateway.metric(r#"frontroom_admin_calls_total{path="/v1/emit",status="401"}"#) == 2);
}

#[test]
fn a_drain_lets_everybody_go_and_the_process_stay() {
    let mut gateway = gateway("shutdown: {grace: 2s}\n");
    let (mut ada, _) = join(&gateway, "a");
    let (status, told) = gateway.call("POST", "/v1/drain", "");
    assert_eq!((status, &told["status"], &told["sessions"]), (200, &json!("draining"), &json!(1)));
    assert_eq!(gateway.call("GET", "/readyz", "").0, 503);
    // No DISCONNECT: the client comes back, elsewhere.
    loop {
        match ada.next() {
            Some((8, _)) | None => break,
            Some((1, text)) => assert_ne!(text, b"41"),
            Some(_) => {}
        }
    }
    drop(ada);
    eventually("the end", || (gateway.call("POST", "/v1/drain", "").1["status"] == "drained").then_some(()));
    assert!(std::net::TcpStream::connect(&gateway.address).is_err(), "nobody new comes in");
    assert_eq!(gateway.call("GET", "/healthz", "").0, 200);
    gateway.terminate();
    assert_eq!(gateway.wait(), Some(0));
}

#[test]
fn a_signal_during_a_drain_waits_for_its_end() {
    let mut gateway = gateway("shutdown: {delay: 300ms, grace: 2s}\n");
    assert_eq!(gateway.call("POST", "/v1/drain", "").0, 200);
    // Within the delay requests are still served.
    assert_eq!(http::get(&gateway.address, "/").status, 404);
    gateway.terminate();
    assert_eq!(gateway.wait(), Some(0));
}

fn frontroom(gateway: &Gateway, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_frontroom"))
        .args(arguments)
        .env("FRONTROOM_ADMIN", format!("http://{}", gateway.admin))
        .env("FRONTROOM_ADMIN_TOKEN", "test")
        .output()
        .expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

#[test]
fn the_command_line_publishes() {
    let gateway = gateway("");
    let (mut ada, ada_id) = join(&gateway, "user:42");
    let said =
        frontroom(&gateway, &["emit", "note", "--to", "user:42", "--to", "x", "--data", r#"{"n":1.0}"#]);
    assert_eq!((said.status.code(), text(&said.stdout)), (Some(0), r#"{"sockets":1}"#.to_owned()));
    assert_eq!(ada.text(), r#"42["note",{"n":1.0}]"#);
    let said = frontroom(&gateway, &["emit", "note", "--everyone", "--except", &ada_id]);
    assert_eq!((said.status.code(), text(&said.stdout)), (Some(0), r#"{"sockets":0}"#.to_owned()));
    let url = format!("http://{}/", gateway.admin);
    let said =
        frontroom(&gateway, &["emit", "--admin", &url, "--token", "test", "n", "--everyone", "--volatile"]);
    assert_eq!(said.status.code(), Some(0), "{}", text(&said.stderr));
    assert_eq!(ada.text(), r#"42["n"]"#);
    let hyphens = ["emit", "n", "--to", "-a", "--to", "user:42", "--except", "-b", "--data", "-1"];
    assert_eq!(text(&frontroom(&gateway, &hyphens).stdout), r#"{"sockets":1}"#, "ids may begin with one");
    assert_eq!(ada.text(), r#"42["n",-1]"#);
    for (arguments, code, told) in [
        (&["emit", "note"][..], 2, "--to"),
        (&["emit", "note", "--to", "a", "--everyone"], 2, "cannot be used with"),
        (&["emit", "note", "--to", "a", "--data", "hello"], 2, "not JSON"),
        (&["emit", "note", "--to", "a", "--admin", "ftp://x"], 2, "--admin: "),
        (&["emit", "connect", "--to", "a"], 1, "400 Bad Request: event: `connect` is reserved"),
        (&["emit", "note", "--to", "a", "--token", "no"], 1, "401 Unauthorized"),
        (&["emit", "note", "--to", "a", "--admin", "http://127.0.0.1:1"], 1, "127.0.0.1:1"),
    ] {
        let said = frontroom(&gateway, arguments);
        assert_eq!(said.status.code(), Some(code), "{arguments:?}: {}", text(&said.stderr));
        assert!(text(&said.stderr).contains(told), "{arguments:?}: {}", text(&said.stderr));
        assert_eq!(text(&said.stdout), "");
    }
}

#[test]
fn the_command_line_checks_health_and_drains() {
    let gateway = gateway("shutdown: {grace: 1s}\n");
    let (ada, _) = join(&gateway, "a");
    assert_eq!(frontroom(&gateway, &["healthcheck"]).status.code(), Some(0));
    assert_eq!(frontroom(&gateway, &["healthcheck", "--ready"]).status.code(), Some(0));
    drop(ada);
    let said = frontroom(&gateway, &["drain"]);
    assert_eq!(said.status.code(), Some(0), "{}", text(&said.stderr));
    assert_eq!(text(&said.stdout), r#"{"status":"drained","connections":0,"sessions":0}"#);
    assert_eq!(frontroom(&gateway, &["healthcheck"]).status.code(), Some(0));
    let said = frontroom(&gateway, &["healthcheck", "--ready"]);
    assert_eq!(said.status.code(), Some(1));
    assert!(text(&said.stderr).contains("503 Service Unavailable: draining"), "{}", text(&said.stderr));
    let said = frontroom(&gateway, &["healthcheck", "--admin", "http://127.0.0.1:1"]);
    assert_eq!(said.status.code(), Some(1));
}
