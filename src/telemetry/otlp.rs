//! The way to an OpenTelemetry collector: OTLP over HTTP, in protobuf.

use std::time::Duration;

use async_trait::async_trait;
use http::Uri;
use http::header::HOST;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

use super::metrics;

/// Where a collector takes traces (OTLP specification, OTLP/HTTP request).
const PATH: &str = "/v1/traces";

/// Time for one batch.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a collector's answer that are read.
const MAX_ANSWER: usize = 64 * 1024;

/// A collector's address, with the path where it takes traces, if none is written.
pub(super) fn endpoint(written: &str) -> Option<Uri> {
    let uri: Uri = written.parse().ok()?;
    if uri.scheme_str() != Some("http") || uri.host().is_none_or(str::is_empty) {
        return None;
    }
    match uri.path() {
        "/" | "" => format!("{}{PATH}", written.trim_end_matches('/')).parse().ok(),
        _ => Some(uri),
    }
}

/// What sends spans to the collector, by tasks on `runtime`.
pub(super) fn exporter(collector: &Uri, runtime: &Handle) -> Result<SpanExporter, ExporterBuildError> {
    SpanExporter::builder()
        .with_http()
        .with_http_client(Courier(runtime.clone()))
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(collector.to_string())
        .with_timeout(TIMEOUT)
        .build()
}

/// Carries batches. The exporter has a thread of its own, without a runtime.
#[derive(Debug)]
struct Courier(Handle);

#[async_trait]
impl HttpClient for Courier {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.0.spawn(async { tokio::time::timeout(TIMEOUT, send(request)).await }).await;
        let answer = sent.map_err(HttpError::from).and_then(|sent| sent.map_err(HttpError::from)?);
        let arrived = answer.as_ref().is_ok_and(|answer| answer.status().is_success());
        metrics::trace_export(if arrived { "ok" } else { "failed" });
        answer
    }
}

async fn send(request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let (mut parts, body) = request.into_parts();
    let authority = parts.uri.authority().ok_or("the collector's URL names no host")?.clone();
    let host = authority.host().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    parts.headers.insert(HOST, authority.as_str().parse()?);
    parts.uri = parts.uri.path_and_query().map_or(PATH, |target| target.as_str()).parse()?;
    let response = sender.send_request(Request::from_parts(parts, Full::new(body))).await?;
    let (parts, body) = response.into_parts();
    Ok(Response::from_parts(parts, Limited::new(body, MAX_ANSWER).collect().await?.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::endpoint;

    #[test]
    fn a_collector_is_an_http_url_with_or_without_its_path() {
        let full = |written| endpoint(written).map(|uri| uri.to_string());
        assert_eq!(full("http://a:4318").as_deref(), Some("http://a:4318/v1/traces"));
        assert_eq!(full("http://a:4318/").as_deref(), Some("http://a:4318/v1/traces"));
        assert_eq!(full("http://a/otlp/traces").as_deref(), Some("http://a/otlp/traces"));
        for wrong in ["a:4318", "https://a:4318", "grpc://a", "http://", ""] {
            assert_eq!(full(wrong), None, "{wrong}");
        }
    }
}
