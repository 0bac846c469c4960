//! Traces: a span for each request, event and upstream request, with W3C trace context from the client to
//! the upstream, sent to an OpenTelemetry collector.
//!
//! Where no collector is configured nothing here does anything, and the trace headers of clients pass untouched.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;

use super::otlp;
use crate::config::{Problems, file};
use crate::message::{Fields, Request};

/// How long the last spans may take to leave.
const FLUSH: Duration = Duration::from_secs(2);

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

tokio::task_local! {
    /// The span within which a task works.
    static CURRENT: Context;
}

/// The compiled `tracing` section.
#[derive(Debug, Clone, Default)]
pub struct Traces {
    collector: Option<Uri>,
    sample: f64,
}

/// Sends the spans that are left when it ends.
#[derive(Debug)]
pub struct Exporting(SdkTracerProvider);

impl Traces {
    /// Compiles the `tracing` section.
    pub fn build(tracing: &file::Tracing, problems: &mut Problems) -> Traces {
        let sample = tracing.sample.map_or(1.0, |share| share.0);
        let collector = tracing.otlp_endpoint.as_deref().and_then(|written| {
            let collector = otlp::endpoint(written);
            if collector.is_none() {
                let right = "write the collector's OTLP/HTTP address, such as http://127.0.0.1:4318";
                problems.add("tracing.otlp_endpoint", format!("`{written}` is no http:// URL"), right);
            }
            collector
        });
        Traces { collector, sample }
    }

    /// Begins to trace, where a collector is configured. Spans are sent by a task on `runtime`.
    pub fn start(&self, runtime: &Handle) -> Option<Exporting> {
        let exporter = otlp::exporter(self.collector.as_ref()?, runtime)
            .inspect_err(|error| tracing::error!(%error, "no traces are sent"))
            .ok()?;
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(self.sample)));
        let resource = Resource::builder()
            .with_service_name("frontroom")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(sampler)
            .with_resource(resource.build())
            .build();
        TRACER.set(provider.tracer("frontroom")).ok()?;
        Some(Exporting(provider))
    }
}

impl Exporting {
    /// Sends what is left, for two seconds at most.
    pub async fn end(self) {
        // The exporter's own thread is waited for, which sends by a task on a runtime.
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(FLUSH)).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// One span, or nothing where nothing is traced. It ends when it is dropped.
#[derive(Debug)]
pub struct Span(Option<Context>);

impl Span {
    /// A client's request, below the span that its `traceparent` names (W3C Trace Context 3.2).
    pub fn request<B>(request: &Request<B>) -> Span {
        let Some(tracer) = TRACER.get() else { return Span(None) };
        let method = request.method().as_str();
        let attributes = vec![
            KeyValue::new("http.request.method", method.to_owned()),
            KeyValue::new("url.path", request.uri().path().to_owned()),
        ];
        let span = tracer.span_builder(method.to_owned());
        let span = span.with_kind(SpanKind::Server).with_attributes(attributes);
        let parent = extract(request.headers());
        Span(Some(parent.with_span(span.start_with_context(tracer, &parent))))
    }

    /// An event with a rule, a connect or a disconnect. Its trace is the one in which the client opened its session.
    pub fn event(namespace: &str, event: &str, handshake: &Fields) -> Span {
        let Some(tracer) = TRACER.get() else { return Span(None) };
        let attributes = vec![
            KeyValue::new("messaging.system", "socket.io"),
            KeyValue::new("messaging.destination.name", namespace.to_owned()),
            KeyValue::new("messaging.operation.name", event.to_owned()),
        ];
        let span = tracer.span_builder(format!("event {event}"));
        let span = span.with_kind(SpanKind::Consumer).with_attributes(attributes);
        let parent = extract(handshake);
        Span(Some(parent.with_span(span.start_with_context(tracer, &parent))))
    }

    /// A request to an upstream, below the current span; tells the upstream so in its `traceparent`.
    pub fn upstream<B>(name: &str, request: &mut Request<B>) -> Span {
        let Some(tracer) = TRACER.get() else { return Span(None) };
        let method = request.method().as_str();
        let attributes = vec![
            KeyValue::new("http.request.method", method.to_owned()),
            KeyValue::new("url.path", request.uri().path().to_owned()),
            KeyValue::new("frontroom.upstream", name.to_owned()),
        ];
        let span = tracer.span_builder(format!("{method} {name}"));
        let span = span.with_kind(SpanKind::Client).with_attributes(attributes);
        let parent = CURRENT.try_with(Context::clone).unwrap_or_else(|_| extract(request.headers()));
        let context = parent.with_span(span.start_with_context(tracer, &parent));
        TraceContextPropagator::new().inject_context(&context, &mut Carrier(request.headers_mut()));
        Span(Some(context))
    }

    /// Does work within the span: requests to upstreams are below it. Pinned work, since a future that
    /// is handed on takes its room twice.
    pub fn within<F: Future + Unpin>(&self, mut work: F) -> impl Future<Output = F::Output> {
        poll_fn(move |cx| match &self.0 {
            None => Pin::new(&mut work).poll(cx),
            Some(context) => CURRENT.sync_scope(context.clone(), || Pin::new(&mut work).poll(cx)),
        })
    }

    /// Notes an HTTP status; 5xx is an error.
    pub fn status(&self, status: u16) {
        let Some(context) = &self.0 else { return };
        let span = context.span();
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        if status >= 500 {
            span.set_status(Status::error(""));
        }
    }

    /// Notes which route served a request.
    pub fn route(&self, route: &str) {
        if let Some(context) = &self.0 {
            context.span().set_attribute(KeyValue::new("http.route", route.to_owned()));
        }
    }

    /// Notes a failure, in a word, where there is one.
    pub fn outcome<T, E>(&self, result: Result<T, E>, word: impl FnOnce(&E) -> &str) -> Result<T, E> {
        result.inspect_err(|error| self.failed(word(error)))
    }

    /// Notes a failure, in a word.
    pub fn failed(&self, why: &str) {
        if let Some(context) = &self.0 {
            context.span().set_status(Status::error(why.to_owned()));
        }
    }
}

/// The context that headers carry; a malformed one is none, and a trace begins.
fn extract(headers: &Fields) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Carrier(headers))
}

/// Fields that a trace's context is read from or written to.
struct Carrier<T>(T);

impl Extractor for Carrier<&Fields> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let values: Vec<&str> = self.0.get_all(key).filter_map(|value| value.to_str().ok()).collect();
        (!values.is_empty()).then_some(values)
    }
}

impl Injector for Carrier<&mut Fields> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}
