//! What the console asks of the admin listener: a socket's handshake, its events live, the log's last errors.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is all a test")]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;

use serde_json::{Value, json};

use support::backend::Backend;
use support::eventually;
use support::gateway::Gateway;
use support::http;
use support::websocket::{HANDSHAKE, WebSocket};

const RULES: &str = "socketio:\n  events: {join: {join: '{{ data }}'}, leave: {leave: '{{ data }}'}, fence: {ack: ['{{ data }}']}}\n";

fn gateway(admin: &str) -> Gateway {
    Gateway::start_whole(&config(admin, "test"))
}

fn config(admin: &str, token: &str) -> String {
    let admin = format!("admin: {{listen: 127.0.0.1:0, token: {token}{admin}}}\n");
    format!("listen: 127.0.0.1:0\nlog: {{access: false}}\nupstream: {}\n{admin}{RULES}", Backend::empty().url)
}

/// One who follows a socket: the lines of a chunked answer, as they come.
struct Follower(BufReader<TcpStream>);

impl Follower {
    fn open(stream: TcpStream, id: &str, query: &str) -> Follower {
        let target = format!("/v1/sockets/{id}/events{query}");
        http::send(&stream, "GET", &target, &["Authorization: Bearer test"], b"");
        let mut follower = Follower(BufReader::new(stream));
        let (mut head, mut line) = (String::new(), String::new());
        while follower.0.read_line(&mut line).is_ok_and(|read| read > 2) {
            head += &std::mem::take(&mut line);
        }
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("application/x-ndjson") && head.contains("chunked"), "{head}");
        follower
    }

    fn begin(gateway: &Gateway, id: &str, query: &str) -> Follower {
        let mut follower = Follower::open(http::connect(&gateway.admin), id, query);
        let first = follower.chunk();
        assert_eq!((&first[0]["type"], &first[0]["socket"]), (&json!("following"), &json!(id)));
        follower
    }

    /// The lines of the next chunk; none at the end.
    fn chunk(&mut self) -> Vec<Value> {
        let mut size = String::new();
        self.0.read_line(&mut size).expect("a chunk's size");
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or_default();
        let mut chunk = vec![0; size + 2];
        self.0.read_exact(&mut chunk).expect("a chunk");
        let text = String::from_utf8(chunk).expect("text");
        text.lines()
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_str(line).expect(line))
            .collect()
    }

    /// The next lines, without their times; the answer must not end before.
    fn next(&mut self, count: usize) -> Vec<Value> {
        let mut lines = Vec::new();
        while lines.len() < count {
            let chunk = self.chunk();
            assert!(!chunk.is_empty(), "it ended after {lines:?}");
            lines.extend(chunk);
        }
        for line in &mut lines {
            let time = line.as_object_mut().and_then(|line| line.remove("time"));
            assert!(time.is_some_and(|time| time.as_u64() > Some(1_700_000_000_000)), "{line}");
        }
        lines
    }
}

fn join(gateway: &Gateway) -> (WebSocket, String) {
    WebSocket::join(http::connect(&gateway.address))
}

