//! Names of nodes.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

/// Name of a node: random, and new whenever the process starts. Written as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(NonZeroU64);

impl NodeId {
    /// A name nobody has.
    pub(super) fn random() -> NodeId {
        NodeId(NonZeroU64::new(rand::random()).unwrap_or(NonZeroU64::MIN))
    }

    /// The name of this number; none is 0.
    pub fn from_number(number: u64) -> Option<NodeId> {
        NonZeroU64::new(number).map(NodeId)
    }

    /// The name as a number.
    pub fn number(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for NodeId {
    type Err = ();

    fn from_str(text: &str) -> Result<NodeId, ()> {
        let sound = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = sound.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        number.and_then(NodeId::from_number).ok_or(())
    }
}
