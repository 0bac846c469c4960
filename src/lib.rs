//! frontroom: a gateway that gives Socket.IO to a REST API that already exists.
//!
//! The way of a request stands on one page in [`gateway`]; the way of an event goes through
//! [`engineio`] and [`socketio`] to [`rules`]. Who may import whom is in `docs/design.md` and held
//! by a test.

pub mod admin;
pub mod admin_ui;
pub mod app;
pub mod body;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod cors;
pub mod credentials;
pub mod demo;
pub mod doctor;
pub mod engineio;
pub mod fault;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
pub mod gateway;
pub mod headers;
pub mod http1;
pub mod json;
pub mod message;
pub mod proxy;
pub mod rules;
pub mod server;
pub mod socketio;
pub mod telemetry;
pub mod types;
pub mod upstream;
pub mod watch;
