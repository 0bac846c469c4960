//! What the outside sees of a running gateway: metrics and logs.

mod access;
mod escape;
mod kept;
pub mod logs;
pub mod metrics;

pub use access::Access;
