//! Targets, headers and hosts: what goes upstream and what comes back.

use crate::support::wire::values;
use crate::support::{Backend, Gateway, Setup};
use crate::targets::TARGETS;

#[tokio::test]
async fn paths_and_queries_go_byte_for_byte() {
    assert!(TARGETS.len() >= 40);
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    for target in TARGETS {
        let answer = client.ask(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
        assert_eq!(answer.status, 200, "{target}");
        let text = answer.text();
        assert_eq!(text.split("\r\n").next().unwrap(), format!("GET {target} HTTP/1.1"));
    }
    assert_eq!(backend.ledger.connections(), 1);
}

#[tokio::test]
async fn an_absolute_target_is_turned_into_path_and_host() {
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    let table = [
        ("http://h/a//b?c", "h", 200, "/a//b?c"),
        ("http://H:80/a", "h", 200, "/a"),
        ("https://h:443", "h", 200, "/"),
        ("http://h", "h", 200, "/"),
        ("http://h/a", "other", 400, ""),
        ("http://h:8080/a", "h", 400, ""),
        ("http://u:p@h/a", "h", 400, ""),
        ("ftp://h/a", "h", 400, ""),
        ("h:80", "h", 400, ""),
        ("foo", "foo", 400, ""),
        ("*", "h", 400, ""),
    ];
    for (target, host, status, path) in table {
        let mut client = gateway.connect().await;
        let answer = client.ask(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(answer.status, status, "{target}");
        if status == 200 {
            assert!(
                answer.text().starts_with(&format!("GET {path} HTTP/1.1\r\n")),
                "{target}: {}",
                answer.text()
            );
        }
    }
}

#[tokio::test]
async fn methods_and_hosts_that_no_gateway_serves_are_refused() {
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    let table = [
        ("CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        ("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        ("TRACK / HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nExpect: something\r\n\r\n", 417),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 204),
        ("OPTIONS */x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ];
    for (request, status) in table {
        assert_eq!(gateway.connect().await.ask(request).await.status, status, "{request:?}");
    }
    assert_eq!(backend.ledger.connections(), 0);
    for method in ["CONNECT h:80", "TRACE /", "TRACK /", "OPTIONS *"] {
        let answer = gateway.connect().await.ask(format!("{method} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
        assert_eq!(answer.all("allow"), ["GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"], "{method}");
    }
    let mut client = gateway.connect().await;
    let answer = client.ask("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(values(&answer.text(), "host"), [backend.address.to_string()]);
    assert_eq!(client.rest().await, b"", "a 1.0 connection ends");
}

#[tokio::test]
async fn headers_keep_their_number_and_order() {
    let backend = Backend::fixed(
        "HTTP/1.1 200 Fine\r\nSet-Cookie: a=1\r\nX-One: 1\r\nSet-Cookie: b=2; Path=/\r\nSet-Cookie: c\r\n\
         Server: theirs\r\nETag: \"x\"\r\nVary: a\r\nVary: b\r\nDate: then\r\nContent-Length: 2\r\n\r\nok",
    )
    .await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    let answer = client
        .ask("GET / HTTP/1.1\r\nHost: h:81\r\nX-A: 1\r\nAccept: x\r\nX-A: 2, 3\r\nX-A: 1\r\n\r\n")
        .await;
    assert_eq!(answer.all("set-cookie"), ["a=1", "b=2; Path=/", "c"]);
    assert_eq!(answer.all("vary"), ["a", "b"]);
    assert_eq!(
        (answer.one("server").unwrap(), answer.one("date").unwrap()),
        ("theirs".into(), "then".into())
    );
    assert!(answer.head.starts_with("HTTP/1.1 200 Fine\r\n"), "{}", answer.head);
    let head = &backend.ledger.heads()[0];
    assert_eq!(values(head, "x-a"), ["1", "2, 3", "1"]);
    assert_eq!(values(head, "host"), ["h:81"]);
}

#[tokio::test]
async fn hop_by_hop_fields_end_here_in_both_directions() {
    let backend = Backend::fixed(
        "HTTP/1.1 200 OK\r\nConnection: x-hop, keep-alive\r\nConnection: X-Hop2\r\nX-Hop: 1\r\nX-Hop2: 1\r\nKeep-Alive: timeout=5\r\n\
         Upgrade: h2c\r\nProxy-Authenticate: x\r\nAlt-Svc: h3=\":443\"\r\nFrontroom-Actions: {}\r\nFrontroom-Actions: {}\r\nX-End: 1\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    let answer = client
        .ask(
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: X-Forwarded-Host, x-hop\r\nConnection: X-Hop2, Upgrade, HTTP2-Settings, Cookie\r\n\
             X-Hop: 1\r\nX-Hop2: 1\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nProxy-Authorization: x\r\nProxy: x\r\nTE: trailers, gzip\r\n\
             Cookie: a=b\r\nX-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nVia: 1.0 theirs\r\n\r\n",
        )
        .await;
    for gone in [
        "connection",
        "x-hop",
        "x-hop2",
        "keep-alive",
        "upgrade",
        "proxy-authenticate",
        "frontroom-actions",
        "alt-svc",
    ] {
        assert_eq!(answer.all(gone), Vec::<String>::new(), "{gone}");
    }
    assert_eq!(answer.one("x-end").as_deref(), Some("1"));
    let head = &backend.ledger.heads()[0];
    for gone in [
        "x-hop",
        "x-hop2",
        "upgrade",
        "http2-settings",
        "proxy-authorization",
        "proxy",
        "x_forwarded_for",
        "x-real-ip",
    ] {
        assert_eq!(values(head, gone), Vec::<String>::new(), "{gone}");
    }
    for (name, expected) in [
        ("cookie", "a=b"),
        ("te", "trailers"),
        ("connection", "TE"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "h"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", "80"),
        ("x-request-id", "the-id"),
    ] {
        assert_eq!(values(head, name), [expected], "{name}");
    }
    assert_eq!(values(head, "via"), ["1.0 theirs", "1.1 frontroom"]);
}

#[tokio::test]
async fn a_request_that_runs_in_a_circle_is_stopped() {
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    let passes = |count: usize| {
        format!("GET / HTTP/1.1\r\nHost: h\r\nVia: {}\r\n\r\n", vec!["1.1 frontroom"; count].join(", "))
    };
    let mut client = gateway.connect().await;
    assert_eq!(client.ask(passes(4)).await.status, 200);
    assert_eq!(client.ask(passes(5)).await.status, 508);
}

#[tokio::test]
async fn a_routes_target_takes_the_place_of_the_clients() {
    let backend = Backend::mirror().await;
    let mut setup = Setup::to(&[backend.url()]);
    setup.target = Some("/v1//a%2Fb?x=%zz".into());
    let gateway = setup.start().await;
    let answer = gateway.connect().await.ask("GET /api/a HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(answer.text().starts_with("GET /v1//a%2Fb?x=%zz HTTP/1.1\r\n"), "{}", answer.text());
}

#[tokio::test]
async fn a_trusted_proxys_word_goes_on() {
    let backend = Backend::mirror().await;
    let mut setup = Setup::to(&[backend.url()]);
    setup.trusted = vec!["127.0.0.0/8".into()];
    let gateway = setup.start().await;
    let answer = gateway
        .connect()
        .await
        .ask("GET / HTTP/1.1\r\nHost: in\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: out\r\n\r\n")
        .await;
    for (name, expected) in [
        ("x-forwarded-for", "1.1.1.1, 127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "out"),
        ("x-forwarded-port", "443"),
        ("host", "in"),
    ] {
        assert_eq!(values(&answer.text(), name), [expected], "{name}");
    }
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_what_it_can_read() {
    let backend = Backend::fixed(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n3\r\nay!\r\n0\r\n\r\n",
    )
    .await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    client.send("GET http://named:81/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
    let head = client.head().await.unwrap();
    assert!(head.starts_with("HTTP/1.0 200 OK"), "{head}");
    assert_eq!(values(&head, "transfer-encoding"), Vec::<String>::new());
    assert_eq!(client.rest().await, b"okay!", "the connection's end is the body's");
    let seen = &backend.ledger.heads()[0];
    assert!(seen.starts_with("GET / HTTP/1.1\r\n"), "{seen}");
    assert_eq!(
        (values(seen, "host"), values(seen, "x-forwarded-host")),
        (vec!["named:81".into()], vec!["named:81".into()])
    );
}

/// What a URI cannot hold (RFC 3986) never gets further than the parser, which cuts fragments.
#[tokio::test]
async fn targets_that_are_no_uris_are_refused() {
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    for target in [&b"/<"[..], b"/>", b"/`", b"/?\"", b"/?<", b"/?>", b"/\xff", b"/\x7f", b"/a b", b"/\x01"] {
        let request = [b"GET ", target, b" HTTP/1.1\r\nHost: h\r\n\r\n"].concat();
        assert_eq!(gateway.connect().await.ask(request).await.status, 400, "{}", target.escape_ascii());
    }
    assert_eq!(backend.ledger.connections(), 0);
    let answer = gateway.connect().await.ask("GET /a?b#c HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(answer.text().starts_with("GET /a?b HTTP/1.1\r\n"), "{}", answer.text());
}
