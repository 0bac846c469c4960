//! The Admin UI's namespace at its bounds: who guesses passwords, who reads too slowly, and a changed config.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::net::TcpStream;

use serde_json::{Value, json};

use support::backend::Backend;
use support::eventually;
use support::gateway::Gateway;
use support::http;
use support::websocket::WebSocket;

const TARGET: &str = "/socket.io/?EIO=4&transport=websocket";

/// A config whose Admin UI lets `ada` in by this password, with more keys of the section.
fn config(password: &str, more: &str) -> String {
    let hash = bcrypt::hash(password, 4).expect("a hash");
    format!(
        "upstream: {}\nsocketio:\n  send_queue: {{max_bytes: 64KB}}\n  events: {{fence: {{ack: [1]}}}}\n  \
         admin_ui: {{enabled: true, username: ada, password: \"{hash}\"{more}}}\n",
        Backend::empty().url
    )
}

/// What is answered to a log-in.
fn login(stream: TcpStream, auth: &Value) -> (WebSocket, String) {
    let mut socket = WebSocket::open_on(stream, TARGET);
    assert!(socket.text().starts_with("0{"));
    socket.send(&format!("40/admin,{auth}"));
    let answer = socket.text();
    (socket, answer)
}

fn password(password: &str) -> Value {
    json!({"username": "ada", "password": password})
}

/// The arguments of the next event that has this name.
fn told(socket: &mut WebSocket, name: &str) -> Value {
    loop {
        let text = socket.text();
        let event: Option<Value> =
            text.strip_prefix("42/admin,").map(|event| serde_json::from_str(event).expect("an event"));
        if let Some(event) = event.filter(|event| event[0] == name) {
            return event;
        }
    }
}

fn logins(gateway: &Gateway, result: &str) -> u64 {
    gateway.metric(&format!("frontroom_admin_ui_logins_total{{result=\"{result}\"}}"))
}

