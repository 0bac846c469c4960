//! Traces: what a collector is sent, and the context that goes to the upstream.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use support::backend::Backend;
use support::eventually;
use support::gateway::Gateway;
use support::http::{get, request};
use support::websocket::WebSocket;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A collector that keeps the spans it is sent.
#[derive(Clone)]
struct Collector {
    url: String,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let collector = Collector { url, spans: Arc::default() };
        let spans = collector.spans.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
                let (mut line, mut length) = (String::new(), 0);
                while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                    let header = line.to_ascii_lowercase();
                    if let Some(value) = header.strip_prefix("content-length:") {
                        length = value.trim().parse().expect("a number");
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).expect("the whole body");
                let sent = ExportTraceServiceRequest::decode(body.as_slice()).expect("OTLP");
                let scopes = sent.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
                spans.lock().expect("nobody panicked").extend(scopes.flat_map(|scope| scope.spans));
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            }
        });
        collector
    }

    /// The span of that name, once it has come.
    fn span(&self, name: &str) -> Span {
        let find =
            || self.spans.lock().expect("nobody panicked").iter().find(|span| span.name == name).cloned();
        eventually(&format!("the span {name}"), find)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    found.value.as_ref().map(|value| format!("{value:?}"))
}

/// The `traceparent` with which the backend was asked for something.
fn traceparent(backend: &Backend, line: &str) -> Option<String> {
    let seen = backend.seen().into_iter().find(|seen| seen.line == line)?;
    let header =
        seen.headers.iter().find(|header| header.to_ascii_lowercase().starts_with("traceparent:"))?;
    header.split_once(':').map(|(_, value)| value.trim().to_owned())
}

fn site(more: &str) -> (Gateway, Backend) {
    site_with(&[], more)
}

fn site_with(arguments: &[&str], more: &str) -> (Gateway, Backend) {
    let backend = Backend::start(|line, _| match line {
        "GET /broken" => (503, "{}".to_owned()),
        _ => (200, "{}".to_owned()),
    });
    let config =
        format!("upstream: {}\nsocketio: {{events: {{ask: {{request: GET /asked}}}}}}\n{more}", backend.url);
    (Gateway::start_with(arguments, &config), backend)
}

#[test]
fn a_request_is_traced_from_the_client_to_the_upstream() {
    let collector = Collector::start();
    let (gateway, backend) = site(&format!("tracing: {{otlp_endpoint: {}}}\n", collector.url));
    let traced = [&*format!("traceparent: 00-{TRACE}-{PARENT}-01")];
    assert_eq!(request(&gateway.address, "GET", "/things?token=secret", &traced, b"").status, 200);
    let upstream = collector.span("GET default");
    let server = collector.span("GET");
    assert_eq!((hex(&server.trace_id), hex(&server.parent_span_id)), (TRACE.to_owned(), PARENT.to_owned()));
    assert_eq!(hex(&upstream.trace_id), TRACE);
    assert_eq!(upstream.parent_span_id, server.span_id);
    let sent = traceparent(&backend, "GET /things?token=secret").expect("a context");
    assert_eq!(sent, format!("00-{TRACE}-{}-01", hex(&upstream.span_id)));
    assert!(attribute(&server, "http.response.status_code").is_some_and(|status| status.contains("200")));
    assert!(!format!("{server:?}{upstream:?}").contains("secret"), "a query may hold a token");
}

#[test]
fn what_is_not_sent_yet_is_sent_at_the_end_by_any_number_of_workers() {
    for workers in ["1", "2"] {
        let collector = Collector::start();
        let tracing = format!("tracing: {{otlp_endpoint: {}}}\n", collector.url);
        let (mut gateway, _backend) = site_with(&["--workers", workers], &tracing);
        assert_eq!(get(&gateway.address, "/last").status, 200);
        gateway.terminate();
        assert_eq!(gateway.wait(), Some(0));
        let spans = collector.spans.lock().expect("nobody panicked");
        assert!(spans.iter().any(|span| span.name == "GET"), "{workers}: {spans:?}");
    }
}

#[test]
fn an_event_is_traced_to_the_request_that_it_causes() {
    let collector = Collector::start();
    let (gateway, backend) = site(&format!("tracing: {{otlp_endpoint: {}}}\n", collector.url));
    let mut socket = WebSocket::connect(&gateway.address);
    socket.send("420[\"ask\"]");
    assert_eq!(socket.text(), "430[{}]");
    let (event, upstream) = (collector.span("event ask"), collector.span("GET default"));
    assert_eq!((&upstream.trace_id, &upstream.parent_span_id), (&event.trace_id, &event.span_id));
    let sent = traceparent(&backend, "GET /asked").expect("a context");
    assert_eq!(sent, format!("00-{}-{}-01", hex(&event.trace_id), hex(&upstream.span_id)));
}

#[test]
fn a_failure_is_an_error_and_a_malformed_context_begins_a_trace() {
    let collector = Collector::start();
    let (gateway, _backend) = site(&format!("tracing: {{otlp_endpoint: {}}}\n", collector.url));
    assert_eq!(request(&gateway.address, "GET", "/broken", &["traceparent: nonsense"], b"").status, 503);
    let server = collector.span("GET");
    assert_eq!(server.status.as_ref().map(|status| status.code), Some(2), "{server:?}");
    assert!(server.parent_span_id.is_empty());
}

#[test]
fn what_is_not_sampled_is_not_sent_and_the_upstream_knows() {
    let collector = Collector::start();
    let (gateway, backend) = site(&format!("tracing: {{otlp_endpoint: {}, sample: 0}}\n", collector.url));
    assert_eq!(get(&gateway.address, "/new").status, 200);
    let traced = [&*format!("traceparent: 00-{TRACE}-{PARENT}-01")];
    assert_eq!(
        request(&gateway.address, "GET", "/kept", &traced, b"").status,
        200,
        "the client's decision counts"
    );
    assert_eq!(hex(&collector.span("GET").trace_id), TRACE);
    assert!(traceparent(&backend, "GET /new").is_some_and(|sent| sent.ends_with("-00")));
    assert_eq!(collector.spans.lock().expect("nobody panicked").len(), 2);
}

#[test]
fn without_a_collector_a_clients_context_passes_untouched() {
    let (gateway, backend) = site("");
    let given = format!("00-{TRACE}-{PARENT}-01");
    let traced = [&*format!("traceparent: {given}"), "tracestate: a=b"];
    assert_eq!(request(&gateway.address, "GET", "/x", &traced, b"").status, 200);
    assert_eq!(traceparent(&backend, "GET /x"), Some(given));
}

#[test]
fn a_collector_that_is_away_costs_nothing_but_a_count() {
    let gone = support::refusing();
    let (gateway, _backend) = site(&format!("tracing: {{otlp_endpoint: 'http://{gone}'}}\n"));
    assert_eq!(get(&gateway.address, "/x").status, 200);
    let failed = || gateway.metric("frontroom_trace_exports_total{result=\"failed\"}");
    eventually("the failed batch", || (failed() > 0).then_some(()));
    assert_eq!(get(&gateway.address, "/x").status, 200);
}
