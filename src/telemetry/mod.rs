//! What the outside sees of a running gateway: metrics, logs and traces.

mod access;
mod escape;
mod event;
mod histogram;
mod kept;
pub mod logs;
pub mod metrics;
mod otlp;
mod panic;
mod recent;
pub mod trace;

pub use access::Access;
pub use event::Handled;
pub use panic::{Panicked, caught, caught_at_once};
pub use recent::{Trouble, Troubles, recent};
