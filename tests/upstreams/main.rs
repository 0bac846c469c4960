//! Upstreams over the real binary: several endpoints, and backends that refuse, stall, die and lie.

// Clippy's leave for tests ends at the helpers they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/frames.rs"]
mod frames;

mod age;
mod balance;
mod bounds;
mod http2;
mod peer;
mod refusals;
mod retries;
mod server;
mod storm;
mod tls;
mod unix;
