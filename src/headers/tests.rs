//! Tables of the header rules.

use http::header::{HeaderName, HeaderValue};

use super::*;
use crate::config::{Problems, value::OneOrMany};
use crate::message::{Fields, Request};

/// Lines of a head.
type Lines = &'static [(&'static str, &'static str)];

fn map(lines: &[(&str, &str)]) -> Fields {
    let mut headers = Fields::new();
    for (name, value) in lines {
        headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
    }
    headers
}

fn names(headers: &Fields) -> Vec<&str> {
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

fn trusted(networks: &[&str]) -> TrustedProxies {
    let mut problems = Problems::default();
    let list = OneOrMany(networks.iter().map(|text| (*text).to_owned()).collect());
    let trusted = TrustedProxies::build(&list, &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    trusted
}

#[test]
fn hop_by_hop_fields_never_cross() {
    let table: &[(Lines, &[&str])] = &[
        (&[("connection", "keep-alive"), ("keep-alive", "timeout=5"), ("accept", "*/*")], &["accept"]),
        (
            &[
                ("connection", "x-a"),
                ("connection", "X-B, x-c"),
                ("x-a", "1"),
                ("x-b", "1"),
                ("x-c", "1"),
                ("x-d", "1"),
            ],
            &["x-d"],
        ),
        (
            &[
                (
                    "connection",
                    "close, cookie, host, authorization, content-length, content-type, cache-control, origin",
                ),
                ("cookie", "a=b"),
                ("host", "h"),
                ("authorization", "t"),
                ("content-length", "0"),
                ("content-type", "t"),
                ("cache-control", "no-cache"),
                ("origin", "o"),
            ],
            &["authorization", "cache-control", "content-length", "content-type", "cookie", "host", "origin"],
        ),
        (
            &[
                ("te", "gzip"),
                ("transfer-encoding", "chunked"),
                ("upgrade", "h2c"),
                ("http2-settings", "x"),
                ("proxy-authorization", "x"),
                ("proxy-authenticate", "x"),
                ("proxy", "x"),
                ("proxy-connection", "x"),
                ("trailer", "x-t"),
            ],
            &["trailer"],
        ),
        (&[("connection", "x-a;q=1, , \"x-b\""), ("x-a", "1"), ("x-b", "1")], &["x-a", "x-b"]),
    ];
    for (lines, left) in table {
        let mut headers = map(lines);
        remove_hop_by_hop(&mut headers);
        assert_eq!(names(&headers), *left, "{lines:?}");
    }
}

#[test]
fn intent_is_read_by_whole_tokens() {
    let table: &[(&str, Lines, bool, bool)] = &[
        ("GET", &[("connection", "Upgrade"), ("upgrade", "websocket")], true, false),
        ("GET", &[("connection", "keep-alive, upgrade"), ("upgrade", "WebSocket")], true, false),
        (
            "GET",
            &[("connection", "keep-alive"), ("connection", "upgrade"), ("upgrade", "h2c, websocket")],
            true,
            false,
        ),
        ("POST", &[("connection", "upgrade"), ("upgrade", "websocket")], false, false),
        ("GET", &[("upgrade", "websocket")], false, false),
        ("GET", &[("connection", "upgrade"), ("upgrade", "h2c")], false, false),
        ("GET", &[("connection", "upgrade"), ("upgrade", "websocket2")], false, false),
        ("GET", &[("te", "trailers, gzip")], false, true),
        ("GET", &[("te", "trailers;q=0.5")], false, false),
        ("GET", &[("te", "gzip"), ("te", "Trailers")], false, true),
    ];
    for (method, lines, websocket, trailers) in table {
        let mut request = Request::from(http::Request::builder().method(*method).body(()).unwrap());
        *request.headers_mut() = map(lines);
        assert_eq!(
            Intent::read(&request),
            Intent { websocket: *websocket, trailers: *trailers },
            "{lines:?}"
        );
    }
}

#[test]
fn the_client_is_the_right_most_address_that_is_not_trusted() {
    let proxies = trusted(&["10.0.0.0/8", "::1", "fd00::/8"]);
    let table: &[(&str, Lines, &str, &str)] = &[
        ("192.0.2.1", &[("x-forwarded-for", "1.1.1.1")], "192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", &[], "10.0.0.1", "10.0.0.1"),
        ("10.0.0.1", &[("x-forwarded-for", "1.1.1.1")], "1.1.1.1", "1.1.1.1, 10.0.0.1"),
        ("10.0.0.1", &[("x-forwarded-for", "6.6.6.6, 1.1.1.1")], "1.1.1.1", "6.6.6.6, 1.1.1.1, 10.0.0.1"),
        (
            "10.0.0.1",
            &[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.1.1.1,10.2.2.2")],
            "1.1.1.1",
            "6.6.6.6, 1.1.1.1, 10.2.2.2, 10.0.0.1",
        ),
        ("10.0.0.1", &[("x-forwarded-for", "10.9.9.9")], "10.9.9.9", "10.9.9.9, 10.0.0.1"),
        (
            "10.0.0.1",
            &[("x-forwarded-for", "1.1.1.1, unknown, 10.2.2.2")],
            "10.2.2.2",
            "1.1.1.1, unknown, 10.2.2.2, 10.0.0.1",
        ),
        ("10.0.0.1", &[("x-forwarded-for", "1.1.1.1:5555")], "1.1.1.1", "1.1.1.1:5555, 10.0.0.1"),
        ("::1", &[("x-forwarded-for", "[2001:db8::1]:5555")], "2001:db8::1", "[2001:db8::1]:5555, ::1"),
        ("::1", &[("x-forwarded-for", "fe80::1%eth0")], "fe80::1", "fe80::1%eth0, ::1"),
        ("::ffff:10.0.0.1", &[("x-forwarded-for", "::ffff:1.1.1.1")], "1.1.1.1", "::ffff:1.1.1.1, 10.0.0.1"),
        (
            "10.0.0.1",
            &[("forwarded", "for=1.1.1.1;proto=https, for=\"[2001:db8::1]:7\"")],
            "2001:db8::1",
            "1.1.1.1, [2001:db8::1]:7, 10.0.0.1",
        ),
    ];
    for (peer, lines, client, chain) in table {
        let found = Forwarded::identify(peer.parse().unwrap(), false, &map(lines), &proxies);
        assert_eq!(
            (found.client.to_string().as_str(), found.chain().to_str().unwrap()),
            (*client, *chain),
            "{peer} {lines:?}"
        );
    }
}

#[test]
fn scheme_host_and_port_come_from_trusted_peers_only() {
    let proxies = trusted(&["10.0.0.0/8"]);
    let said =
        [("host", "inner:4000"), ("x-forwarded-proto", "http, https"), ("x-forwarded-host", "shop.example")];
    let read = |peer: &str, lines: &[(&str, &str)]| {
        let found = Forwarded::identify(peer.parse().unwrap(), false, &map(lines), &proxies);
        (found.scheme(), found.host, found.port)
    };
    assert_eq!(read("10.1.1.1", &said), ("https", "shop.example".into(), 443));
    assert_eq!(read("9.1.1.1", &said), ("http", "inner:4000".into(), 4000));
    assert_eq!(read("9.1.1.1", &[("host", "[::1]")]), ("http", "[::1]".into(), 80));
    assert_eq!(read("9.1.1.1", &[("host", "[::1]:99")]), ("http", "[::1]:99".into(), 99));
    assert_eq!(read("10.1.1.1", &[("host", "a"), ("x-forwarded-port", "8443")]), ("http", "a".into(), 8443));
}

#[test]
fn a_clients_own_forwarding_fields_are_replaced() {
    let sent = [
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-for", "7.7.7.7"),
        ("x_forwarded_for", "6.6.6.6"),
        ("x-forwarded_host", "evil"),
        ("x-forwarded-prefix", "/evil"),
        ("x-real-ip", "6.6.6.6"),
        ("forwarded", "for=6.6.6.6"),
        ("x_custom", "stays"),
        ("content_length", "9"),
        ("transfer_encoding", "chunked"),
        ("proxy_authorization", "x"),
        ("x_request_id", "theirs"),
        ("host", "h:8080"),
    ];
    let mut headers = map(&sent);
    let none = TrustedProxies::default();
    Forwarded::identify("1.2.3.4".parse().unwrap(), true, &headers, &none).apply(&mut headers);
    assert_eq!(
        names(&headers),
        ["host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x_custom"]
    );
    assert_eq!(headers["x-forwarded-for"], "1.2.3.4");
    assert_eq!(headers.get_all("x-forwarded-for").count(), 1);
    assert_eq!(headers["x-forwarded-proto"], "https");
    assert_eq!(headers["x-forwarded-host"], "h:8080");
    assert_eq!(headers["x-forwarded-port"], "8080");

    let mut headers = map(&sent);
    let all = trusted(&["0.0.0.0/0"]);
    Forwarded::identify("1.2.3.4".parse().unwrap(), true, &headers, &all).apply(&mut headers);
    assert_eq!(headers["x-real-ip"], "6.6.6.6");
    assert_eq!(headers["x-forwarded-for"], "6.6.6.6, 7.7.7.7, 1.2.3.4");
    assert!(!headers.contains_key("x_forwarded_for"));
}

#[test]
fn networks_that_cannot_be_read_are_problems() {
    let mut problems = Problems::default();
    let list = OneOrMany(vec!["10.0.0.0/8".into(), "10.0.0.0/40".into(), "lan".into()]);
    TrustedProxies::build(&list, &mut problems);
    let keys: Vec<String> = problems.into_vec().into_iter().map(|problem| problem.key).collect();
    assert_eq!(keys, ["trusted_proxies[1]", "trusted_proxies[2]"]);
}

#[test]
fn cookies_are_found_in_every_line() {
    let headers = map(&[("cookie", "a=1; b=\"2\""), ("cookie", " c = 3=3 ;d"), ("cookie", "a=9")]);
    assert_eq!(cookie(&headers, "a"), Some("1"));
    assert_eq!(cookie(&headers, "b"), Some("2"));
    assert_eq!(cookie(&headers, "c"), Some("3=3"));
    assert_eq!(cookie(&headers, "d"), None);
    assert_eq!(joined_cookies(&headers).unwrap(), "a=1; b=\"2\";  c = 3=3 ;d; a=9");
    assert_eq!(joined_cookies(&map(&[])), None);
}

#[test]
fn actions_are_taken_out_whole() {
    let mut headers = Fields::new();
    assert_eq!(Said::take(&mut headers), None);
    headers.append("frontroom-actions", HeaderValue::from_static("{}"));
    headers.append("frontroom-actions", HeaderValue::from_static("[]"));
    assert_eq!(Said::take(&mut headers).unwrap().0, ["{}", "[]"]);
    assert!(headers.is_empty());
}

#[test]
fn addresses_and_ports_are_written_as_everywhere() {
    let proxies = TrustedProxies::default();
    for text in ["0.0.0.0", "1.20.100.255", "10.0.99.9", "255.255.255.255", "::1", "2001:db8::a"] {
        let peer: std::net::IpAddr = text.parse().unwrap();
        assert_eq!(Forwarded::identify(peer, false, &Fields::new(), &proxies).chain(), text);
    }
    for port in ["0", "7", "80", "443", "8080", "10050", "65535"] {
        let mut headers = Fields::new();
        headers.insert("host", format!("a:{port}").parse().unwrap());
        Forwarded::identify([127, 0, 0, 1].into(), false, &headers, &proxies).apply(&mut headers);
        assert_eq!(headers["x-forwarded-port"], port);
    }
}
