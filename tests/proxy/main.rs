//! Server and proxy in process, between raw clients and backends that misbehave.

// Clippy's leave for tests ends at the helpers they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;
#[path = "../support/targets.rs"]
mod targets;

mod bodies;
mod connection;
mod expectations;
mod failures;
mod forwarding;
mod framing;
mod reuse;
mod server;
mod standstill;
mod trailers;
mod websocket;
