//! Calls, and who may make them.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use http::StatusCode;
use http_body_util::BodyExt;

use crate::body::Body;
use crate::config::{Problems, file};
use crate::engineio::Reason;
use crate::json::Json;
use crate::message::Fields;
use crate::socketio::{
    Answers, Captures, Command, Event, Events, Heard, Hub, Limits, Member, Page, Query, Question, Refusal,
    Room, Socket, Sockets,
};
use crate::telemetry::metrics::Metrics;

use super::routes::ROUTES;
use super::{Admin, Ending, Progress, Readiness, Settings, State, Status};

/// Sockets that do whatever they are told, five at a time, and remember it.
#[derive(Default)]
struct Crowd(Mutex<Vec<String>>);

impl Sockets for Crowd {
    fn perform(&self, command: Command) -> BoxFuture<'static, Heard<usize>> {
        self.0.lock().unwrap().push(format!("{command:?}"));
        ready(5.into()).boxed()
    }

    fn ask(&self, question: Question) -> BoxFuture<'static, Heard<Answers>> {
        self.0.lock().unwrap().push(format!("{question:?}"));
        let acks = vec![("a".into(), vec![Json::from_static("1.0")])];
        ready(Answers { sockets: 3, acks }.into()).boxed()
    }

    fn find(&self, _: &str) -> BoxFuture<'static, Heard<Option<Member>>> {
        ready(None.into()).boxed()
    }

    fn list(&self, query: Query) -> BoxFuture<'static, Heard<Page<Member>>> {
        self.0.lock().unwrap().push(format!("{query:?}"));
        ready(Page { items: Vec::new(), total: 0, next: None }.into()).boxed()
    }

    fn rooms(&self, query: Query) -> BoxFuture<'static, Heard<Page<Room>>> {
        let all = ["b", "a", "c"].map(|room| Room { namespace: "/".into(), room: room.into(), sockets: 1 });
        ready(Page::cut(all.into(), &query).into()).boxed()
    }
}

/// Lets nobody in.
struct Closed;

impl Events for Closed {
    fn namespace(&self, _: &str) -> Option<Captures> {
        None
    }

    fn connect(&self, _: &Arc<Hub>, _: Arc<Socket>) -> BoxFuture<'static, Result<Vec<Command>, Refusal>> {
        ready(Ok(Vec::new())).boxed()
    }

    fn event(&self, _: &Arc<Hub>, _: Arc<Socket>, _: Event) -> Option<BoxFuture<'static, ()>> {
        None
    }

    fn disconnect(&self, _: &Arc<Hub>, _: Arc<Socket>, _: Reason) -> BoxFuture<'static, ()> {
        ready(()).boxed()
    }
}

/// An end that never comes.
struct Endless;

impl Ending for Endless {
    fn begin(&self) -> Progress {
        Progress { status: Status::Draining, connections: 2, sessions: 1 }
    }
}

fn settings(yaml: &str) -> (Settings, Vec<String>) {
    let section: Option<file::Admin> = serde_yaml::from_str(yaml).expect("the YAML of a test");
    let mut problems = Problems::default();
    let settings = Settings::build(section.as_ref(), None, &mut problems);
    (settings, problems.into_vec().iter().map(ToString::to_string).collect())
}

fn admin(yaml: &str) -> (Admin, Readiness) {
    let readiness = Readiness::default();
    let admin = Admin::new(
        settings(yaml).0,
        readiness.clone(),
        Metrics::install(),
        Arc::new(Crowd::default()),
        Arc::new(Hub::new(
            Arc::new(Closed),
            Limits::build(&file::SocketIo::default(), &mut Problems::default()),
        )),
        Arc::new(Endless),
    );
    (admin, readiness)
}

async fn ask(admin: &Admin, call: &str, headers: &[(&str, &str)]) -> (StatusCode, Fields, String) {
    say(admin, call, headers, "").await
}

