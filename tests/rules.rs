//! Event rules, hooks and taps over the real binary: what they send to the backend, what the client
//! is told, and what one failure leaves alone.

mod support;

use support::backend::{Backend, Seen};
use support::gateway::Gateway;
use support::websocket::WebSocket;
use support::{eventually, http};

/// A gateway with these rules in front of a backend that answers `METHOD /path`.
fn site(
    config: &str,
    reply: impl Fn(&str, &str) -> (u16, String) + Send + Sync + 'static,
) -> (Gateway, Backend) {
    let backend = Backend::start(reply);
    (Gateway::start(&format!("upstream: {}\n{config}", backend.url)), backend)
}

/// A socket in `/` that sent this `auth` and these headers.
fn connect(gateway: &Gateway, auth: &str, headers: &[&str]) -> WebSocket {
    let (mut socket, answer) = begin(gateway, auth, headers);
    assert!(answer.starts_with("40{\"sid\":\""), "{answer}");
    socket.send_raw(0x8a, b"");
    socket
}

/// The answer to a CONNECT.
fn begin(gateway: &Gateway, auth: &str, headers: &[&str]) -> (WebSocket, String) {
    let stream = http::connect(&gateway.address);
    let headers = [&support::websocket::HANDSHAKE[..], headers].concat();
    http::send(&stream, "GET", "/socket.io/?EIO=4&transport=websocket", &headers, b"");
    assert_eq!(http::read(&stream).status, 101);
    let mut socket = WebSocket(stream);
    assert!(socket.text().starts_with("0{"));
    socket.send(&format!("40{auth}"));
    let answer = socket.text();
    (socket, answer)
}

/// What the gateway says to an event.
fn say(socket: &mut WebSocket, event: &str) -> String {
    socket.send(event);
    socket.text()
}

fn request(backend: &Backend, line: &str) -> Seen {
    eventually(line, || backend.seen().into_iter().find(|seen| seen.line == line))
}

