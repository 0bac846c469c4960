//! Socket.IO's edges over raw sockets: what breaks the protocol, and what only looks like it.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod support;

use support::backend::Backend;
use support::gateway::Gateway;
use support::websocket::WebSocket;

const RULES: &str = r#"
socketio:
  max_attachments: 10
  events:
    echo: {emit: {event: echo, args: ["{{ args }}"]}}
    back: {ack: "{{ data }}"}
    7: {ack: "{{ event }}"}
    'quo"te': {ack: true}
    ask: {request: "POST /ask", body: "{{ data }}"}
    leave: {disconnect: true}
  namespaces:
    /custom: {events: {"*": {ack: "{{ event }}"}}}
    /refused: {connect: {request: GET /no}}
    /org-{id}: {events: {which: {ack: "{{ namespace.id }}"}}}
"#;

fn gateway() -> (Gateway, Backend) {
    let backend = Backend::start(|line, body| match line {
        "POST /ask" => (200, body.to_owned()),
        "GET /no" => (403, r#"{"message":"members only","code":"not_a_member"}"#.to_owned()),
        _ => (404, "{}".to_owned()),
    });
    (Gateway::start(&format!("upstream: {}\n{RULES}", backend.url)), backend)
}

fn connect(gateway: &Gateway) -> WebSocket {
    let mut socket = WebSocket::open(&gateway.address, "/socket.io/?EIO=4&transport=websocket");
    assert!(socket.text().starts_with("0{"));
    socket.send("40");
    assert!(socket.text().starts_with("40{\"sid\":\""));
    socket
}

#[test]
fn the_sockets_id_is_not_the_sessions() {
    let (gateway, _backend) = gateway();
    let mut socket = WebSocket::open(&gateway.address, "/socket.io/?EIO=4&transport=websocket");
    let open = socket.text();
    socket.send("40");
    let connected = socket.text();
    let id =
        connected.strip_prefix("40{\"sid\":\"").and_then(|rest| rest.strip_suffix("\"}")).expect("an id");
    assert_eq!(id.len(), 20);
    assert!(!open.contains(id));
}

#[test]
fn what_breaks_the_protocol_closes_the_session_and_no_other() {
    let (gateway, _backend) = gateway();
    let mut bystander = connect(&gateway);
    for packet in [
        "4",
        "4abc",
        "42",
        "42{}",
        "42abc[\"x\"]",
        "442[\"some\",\"data\"",
        "40/admin,\"invalid\"",
        "40[]",
        "41/custom,{}",
        "42[{\"toString\":\"foo\"}]",
        "42[true,\"foo\"]",
        "42[null,\"bar\"]",
        "42[\"connect\"]",
        "42[\"disconnect\",\"123\"]",
        "45",
        "451",
        "45a-",
        "451.23-",
        "4999",
        "42\u{e9}",
        "421\u{e9}",
        "451\u{e9}",
        "42[\"echo\"],\"admin\":true",
        "40",
        "44{}",
        "42/custom,[\"before connect\"]",
        "4511-[\"echo\"]",
        "4510000-[\"echo\"]",
    ] {
        let mut socket = connect(&gateway);
        socket.send(packet);
        assert_eq!(socket.closed(), None, "{packet}");
    }
    bystander.send("421[\"back\",\"alive\"]");
    assert_eq!(bystander.text(), "431[\"alive\"]");
}

#[test]
fn attachments_that_do_not_fit_close_the_session() {
    let (gateway, _backend) = gateway();
    for (packet, first) in [
        (r#"451-["echo",{"_placeholder":true,"num":-1}]"#, true),
        (r#"451-["echo",{"_placeholder":true,"num":0.5}]"#, true),
        (r#"451-["echo",{"_placeholder":true,"num":"0"}]"#, true),
        (r#"451-["echo",{"_placeholder":true,"num":1}]"#, true),
        (r#"451-["echo",{"_placeholder":true}]"#, true),
        // Text while binary is due, and binary while none is.
        (r#"451-["echo",{"_placeholder":true,"num":0}]"#, false),
        (r#"42["back"]"#, true),
    ] {
        let mut socket = connect(&gateway);
        socket.send(packet);
        if first {
            socket.send_binary(b"x");
        } else {
            socket.send("42[\"echo\"]");
        }
        assert_eq!(socket.closed(), None, "{packet}");
    }
}

#[test]
fn arguments_come_back_as_they_went() {
    let (gateway, _backend) = gateway();
    let mut socket = connect(&gateway);
    for json in [
        r#"{"z":1,"a":{"y":1.0,"x":1e3},"b":12345678901234567890,"c":[null,true,""]}"#,
        r#""\ud83d\ude00 \u00e9 \"""#,
        "-0.0",
        "1E+2",
        "{}",
        r#"{"$binary":"AQID"}"#,
        r#"{"a":{"$$binary":1}}"#,
    ] {
        socket.send(&format!("4212[\"back\",{json}]"));
        assert_eq!(socket.text(), format!("4312[{json}]"));
        socket.send(&format!("4213[\"ask\",{json}]"));
        assert_eq!(socket.text(), format!("4313[{json}]"));
    }
    socket.send(r#"452-1["back",{"a":[{"_placeholder":true,"num":1}],"b":{"_placeholder":true,"num":0}}]"#);
    socket.send_binary(&[1, 2, 3]);
    socket.send_binary(&[4]);
    assert_eq!(
        socket.text(),
        r#"462-1[{"a":[{"_placeholder":true,"num":0}],"b":{"_placeholder":true,"num":1}}]"#
    );
    assert_eq!(socket.next(), Some((2, vec![4])));
    assert_eq!(socket.next(), Some((2, vec![1, 2, 3])));
}

#[test]
fn event_names_may_be_numbers_or_need_escapes() {
    let (gateway, _backend) = gateway();
    let mut socket = connect(&gateway);
    socket.send("421[7]");
    assert_eq!(socket.text(), "431[7]");
    socket.send(r#"422["quo\"te"]"#);
    assert_eq!(socket.text(), "432[true]");
    let id = "123456789012345678901234567890";
    socket.send(&format!("42{id}[\"back\",1]"));
    assert_eq!(socket.text(), format!("43{id}[1]"));
    socket.send("450-3[\"back\",{\"none\":1}]");
    assert_eq!(socket.text(), "433[{\"none\":1}]");
}

#[test]
fn namespaces_come_and_go_on_one_session() {
    let (gateway, _backend) = gateway();
    let mut socket = connect(&gateway);
    socket.send("40/random,");
    assert_eq!(socket.text(), r#"44/random,{"message":"Invalid namespace"}"#);
    socket.send("40/refused,");
    assert_eq!(
        socket.text(),
        r#"44/refused,{"message":"members only","data":{"message":"members only","code":"not_a_member"}}"#
    );
    socket.send("40/org-42,{\"token\":\"x\"}");
    assert!(socket.text().starts_with("40/org-42,{\"sid\":\""));
    socket.send("42/org-42,1[\"which\"]");
    assert_eq!(socket.text(), r#"43/org-42,1["42"]"#);
    socket.send("41/org-42,");
    // The comma may be missing.
    socket.send("40/custom");
    assert!(socket.text().starts_with("40/custom,{\"sid\":\""));
    socket.send("42/custom,1[\"anything\"]");
    assert_eq!(socket.text(), r#"43/custom,1["anything"]"#);
    socket.send("41");
    socket.send("40");
    assert!(socket.text().starts_with("40{\"sid\":\""));
}

#[test]
fn what_crosses_the_servers_disconnect_is_ignored() {
    let (gateway, _backend) = gateway();
    let mut socket = connect(&gateway);
    socket.send("40/custom,");
    socket.text();
    socket.send("42[\"leave\"]");
    assert_eq!(socket.text(), "41");
    socket.send("42[\"echo\"]");
    socket.send("4312[]");
    socket.send("42/custom,1[\"x\"]");
    assert_eq!(socket.text(), r#"43/custom,1["x"]"#);
    socket.send("40");
    assert!(socket.text().starts_with("40{\"sid\":\""));
}

#[test]
fn events_of_one_socket_are_handled_in_order_and_of_two_independently() {
    let backend = Backend::start(|line, _| {
        std::thread::sleep(std::time::Duration::from_millis(if line == "POST /slow" { 500 } else { 0 }));
        (200, "{}".to_owned())
    });
    let rules = r#"{slow: {request: POST /slow}, fast: {request: POST /fast}, none: {ack: 1}}"#;
    let gateway = Gateway::start(&format!("upstream: {}\nsocketio: {{events: {rules}}}\n", backend.url));
    let (mut slow, mut other) = (connect(&gateway), connect(&gateway));
    slow.send("421[\"slow\"]");
    slow.send("422[\"fast\"]");
    slow.send("423[\"none\"]");
    let start = std::time::Instant::now();
    other.send("421[\"fast\"]");
    assert_eq!(other.text(), "431[{}]");
    assert!(start.elapsed() < std::time::Duration::from_millis(400));
    assert_eq!([slow.text(), slow.text(), slow.text()], ["431[{}]", "432[{}]", "433[1]"]);
}

#[test]
fn acks_that_nobody_waits_for_are_ignored() {
    let (gateway, _backend) = gateway();
    let mut socket = connect(&gateway);
    socket.send("4312[\"x\"]");
    socket.send("43999999999999999999999999[]");
    socket.send("421[\"back\",1]");
    assert_eq!(socket.text(), "431[1]");
}
