//! Socket.IO protocol v5, and v4 on request, on top of [`engineio`](crate::engineio): namespaces,
//! sockets, rooms, acks, binary attachments. Knows no REST: what happens on an event is asked of
//! [`Events`].

mod ask;
mod binary;
mod command;
mod conversation;
mod events;
mod follow;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod hub;
mod legacy;
mod life;
mod limits;
mod luggage;
mod namespace;
mod packet;
mod peers;
mod record;
mod recovery;
mod socket;
mod sockets;

pub use ask::{Answer, Asking};
pub(crate) use binary::{attach, detach, escape};
pub use command::{Command, Outgoing, Target};
pub use events::{Acknowledge, Captures, Event, EventName, Events, Refusal};
pub use follow::{Follower, Moment, NotFollowed, Terms, What, Whose};
pub use hub::{Door, Hub};
pub use limits::Limits;
pub use luggage::Luggage;
pub use packet::is_reserved;
pub use peers::Peers;
pub use record::Record;
pub use recovery::{Asker, Options as Recovery, Origin, Past, Place};
pub use socket::Socket;
pub use sockets::{Answers, Heard, Keyed, Member, Page, Query, Question, Room, Sockets};
