//! The event log: one line for each connect, event and disconnect, as text and as JSON, and nothing secret in it.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is all a test")]

mod support;

use serde_json::{Value, json};

use support::backend::Backend;
use support::eventually;
use support::gateway::Gateway;
use support::http;
use support::websocket::{HANDSHAKE, WebSocket};

const RULES: &str = r#"
socketio:
  eio3: true
  connect:
    request: GET /auth/me
    join: "user:{{ response.body.id }}"
  events:
    plain: {}
    "often": {rate_limit: 1/m}
    asks: {request: POST /asks}
    fails: {request: GET /fails}
    "*": {request: GET /refused}
  disconnect: {request: POST /left}
  namespaces: {"/bare": {}, "/org-{id}": {events: {}}}
"#;

/// What must be in no line: a token, a cookie, content of an event, of an answer, of an error.
const SECRETS: [&str; 6] =
    ["tok-s3cret", "cookie-s3cret", "content-s3cret", "answer-s3cret", "code-s3cret", "query-s3cret"];

/// A gateway with this `log` section, and its backend.
fn site(log: &str) -> Gateway {
    let backend = Backend::start(|line, _| match line {
        "GET /auth/me" => (200, r#"{"id":42,"x":"answer-s3cret"}"#.into()),
        "GET /refused" => (403, r#"{"code":"code-s3cret","message":"answer-s3cret"}"#.into()),
        "GET /fails" => (500, r#"{"code":"code-s3cret"}"#.into()),
        _ => (200, r#""answer-s3cret""#.into()),
    });
    let text = format!(
        "listen: 127.0.0.1:0\nadmin: {{listen: 127.0.0.1:0, token: test}}\nlog: {log}\nupstream: {}\n{RULES}",
        backend.url
    );
    Gateway::start_whole(&text)
}

/// A client that does everything once, and leaves; its socket's id.
fn live(gateway: &Gateway) -> String {
    let stream = http::connect(&gateway.address);
    let headers = [&HANDSHAKE[..], &["Cookie: a=cookie-s3cret", "Authorization: Bearer tok-s3cret"]].concat();
    http::send(&stream, "GET", "/socket.io/?EIO=4&transport=websocket&t=query-s3cret", &headers, b"");
    assert_eq!(http::read(&stream).status, 101);
    let mut socket = WebSocket(stream);
    assert!(socket.text().starts_with("0{"));
    socket.send(r#"40{"token":"tok-s3cret"}"#);
    let connected = socket.text();
    let id = connected.strip_prefix(r#"40{"sid":""#).and_then(|rest| rest.split('"').next()).expect("an id");
    for event in ["plain", "asks", "fails", "invented-s3cret", "often", "often", "frontroom:auth"] {
        socket.send(&format!(r#"421["{event}",{{"content":"content-s3cret","token":"tok-s3cret"}}]"#));
        assert!(socket.text().starts_with("431["), "{event}");
    }
    socket.enter("/bare");
    socket.send("41/bare,");
    socket.enter("/org-7");
    socket.send(r#"42/org-7,3["norule-s3cret"]"#);
    assert!(socket.text().starts_with("43/org-7,3["));
    socket.send("41");
    id.to_owned()
}

fn secret(line: &str) -> bool {
    SECRETS.iter().chain(&["invented-s3cret", "norule-s3cret"]).any(|secret| line.contains(secret))
}

#[test]
fn each_connect_event_and_disconnect_is_one_json_line() {
    let gateway = site("{format: json, access: false, events: true}");
    let id = live(&gateway);
    let lines = eventually("the disconnects", || {
        let lines: Vec<Value> =
            gateway.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let handled: Vec<Value> =
            lines.into_iter().filter(|line| line["target"] == "frontroom::events").collect();
        (handled.iter().filter(|line| line["message"] == "disconnect").count() == 3).then_some(handled)
    });
    let of = |namespace: &str| {
        let mine = lines.iter().filter(|line| line["namespace"] == namespace);
        mine.map(|line| {
            let word = |key: &str| line[key].as_str().unwrap_or("-").to_owned();
            format!(
                "{} {} {} {} {}",
                word("message"),
                word("event"),
                word("result"),
                line["status"],
                word("code")
            )
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(
        of("/"),
        [
            "connect - ok null -",
            "event plain ok null -",
            "event asks ok null -",
            "event fails failed 500 internal_error",
            "event * refused 403 forbidden",
            "event often ok null -",
            "event often rate_limited 429 rate_limited",
            "event frontroom:auth ok null -",
            "disconnect - ok null -",
        ]
    );
    assert_eq!(of("/bare"), ["connect - ok null -", "disconnect - ok null -"]);
    assert_eq!(
        of("/org-7"),
        ["connect - ok null -", "event - refused 404 no_rule", "disconnect - ok null -"]
    );
    for line in lines.iter().filter(|line| line["namespace"] == "/") {
        assert_eq!((&line["socket"], &line["user"]), (&json!(id), &json!("user:42")), "{line}");
        assert_eq!(line["transport"], "websocket");
        // Whoever asks nobody may need less than is told.
        let alone = ["plain", "often", "frontroom:auth"].iter().any(|event| line["event"] == *event);
        let in_time = |ms: f64| ms > 0.0 || (alone && ms == 0.0);
        assert!(line["timestamp"].is_string() && line["ms"].as_f64().is_some_and(in_time), "{line}");
    }
    let last = lines.iter().find(|line| line["namespace"] == "/" && line["message"] == "disconnect");
    assert_eq!(last.expect("it left")["reason"], "client namespace disconnect");
    assert!(!secret(&gateway.log()), "{}", gateway.log());
}

#[test]
fn as_text_it_says_the_same() {
    let gateway = site("{access: true, events: true, level: trace}");
    let id = live(&gateway);
    let log = eventually("the disconnect", || {
        Some(gateway.log()).filter(|log| log.contains(" disconnect namespace=/ "))
    });
    let line = |start: &str| {
        let found = log.lines().find(|line| line.contains(start));
        found.unwrap_or_else(|| panic!("no `{start}` in\n{log}")).to_owned()
    };
    let asked = line(" event namespace=/ event=asks ");
    assert!(
        asked.contains(&format!(r#"socket={id} user=user:42 transport="websocket" result="ok" ms="#)),
        "{asked}"
    );
    let refused = line(" event namespace=/ event=* ");
    assert!(refused.contains(r#"result="refused" status=403 code="forbidden""#), "{refused}");
    assert!(line(" disconnect namespace=/ ").contains(r#"reason="client namespace disconnect""#));
    // Whatever else the log says at its finest.
    assert!(!secret(&log), "{log}");
}

#[test]
fn the_id_of_a_client_whose_id_gives_access_is_in_no_line() {
    let gateway = site("{access: false, events: true}");
    let mut socket =
        WebSocket::open(&gateway.address, "/socket.io/?EIO=3&transport=websocket&token=tok-s3cret");
    let opened = socket.text();
    let sid = opened
        .split_once(r#""sid":""#)
        .and_then(|(_, rest)| rest.split('"').next())
        .expect("an id")
        .to_owned();
    assert_eq!(socket.text(), "40");
    socket.send(r#"421["plain"]"#);
    assert_eq!(socket.text(), "431[]");
    let log = eventually("the event", || Some(gateway.log()).filter(|log| log.contains("event=plain")));
    assert!(log.contains(" connect namespace=/ user=user:42 ") && !log.contains(&sid), "{log}");
    assert!(!secret(&log), "{log}");
}

#[test]
fn a_connect_to_a_namespace_that_is_not_there_has_its_line() {
    let gateway = site("{format: json, access: false, events: true}");
    let mut socket = WebSocket::open(&gateway.address, "/socket.io/?EIO=4&transport=websocket");
    assert!(socket.text().starts_with("0{"));
    let long = format!("/none-{}", "x".repeat(1000));
    for (name, said) in [("/n\u{1b}ne", "a namespace"), (long.as_str(), "a long name")] {
        socket.send(&format!(r#"40{name},{{"token":"tok-s3cret"}}"#));
        assert!(socket.text().ends_with(r#"{"message":"Invalid namespace"}"#), "{said}");
    }
    let lines = eventually("the lines", || {
        let log = gateway.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines: Vec<_> = lines.filter(|line| line["target"] == "frontroom::events").collect();
        (lines.len() == 2).then_some(lines)
    });
    for line in &lines {
        let said = ["message", "result", "code", "transport"].map(|key| line[key].as_str().unwrap_or("-"));
        assert_eq!(said, ["connect", "refused", "invalid_namespace", "websocket"]);
        assert!(line.get("socket").is_none(), "{line}");
    }
    let names: Vec<_> = lines.iter().filter_map(|line| line["namespace"].as_str()).collect();
    assert!(!names[0].contains('\u{1b}') && names[1].starts_with("/none-xxx"), "{names:?}");
    assert!(names[1].len() < 250, "a client's own name is cut");
    assert!(!secret(&gateway.log()), "{}", gateway.log());
}

#[test]
fn it_is_off_unless_asked_for_and_follows_a_reload() {
    let backend = Backend::empty();
    let gateway = Gateway::start(&format!("upstream: {}\n", backend.url));
    let (mut socket, _) = WebSocket::join(http::connect(&gateway.address));
    socket.send(r#"421["e"]"#);
    assert!(socket.text().starts_with("431["));
    assert!(!gateway.log().contains("namespace=/"), "{}", gateway.log());
    let other = format!(
        "listen: 127.0.0.1:0\nadmin: {{listen: 127.0.0.1:0, token: test}}\nlog: {{access: false, events: true}}\nupstream: {}\n",
        backend.url
    );
    std::fs::write(gateway.folder().join("config.yaml"), other).expect("the config is replaced");
    eventually("the reload", || (gateway.reloads("reloaded") == 1).then_some(()));
    socket.send(r#"422["e"]"#);
    assert!(socket.text().starts_with("432["));
    eventually("its line", || gateway.printed(" event namespace=/ socket=").then_some(()));
}
