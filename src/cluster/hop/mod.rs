//! No sticky sessions: a session's id names its node, and a request that lands on another is sent on to it.
//!
//! ```text
//! client ── any node: CORS, limits ── Forwarder ── the owner's Door ── its sessions
//! ```
//!
//! The node that faces the client has decided everything but what the session says. The owner takes such
//! requests at a listener of its own, from nodes alone, and sends none of them on: there is no circle.

mod door;
mod forward;
mod link;
mod links;
mod pass;
mod seal;

pub use door::Door;
pub use forward::{Asker, Forwarder};
pub use link::Guests;
pub(super) use links::Bounds;
