//! Where an event comes from, which says who else has it.

use super::offset::tag;

/// Where an event comes from.
#[derive(Debug, Clone, Copy)]
pub enum Origin {
    /// From this node, which passes it on to the others.
    Here,
    /// From somewhere else, where every node has it from.
    Each,
    /// From another node: which one of its events it is, and its place in Redis' stream.
    There(Place, u64),
    /// From another node, which does not keep it for clients that come back.
    Passing,
}

impl Origin {
    /// With the node's number as offsets have it.
    pub(super) fn tagged(self) -> Origin {
        match self {
            Origin::There(place, id) => Origin::There(Place { node: tag(place.node), ..place }, id),
            other => other,
        }
    }
}

/// What names an event on every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The number of its node.
    pub node: u64,
    /// Its number there: later events have greater ones.
    pub number: u64,
    /// Counts the node's events that are passed on, without gaps.
    pub count: u64,
}
