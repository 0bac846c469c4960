//! Whose messages came, up to which number: what is missing was missed.

use std::collections::HashMap;

use crate::cluster::registry::NodeId;

/// Senders that are remembered.
const MAX: usize = 10_000;

/// The last number of each sender.
#[derive(Debug, Default)]
pub(super) struct Senders(HashMap<NodeId, u64>);

/// What a number says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It is new; so many before it did not arrive.
    New(u64),
    /// It has come before.
    Again,
}

impl Senders {
    /// Notes a message.
    pub(super) fn note(&mut self, sender: NodeId, number: u64) -> Arrival {
        if self.0.len() >= MAX && !self.0.contains_key(&sender) {
            self.0.clear();
        }
        let last = self.0.entry(sender).or_insert(number.saturating_sub(1));
        if number <= *last {
            return Arrival::Again;
        }
        let missed = number - *last - 1;
        *last = number;
        Arrival::New(missed)
    }

    /// A sender has ended.
    pub(super) fn forget(&mut self, sender: NodeId) {
        self.0.remove(&sender);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_counted_and_repetitions_noticed() {
        let (mut senders, [one, two]) =
            (Senders::default(), [1, 2].map(|id| NodeId::from_number(id).unwrap()));
        assert_eq!(senders.note(one, 5), Arrival::New(0), "what was before we heard is nobody's loss");
        assert_eq!(senders.note(one, 6), Arrival::New(0));
        assert_eq!(senders.note(two, 1), Arrival::New(0));
        assert_eq!(senders.note(one, 10), Arrival::New(3));
        assert_eq!(senders.note(one, 10), Arrival::Again);
        assert_eq!(senders.note(one, 7), Arrival::Again);
        senders.forget(one);
        assert_eq!(senders.note(one, 1), Arrival::New(0));
    }
}
