//! Trailers, both ways.

use crate::support::{Backend, Gateway};

const ASKS: &str = "GET / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nConnection: TE\r\n\r\n";

fn chunked(announced: &str, trailers: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{announced}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n{trailers}\r\n")
}

#[tokio::test]
async fn a_responses_trailers_go_on_where_they_are_announced_and_wanted() {
    let backend =
        Backend::fixed(chunked("Trailer: X-Sum\r\nTrailer: X-Two\r\n", "X-Sum: 7\r\nX-Two: 2\r\n")).await;
    let gateway = Gateway::before(&backend).await;
    let mut client = gateway.connect().await;
    let with = client.ask(ASKS).await;
    assert_eq!(with.text(), "ok|trailer x-sum: 7|trailer x-two: 2");
    assert_eq!(with.all("trailer").join(", "), "X-Sum, X-Two");
    let without = client.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(without.text(), "ok");
    let backend = Backend::fixed(chunked("", "X-Sum: 7\r\n")).await;
    let gateway = Gateway::before(&backend).await;
    assert_eq!(gateway.connect().await.ask(ASKS).await.text(), "ok", "they were not announced");
}

#[tokio::test]
async fn a_requests_trailers_go_on_where_they_are_announced() {
    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    for (announced, arrive) in [("Trailer: X-Sum\r\n", true), ("", false)] {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: h\r\n{announced}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n"
        );
        let answer = gateway.connect().await.ask(request).await;
        assert_eq!(answer.text().ends_with("\r\n\r\nok|trailer x-sum: 7"), arrive, "{}", answer.text());
    }
}

#[tokio::test]
async fn trailers_that_would_say_another_thing_than_the_head_end_here() {
    const NAMES: &[&str] = &[
        "Authorization",
        "Cache-Control",
        "Connection",
        "Content-Encoding",
        "Content-Length",
        "Content-Type",
        "Cookie",
        "Forwarded",
        "Frontroom-Actions",
        "Host",
        "Origin",
        "Set-Cookie",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Access-Control-Allow-Origin",
        "X-Forwarded-For",
        "X-Request-Id",
    ];
    let announced = format!("Trailer: {}, X-Fine\r\n", NAMES.join(", "));
    let mut trailers: String = NAMES.iter().map(|name| format!("{name}: 1\r\n")).collect();
    trailers.push_str("X-Fine: 1\r\n");
    let backend = Backend::fixed(chunked(&announced, &trailers)).await;
    let gateway = Gateway::before(&backend).await;
    assert_eq!(gateway.connect().await.ask(ASKS).await.text(), "ok|trailer x-fine: 1");

    let backend = Backend::mirror().await;
    let gateway = Gateway::before(&backend).await;
    let request = format!(
        "POST / HTTP/1.1\r\nHost: h\r\n{announced}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n{trailers}\r\n"
    );
    let answer = gateway.connect().await.ask(request).await;
    assert!(answer.text().ends_with("\r\n\r\nok|trailer x-fine: 1"), "{}", answer.text());
}
