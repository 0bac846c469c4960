//! Traces of requests and events.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::value::Ratio;

/// Traces of requests and events, sent to an OpenTelemetry collector. Without an endpoint there are none.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tracing {
    /// `http://HOST:PORT` of a collector that takes OTLP over HTTP.
    pub otlp_endpoint: Option<String>,
    /// Share of the traces that are kept, from 0 to 1. Default 1.
    pub sample: Option<Ratio>,
}