async fn say(
    admin: &Admin,
    call: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (StatusCode, Fields, String) {
    let (method, path) = call.split_once(' ').expect("METHOD /path");
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (head, body) = admin
        .handle(request.body(Body::from(bytes::Bytes::copy_from_slice(body.as_bytes()))).unwrap().into())
        .await
        .into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
}

async fn status(admin: &Admin, call: &str, headers: &[(&str, &str)]) -> u16 {
    ask(admin, call, headers).await.0.as_u16()
}

#[tokio::test]
async fn readiness_follows_the_process_and_health_does_not() {
    let (admin, readiness) = admin("token: secret");
    for (state, ready, body) in [
        (State::Starting, 503, r#"{"status":"starting"}"#),
        (State::Ready, 200, r#"{"status":"ready"}"#),
        (State::Draining, 503, r#"{"status":"draining"}"#),
    ] {
        readiness.set(state);
        // As a kubelet asks: by address, without a token.
        let (status, headers, text) = ask(&admin, "GET /readyz", &[("host", "10.0.0.7:4001")]).await;
        assert_eq!((status.as_u16(), text.as_str()), (ready, body));
        assert_eq!(headers["content-type"], "application/json");
        let (status, _, text) = ask(&admin, "GET /healthz", &[("origin", "https://a.test")]).await;
        assert_eq!((status.as_u16(), text.as_str()), (200, r#"{"status":"ok"}"#));
    }
}

#[tokio::test]
async fn with_a_token_only_its_bearer_gets_the_metrics() {
    let (admin, _) = admin("{listen: 0.0.0.0:4001, token: secret}");
    for (value, code, challenge) in [
        (None, "token_missing", "Bearer"),
        (Some("secret"), "token_missing", "Bearer"),
        (Some("Basic secret"), "token_missing", "Bearer"),
        (Some("Bearer"), "token_missing", "Bearer"),
        (Some("Bearer "), "token_invalid", r#"Bearer error="invalid_token""#),
        (Some("Bearer secre"), "token_invalid", r#"Bearer error="invalid_token""#),
        (Some("Bearer secret2"), "token_invalid", r#"Bearer error="invalid_token""#),
    ] {
        let headers: Vec<_> = value.map(|value| ("authorization", value)).into_iter().collect();
        let (status, headers, body) = ask(&admin, "GET /metrics", &headers).await;
        assert_eq!(status, 401, "{value:?}");
        assert_eq!(headers["www-authenticate"], challenge);
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["error"]["code"], code, "{value:?}");
        assert!(!body["error"]["request_id"].as_str().unwrap().is_empty());
    }
    let given = ("authorization", "bearer secret");
    let (status_, headers, text) = ask(&admin, "GET /metrics", &[given, ("host", "admin.example.com")]).await;
    assert_eq!(status_, 200);
    assert_eq!(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert!(text.contains("# TYPE frontroom_deliveries_total counter"), "{text}");
    assert_eq!(status(&admin, "GET /metrics", &[given, ("authorization", "x")]).await, 401);
    assert!(!format!("{admin:?}").contains("secret"));
}

#[tokio::test]
async fn without_a_token_no_web_page_gets_in() {
    let (admin, _) = admin("null");
    for host in
        ["localhost", "LOCALHOST:4001", "127.0.0.1:4001", "127.8.8.8", "[::1]:4001", "[::ffff:127.0.0.1]"]
    {
        assert_eq!(status(&admin, "GET /metrics", &[("host", host)]).await, 200, "{host}");
    }
    for host in ["evil.test", "localhost.evil.test", "127.0.0.1.evil.test", "10.0.0.1", "0.0.0.0", "", "a b"]
    {
        assert_eq!(status(&admin, "GET /metrics", &[("host", host)]).await, 403, "{host}");
    }
    let local = ("host", "localhost");
    assert_eq!(status(&admin, "GET /metrics", &[local, ("host", "evil.test")]).await, 403);
    assert_eq!(status(&admin, "GET http://evil.test/metrics", &[local]).await, 403);
    assert_eq!(status(&admin, "GET /metrics", &[local, ("origin", "http://localhost")]).await, 403);
    assert_eq!(status(&admin, "GET /nothing", &[local, ("origin", "null")]).await, 403);
}

#[tokio::test]
async fn without_a_token_the_console_gets_in_and_pages_of_other_origins_do_not() {
    let (admin, _) = admin("null");
    let call = "POST /v1/emit";
    let from = |host: &'static str, origin: &'static str, site: &'static str| {
        [("host", host), ("origin", origin), ("sec-fetch-site", site)]
    };
    for (host, origin) in [
        ("127.0.0.1:4001", "http://127.0.0.1:4001"),
        ("localhost:4001", "http://localhost:4001"),
        ("[::1]:4001", "http://[::1]:4001"),
    ] {
        // 400: the guard let it through to a call without a body.
        assert_eq!(status(&admin, call, &from(host, origin, "same-origin")).await, 400, "{origin}");
        for site in ["same-site", "cross-site", "none", ""] {
            assert_eq!(status(&admin, call, &from(host, origin, site)).await, 403, "{origin} {site}");
        }
        assert_eq!(status(&admin, call, &[("host", host), ("origin", origin)]).await, 403, "{origin}");
    }
    for (host, origin) in [
        ("localhost:4001", "http://localhost:3000"),
        ("localhost:4001", "https://localhost:4001"),
        ("localhost:4001", "null"),
        ("evil.test:4001", "http://evil.test:4001"),
    ] {
        assert_eq!(status(&admin, call, &from(host, origin, "same-origin")).await, 403, "{origin}");
    }
    let twice =
        [&from("localhost", "http://localhost", "same-origin")[..], &[("origin", "http://evil.test")]];
    assert_eq!(status(&admin, call, &twice.concat()).await, 403);
}

#[tokio::test]
async fn the_console_loads_nothing_from_elsewhere_and_asks_for_the_token_itself() {
    let (open, _) = admin("null");
    let (locked, _) = admin("{listen: 0.0.0.0:4001, token: secret}");
    let local = [("host", "localhost:4001")];
    for (call, kind) in [
        ("GET /console", "text/html; charset=utf-8"),
        ("GET /console.js", "text/javascript; charset=utf-8"),
        ("GET /console.css", "text/css; charset=utf-8"),
    ] {
        let (status_, headers, text) = ask(&open, call, &local).await;
        assert_eq!(
            (status_.as_u16(), &headers["content-type"]),
            (200, &http::HeaderValue::from_static(kind))
        );
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy
                .starts_with("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';")
        );
        assert!(policy.ends_with("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert!(text.len() > 1000 && !text.contains("//cdn") && !text.contains("https://"), "{call}");
        assert_eq!(status(&open, call, &[("host", "evil.test")]).await, 403, "{call}");
        assert_eq!(status(&locked, call, &[("host", "admin.example.com")]).await, 200, "{call}");
    }
    assert_eq!(ask(&open, "GET /", &local).await.1["location"], "console");
    assert_eq!(status(&locked, "GET /v1/errors", &[("host", "admin.example.com")]).await, 401);
    assert_eq!(status(&locked, "GET /v1/sockets/a/events", &[("host", "admin.example.com")]).await, 401);
}

#[tokio::test]
async fn what_is_no_call_is_told() {
    let (admin, _) = admin("null");
    for (call, expected, code) in [
        ("GET /nothing", 404, "not_found"),
        ("GET /v1/sockets/", 404, "not_found"),
        ("GET /v1/sockets/a/b", 404, "not_found"),
        ("GET /v1/sockets//events", 404, "not_found"),
        ("GET /v1/sockets/a/events", 404, "no_socket"),
        ("GET /v1/sockets/a/events?payload=false", 404, "no_socket"),
        ("GET /v1/sockets/a/events?payload=yes", 400, "bad_request"),
        ("GET /v1/sockets/a/events?payload=true&payload=true", 400, "bad_request"),
        ("GET /v1/sockets/a/events?after=1", 400, "bad_request"),
        ("POST /v1/sockets/a/events", 405, "method_not_allowed"),
        ("GET /metrics/", 404, "not_found"),
        ("POST /metrics", 405, "method_not_allowed"),
        ("DELETE /healthz", 405, "method_not_allowed"),
    ] {
        let (status, headers, body) = ask(&admin, call, &[]).await;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status.as_u16(), body["error"]["code"].as_str()), (expected, Some(code)), "{call}");
        assert_eq!(headers.get("allow").is_some_and(|allow| allow == "GET, HEAD"), expected == 405);
    }
    assert_eq!(status(&admin, "HEAD /healthz", &[]).await, 200);
    assert_eq!(status(&admin, "GET /metrics?x", &[]).await, 200);
}

#[test]
fn a_bad_section_is_told_with_what_would_be_right() {
    for (yaml, expected) in [
        (
            "listen: 0.0.0.0:4001",
            "admin.listen: `0.0.0.0:4001` is open to other machines, and there is no `admin.token`; set `admin.token`",
        ),
        ("listen: '[::]:4001'", "is open to other machines"),
        ("listen: gateway.internal:4001", "is open to other machines"),
        ("listen: 4001", "is not an address"),
        (
            "follow_queue: 10KB",
            "admin.follow_queue: what one event may show does not fit; at least 64000 bytes",
        ),
        ("listen: ':4001'", "is not an address"),
        ("listen: 127.0.0.1:port", "is not an address; write it as 127.0.0.1:4001"),
        ("token: ''", "admin.token: is empty"),
        ("{listen: 0.0.0.0:4001, token: 'two words'}", "admin.token: is empty, or has characters"),
    ] {
        let (_, problems) = settings(yaml);
        assert_eq!(problems.len(), 1, "{yaml}: {problems:?}");
        assert!(problems[0].contains(expected), "{yaml}: {problems:?}");
    }
    for yaml in ["null", "{}", "listen: localhost:0", "listen: '[::1]:4001'", "{listen: 0.0.0.0:1, token: x}"]
    {
        assert!(settings(yaml).1.is_empty(), "{yaml}");
    }
    assert_eq!(settings("null").0.listen, "127.0.0.1:4001");
}

/// What a POST is answered on this machine.
async fn post(admin: &Admin, path: &str, body: &str) -> (u16, String) {
    let (status, _, text) = say(admin, &format!("POST {path}"), &[("host", "localhost")], body).await;
    (status.as_u16(), text)
}

#[tokio::test]
async fn a_call_says_how_many_sockets_it_was_done_to() {
    let (admin, _) = admin("null");
    for (path, body, told) in [
        ("/v1/emit", r#"{"event":"e","to":"a","data":1.0}"#, r#"{"sockets":5}"#),
        ("/v1/emit", r#"{"event":"e","everyone":true}"#, r#"{"sockets":5}"#),
        ("/v1/join", r#"{"to":"a","rooms":["b",7]}"#, r#"{"sockets":5}"#),
        ("/v1/leave", r#"{"to":["a"],"rooms":"b","except":null,"namespace":"/x"}"#, r#"{"sockets":5}"#),
        ("/v1/disconnect", r#"{"everyone":true,"except":["a",""],"close":true}"#, r#"{"sockets":5}"#),
        (
            "/v1/emit",
            r#"{"event":"e","to":"a","ack_timeout":"2s"}"#,
            r#"{"sockets":3,"acks":[{"socket":"a","args":[1.0]}],"missing":2}"#,
        ),
        ("/v1/drain", "", r#"{"status":"draining","connections":2,"sessions":1}"#),
    ] {
        assert_eq!(post(&admin, path, body).await, (200, told.to_owned()), "{path} {body}");
    }
}

#[tokio::test]
async fn a_bad_call_is_told_with_its_field() {
    let (admin, _) = admin("null");
    for (path, body, told) in [
        ("/v1/emit", "", "the body is missing"),
        ("/v1/emit", "{", "the body is not JSON"),
        ("/v1/emit", "[]", "body: must be an object"),
        ("/v1/emit", r#"{"event":"e"}"#, "to: is missing"),
        ("/v1/emit", r#"{"event":"e","everyone":false}"#, "to: is missing"),
        ("/v1/emit", r#"{"event":"e","to":"a","everyone":true}"#, "everyone: contradicts `to`"),
        ("/v1/emit", r#"{"to":"a"}"#, "event: is missing"),
        ("/v1/emit", r#"{"event":"e","to":"a","ack":true}"#, "ack: unknown key"),
        ("/v1/emit", r#"{"event":"e","to":"a","ack_timeout":2}"#, "ack_timeout: must be a string"),
        ("/v1/emit", r#"{"event":"e","to":"a","ack_timeout":"2"}"#, "ack_timeout: must be a duration"),
        (
            "/v1/emit",
            r#"{"event":"e","to":"a","ack_timeout":"61s"}"#,
            "ack_timeout: must be more than nothing",
        ),
        ("/v1/join", r#"{"rooms":"a"}"#, "to: is missing"),
        ("/v1/leave", r#"{"to":"a"}"#, "rooms: is missing"),
        ("/v1/join", r#"{"to":"a","rooms":[null]}"#, "rooms[0]: must be a room's name"),
        ("/v1/join", r#"{"to":"a","rooms":"b","everyone":true}"#, "everyone: unknown key"),
        ("/v1/disconnect", "{}", "to: is missing"),
        ("/v1/disconnect", r#"{"to":"a","close":1}"#, "close: must be true or false"),
        ("/v1/batch", "{}", "batch: must be a list"),
    ] {
        let (status, text) = post(&admin, path, body).await;
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, answer["error"]["code"].as_str()), (400, Some("bad_request")), "{path} {body}");
        assert!(answer["error"]["message"].as_str().unwrap().starts_with(told), "{path} {body}: {text}");
    }
    for (query, told) in [
        ("namespace=x", "namespace: must begin with"),
        ("limit=0", "limit: must be a number"),
        ("limit=x", "limit: must be a number"),
        ("rom=x", "rom: unknown parameter"),
        ("room=x&room=y", "room: is given twice"),
    ] {
        let call = format!("GET /v1/sockets?{query}");
        let (status, _, text) = ask(&admin, &call, &[("host", "localhost")]).await;
        assert!(status == 400 && text.contains(told), "{query}: {text}");
    }
}

#[tokio::test]
async fn a_batch_is_done_in_order_and_one_bad_call_leaves_the_others() {
    let (admin, _) = admin("null");
    let body = r#"[{"join":{"to":"a","rooms":"b"}},{"emit":{"event":"e","to":1}},{"emit":{"to":"b"}},{"emit":{},"join":{}},
        {"kick":{}},{"emit":{"event":"e","to":"b","ack_timeout":"1s"}},7,{"disconnect":{"to":"a"}}]"#;
    let (status, text) = post(&admin, "/v1/batch", body).await;
    let one_of = "call: must be an object with one of `emit`, `join`, `leave` and `disconnect`";
    let expected = [
        r#"{"sockets":5}"#.to_owned(),
        r#"{"sockets":5}"#.to_owned(),
        r#"{"error":{"code":"bad_request","message":"emit.event: is missing"}}"#.to_owned(),
        format!(r#"{{"error":{{"code":"bad_request","message":"{one_of}"}}}}"#),
        format!(r#"{{"error":{{"code":"bad_request","message":"{one_of}"}}}}"#),
        r#"{"sockets":3,"acks":[{"socket":"a","args":[1.0]}],"missing":2}"#.to_owned(),
        format!(r#"{{"error":{{"code":"bad_request","message":"{one_of}"}}}}"#),
        r#"{"sockets":5}"#.to_owned(),
    ];
    assert_eq!((status, text), (200, format!("[{}]", expected.join(","))));
    assert_eq!(post(&admin, "/v1/batch", "[]").await, (200, "[]".to_owned()));
}

#[tokio::test]
async fn a_body_over_the_bound_is_refused() {
    let (admin, _) = admin("max_body: 100B");
    let call = |length: usize| format!(r#"{{"event":"e","to":"{}"}}"#, "x".repeat(length));
    assert_eq!(post(&admin, "/v1/emit", &call(100 - call(0).len())).await.0, 200);
    let (status, text) = post(&admin, "/v1/emit", &call(101 - call(0).len())).await;
    assert!(status == 413 && text.contains("body_too_large"), "{text}");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let (admin, _) = admin("null");
    let (mut place, mut seen) = (String::new(), Vec::new());
    loop {
        let call = format!("GET /v1/rooms?namespace=&limit=2&after={place}");
        let (_, _, text) = ask(&admin, &call, &[("host", "localhost")]).await;
        let page: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(page["total"], 3);
        seen.extend(page["rooms"].as_array().unwrap().iter().map(|room| room["room"].to_string()));
        match page["next"].as_str() {
            Some(next) => place = form_urlencoded::byte_serialize(next.as_bytes()).collect(),
            None => break,
        }
    }
    assert_eq!(seen, [r#""a""#, r#""b""#, r#""c""#]);
    let (status, _, text) = ask(&admin, "GET /v1/sockets/nobody", &[("host", "localhost")]).await;
    assert!(status == 404 && text.contains("no_socket"), "{text}");
}

#[tokio::test]
async fn the_description_has_every_call_and_no_other() {
    let (admin, _) = admin("null");
    let (_, headers, text) = ask(&admin, "GET /openapi.json", &[("host", "localhost")]).await;
    assert_eq!(headers["content-type"], "application/json");
    let description: serde_json::Value = serde_json::from_str(&text).unwrap();
    let paths = description["paths"].as_object().unwrap();
    let mut written: Vec<_> = paths
        .iter()
        .flat_map(|(path, calls)| {
            calls.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
        })
        .collect();
    let mut served: Vec<_> = ROUTES
        .iter()
        .map(|route| format!("{} {}", route.method.as_str().to_lowercase(), route.path))
        .collect();
    written.sort();
    served.sort();
    assert_eq!(written, served);
}
