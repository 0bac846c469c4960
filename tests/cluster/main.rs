//! Several nodes over a real Redis.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "it is all a test"
)]

mod comebacks;
mod comers;
mod deaths;
mod nodes;
mod outage;
mod random;
mod replays;
mod rooms;
mod sharded;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/tls.rs"]
mod tls;
mod urls;
