//! HTTP/1.1 as a client (RFC 9112), on the task that waits for the response: an exchange wakes no
//! other task, copies no head, and arms no timer of its own.

mod connection;
mod duplex;
mod framing;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod head;
mod incoming;
mod interim;
mod send;
mod switched;

#[cfg(test)]
mod tests;

pub(super) use connection::{Connection, Failure};
pub use switched::Switched;
