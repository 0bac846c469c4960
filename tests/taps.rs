//! Taps over the real binary: what becomes an event, and what the client whose answer it was sees of it.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is all a test")]

mod support;

use std::io::Write;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::backend::{Backend, answer};
use support::eventually;
use support::gateway::Gateway;
use support::http;
use support::websocket::WebSocket;

const JSON: &str = "Content-Type: application/json";

/// A gateway with these taps, whose sockets join rooms as they like.
fn gateway(backend: &Backend, taps: &str) -> Gateway {
    let rules = "socketio: {events: {join: {join: '{{ data }}'}, fence: {}}}\n";
    Gateway::start(&format!("upstream: {}\n{rules}taps:\n{taps}", backend.url))
}

fn join(gateway: &Gateway, room: &str) -> (WebSocket, String) {
    let (mut socket, id) = WebSocket::join(http::connect(&gateway.address));
    socket.send(&format!(r#"420["join","{room}"]"#));
    assert_eq!(socket.text(), "430[]");
    (socket, id)
}

/// Whether nothing came before this.
fn has_nothing(socket: &mut WebSocket) {
    socket.send(r#"429["fence"]"#);
    assert_eq!(socket.text(), "439[]");
}

#[test]
fn a_logout_over_rest_ends_the_users_sockets() {
    let backend = Backend::start(|_, _| (200, r#"{"user":7}"#.to_owned()));
    let taps = r#"
- on: POST /logout
  disconnect: {to: "user:{{ response.body.user }}", close: true}
  emit: {event: loggedOut, to: "user:{{ response.body.user }}", args: []}
- on: POST|PUT /rooms/{room}/members
  join: {to: "user:{{ response.body.user }}", rooms: "chat:{{ path.room }}"}
- on: DELETE /rooms/{room}/members
  leave: {to: "user:{{ response.body.user }}", rooms: "chat:{{ path.room }}"}
- on: POST /rooms/{room}/messages
  emit: {event: said, to: "chat:{{ path.room }}", data: 1}
"#;
    let gateway = gateway(&backend, taps);
    let (mut ada, _) = join(&gateway, "user:7");
    let (mut phone, _) = join(&gateway, "user:7");
    let (mut bob, _) = join(&gateway, "user:8");
    let rest = |method: &str, path: &str| {
        assert_eq!(http::request(&gateway.address, method, path, &[], b"").status, 200);
    };
    rest("PUT", "/rooms/1/members");
    rest("POST", "/rooms/1/messages");
    assert_eq!([ada.text(), phone.text()], [r#"42["said",1]"#; 2]);
    rest("DELETE", "/rooms/1/members");
    rest("POST", "/rooms/1/messages");
    rest("POST", "/logout");
    for socket in [&mut ada, &mut phone] {
        assert_eq!(socket.text(), r#"42["loggedOut"]"#);
        assert_eq!(socket.text(), "41");
        socket.closed();
    }
    has_nothing(&mut bob);
    assert_eq!(gateway.metric(r#"frontroom_taps_total{tap="POST /logout",result="emitted"}"#), 1);
}

#[test]
fn the_sender_may_be_left_out_and_conditions_hold() {
    let backend = Backend::start(|line, body| match line {
        "POST /say/404" => (404, "{}".to_owned()),
        _ => (201, body.to_owned()),
    });
    let taps = r#"
- on: POST /say/{room}
  when: response.body.public
  emit: {event: said, to: "{{ path.room }}", except: "{{ request.headers['x-socket-id'] }}", data: "{{ response.body.n }}"}
- on: POST /say/{room}
  status: [404, 5xx]
  emit: {event: lost, to: r, data: "{{ response.status }}"}
- on: POST /say/{room}
  dry_run: true
  emit: {event: dry, to: r, data: 1}
"#;
    let gateway = gateway(&backend, taps);
    let (mut ada, ada_id) = join(&gateway, "r");
    let (mut bob, _) = join(&gateway, "r");
    let named = format!("X-Socket-Id: {ada_id}");
    let say = |room: &str, headers: &[&str], body: &str| {
        http::request(&gateway.address, "POST", &format!("/say/{room}"), headers, body.as_bytes());
    };
    say("r", &[&named], r#"{"public":true,"n":1.0}"#);
    say("r", &[], r#"{"public":false,"n":2}"#);
    say("r", &[], r#"{"public":true,"n":3}"#);
    say("404", &[], "{}");
    let said = |n: &str| format!(r#"42["said",{n}]"#);
    assert_eq!(
        [bob.text(), bob.text(), bob.text()],
        [said("1.0"), said("3"), r#"42["lost",404]"#.to_owned()]
    );
    assert_eq!([ada.text(), ada.text()], [said("3"), r#"42["lost",404]"#.to_owned()]);
    let counted = |result: &str| {
        gateway.metric(&format!(r#"frontroom_taps_total{{tap="POST /say/{{room}}",result="{result}"}}"#))
    };
    assert_eq!((counted("emitted"), counted("skipped"), counted("dry_run")), (3, 1, 3));
    eventually("it is told", || gateway.printed("tap, dry run").then_some(()));
}

#[test]
fn the_clients_answer_is_that_of_the_backend_byte_for_byte() {
    let gzip = |text: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).expect("it is compressed");
        encoder.finish().expect("it is compressed")
    };
    let large = format!("[{}1]", "1.50 , ".repeat(20_000));
    let bodies = [
        ("identity", b" {\"caf\\u00e9\" : 1.0,\"b\":[ ]}\n".to_vec()),
        ("gzip", gzip(br#"{"n":2}"#)),
        ("identity", large.clone().into_bytes()),
        ("gzip", gzip(large.as_bytes())),
        ("identity", b"<html>".to_vec()),
        ("gzip", b"not gzip".to_vec()),
        ("identity", format!("\"{}\"", "x".repeat(200_000)).into_bytes()),
    ];
    let served = bodies.clone();
    let backend = Backend::raw(move |seen| {
        let index = seen.line.rsplit('/').next().and_then(|index| index.parse::<usize>().ok());
        let (coding, body) = &served[index.expect("a number")];
        answer(200, &[JSON, &format!("Content-Encoding: {coding}"), "X-End: 1"], body)
    });
    let gateway = gateway(
        &backend,
        "- {on: 'GET /tapped/{n}', max_body: 180KB, emit: {event: got, to: r, data: '{{ response.body }}'}}\n",
    );
    let (mut ada, _) = join(&gateway, "r");
    for (index, (_, body)) in bodies.iter().enumerate() {
        let [tapped, plain] =
            ["tapped", "plain"].map(|kind| http::get(&gateway.address, &format!("/{kind}/{index}")));
        assert_eq!(&tapped.body, body, "{index}");
        let names = |answer: &http::Answer| -> Vec<_> {
            answer
                .headers
                .iter()
                .filter(|(name, _)| {
                    !name.eq_ignore_ascii_case("x-request-id") && !name.eq_ignore_ascii_case("date")
                })
                .cloned()
                .collect()
        };
        assert_eq!(names(&tapped), names(&plain), "{index}");
    }
    assert_eq!(ada.text(), "42[\"got\",{\"caf\\u00e9\" : 1.0,\"b\":[ ]}]");
    assert_eq!(ada.text(), r#"42["got",{"n":2}]"#);
    assert_eq!([ada.text(), ada.text()], [format!("42[\"got\",{large}]"), format!("42[\"got\",{large}]")]);
    let counted = |result: &str| {
        gateway.metric(&format!(r#"frontroom_taps_total{{tap="GET /tapped/{{n}}",result="{result}"}}"#))
    };
    eventually("all are looked at", || (counted("too_large") == 1 && counted("bad_body") == 2).then_some(()));
    assert_eq!(counted("emitted"), 4);
    has_nothing(&mut ada);
}

#[test]
fn a_client_that_leaves_early_takes_nothing_from_the_room() {
    let (arrived, has_arrived) = mpsc::channel();
    let (let_go, go) = mpsc::channel::<()>();
    let go = Arc::new(Mutex::new(go));
    let backend = Backend::raw(move |seen| {
        if seen.line == "POST /say" {
            let _ = arrived.send(());
            let _ = go.lock().expect("nobody panicked").recv_timeout(Duration::from_secs(10));
        }
        answer(
            201,
            &[JSON, r#"Frontroom-Actions: {"emit":[{"event":"header","to":"r"}]}"#],
            seen.body.as_bytes(),
        )
    });
    let gateway =
        gateway(&backend, "- {on: POST /say, emit: {event: said, to: r, data: '{{ response.body }}'}}\n");
    let (mut ada, _) = join(&gateway, "r");
    let leaving = http::connect(&gateway.address);
    http::send(&leaving, "POST", "/say", &[], br#"{"n":1}"#);
    has_arrived.recv_timeout(Duration::from_secs(10)).expect("the backend is asked");
    drop(leaving);
    // The gateway has noticed: it counts the request as left by its client.
    let left = r#"frontroom_http_requests_total{route="default",method="POST",status="499"}"#;
    eventually("the client is gone", || (gateway.metric(left) == 1).then_some(()));
    let_go.send(()).expect("the backend waits");
    assert_eq!(ada.text(), r#"42["header"]"#);
    assert_eq!(ada.text(), r#"42["said",{"n":1}]"#);
}
