//! Engine.IO protocol v4, and v3 on request: transports and sessions. Knows no Socket.IO.
//!
//! A request comes in through [`Engine::call`], which checks it in Node's order and hands it to
//! `polling` or `websocket`. Both move bytes between a client and a [`Session`], whose
//! [`Conversation`] is the application.

mod answer;
mod asked;
mod dialect;
mod engine;
mod flusher;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod handshake;
mod heartbeat;
mod hold;
mod legacy;
mod options;
mod outlet;
mod packet;
mod pipe;
mod polling;
mod pulse;
mod query;
mod queue;
mod reason;
mod registry;
mod replay;
mod session;
mod traffic;
mod websocket;
mod wire;

pub use answer::{Answer, Refusal, refuse, refuse_websocket, too_many_requests};
pub use asked::{Asked, Patience};
pub use dialect::Protocol;
pub use engine::{Application, Caller, Engine, NewId, Unwrap, is_polling, is_websocket, session_id};
pub use frame::Frame;
pub use handshake::Handshake;
pub use hold::Hold;
pub use options::Options;
pub use outlet::{Carrier, Duplex};
pub use packet::{Message, Utf8};
pub use queue::Parcel;
pub use reason::Reason;
pub use registry::random_id;
pub use session::{Conversation, Sent, Session, Transport};
pub use traffic::{Totals, Traffic};
