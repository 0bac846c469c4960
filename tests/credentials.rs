//! Tokens, as clients and the backend see them: who gets in, what goes upstream, when it ends.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use support::backend::{Backend, Seen};
use support::gateway::Gateway;
use support::http::{Answer, connect, request};
use support::websocket::WebSocket;
use support::{eventually, http, websocket};

const SECRET: &str = "a secret that is as long as HS256 wants it";
const SOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

/// A token that is good.
fn token(claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).unwrap()
}

/// Seconds since the epoch, so many from now.
fn seconds(from_now: f64) -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() + from_now
}

fn start(backend: &Backend, credentials: &str, rest: &str) -> Gateway {
    let jwt = format!("jwt: {{secret: {SECRET}, algorithms: HS256, leeway: 0s}}");
    Gateway::start(&format!("upstream: {}\ncredentials: {{{jwt}, {credentials}}}\n{rest}", backend.url))
}

/// A backend that knows every path.
fn backend() -> Backend {
    Backend::start(|line, _| match line {
        "GET /unauthorized" => (401, r#"{"code":"session_over","message":"Log in again"}"#.into()),
        "GET /forbidden" => (403, r#"{"message":"no"}"#.into()),
        _ => (200, r#"{"ok":true}"#.into()),
    })
}

fn field(seen: &Seen, name: &str) -> Vec<String> {
    let of = |line: &String| {
        let (key, value) = line.split_once(": ")?;
        key.eq_ignore_ascii_case(name).then(|| value.to_owned())
    };
    seen.headers.iter().filter_map(of).collect()
}

fn error(answer: &Answer) -> Value {
    let body: Value = serde_json::from_str(&answer.text()).unwrap_or_else(|_| panic!("{answer:?}"));
    assert_eq!(body["error"]["request_id"].as_str(), answer.header("x-request-id"));
    body["error"].clone()
}

#[test]
fn requests_need_a_good_token_where_all_do() {
    let backend = backend();
    let gateway = start(
        &backend,
        "require: all, public: ['/auth/**', 'GET /health']",
        "cors: {allow_origins: 'http://app.test', allow_credentials: true}",
    );
    let origin = "Origin: http://app.test";
    let ask = |method: &str, path: &str, headers: &[&str]| {
        request(&gateway.address, method, path, &[&[origin], headers].concat(), b"")
    };
    let bearer = |token: String| format!("Authorization: Bearer {token}");
    let good = bearer(token(&json!({"sub": "u"})));
    let expired = bearer(token(&json!({"sub": "u", "exp": 1})));
    for (header, code, challenge) in [
        ("X-None: 1", "token_missing", "Bearer"),
        (
            "Authorization: Bearer garbage",
            "token_invalid",
            r#"Bearer error="invalid_token", error_description="the token is not valid""#,
        ),
        (
            expired.as_str(),
            "token_expired",
            r#"Bearer error="invalid_token", error_description="the token has expired""#,
        ),
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            let answer = ask(method, "/rooms", &[header]);
            assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some(challenge)));
            assert_eq!((&error(&answer)["code"], &error(&answer)["status"]), (&code.into(), &401.into()));
            assert_eq!(answer.header("access-control-allow-origin"), Some("http://app.test"));
            assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        }
        let mut upgrade = websocket::HANDSHAKE.to_vec();
        upgrade.push(header);
        assert_eq!(ask("GET", "/own-websocket", &upgrade).status, 401);
    }
    assert_eq!(backend.seen().len(), 0, "nothing of it was the backend's business");

    let preflight = ask("OPTIONS", "/rooms", &["Access-Control-Request-Method: GET"]);
    assert_eq!((preflight.status, preflight.header("access-control-allow-methods")), (204, Some("GET")));
    assert_eq!(ask("GET", "/rooms", &[&good]).status, 200);
    for (method, path, status) in [
        ("POST", "/auth/login", 200),
        ("GET", "/health", 200),
        ("HEAD", "/health", 200),
        ("DELETE", "/health", 401),
        ("GET", "/auth/%2e%2e/rooms", 400),
        ("GET", "/auth%2frooms", 401),
    ] {
        if method != "HEAD" {
            assert_eq!(ask(method, path, &[]).status, status, "{method} {path}");
        }
    }
    assert_eq!(
        ask("GET", "/auth/me", &[&expired]).status,
        200,
        "a stale token is no matter where none is asked"
    );
}