#[test]
fn who_guesses_has_few_tries_and_who_has_a_session_needs_none() {
    let gateway = Gateway::start(&config("right", ", failed_logins: 2/h, session: 60s"));
    let refused = |auth: &Value| login(http::connect(&gateway.address), auth).1;
    let (mut guest, answer) = login(http::connect(&gateway.address), &password("right"));
    assert!(answer.starts_with("40/admin,{\"sid\":"), "{answer}");
    let session = told(&mut guest, "session")[1].clone();
    let invalid = r#"44/admin,{"message":"invalid credentials"}"#;
    assert_eq!(refused(&json!({})), invalid, "who says nothing does not guess");
    for _ in 0..2 {
        assert_eq!(refused(&password("wrong")), invalid);
    }
    let limited =
        r#"44/admin,{"message":"too many logins, try again in a minute","data":{"code":"rate_limited"}}"#;
    assert_eq!(refused(&password("right")), limited);
    assert!(refused(&json!({"sessionId": session})).starts_with("40/admin,"));
    let counted =
        ["password", "session", "invalid", "too_many", "open"].map(|result| logins(&gateway, result));
    assert_eq!(counted, [1, 1, 3, 1, 0]);
    assert_eq!(gateway.refused("socketio.admin_ui.failed_logins"), 1);
    let log = gateway.log();
    assert!(
        log.contains("somebody has logged in to the Admin UI") && log.contains(r#"result="invalid""#),
        "{log}"
    );
    assert!(!log.contains("wrong") && !log.contains("right") && !log.contains("$2"), "{log}");
}

#[test]
fn few_passwords_are_checked_at_a_time_and_events_do_not_wait_for_them() {
    let hash = bcrypt::hash("right", 11).expect("a hash");
    let text = config("right", ", max_logins: 1, failed_logins: 1000/s");
    let (before, after) = text.split_once("password: \"").expect("the hash");
    let (_, after) = after.split_once('"').expect("its end");
    let gateway = Gateway::start(&format!("{before}password: \"{hash}\"{after}"));
    let (mut socket, _) = WebSocket::join(http::connect(&gateway.address));
    let mut flood: Vec<WebSocket> = (0..40)
        .map(|_| {
            let mut guesser = WebSocket::open(&gateway.address, TARGET);
            assert!(guesser.text().starts_with("0{"));
            guesser.send(&format!("40/admin,{}", password("wrong")));
            guesser
        })
        .collect();
    eventually("the bound", || (gateway.refused("socketio.admin_ui.max_logins") > 0).then_some(()));
    socket.send(r#"421["fence"]"#);
    assert_eq!(socket.text(), "431[1]");
    assert!(logins(&gateway, "invalid") < 17, "events go on while passwords are checked");
    let answers: Vec<String> = flood.iter_mut().map(WebSocket::text).collect();
    let of = |word: &str| answers.iter().filter(|answer| answer.contains(word)).count();
    assert!(of("invalid credentials") >= 16 && of("too many logins") > 0, "{answers:?}");
    assert_eq!(of("invalid credentials") + of("too many logins"), 40);
}

#[test]
fn a_guest_who_reads_too_slowly_loses_what_does_not_fit_and_nobody_waits_for_it() {
    let gateway = Gateway::start(&config("right", ", mode: development, max_queue: 64KB"));
    let (mut guest, answer) = login(http::connect_narrow(&gateway.address), &password("right"));
    assert!(answer.starts_with("40/admin,"), "{answer}");
    told(&mut guest, "all_sockets");
    let (mut socket, id) = WebSocket::join(http::connect(&gateway.address));
    let event = format!(r#"421["fence","{}"]"#, "x".repeat(15_000));
    let lost = || gateway.metric("frontroom_dropped_total{reason=\"no_room\"}");
    eventually("a loss", || {
        for _ in 0..20 {
            socket.send(&event);
            assert_eq!(socket.text(), "431[1]", "the socket goes on");
        }
        (lost() > 20).then_some(())
    });
    assert_eq!(gateway.metric("frontroom_slow_consumers_total"), 0, "the guest stays");
    let received = told(&mut guest, "event_received");
    assert_eq!((&received[1], &received[2], &received[3][0]), (&json!("/"), &json!(id), &json!("fence")));
    drop(guest);
    // Who is followed by nobody any more finds out.
    let followed = gateway.metric("frontroom_follow_lost_total");
    eventually("the end of the telling", || {
        socket.send(&event);
        assert_eq!(socket.text(), "431[1]");
        let before = (lost(), gateway.metric("frontroom_follow_lost_total"));
        socket.send(&event);
        assert_eq!(socket.text(), "431[1]");
        ((lost(), gateway.metric("frontroom_follow_lost_total")) == before).then_some(())
    });
    assert!(gateway.metric("frontroom_follow_lost_total") >= followed);
}

#[test]
fn a_reload_tells_guests_what_is_new_and_a_new_password_sends_them_away() {
    let first = config("right", "");
    let gateway = Gateway::start(&first);
    let (mut guest, answer) = login(http::connect(&gateway.address), &password("right"));
    assert!(answer.starts_with("40/admin,"), "{answer}");
    let session = told(&mut guest, "session")[1].clone();
    let features = |event: &Value| event[1]["supportedFeatures"].as_array().expect("a list").len();
    assert_eq!(features(&told(&mut guest, "config")), 8);
    gateway.rewrite(&first.replace("enabled: true", "enabled: true, mode: development, read_only: true"));
    assert_eq!(features(&told(&mut guest, "config")), 2);
    let (mut socket, id) = WebSocket::join(http::connect(&gateway.address));
    assert_eq!(told(&mut guest, "socket_connected")[1]["id"], json!(id));
    assert!(
        login(http::connect(&gateway.address), &json!({"sessionId": session})).1.starts_with("40/admin,")
    );
    gateway.rewrite(&config("another", ", mode: development"));
    while guest.text() != "41/admin," {}
    let invalid = r#"44/admin,{"message":"invalid credentials"}"#;
    assert_eq!(login(http::connect(&gateway.address), &json!({"sessionId": session})).1, invalid);
    assert_eq!(login(http::connect(&gateway.address), &password("right")).1, invalid);
    let (_, answer) = login(http::connect(&gateway.address), &password("another"));
    assert!(answer.starts_with("40/admin,"), "{answer}");
    gateway.rewrite(&first.replace("enabled: true", "enabled: false"));
    eventually("the end of it", || {
        let (_, answer) = login(http::connect(&gateway.address), &password("right"));
        (answer == r#"44/admin,{"message":"Invalid namespace"}"#).then_some(())
    });
    socket.send(r#"421["fence"]"#);
    assert_eq!(socket.text(), "431[1]", "sockets have noticed nothing");
}