#[test]
fn a_request_says_who_causes_it() {
    let rules = r#"
socketio:
  events:
    post: {request: {method: POST, path: "/rooms/{{ data.id }}?q={{ data.q }}", headers: {X-Room: "r{{ data.id }}"}}}
"#;
    let (gateway, backend) = site(rules, |_, body| (200, body.to_owned()));
    let headers = ["Cookie: a=1; b=2", "User-Agent: test/1", "X-Forwarded-For: 6.6.6.6"];
    let mut socket = connect(&gateway, r#"{"token":"tok"}"#, &headers);
    let body = r#"{"id":1.0, "q":"a b&c","big":12345678901234567890123}"#;
    assert_eq!(say(&mut socket, &format!(r#"420["post",{body}]"#)), format!("430[{body}]"));
    let seen = request(&backend, "POST /rooms/1.0?q=a+b%26c");
    assert_eq!(seen.body, body);
    for (name, value) in [
        ("authorization", "Bearer tok"),
        ("cookie", "a=1; b=2"),
        ("user-agent", "test/1"),
        ("host", "gateway.test"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "gateway.test"),
        ("x-forwarded-proto", "http"),
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("x-room", "r1.0"),
    ] {
        assert_eq!(seen.header(name), [value], "{name}");
    }
    for name in ["x-request-id", "x-socket-id", "idempotency-key"] {
        assert_eq!(seen.header(name).len(), 1, "{name}");
    }
    for name in ["upgrade", "connection", "sec-websocket-key", "origin"] {
        assert!(seen.header(name).is_empty(), "{name}");
    }
    say(&mut socket, r#"421["post",{"id":2,"q":"x"}]"#);
    let second = request(&backend, "POST /rooms/2?q=x");
    assert_ne!(seen.header("idempotency-key"), second.header("idempotency-key"));
    assert_eq!(seen.header("x-socket-id"), second.header("x-socket-id"));
}

#[test]
fn a_client_renews_the_token_it_carries() {
    let (gateway, backend) =
        site("socketio: {events: {ask: {request: GET /me}}}", |_, _| (204, String::new()));
    let mut socket = connect(&gateway, r#"{"token":"old"}"#, &[]);
    assert_eq!(say(&mut socket, r#"421["ask"]"#), "431[null]");
    assert_eq!(say(&mut socket, r#"422["frontroom:auth",{"token":"Bearer new"}]"#), "432[]");
    assert_eq!(say(&mut socket, r#"423["ask"]"#), "433[null]");
    let tokens: Vec<String> =
        backend.seen().iter().map(|seen| seen.header("authorization").concat()).collect();
    assert_eq!(tokens, ["Bearer old", "Bearer new"]);
    for bad in [r#"{"token":5}"#, r#"{"token":""}"#, r#"{}"#, "null"] {
        let told = say(&mut socket, &format!(r#"424["frontroom:auth",{bad}]"#));
        assert!(told.contains(r#""status":400,"code":"bad_event""#), "{told}");
    }
    let told = say(&mut socket, r#"425["frontroom:other"]"#);
    assert!(told.contains(r#""status":404,"code":"no_rule""#), "{told}");
}

#[test]
fn failures_are_told_by_ack_or_exception_and_close_nothing() {
    let rules = r#"
socketio:
  events:
    room: {request: "GET /rooms/{{ data.id }}", ack: ok}
    quiet: {request: "GET /rooms/{{ data.id }}", ack: false}
    fast: {rate_limit: 2/m}
"#;
    let (gateway, _backend) = site(rules, |line, _| match line {
        "GET /rooms/1" => (200, r#"{"id":1}"#.to_owned()),
        "GET /rooms/redirect" => (302, String::new()),
        "GET /rooms/large" => (200, format!("\"{}\"", "x".repeat(1_100_000))),
        "GET /rooms/text" => (200, "not json".to_owned()),
        _ => (403, r#"{"message":"members only","error":"Forbidden","n":1.0}"#.to_owned()),
    });
    let mut socket = connect(&gateway, "", &[]);
    let error = r#"{"status":403,"code":"forbidden","message":"members only","body":{"message":"members only","error":"Forbidden","n":1.0}}"#;
    for (sent, told) in [
        (r#"421["room",{"id":1}]"#, r#"431["ok"]"#.to_owned()),
        (r#"422["room",{"id":2}]"#, format!(r#"432[{{"error":{error}}}]"#)),
        (r#"42["room",{"id":2}]"#, format!(r#"42["exception",{{"error":{error},"event":"room"}}]"#)),
        (r#"423["quiet",{"id":2}]"#, format!(r#"42["exception",{{"error":{error},"event":"quiet"}}]"#)),
        (r#"424["room",{"id":"text"}]"#, r#"434["ok"]"#.to_owned()),
    ] {
        assert_eq!(say(&mut socket, sent), told);
    }
    for (sent, part) in [
        (r#"421["room",{}]"#, r#""status":400,"code":"bad_event","message":"`data.id` is not defined""#),
        (r#"421["room"]"#, r#""code":"bad_event""#),
        (r#"421["room",{"id":".."}]"#, r#""code":"bad_event""#),
        (r#"421["room",{"id":{}}]"#, r#""code":"bad_event""#),
        (r#"421["room",{"id":"../rooms/1"}]"#, r#""status":403"#),
        (r#"421["room",{"id":"redirect"}]"#, r#""status":502,"code":"upstream_redirected""#),
        (r#"421["room",{"id":"large"}]"#, r#""status":502,"code":"response_too_large""#),
        (r#"421["nope"]"#, r#""status":404,"code":"no_rule""#),
    ] {
        let told = say(&mut socket, sent);
        assert!(told.starts_with("431[{\"error\":{") && told.contains(part), "{sent}: {told}");
    }
    let fast: Vec<String> = (0..3).map(|_| say(&mut socket, r#"421["fast"]"#)).collect();
    assert_eq!(fast[..2], ["431[]", "431[]"]);
    assert!(fast[2].contains(r#""status":429,"code":"rate_limited""#), "{}", fast[2]);
}

#[test]
fn an_event_that_does_not_match_its_schema_goes_nowhere() {
    let rules = r#"
socketio:
  events:
    send:
      rate_limit: 6/m
      schema:
        type: object
        required: [room, text]
        properties: {room: {type: integer, maximum: 9007199254740993}, text: {type: string, maxLength: 5}}
      request: POST /rooms/{{ data.room }}
    file: {schema: {type: object, required: [$binary], properties: {$binary: {type: string}}}}
"#;
    let (gateway, backend) = site(rules, |_, body| (201, body.to_owned()));
    let mut socket = connect(&gateway, "", &[]);
    let said = say(&mut socket, r#"421["send",{"room":9007199254740993,"text":"hi"}]"#);
    assert_eq!(said, r#"431[{"room":9007199254740993,"text":"hi"}]"#);
    let error = r#"{"status":400,"code":"bad_event","message":"the event does not match its schema: /room: value is greater than the maximum of 9007199254740993","body":{"errors":[{"path":"/room","message":"value is greater than the maximum of 9007199254740993"}]}}"#;
    let wrong = r#"["send",{"room":9007199254740994,"text":"hi"}]"#;
    assert_eq!(say(&mut socket, &format!("422{wrong}")), format!(r#"432[{{"error":{error}}}]"#));
    let told = format!(r#"42["exception",{{"error":{error},"event":"send"}}]"#);
    assert_eq!(say(&mut socket, &format!("42{wrong}")), told);
    for nothing in [r#"423["send"]"#, r#"423["send",null]"#, r#"423["send",[7]]"#] {
        let told = say(&mut socket, nothing);
        assert!(told.contains(r#""path":"","message":"value is not of type \"object\"""#), "{told}");
    }
    // What does not match has cost a token of the rate limit all the same.
    let told = say(&mut socket, &format!("424{wrong}"));
    assert!(told.contains("rate_limited"), "{told}");
    assert_eq!(backend.seen().len(), 1);

    socket.send(r#"451-5["file",{"_placeholder":true,"num":0}]"#);
    socket.send_raw(0x82, &[1, 2, 3]);
    assert_eq!(socket.text(), "435[]");
    let told = say(&mut socket, r#"426["file",{"$binary":"AQID"}]"#);
    assert!(told.contains("bad_event"), "what looks like binary is none: {told}");
}

#[test]
fn an_upstream_that_is_down_or_slow_fails_the_event_only() {
    let rules = r#"
upstreams: {down: {endpoints: "http://127.0.0.1:1"}}
socketio:
  events:
    down: {request: {method: GET, path: /x, upstream: down}}
    slow: {request: {method: GET, path: /slow, timeout: 200ms}}
    fine: {}
"#;
    let (gateway, _backend) = site(rules, |_, _| {
        std::thread::sleep(std::time::Duration::from_millis(1_000));
        (200, "1".to_owned())
    });
    let mut socket = connect(&gateway, "", &[]);
    let told = say(&mut socket, r#"421["down"]"#);
    assert!(told.contains(r#""status":502,"code":"upstream_unreachable""#), "{told}");
    let told = say(&mut socket, r#"421["slow"]"#);
    assert!(told.contains(r#""status":504,"code":"upstream_timeout""#), "{told}");
    assert_eq!(say(&mut socket, r#"421["fine"]"#), "431[]");
}

#[test]
fn a_connect_is_refused_with_what_the_backend_says() {
    let rules = r#"
socketio:
  connect:
    request: GET /me
    state: {id: "{{ response.body.id }}"}
    join: "user:{{ state.id }}"
    emit: {event: welcome, data: "{{ state }}"}
  events: {rooms: {ack: "{{ socket.rooms | length }}"}}
"#;
    let (gateway, backend) = site(rules, |_, _| (401, r#"{"message":"log in","level":1.0}"#.to_owned()));
    let (_, answer) = begin(&gateway, "", &[]);
    assert_eq!(answer, r#"44{"message":"log in","data":{"message":"log in","level":1.0}}"#);
    assert_eq!(backend.seen().len(), 1);

    let (gateway, _backend) = site(rules, |_, _| (500, "<html>".to_owned()));
    let (_, answer) = begin(&gateway, "", &[]);
    assert_eq!(
        answer,
        r#"44{"message":"Internal Server Error","data":{"status":500,"code":"internal_error"}}"#
    );

    let (gateway, _backend) = site(rules, |_, _| (200, "{}".to_owned()));
    let (_, answer) = begin(&gateway, "", &[]);
    assert!(answer.contains(r#""data":{"status":400,"code":"bad_event"}"#), "{answer}");

    let (gateway, _backend) = site(rules, |_, _| (200, r#"{"id":12345678901234567890123}"#.to_owned()));
    let mut socket = connect(&gateway, "", &[]);
    assert_eq!(socket.text(), r#"42["welcome",{"id":12345678901234567890123}]"#);
    assert_eq!(say(&mut socket, r#"421["rooms"]"#), "431[2]");
}

#[test]
fn when_makes_the_rest_conditional() {
    let rules = r#"
socketio:
  events:
    ask: {request: "GET /x/{{ data }}", when: "response.body.yes", emit: {event: said, data: 1}, ack: yes, disconnect: "{{ response.body.bye }}"}
"#;
    let (gateway, _backend) = site(rules, |line, _| match line {
        "GET /x/1" => (200, r#"{"yes":true,"bye":false}"#.to_owned()),
        "GET /x/2" => (200, r#"{"yes":false}"#.to_owned()),
        _ => (200, r#"{"yes":true,"bye":true}"#.to_owned()),
    });
    let mut socket = connect(&gateway, "", &[]);
    assert_eq!(say(&mut socket, r#"421["ask",1]"#), r#"42["said",1]"#);
    assert_eq!(socket.text(), r#"431["yes"]"#);
    assert_eq!(say(&mut socket, r#"422["ask",2]"#), r#"432[{"yes":false}]"#);
    assert_eq!(say(&mut socket, r#"423["ask",3]"#), r#"42["said",1]"#);
    assert_eq!(socket.text(), r#"433["yes"]"#);
    assert_eq!(socket.text(), "41");
}

#[test]
fn a_tap_sees_requests_of_rules_before_they_are_acked_and_requests_over_rest() {
    let rules = r#"
socketio:
  events:
    join: {join: "chat:{{ data }}"}
    send: {request: "POST /rooms/{{ data.room }}/messages", body: "{{ data.body }}"}
taps:
  - on: POST /rooms/{room}/messages
    emit: {event: newMessage, to: "chat:{{ path.room }}", except: "{{ request.headers['x-skip'] }}", data: "{{ response.body }}"}
"#;
    let (gateway, _backend) = site(rules, |_, body| (201, body.to_owned()));
    let mut socket = connect(&gateway, "", &[]);
    assert_eq!(say(&mut socket, r#"421["join",7]"#), "431[]");
    let body = r#"{"t":1.0,"a":[1e3]}"#;
    let sent = say(&mut socket, &format!(r#"422["send",{{"room":7,"body":{body}}}]"#));
    assert_eq!(sent, format!(r#"42["newMessage",{body}]"#));
    assert_eq!(socket.text(), format!("432[{body}]"));
    let answer = http::request(&gateway.address, "POST", "/rooms/7/messages?x", &[], body.as_bytes());
    assert_eq!((answer.status, answer.text().as_str()), (201, body));
    assert_eq!(socket.text(), format!(r#"42["newMessage",{body}]"#));
}

#[test]
fn a_hook_is_signed_and_told_what_a_client_answers() {
    let rules = "hooks: {secrets: [new, old]}\nsocketio: {events: {'*': {hook: /hook}}}\n";
    let (gateway, backend) = site(rules, |_, body| {
        match body {
        body if body.contains(r#""type":"ack""#) => (200, r#"{"emit":[{"event":"thanks"}]}"#.to_owned()),
        _ => (200, r#"{"emit":[{"event":"first"},{"event":"ask","args":[1],"ack":true},{"event":"last"}],"ack":[1.0]}"#.to_owned()),
    }
    });
    let mut socket = connect(&gateway, "", &[]);
    socket.send(r#"421["x",{"$binary":"a"}]"#);
    assert_eq!(socket.text(), r#"42["first"]"#);
    assert_eq!(socket.text(), r#"420["ask",1]"#);
    assert_eq!(socket.text(), r#"42["last"]"#);
    assert_eq!(socket.text(), "431[1.0]");
    assert_eq!(say(&mut socket, r#"430["fine",2.0]"#), r#"42["thanks"]"#);
    let told = eventually("two calls", || Some(backend.seen()).filter(|seen| seen.len() == 2));
    assert!(
        told[1].body.contains(r#""event":"ask","args":["fine",2.0],"socket":{"id":"#),
        "{}",
        told[1].body
    );
    let signature = told[0].header("frontroom-signature").concat();
    assert!(signature.starts_with("t=") && signature.matches(",v1=").count() == 2, "{signature}");
}

#[test]
fn a_hooks_bad_answer_is_the_hooks_fault() {
    let (gateway, _backend) = site("socketio: {events: {'*': {hook: /hook}}}", |_, body| match body {
        body if body.contains(r#""event":"list""#) => (200, "[]".to_owned()),
        body if body.contains(r#""event":"key""#) => (200, r#"{"emitt":[]}"#.to_owned()),
        body if body.contains(r#""event":"room""#) => (200, r#"{"join":[null]}"#.to_owned()),
        _ => (200, r#"{"error":{"message":"no","data":{"x":1.0}}}"#.to_owned()),
    });
    let mut socket = connect(&gateway, "", &[]);
    for (event, part) in [
        ("list", "must be an object"),
        ("key", "emitt: unknown key"),
        ("room", "join[0]: must be a room's name"),
    ] {
        let told = say(&mut socket, &format!(r#"421["{event}"]"#));
        assert!(told.contains(r#""status":502,"code":"bad_hook_reply""#) && told.contains(part), "{told}");
    }
    let told = say(&mut socket, r#"421["other"]"#);
    assert_eq!(told, r#"431[{"error":{"status":400,"code":"bad_request","message":"no","body":{"x":1.0}}}]"#);
}

#[test]
fn a_disconnect_rule_runs_once_with_its_reason() {
    let rules = r#"
socketio:
  connect: {state: {name: anna}}
  disconnect: {request: POST /left, body: {who: "{{ state.name }}", why: "{{ reason }}"}}
"#;
    let (gateway, backend) = site(rules, |_, _| (204, String::new()));
    let mut socket = connect(&gateway, "", &[]);
    socket.send("41");
    let left = request(&backend, "POST /left");
    assert_eq!(left.body, r#"{"who":"anna","why":"client namespace disconnect"}"#);
    drop(socket);
    let socket = connect(&gateway, "", &[]);
    drop(socket);
    let left = eventually("the second", || backend.seen().get(1).cloned());
    assert!(left.body.starts_with(r#"{"who":"anna","why":"transport "#), "{}", left.body);
    assert_eq!(backend.seen().len(), 2);
}

#[test]
fn a_hook_may_ask_a_whole_room_and_is_told_who_did_not_answer() {
    let rules = "hooks: {ack_timeout: 300ms}\nsocketio: {connect: {join: r}, events: {'*': {hook: /hook}}}\n";
    let (gateway, backend) = site(rules, |_, body| match body {
        body if body.contains(r#""type":"event""#) => {
            (200, r#"{"emit":[{"event":"ask","to":"r","data":{"$binary":"AQID"},"ack":true}]}"#.to_owned())
        }
        _ => (204, String::new()),
    });
    let (mut ada, ada_id) = WebSocket::join(http::connect(&gateway.address));
    let (mut bob, bob_id) = WebSocket::join(http::connect(&gateway.address));
    ada.send(r#"42["x"]"#);
    for socket in [&mut ada, &mut bob] {
        assert_eq!(socket.text(), r#"451-0["ask",{"_placeholder":true,"num":0}]"#);
        assert_eq!(socket.next(), Some((2, vec![1, 2, 3])));
    }
    ada.send(r#"461-0[{"_placeholder":true,"num":0},{"$binary":"x"}]"#);
    ada.send_binary(&[9]);
    let told = eventually("both are told", || {
        let told: Vec<_> =
            backend.seen().into_iter().filter(|seen| seen.body.contains(r#""type":"ack""#)).collect();
        (told.len() == 2).then_some(told)
    });
    let of = |id: &str| told.iter().find(|seen| seen.body.contains(id)).unwrap_or_else(|| panic!("{told:?}"));
    let (ada, bob) = (of(&ada_id), of(&bob_id));
    assert!(
        ada.body.contains(r#""event":"ask","args":[{"$binary":"CQ=="},{"$$binary":"x"}],"#),
        "{}",
        ada.body
    );
    assert!(bob.body.contains(r#""event":"ask","error":"timeout","#), "{}", bob.body);
    // The envelope's id is the request's key.
    for seen in [ada, bob] {
        let key = seen.header("idempotency-key").concat();
        assert!(seen.body.contains(&format!(r#""id":"{key}""#)), "{key}: {}", seen.body);
    }
    assert_ne!(ada.header("idempotency-key"), bob.header("idempotency-key"));
}

#[test]
fn a_connect_hook_may_ask_too_right_after_the_connect() {
    let (gateway, backend) = site("socketio: {connect: {hook: /hook}}\n", |_, body| match body {
        body if body.contains(r#""type":"connect""#) => {
            (200, r#"{"emit":[{"event":"first"},{"event":"who","ack":true},{"event":"last"}]}"#.to_owned())
        }
        _ => (200, r#"{"emit":[{"event":"hello"}],"disconnect":true}"#.to_owned()),
    });
    let mut socket = connect(&gateway, "", &[]);
    assert_eq!(
        [socket.text(), socket.text(), socket.text()],
        [r#"42["first"]"#, r#"420["who"]"#, r#"42["last"]"#]
    );
    socket.send(r#"430["ada"]"#);
    assert_eq!([socket.text(), socket.text()], [r#"42["hello"]"#, "41"]);
    request(&backend, "POST /hook");
}

#[test]
fn a_slow_call_delays_its_own_socket_and_no_other() {
    let (arrived, has_arrived) = std::sync::mpsc::channel();
    let (let_go, go) = std::sync::mpsc::channel::<()>();
    let go = std::sync::Mutex::new(go);
    let rules = "socketio: {events: {slow: {hook: /slow}, quick: {hook: /quick}}}\n";
    let (gateway, _backend) = site(rules, move |line, _| {
        if line == "POST /slow" {
            let _ = arrived.send(());
            let _ = go.lock().map(|go| go.recv_timeout(std::time::Duration::from_secs(4)));
        }
        (200, format!(r#"{{"ack":["{line}"]}}"#))
    });
    let mut slow = connect(&gateway, "", &[]);
    slow.send(r#"421["slow"]"#);
    slow.send(r#"422["quick"]"#);
    has_arrived.recv().expect("the backend is asked");
    // More sockets than there are workers.
    for _ in 0..8 {
        let mut other = connect(&gateway, "", &[]);
        assert_eq!(say(&mut other, r#"421["quick"]"#), r#"431["POST /quick"]"#);
    }
    let_go.send(()).expect("the backend waits");
    assert_eq!([slow.text(), slow.text()], [r#"431["POST /slow"]"#, r#"432["POST /quick"]"#]);
}
