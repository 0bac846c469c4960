//! Session ids that name their node. A client cannot make one, nor change the node in one: requests go where
//! an id says only after its seal was checked.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::cluster::NodeId;
use crate::cluster::key::Keys;

/// Bytes of the parts of an id, in their order. Together they are a multiple of three, so that each bit of
/// the text counts.
const NODE: usize = size_of::<u64>();
const RANDOM: usize = 15;
const SEAL: usize = 16;
const ALL: usize = NODE + RANDOM + SEAL;

/// Characters of an id: base64url, which stands in a query as it is (RFC 4648 5).
const TEXT: usize = ALL.div_ceil(3) * 4;

/// Makes and reads session ids.
#[derive(Clone)]
pub(super) struct Seal {
    keys: Keys,
    own: NodeId,
}

/// Whose an id is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// This node's, if it is one at all: the table of sessions tells.
    Here,
    /// Another node's, by a good seal.
    There(NodeId),
    /// Nobody's: it says another node, but nobody has sealed it.
    Forged,
}

impl Seal {
    /// For the sessions of the node `own`.
    pub(super) fn new(secrets: &[String], own: NodeId) -> Seal {
        Seal { keys: Keys::derive(secrets, "frontroom session id 1"), own }
    }

    /// A new id of this node: it, 120 random bits, and their code (HMAC-SHA256, its first 16 bytes).
    pub(super) fn new_id(&self) -> Arc<str> {
        let mut id = [0; ALL];
        let (named, seal) = id.split_at_mut(NODE + RANDOM);
        let (node, random) = named.split_at_mut(NODE);
        node.copy_from_slice(&self.own.number().to_be_bytes());
        random.copy_from_slice(&rand::random::<[u8; RANDOM]>());
        for (byte, code) in seal.iter_mut().zip(self.keys.code(&[named])) {
            *byte = code;
        }
        URL_SAFE_NO_PAD.encode(id).into()
    }

    /// Whose `id` is.
    pub(super) fn owner(&self, id: &str) -> Owner {
        let mut bytes = [0; ALL];
        // What is no id of a cluster is left to the table of sessions too.
        if id.len() != TEXT || URL_SAFE_NO_PAD.decode_slice(id, &mut bytes) != Ok(ALL) {
            return Owner::Here;
        }
        let (named, seal) = bytes.split_at(NODE + RANDOM);
        let number = named.first_chunk().map_or(0, |number| u64::from_be_bytes(*number));
        match NodeId::from_number(number) {
            Some(node) if node == self.own => Owner::Here,
            Some(node) if self.keys.knows(&[named], seal) => Owner::There(node),
            _ => Owner::Forged,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn seal(secrets: &[&str], node: u64) -> Seal {
        let secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        Seal::new(&secrets, NodeId::from_number(node).unwrap())
    }

    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    #[test]
    fn an_id_names_its_node_to_the_others_and_is_left_to_the_table_at_home() {
        let (one, two) = (seal(&["s"], 1), seal(&["s"], 2));
        let id = one.new_id();
        assert_eq!(id.len(), 52);
        assert!(id.bytes().all(|byte| ALPHABET.contains(&byte)), "{id}");
        assert_eq!(two.owner(&id), Owner::There(one.own));
        assert_eq!(one.owner(&id), Owner::Here);
        let ids: HashSet<_> = (0..10_000).map(|_| one.new_id()).collect();
        assert_eq!(ids.len(), 10_000);
    }

    #[test]
    fn what_is_no_id_of_a_cluster_is_nobody_elses() {
        let here = seal(&["s"], 1);
        let long = "A".repeat(10_000);
        for id in ["", "x", "__proto__", "abcdefghijklmnopqrst", &long, "é".repeat(26).as_str()] {
            assert_eq!(here.owner(id), Owner::Here, "{id:?}");
        }
        assert_eq!(here.owner(&"A".repeat(52)), Owner::Forged);
        assert_eq!(here.owner(&"=".repeat(52)), Owner::Here);
    }

    #[test]
    fn another_clusters_seal_is_worth_nothing() {
        let (ours, theirs) = (seal(&["ours"], 1), seal(&["theirs"], 2));
        assert_eq!(ours.owner(&theirs.new_id()), Owner::Forged);
        // Nor is a code that was made with the same secret for another purpose.
        let mut bytes = URL_SAFE_NO_PAD.decode(&*theirs.new_id()).unwrap();
        let other = Keys::derive(&["ours".to_owned()], "frontroom node to node 1");
        let code = other.code(&[&bytes[..NODE + RANDOM]]);
        bytes[NODE + RANDOM..].copy_from_slice(&code[..SEAL]);
        assert_eq!(ours.owner(&URL_SAFE_NO_PAD.encode(bytes)), Owner::Forged);
    }

    #[test]
    fn a_new_secret_is_brought_in_without_an_id_becoming_unknown() {
        let (old, both) = (seal(&["old"], 2), seal(&["old", "new"], 1));
        let (turned, new) = (seal(&["new", "old"], 2), seal(&["new"], 1));
        for (sealed, reader) in [(&old, &both), (&both, &turned), (&turned, &both), (&turned, &new)] {
            assert_eq!(reader.owner(&sealed.new_id()), Owner::There(sealed.own));
        }
        assert_eq!(new.owner(&old.new_id()), Owner::Forged);
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let (one, two) = (seal(&["s"], 1), seal(&["s"], 2));
        let bytes = URL_SAFE_NO_PAD.decode(&*one.new_id()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(two.owner(&URL_SAFE_NO_PAD.encode(&bytes)), Owner::Forged, "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn nothing_but_what_was_sealed_leads_elsewhere(text in "[A-Za-z0-9_-]{0,60}", raw: Vec<u8>) {
            let here = seal(&["s"], 1);
            for id in [text, URL_SAFE_NO_PAD.encode(&raw), String::from_utf8_lossy(&raw).into_owned()] {
                prop_assert!(!matches!(here.owner(&id), Owner::There(_)), "{}", id);
            }
        }

        #[test]
        fn a_cut_or_changed_id_leads_nowhere(at in 0usize..52, with in 0usize..64, keep in 0usize..52) {
            let (one, two) = (seal(&["s"], 1), seal(&["s"], u64::MAX));
            let id = one.new_id();
            prop_assert_eq!(two.owner(&id[..keep]), Owner::Here);
            let mut changed = id.as_bytes().to_vec();
            changed[at] = ALPHABET[with];
            let changed = String::from_utf8(changed).unwrap();
            let expected = if *changed == *id { Owner::There(one.own) } else { Owner::Forged };
            prop_assert_eq!(two.owner(&changed), expected);
        }
    }
}
