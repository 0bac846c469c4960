//! Tests of what is told from an answer; sites that are really broken are in `tests/peers/node/doctor.test.js`.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::Options;
use super::answer::{Answer, Opening};
use super::hop::Hop;
use super::site::Site;

fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Answer {
    let pairs =
        headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let headers: HeaderMap = pairs.collect();
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: Bytes::from_static(body.as_bytes()),
    }
}

fn options(url: &str) -> Options {
    Options {
        url: url.to_owned(),
        origin: None,
        path: "/socket.io/".to_owned(),
        token: None,
        namespace: "/".to_owned(),
    }
}

#[test]
fn an_open_packet_is_read_and_nothing_else() {
    let open = r#"0{"sid":"x","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    let opening = Opening::read(open).unwrap();
    assert_eq!((opening.sid.as_str(), opening.ping_interval), ("x", 25_000));
    assert_eq!(Opening::read(&format!("{open}\u{1e}40")), Some(opening));
    for other in ["", "0", "0{}", "2", "<html>", r#"96:0{"sid":"x"}2:40"#] {
        assert_eq!(Opening::read(other), None, "{other}");
    }
}

#[test]
fn an_old_server_is_known_by_its_framing() {
    assert!(answer(200, &[], r#"96:0{"sid":"x"}2:40"#).is_protocol_3());
    for other in ["", ":0{", "0{\"sid\":1}", "ab:0{", "<p>12:0</p>"] {
        assert!(!answer(200, &[], other).is_protocol_3(), "{other}");
    }
}

#[test]
fn errors_of_engine_io_are_told_from_others() {
    assert_eq!(answer(400, &[], r#"{"code":1,"message":"Session ID unknown"}"#).engine_code(), Some(1));
    for other in
        [r#"{"code":404,"message":"x"}"#, r#"{"code":1}"#, r#"{"statusCode":404,"message":"x"}"#, "Bad"]
    {
        assert_eq!(answer(400, &[], other).engine_code(), None, "{other}");
    }
}

#[test]
fn hops_are_known_by_what_they_write() {
    let seen = |answer: Answer| Hop::seen(&answer).into_iter().map(|(hop, _)| hop).collect::<Vec<_>>();
    assert_eq!(seen(answer(502, &[("server", "nginx/1.22.1")], "")), [Hop::Nginx]);
    assert_eq!(seen(answer(200, &[("server", "cloudflare"), ("cf-ray", "1")], "")), [Hop::Cloudflare]);
    assert_eq!(seen(answer(200, &[("set-cookie", "AWSALB=x; Path=/")], "")), [Hop::Alb]);
    assert_eq!(seen(answer(404, &[("x-powered-by", "Express")], "Cannot GET /")), [Hop::Nestjs]);
    assert_eq!(seen(answer(200, &[], "")), []);
}

#[test]
fn what_an_answer_shows_fits_on_a_line_and_obeys_nobody() {
    let shown = answer(404, &[], "<html>\n\u{1b}[31m  not\tfound").shown();
    assert_eq!(shown, "404 `<html> [31m not found`");
    let long = Box::leak("x".repeat(500).into_boxed_str());
    assert!(answer(500, &[], long).shown().len() < 140);
}

#[test]
fn bad_words_on_the_command_line_are_told_with_what_would_be_right() {
    let wrong = |options: Options| Site::parse(&options).unwrap_err();
    assert!(wrong(options("app.example.com")).contains("https://"));
    assert!(wrong(options("ftp://a.test")).contains("https://"));
    assert!(wrong(options("http://me:secret@a.test")).contains("--token"));
    assert!(
        wrong(Options { origin: Some("a.test".into()), ..options("http://a.test") }).contains("https://app")
    );
    assert!(
        wrong(Options { origin: Some("http://a.test/x".into()), ..options("http://a.test") })
            .contains("origin")
    );
    assert!(wrong(Options { path: "socket.io".into(), ..options("http://a.test") }).contains("--path"));
}

#[test]
fn a_site_is_read_with_its_defaults() {
    let site = Site::parse(&options("https://A.test")).unwrap();
    assert_eq!((site.port, site.base.as_str(), site.path.as_str()), (443, "/", "/socket.io"));
    let site = Site::parse(&options("http://[::1]:4000/api")).unwrap();
    assert_eq!((site.host.as_str(), site.port, site.base.as_str()), ("::1", 4000, "/api"));
    let with = Options { token: Some("t\"".into()), namespace: "chat".into(), ..options("http://a.test") };
    let site = Site::parse(&with).unwrap();
    assert_eq!(site.connect_packet(), r#"40/chat,{"token":"t\""}"#);
    let root = Site::parse(&options("http://a.test")).unwrap();
    assert_eq!(root.connect_packet(), "40");
}

#[test]
fn troubleshooting_ties_symptoms_to_every_check() {
    let guide = include_str!("../../docs/troubleshooting.md");
    for check in [
        "reach",
        "polling handshake",
        "protocol version",
        "websocket",
        "upgrade",
        "session affinity",
        "namespace",
        "ping",
        "CORS REST",
        "CORS REST error",
        "CORS Socket.IO",
        "CORS Socket.IO error",
    ] {
        assert!(guide.contains(&format!("`{check}`")), "{check}");
    }
}
