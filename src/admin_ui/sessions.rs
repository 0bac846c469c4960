//! Session ids, by which who has logged in comes back without the password.
//!
//! An id proves itself: nothing is kept for it, so that there is nothing to bound, and every node of a cluster knows
//! the ids of the others. It is worth nothing once its time is over or the account is another. Without a cluster it
//! is worth nothing after a restart either, as Node's `InMemoryStore` has it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::options::Options;
use crate::cluster::Keys;

/// Bytes of an id: when it ends, chance, and their code.
const TIME: usize = 8;
const CHANCE: usize = 8;
const CODE: usize = 16;
const ALL: usize = TIME + CHANCE + CODE;

/// Makes and knows session ids.
#[derive(Debug)]
pub(super) struct Sessions {
    keys: Keys,
    lifetime: Duration,
}

impl Sessions {
    /// Of the options' account. `own` is this process's secret, which counts where there is no cluster.
    pub(super) fn new(options: &Options, own: &str) -> Sessions {
        let account = options.account.as_ref();
        let account =
            account.map_or_else(String::new, |account| format!("{}:{}", account.username, account.hash));
        let purpose = format!("frontroom admin ui session 1 {account}");
        let keys = match options.secrets.as_slice() {
            [] => Keys::derive(&[own.to_owned()], &purpose),
            secrets => Keys::derive(secrets, &purpose),
        };
        Sessions { keys, lifetime: options.session }
    }

    /// An id that begins to count now, in hexadecimal digits as Node's.
    pub(super) fn begin(&self) -> String {
        self.sealed(since_1970().saturating_add(self.lifetime), rand::random())
    }

    fn sealed(&self, end: Duration, chance: [u8; CHANCE]) -> String {
        let mut id = Vec::with_capacity(ALL);
        id.extend(end.as_secs().to_be_bytes());
        id.extend(chance);
        let code = self.keys.code(&[&id]);
        id.extend(code.into_iter().take(CODE));
        id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether an id is one of ours and its time is not over.
    pub(super) fn knows(&self, id: &str) -> bool {
        self.knows_at(since_1970(), id)
    }

    fn knows_at(&self, now: Duration, id: &str) -> bool {
        let Some(id) = bytes(id) else { return false };
        let (said, code) = id.split_at(TIME + CHANCE);
        let end = said.first_chunk().map_or(0, |end| u64::from_be_bytes(*end));
        self.keys.knows(&[said], code) && now.as_secs() < end
    }
}

fn bytes(id: &str) -> Option<[u8; ALL]> {
    let mut bytes = [0; ALL];
    if id.len() != 2 * ALL || !id.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(id.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin_ui::tests::options;

    #[test]
    fn an_id_is_known_until_its_end_and_by_nobody_with_another_account() {
        let one = options("username: a, password: HASH, session: 60s");
        let sessions = Sessions::new(&one, "own");
        let id = sessions.begin();
        assert_eq!(id.len(), 64);
        assert!(id.bytes().all(|digit| digit.is_ascii_hexdigit()) && sessions.knows(&id), "{id}");
        assert!(Sessions::new(&one, "own").knows(&id), "the same account and secret");
        assert!(!Sessions::new(&one, "other").knows(&id), "another process");
        assert!(!Sessions::new(&options("username: b, password: HASH"), "own").knows(&id), "another account");
        let early = sessions.sealed(Duration::from_secs(100), [7; CHANCE]);
        assert!(sessions.knows_at(Duration::from_secs(99), &early));
        assert!(!sessions.knows_at(Duration::from_secs(100), &early));
    }

    #[test]
    fn what_was_not_given_out_is_not_known() {
        let sessions = Sessions::new(&options("username: a, password: HASH"), "own");
        let id = sessions.begin();
        for at in 0..id.len() {
            let mut other = id.clone();
            let digit = if id.as_bytes()[at] == b'0' { "1" } else { "0" };
            other.replace_range(at..=at, digit);
            assert!(!sessions.knows(&other), "{other}");
        }
        for wrong in ["", "0", &id[1..], &format!("{id}0"), &"é".repeat(32), &"+1".repeat(32)] {
            assert!(!sessions.knows(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn nodes_with_one_secret_know_one_anothers_ids() {
        let mut options = options("username: a, password: HASH");
        options.secrets = vec!["old".to_owned()];
        let id = Sessions::new(&options, "one").begin();
        options.secrets = vec!["new".to_owned(), "old".to_owned()];
        assert!(Sessions::new(&options, "two").knows(&id));
        options.secrets = vec!["new".to_owned()];
        assert!(!Sessions::new(&options, "two").knows(&id));
    }
}
