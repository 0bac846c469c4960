//! Who may come in: by a session id or by name and password. Passwords are checked on threads of their own, few at a
//! time, and not often for those who guess.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;
use tokio::sync::Semaphore;

use super::options::{Account, Options};
use super::sessions::Sessions;
use crate::config::value::Rate;
use crate::headers::network;
use crate::rules::Bucket;
use crate::socketio::Socket;
use crate::telemetry::metrics;

/// Logins that may wait for one that is checked.
const WAITING: usize = 16;

/// Addresses that are remembered. When they are more, those are forgotten that may try again, and if that is nobody,
/// all of them: what guesses from everywhere is held up by `max_logins` alone.
const MAX_ADDRESSES: usize = 4096;

/// How somebody came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// Nobody is asked who they are.
    Open,
    /// By a session id.
    Session,
    /// By name and password: the session id to come back with.
    Password(String),
}

/// Why somebody did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// It is not who they say, or they say nothing.
    Invalid,
    /// They have tried too often, or too many try at once.
    TooMany,
}

/// Checks who comes in.
#[derive(Debug)]
pub(super) struct Logins {
    account: Option<Account>,
    sessions: Sessions,
    checks: Semaphore,
    waiting: AtomicUsize,
    max_waiting: usize,
    failed_logins: Rate,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Account")
    }
}

/// How many wrong passwords came from where: it stays when options change.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<HashMap<IpAddr, Bucket>>);

/// What a client says of itself.
struct Claim {
    session: Option<String>,
    username: String,
    password: String,
}

impl Logins {
    pub(super) fn new(options: &Options, own: &str) -> Logins {
        Logins {
            account: options.account.clone(),
            sessions: Sessions::new(options, own),
            checks: Semaphore::new(options.max_logins),
            waiting: AtomicUsize::new(0),
            max_waiting: options.max_logins.saturating_mul(WAITING),
            failed_logins: options.failed_logins,
        }
    }

    /// Whether a socket's client may come in.
    pub(super) async fn check(&self, failures: &Failures, socket: &Socket) -> Result<Entry, Denied> {
        let Some(account) = &self.account else { return Ok(Entry::Open) };
        let claim = Claim::of(socket);
        if claim.session.as_ref().is_some_and(|id| self.sessions.knows(id)) {
            return Ok(Entry::Session);
        }
        if claim.password.is_empty() {
            return Err(Denied::Invalid);
        }
        let address = network(socket.handshake().forwarded.client);
        if !failures.take(address, self.failed_logins, Instant::now()) {
            metrics::refused("socketio.admin_ui.failed_logins");
            return Err(Denied::TooMany);
        }
        if !self.is_right(account, claim).await? {
            return Err(Denied::Invalid);
        }
        failures.forget(address);
        Ok(Entry::Password(self.sessions.begin()))
    }

    /// Checks name and password. A wrong name takes as long as a right one.
    async fn is_right(&self, account: &Account, claim: Claim) -> Result<bool, Denied> {
        let _waiting = Waiting::begin(self)?;
        let Ok(_permit) = self.checks.acquire().await else { return Err(Denied::TooMany) };
        let account = account.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let right = bcrypt::verify(&claim.password, &account.hash).unwrap_or(false);
            right && claim.username == account.username
        });
        Ok(checked.await.unwrap_or(false))
    }
}

/// One that waits for its check, or is checked.
struct Waiting<'a>(&'a Logins);

impl<'a> Waiting<'a> {
    fn begin(logins: &'a Logins) -> Result<Waiting<'a>, Denied> {
        let before = logins.waiting.fetch_add(1, Ordering::AcqRel);
        let waiting = Waiting(logins);
        if before >= logins.max_waiting {
            metrics::refused("socketio.admin_ui.max_logins");
            return Err(Denied::TooMany);
        }
        Ok(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Claim {
    fn of(socket: &Socket) -> Claim {
        let auth = socket.auth().to_value().unwrap_or_default();
        let text = |key: &str| auth.get(key).and_then(Value::as_str).map(str::to_owned);
        Claim {
            session: text("sessionId"),
            username: text("username").unwrap_or_default(),
            password: text("password").unwrap_or_default(),
        }
    }
}

impl Failures {
    fn buckets(&self) -> MutexGuard<'_, HashMap<IpAddr, Bucket>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one try of an address; false where it has none left.
    fn take(&self, address: IpAddr, rate: Rate, now: Instant) -> bool {
        let mut buckets = self.buckets();
        if buckets.len() >= MAX_ADDRESSES && !buckets.contains_key(&address) {
            buckets.retain(|_, bucket| !bucket.is_full(rate, now));
            if buckets.len() >= MAX_ADDRESSES {
                buckets.clear();
            }
        }
        buckets.entry(address).or_insert_with(|| Bucket::full(rate, now)).take(rate, now)
    }

    /// Whoever knows the password has not guessed.
    fn forget(&self, address: IpAddr) {
        self.buckets().remove(&address);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RATE: Rate = Rate { count: 3, per: Duration::from_secs(60) };

    #[test]
    fn who_guesses_waits_and_who_knows_does_not() {
        let (failures, start) = (Failures::default(), Instant::now());
        let take = |last: u8, second: u64| {
            failures.take([192, 0, 2, last].into(), RATE, start + Duration::from_secs(second))
        };
        assert_eq!([take(1, 0), take(1, 0), take(1, 0), take(1, 0)], [true, true, true, false]);
        assert!(take(2, 0), "another address");
        assert_eq!([take(1, 19), take(1, 20), take(1, 20)], [false, true, false]);
        failures.forget([192, 0, 2, 1].into());
        assert_eq!([take(1, 20), take(1, 20), take(1, 20), take(1, 20)], [true, true, true, false]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (failures, now) = (Failures::default(), Instant::now());
        for address in 0..20_000_u32 {
            failures.take(std::net::Ipv4Addr::from(address).into(), RATE, now);
        }
        assert!(failures.buckets().len() <= MAX_ADDRESSES);
    }
}
