//! Redis: what makes several nodes act as one, and who else publishes events over it.

mod bus;
mod comeback;
mod departures;
mod emitters;
mod hop;
mod key;
mod node;
mod options;
mod registry;
mod requests;
mod safe;
mod sockets;
mod store;
mod wire;

pub use emitters::Emitters;
pub use hop::{Asker, Door, Forwarder, Guests};
pub use key::Keys;
pub use node::Cluster;
pub use options::{Options, Secrets};
pub use registry::{NodeId, Registry};