#[test]
fn claims_go_upstream_in_headers_that_no_client_can_set() {
    let backend = backend();
    let gateway = start(&backend, "claims_to_headers: {x-user-id: sub, x-roles: roles}", "");
    let good = format!("Authorization: Bearer {}", token(&json!({"sub": "u", "roles": ["a"]})));
    let spoofed = ["X-User-Id: root", "x_user_id: root", "X_Roles: root", "Connection: x-user-id, x-roles"];
    let ask = |headers: &[&str]| {
        let answer = request(&gateway.address, "GET", "/x", headers, b"");
        assert_eq!(answer.status, 200);
        backend.seen().pop().unwrap()
    };
    let seen = ask(&[&[good.as_str()], &spoofed[..]].concat());
    assert_eq!(
        (field(&seen, "x-user-id"), field(&seen, "x-roles")),
        (vec!["u".into()], vec![r#"["a"]"#.into()])
    );
    assert_eq!(field(&seen, "x_user_id").len() + field(&seen, "x_roles").len(), 0);
    assert_eq!(field(&seen, "authorization").len(), 1, "the client's own token goes on");
    for headers in [&spoofed[..], &[&["Authorization: Bearer bad"], &spoofed[..]].concat()] {
        let text = ask(headers).headers.join("\n");
        assert!(!text.contains("root"), "{text}");
    }
}

/// Joins the namespace `/`; what is answered.
fn join(gateway: &Gateway, headers: &[&str], auth: &Value) -> (WebSocket, String) {
    let stream = connect(&gateway.address);
    http::send(&stream, "GET", SOCKET, &[&websocket::HANDSHAKE[..], headers].concat(), b"");
    assert_eq!(http::read(&stream).status, 101);
    let mut socket = WebSocket(stream);
    assert!(socket.text().starts_with('0'));
    socket.send(&format!("40{auth}"));
    let answer = socket.text();
    (socket, answer)
}

fn entered(gateway: &Gateway, claims: &Value) -> WebSocket {
    let (socket, answer) = join(gateway, &[], &json!({"token": token(claims)}));
    assert!(answer.starts_with("40{"), "{answer}");
    socket
}

/// Sends an event and waits for its ack: all of its arguments.
fn ask(socket: &mut WebSocket, event: &str, data: &Value) -> String {
    socket.send(&format!("421{}", json!([event, data])));
    socket.text().strip_prefix("431").expect("an ack").to_owned()
}

const RULES: &str = "
socketio:
  connect: {request: GET /me, join: 'user:{{ claims.sub }}'}
  events:
    who: {ack: ['{{ claims }}', '{{ socket.rooms }}']}
    call: {request: 'GET /{{ data }}'}
    spoof: {ack: ['{{ socket.handshake.headers }}']}
";

#[test]
fn sockets_need_a_good_token_where_they_do() {
    let backend = backend();
    let gateway = start(&backend, "require: sockets, token: ['auth:token', 'cookie:t']", RULES);
    for (auth, code, message) in [
        (json!({}), "token_missing", "a token is needed"),
        (json!({"token": "garbage"}), "token_invalid", "the token is not valid"),
        (json!({"token": token(&json!({"exp": 1}))}), "token_expired", "the token has expired"),
    ] {
        let (mut socket, answer) = join(&gateway, &[], &auth);
        assert_eq!(answer, format!("44{}", json!({"message": message, "data": {"code": code}})));
        // The connection stays: the client may try again.
        socket.send(&format!("40{}", json!({"token": token(&json!({"sub": "u"}))})));
        assert!(socket.text().starts_with("40{"));
    }
    let cookie = format!("Cookie: t={}", token(&json!({"sub": "u"})));
    assert!(join(&gateway, &[&cookie], &json!({})).1.starts_with("40{"));
    assert_eq!(request(&gateway.address, "GET", "/rest", &[], b"").status, 200, "requests need none");
}

#[test]
fn claims_are_in_templates_and_in_what_events_send_upstream() {
    let backend = backend();
    let gateway = start(&backend, "require: sockets, claims_to_headers: {x-user-id: sub}", RULES);
    let claims = json!({"sub": "u", "n": 1});
    let good = token(&claims);
    let auth = json!({"token": format!("Bearer {good}")});
    let (mut socket, answer) = join(&gateway, &["X-User-Id: root", "x_user_id: root"], &auth);
    let id = answer.split('"').nth(3).unwrap().to_owned();
    assert_eq!(ask(&mut socket, "who", &json!(0)), json!([claims, [id, "user:u"]]).to_string());
    assert_eq!(ask(&mut socket, "call", &json!("x")), r#"[{"ok":true}]"#);
    for seen in backend.seen() {
        assert_eq!(field(&seen, "authorization"), [format!("Bearer {good}")]);
        assert_eq!(field(&seen, "x-user-id"), ["u"]);
    }
    assert!(!ask(&mut socket, "spoof", &json!(0)).contains("root"));
    let refused = ask(&mut socket, "call", &json!("unauthorized"));
    let expected = json!([{"error": {"status": 401, "code": "session_over", "message": "Log in again",
        "body": {"code": "session_over", "message": "Log in again"}}}]);
    assert_eq!(refused, expected.to_string(), "the backend's 401 is the ack's");
    assert_eq!(ask(&mut socket, "call", &json!("x")), r#"[{"ok":true}]"#, "and the socket stays");
}

#[test]
fn where_none_is_required_a_bad_token_gives_no_claims() {
    let backend = backend();
    let gateway = start(&backend, "require: none", &RULES.replace(", join: 'user:{{ claims.sub }}'", ""));
    let (mut socket, _) = join(&gateway, &[], &json!({"token": "garbage"}));
    assert!(ask(&mut socket, "who", &json!(0)).starts_with("[{},["));
    let seen = backend.seen();
    assert_eq!(field(&seen[0], "authorization"), ["Bearer garbage"], "the backend is the judge of it");
    assert_eq!(
        error_of(&ask(&mut socket, "frontroom:auth", &json!({"token": "garbage"}))),
        (401, "token_invalid".into())
    );
    assert_eq!(ask(&mut socket, "frontroom:auth", &json!({"token": token(&json!({"sub": "u"}))})), "[]");
    assert!(ask(&mut socket, "who", &json!(0)).starts_with(r#"[{"sub":"u"},["#));
}

fn error_of(ack: &str) -> (u64, String) {
    let ack: Value = serde_json::from_str(ack).unwrap();
    let error = &ack[0]["error"];
    (error["status"].as_u64().unwrap(), error["code"].as_str().unwrap().to_owned())
}

#[test]
fn a_socket_is_disconnected_when_its_token_expires() {
    let backend = backend();
    let gateway = start(
        &backend,
        "require: sockets",
        &format!(
            "{RULES}  disconnect: {{request: POST /left, body: [\"{{{{ claims.sub }}}}\", \"{{{{ reason }}}}\"]}}\n"
        ),
    );
    let end = seconds(1.5);
    let mut socket = entered(&gateway, &json!({"sub": "u", "exp": end}));
    assert_eq!(socket.text(), "41", "DISCONNECT");
    assert!(seconds(0.0) >= end, "not before its time");
    let left = eventually("the disconnect rule", || {
        backend.seen().into_iter().find(|seen| seen.line == "POST /left")
    });
    assert_eq!(left.body, r#"["u","server namespace disconnect"]"#);
    // The connection is still there, and a new token lets the client in again.
    socket.send(&format!("40{}", json!({"token": token(&json!({"sub": "u"}))})));
    assert!(socket.text().starts_with("40{"));
}

#[test]
fn a_socket_may_stay_beyond_its_tokens_end() {
    let backend = backend();
    let gateway = start(&backend, "require: sockets, on_expiry: ignore", RULES);
    let end = seconds(1.0);
    let mut socket = entered(&gateway, &json!({"sub": "u", "exp": end}));
    eventually("the token's end", || (seconds(-0.2) > end).then_some(()));
    assert!(ask(&mut socket, "who", &json!(0)).contains("user:u"));
}

#[test]
fn a_token_is_renewed_without_reconnecting() {
    let backend = backend();
    let gateway = start(&backend, "require: sockets", RULES);
    let end = seconds(1.5);
    let mut socket = entered(&gateway, &json!({"sub": "u", "exp": end}));
    let mut auth = |data: &Value| ask(&mut socket, "frontroom:auth", data);
    for (data, expected) in [
        (json!({"token": "garbage"}), (401, "token_invalid")),
        (json!({"token": token(&json!({"sub": "u", "exp": 1}))}), (401, "token_expired")),
        (json!({"token": token(&json!({"sub": "v"}))}), (403, "token_other_user")),
        (json!({"tokn": "x"}), (400, "bad_event")),
        (json!(null), (400, "bad_event")),
    ] {
        let (status, code) = error_of(&auth(&data));
        assert_eq!((status, code.as_str()), expected, "{data}");
    }
    let renewed = token(&json!({"sub": "u", "exp": seconds(3600.0).floor(), "v": 2}));
    assert_eq!(auth(&json!({"token": renewed})), "[]", "acked with nothing");
    eventually("the first token's end", || (seconds(-0.2) > end).then_some(()));
    assert!(ask(&mut socket, "who", &json!(0)).contains(r#""v":2"#));
    assert_eq!(ask(&mut socket, "call", &json!("x")), r#"[{"ok":true}]"#);
    assert_eq!(field(&backend.seen().pop().unwrap(), "authorization"), [format!("Bearer {renewed}")]);
}

#[test]
fn a_renewed_token_ends_in_its_turn() {
    let gateway = start(&backend(), "require: sockets", RULES);
    let mut socket = entered(&gateway, &json!({"sub": "u"}));
    let end = seconds(1.0);
    assert_eq!(
        ask(&mut socket, "frontroom:auth", &json!({"token": token(&json!({"sub": "u", "exp": end}))})),
        "[]"
    );
    assert_eq!(socket.text(), "41");
    assert!(seconds(0.0) >= end);
}

#[test]
fn a_user_has_so_many_sockets_and_no_more() {
    let backend = backend();
    let rules = "socketio: {max_sockets_per_user: 2, events: {e: {ack: true}}, namespaces: {/no: {connect: {request: GET /forbidden}}}}";
    let gateway = start(&backend, "require: none", rules);
    let (user, other) = (json!({"sub": "u"}), json!({"sub": "v"}));
    let full = || {
        let (_, answer) = join(&gateway, &[], &json!({"token": token(&user)}));
        let data = json!({"message": "this user has as many sockets as one may have", "data": {"code": "too_many_sockets"}});
        assert_eq!(answer, format!("44{data}"));
    };
    let mut first = entered(&gateway, &user);
    let second = entered(&gateway, &user);
    full();
    assert_eq!(gateway.refused("socketio.max_sockets_per_user"), 1);
    let _other = entered(&gateway, &other);
    let (mut nobody, _) = join(&gateway, &[], &json!({}));
    let ack = ask(&mut nobody, "frontroom:auth", &json!({"token": token(&user)}));
    assert_eq!(error_of(&ack), (429, "too_many_sockets".into()), "logging in later is no way around it");

    // It leaves by a packet, and once only.
    first.send("41");
    let third = again(&gateway, &user);
    full();
    // Its connection breaks.
    drop(third);
    let mut fourth = again(&gateway, &user);
    full();
    // The server makes it leave: its token ends. Then its connection breaks as well.
    let end = token(&json!({"sub": "u", "exp": seconds(1.0)}));
    assert_eq!(ask(&mut fourth, "frontroom:auth", &json!({"token": end})), "[]", "its own seat is its own");
    assert_eq!(fourth.text(), "41");
    drop(fourth);
    let _fifth = again(&gateway, &user);
    full();
    // It is refused by its rule.
    drop(second.0.shutdown(std::net::Shutdown::Both));
    for _ in 0..5 {
        let mut socket = again_in(&gateway, "/no,", &user);
        assert!(socket.text().starts_with("44/no,"));
    }
    let _sixth = again(&gateway, &user);
    full();
}

/// Joins as soon as there is a seat.
fn again(gateway: &Gateway, claims: &Value) -> WebSocket {
    eventually("a free seat", || {
        let (socket, answer) = join(gateway, &[], &json!({"token": token(claims)}));
        answer.starts_with("40{").then_some(socket)
    })
}

fn again_in(gateway: &Gateway, namespace: &str, claims: &Value) -> WebSocket {
    let mut socket = WebSocket::open(&gateway.address, SOCKET);
    assert!(socket.text().starts_with('0'));
    socket.send(&format!("40{namespace}{}", json!({"token": token(claims)})));
    socket
}

#[test]
fn no_token_and_no_cookie_is_ever_logged() {
    let backend = backend();
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "listen: 127.0.0.1:0\nadmin: {{listen: 127.0.0.1:0, token: test}}\nlog: {{level: trace}}\n\
         upstream: {}\ncredentials: {{token: ['auth:token', 'header:authorization', 'cookie:t', 'query:t'], require: all, \
         claims_to_headers: {{x-name: name}}, jwt: {{secret: {SECRET}, algorithms: HS256}}}}\n{RULES}",
        backend.url
    );
    std::fs::write(folder.path().join("config.yaml"), config).unwrap();
    let gateway = Gateway::start_file(&folder.path().join("config.yaml"));
    let good = token(&json!({"sub": "u", "name": "Zoë-the-secret"}));
    let bad = format!("{good}x");
    for token in [&good, &bad] {
        request(&gateway.address, "GET", &format!("/x?t={token}"), &[], b"");
        request(&gateway.address, "GET", "/x", &[&format!("Authorization: Bearer {token}")], b"");
        request(&gateway.address, "GET", "/x", &[&format!("Cookie: t={token}; s=cookie-secret")], b"");
        let (mut socket, answer) = join(&gateway, &["Cookie: s=cookie-secret"], &json!({"token": token}));
        if answer.starts_with("40{") {
            ask(&mut socket, "call", &json!("x"));
            ask(&mut socket, "frontroom:auth", &json!({"token": bad}));
        }
    }
    for line in ["token refused", "cannot be a header", "path=/x status=401"] {
        eventually(line, || gateway.printed(line).then_some(()));
    }
    let parts: Vec<&str> = good.split('.').collect();
    for secret in [parts[1], parts[2], "cookie-secret", "the-secret", SECRET] {
        assert!(!gateway.printed(secret), "{secret} is in the log");
    }
}

#[test]
fn forged_tokens_are_refused_by_the_running_binary() {
    let backend = backend();
    let gateway = start(&backend, "require: all", "");
    let good = token(&json!({"sub": "u"}));
    let payload = good.split('.').nth(1).unwrap();
    // {"alg":"none"} and {"alg":"HS384"} before a payload that is right.
    for forged in [
        format!("eyJhbGciOiJub25lIn0.{payload}."),
        format!("eyJhbGciOiJIUzM4NCJ9.{payload}.{}", good.rsplit('.').next().unwrap()),
        jsonwebtoken::encode(
            &Header::new(Algorithm::HS384),
            &json!({}),
            &EncodingKey::from_secret(SECRET.as_bytes()),
        )
        .unwrap(),
    ] {
        let header = format!("Authorization: Bearer {forged}");
        let answer = request(&gateway.address, "GET", "/", &[&header], b"");
        assert_eq!((answer.status, error(&answer)["code"].as_str()), (401, Some("token_invalid")));
    }
    let header = format!("Authorization: Bearer {good}");
    assert_eq!(request(&gateway.address, "GET", "/", &[&header], b"").status, 200);
}

#[test]
fn a_token_that_is_too_long_is_not_looked_at() {
    let backend = backend();
    let jwt = format!("jwt: {{secret: {SECRET}, algorithms: HS256, max_token: 1KB}}, require: all");
    let gateway = Gateway::start(&format!("upstream: {}\ncredentials: {{{jwt}}}\n", backend.url));
    let ask = |padding: usize| {
        let header = format!("Authorization: Bearer {}", token(&json!({"sub": "u".repeat(padding)})));
        request(&gateway.address, "GET", "/", &[&header], b"")
    };
    assert_eq!(ask(500).status, 200);
    assert_eq!(gateway.refused("credentials.jwt.max_token"), 0);
    let answer = ask(1000);
    assert_eq!((answer.status, error(&answer)["code"].as_str()), (401, Some("token_invalid")));
    assert_eq!(gateway.refused("credentials.jwt.max_token"), 1);
}
