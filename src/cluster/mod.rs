//! Redis: who else publishes events over it.

mod emitters;

pub use emitters::Emitters;