#[test]
fn a_followed_sockets_events_are_told_by_name_and_size_alone() {
    let gateway = gateway("");
    let (mut socket, id) = join(&gateway);
    let (mut other, _) = join(&gateway);
    let mut follower = Follower::begin(&gateway, &id, "");
    assert_eq!(gateway.metric("frontroom_followers"), 1);
    let before = gateway.metric("frontroom_deliveries_total");
    other.send(r#"420["join","elsewhere"]"#);
    assert_eq!(other.text(), "430[]");
    socket.send(r#"4212["join","chat:7"]"#);
    assert_eq!(socket.text(), "4312[]");
    socket.send(r#"42["leave","chat:7"]"#);
    socket.send_raw(0x81, br#"452-7["fence",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#);
    socket.send_binary(&[1, 2, 3]);
    socket.send_binary(&[4, 5]);
    assert!(socket.text().starts_with(r#"461-7["#));
    let _ = socket.next();
    let asked = r#"{"event":"q","to":"ID","data":{"secret":1},"ack_timeout":"5s"}"#.replace("ID", &id);
    let admin = gateway.admin.clone();
    let asking = std::thread::spawn(move || {
        http::request(&admin, "POST", "/v1/emit", &["Authorization: Bearer test"], asked.as_bytes()).text()
    });
    assert_eq!(socket.text(), r#"420["q",{"secret":1}]"#);
    socket.send(r#"430["yes"]"#);
    assert!(asking.join().expect("an answer").contains(r#"["yes"]"#));
    socket.send("41");
    let lines = follower.next(10);
    assert_eq!(
        lines,
        [
            json!({"type": "received", "event": "join", "ack": "12", "bytes": 20}),
            json!({"type": "joined", "room": "chat:7"}),
            json!({"type": "ack_sent", "ack": "12", "bytes": 5}),
            json!({"type": "received", "event": "leave", "bytes": 19}),
            json!({"type": "left", "room": "chat:7"}),
            json!({"type": "received", "event": "fence", "ack": "7", "bytes": 78}),
            json!({"type": "ack_sent", "ack": "7", "bytes": lines[6]["bytes"]}),
            json!({"type": "sent", "event": "q", "ack": "0", "bytes": 20}),
            json!({"type": "ack_received", "ack": "0", "bytes": 9}),
            json!({"type": "disconnected", "reason": "client namespace disconnect"}),
        ]
    );
    assert_eq!(follower.chunk(), [""; 0], "it ends with the socket");
    assert_eq!(gateway.metric("frontroom_followers"), 0);
    assert_eq!(gateway.metric("frontroom_deliveries_total"), before + 1);
    assert!(!gateway.log().contains("secret"));
}

#[test]
fn contents_are_shown_when_they_are_asked_for_and_not_too_long() {
    let gateway = gateway("");
    let (mut socket, id) = join(&gateway);
    let mut follower = Follower::begin(&gateway, &id, "?payload=true");
    let mut plain = Follower::begin(&gateway, &id, "?payload=false");
    socket.send(r#"421["fence",{"b":1.0,"a":[null]},2]"#);
    assert_eq!(socket.text(), r#"431[{"b":1.0,"a":[null]}]"#);
    socket.send(&format!(r#"42["fence","{}"]"#, "x".repeat(20_000)));
    let lines = follower.next(3);
    assert_eq!(lines[0]["args"].to_string(), r#"[{"b":1.0,"a":[null]},2]"#);
    assert_eq!(lines[1]["args"].to_string(), r#"[{"b":1.0,"a":[null]}]"#);
    assert_eq!((&lines[2]["args"], &lines[2]["bytes"]), (&json!("more than 16 KiB"), &json!(20_013)));
    assert!(plain.next(3).iter().all(|line| line.get("args").is_none()));
    socket.send(r#"421["frontroom:auth",{"token":"s3cret"}]"#);
    assert!(socket.text().starts_with("431["));
    let renewed = follower.next(2);
    assert_eq!(renewed[0], json!({"type": "received", "event": "frontroom:auth", "ack": "1", "bytes": 39}));
    assert!(!renewed[1].to_string().contains("s3cret"), "{renewed:?}");
    assert_eq!(plain.next(2).len(), 2);
    drop(follower);
    // The one that is left goes on.
    eventually("one less", || (gateway.metric("frontroom_followers") == 1).then_some(()));
    socket.send(r#"42["fence",1]"#);
    assert_eq!(plain.next(1), [json!({"type": "received", "event": "fence", "bytes": 12})]);
}

#[test]
fn followers_are_bounded_and_a_bad_call_is_told() {
    let gateway = gateway(", max_followers: 1");
    let (mut socket, id) = join(&gateway);
    let follower = Follower::begin(&gateway, &id, "");
    let path = format!("/v1/sockets/{id}/events");
    let (status, told) = gateway.call("GET", &path, "");
    assert_eq!((status, &told["error"]["code"]), (429, &json!("too_many_followers")));
    assert_eq!(gateway.refused("admin.max_followers"), 1);
    drop(follower);
    let mut next = eventually("the place is free", || {
        (gateway.metric("frontroom_followers") == 0).then(|| Follower::begin(&gateway, &id, ""))
    });
    socket.send(r#"42["fence"]"#);
    assert_eq!(next.next(1)[0]["type"], "received");
    assert_eq!(gateway.call("GET", "/v1/sockets/nobody/events", "").0, 404);
    let (status, told) = gateway.call("GET", &format!("{path}?payload=maybe"), "");
    assert_eq!((status, &told["error"]["message"]), (400, &json!("payload: must be true or false")));
    assert_eq!(http::get(&gateway.admin, &path).status, 401);
}

#[test]
fn a_follower_that_does_not_read_loses_lines_and_is_told_how_many() {
    let gateway = gateway(", follow_queue: 64000");
    let (mut socket, id) = join(&gateway);
    let follower = Follower::open(http::connect_narrow(&gateway.admin), &id, "?payload=true");
    let event = format!(r#"421["fence","{}"]"#, "x".repeat(15_000));
    let mut sent = 0;
    // More than all kernels buffer between them.
    eventually("a loss", || {
        for _ in 0..20 {
            socket.send(&event);
            assert!(socket.text().starts_with("431["), "the socket goes on");
        }
        sent += 20;
        (gateway.metric("frontroom_follow_lost_total") > 20).then_some(())
    });
    socket.send("41");
    let mut follower = follower;
    let lines: Vec<Value> =
        std::iter::from_fn(|| Some(follower.chunk()).filter(|chunk| !chunk.is_empty())).flatten().collect();
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).collect::<Vec<_>>();
    let lost: u64 = of("lost").iter().filter_map(|line| line["count"].as_u64()).sum();
    assert_eq!(lost, gateway.metric("frontroom_follow_lost_total"));
    assert_eq!(
        of("received").len() + of("ack_sent").len() + lost as usize,
        2 * sent,
        "nothing is told twice"
    );
    assert_eq!(lines.last().expect("an end")["type"], "disconnected");
}

#[test]
fn another_token_ends_the_following_under_the_old_one() {
    let gateway = Gateway::start(&format!("upstream: {}\n", Backend::empty().url));
    let (_socket, id) = join(&gateway);
    let mut follower = Follower::begin(&gateway, &id, "");
    std::fs::write(gateway.folder().join("config.yaml"), config("", "another"))
        .expect("the config is replaced");
    assert_eq!(follower.chunk(), [""; 0]);
    assert_eq!(gateway.call("GET", &format!("/v1/sockets/{id}/events"), "").0, 401);
}

#[test]
fn a_sockets_handshake_is_shown_without_what_may_be_secret() {
    let gateway = Gateway::start(&format!(
        "upstream: {}\ncredentials: {{token: ['header:X-Ada', 'query:q', 'cookie:c']}}\n",
        Backend::empty().url
    ));
    let stream = http::connect(&gateway.address);
    let headers = [
        &HANDSHAKE[..],
        &[
            "User-Agent: browser/1",
            "Cookie: c=s3cret",
            "Authorization: Bearer s3cret",
            "X-Ada: s3cret",
            "X-Trace: eyJhbGciOiJub25lIn0.s3cret",
            "X-Seen: 1",
            "X-Seen: 2",
            "Referer: https://a.test/page?code=s3cret",
        ],
    ]
    .concat();
    let target = "/socket.io/?EIO=4&transport=websocket&q=s3cret&access_token=s3cret&room=7%20a";
    http::send(&stream, "GET", target, &headers, b"");
    assert_eq!(http::read(&stream).status, 101);
    let mut socket = WebSocket(stream);
    assert!(socket.text().starts_with("0{"));
    socket.send(r#"40{"token":"s3cret"}"#);
    let id = socket.text().split('"').nth(3).expect("an id").to_owned();
    let (status, told) = gateway.call("GET", &format!("/v1/sockets/{id}"), "");
    assert_eq!(status, 200, "{told}");
    assert!(!told.to_string().contains("s3cret"), "{told}");
    let handshake = &told["handshake"];
    assert_eq!(handshake["path"], "/socket.io/");
    assert_eq!(handshake["query"], json!({"EIO": "4", "transport": "websocket", "room": "7 a"}));
    for (name, value) in [
        ("user-agent", "browser/1"),
        ("x-seen", "1, 2"),
        ("referer", "https://a.test/page"),
        ("host", "gateway.test"),
        ("upgrade", "websocket"),
    ] {
        assert_eq!(handshake["headers"][name], value, "{name}");
    }
    let hidden = handshake["hidden"].as_array().expect("a list");
    for name in [
        "header:authorization",
        "header:cookie",
        "header:x-ada",
        "header:x-trace",
        "query:q",
        "query:access_token",
    ] {
        assert!(hidden.contains(&json!(name)), "{name} in {hidden:?}");
    }
    let (_, page) = gateway.call("GET", "/v1/sockets", "");
    assert!(page["sockets"][0].get("handshake").is_none(), "lists leave it out");
}

#[test]
fn the_logs_last_errors_are_told() {
    // Nothing listens there.
    let gateway = Gateway::start("upstream: http://127.0.0.1:1\n");
    assert_eq!(gateway.call("GET", "/v1/errors", ""), (200, json!({"errors": [], "total": 0})));
    for _ in 0..2 {
        let answer = http::request(&gateway.address, "GET", "/a?token=s3cret", &["Cookie: a=s3cret"], b"");
        assert_eq!(answer.status, 502);
    }
    let (status, told) = gateway.call("GET", "/v1/errors", "");
    assert_eq!((status, &told["total"]), (200, &json!(2)));
    let error = &told["errors"][0];
    assert_eq!((&error["level"], &error["message"]), (&json!("warn"), &json!("upstream request failed")));
    assert_eq!((&error["count"], &error["fields"]["upstream"]), (&json!(2), &json!("default")));
    assert!(
        error["time"].as_u64() > Some(1_700_000_000_000) && !told.to_string().contains("s3cret"),
        "{told}"
    );
    assert_eq!(http::get(&gateway.admin, "/v1/errors").status, 401);
}

#[test]
fn rooms_and_connections_are_counted_and_latencies_measured() {
    let backend = Backend::start(|_, _| (200, "{}".into()));
    let rules = "socketio: {events: {join: {request: GET /may, join: 'a'}}}";
    let gateway = Gateway::start(&format!("upstream: {}\n{rules}\n", backend.url));
    let (mut socket, _) = join(&gateway);
    socket.send(r#"421["join"]"#);
    assert!(socket.text().starts_with("431["));
    eventually("a room and a connection", || {
        let (rooms, connections) =
            (gateway.metric("frontroom_rooms"), gateway.metric("frontroom_connections"));
        ((rooms, connections) == (1, 1)).then_some(())
    });
    assert_eq!(gateway.metric("frontroom_event_duration_seconds_count"), 1);
    assert_eq!(gateway.metric(r#"frontroom_upstream_request_duration_seconds_count{upstream="default"}"#), 1);
    drop(socket);
    eventually("none", || (gateway.metric("frontroom_connections") == 0).then_some(()));
    assert_eq!(gateway.metric("frontroom_rooms"), 0);
}
