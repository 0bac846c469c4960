//! Calls, and who may make them.

use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;

use crate::body::Body;
use crate::config::{Problems, file};
use crate::telemetry::metrics::Metrics;

use super::{Admin, Readiness, Settings, State};

fn settings(yaml: &str) -> (Settings, Vec<String>) {
    let section: Option<file::Admin> = serde_yaml::from_str(yaml).expect("the YAML of a test");
    let mut problems = Problems::default();
    let settings = Settings::build(section.as_ref(), &mut problems);
    (settings, problems.into_vec().iter().map(ToString::to_string).collect())
}

fn admin(yaml: &str) -> (Admin, Readiness) {
    let readiness = Readiness::default();
    (Admin::new(&settings(yaml).0, readiness.clone(), Metrics::install()), readiness)
}

async fn ask(admin: &Admin, call: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, String) {
    let (method, path) = call.split_once(' ').expect("METHOD /path");
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (head, body) = admin.handle(request.body(Body::Empty).unwrap()).await.into_parts();
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
async fn what_is_no_call_is_told() {
    let (admin, _) = admin("null");
    for (call, expected, code) in [
        ("GET /", 404, "not_found"),
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
