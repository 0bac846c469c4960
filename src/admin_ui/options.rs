//! What the config says of the Admin UI's namespace.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bcrypt::HashParts;

use crate::config::file::{AdminUiAuth, AdminUiMode};
use crate::config::value::Rate;
use crate::config::{Problems, defaults, file};

/// The least `max_queue`: what one event may show fits.
const MIN_QUEUE: u64 = 64_000;

/// Costs of bcrypt that are good for something: below, a hash is soon guessed; beyond, a check takes seconds.
const COSTS: std::ops::RangeInclusive<u32> = 4..=15;

/// Where a key is.
fn at(key: &str) -> String {
    format!("socketio.admin_ui.{key}")
}

/// The compiled section `socketio.admin_ui`.
#[derive(Clone, PartialEq, Eq)]
pub struct Options {
    pub(super) namespace: Arc<str>,
    /// Who may log in; `None` for everybody.
    pub(super) account: Option<Account>,
    /// How long a session lasts.
    pub(super) session: Duration,
    /// Whether sockets and events are told, not only sums.
    pub(super) development: bool,
    pub(super) read_only: bool,
    pub(super) server_id: Option<String>,
    pub(super) max_logins: usize,
    pub(super) failed_logins: Rate,
    pub(super) max_sockets: usize,
    pub(super) max_queue: usize,
    /// The namespaces that there are, whether or not somebody is in them.
    pub(super) namespaces: Vec<Arc<str>>,
    /// Where clients' tokens are, as `credentials.token` says: not told.
    pub(super) tokens: Vec<String>,
    /// What all nodes know, where there are several.
    pub(super) secrets: Vec<String>,
    /// Whether each connect and disconnect gets a line in the event log.
    pub(super) event_log: bool,
}

/// A name and the hash of its password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) username: String,
    pub(super) hash: String,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Options {
    /// Compiles the section; `None` where it is not enabled.
    pub fn build(file: &file::File, problems: &mut Problems) -> Option<Options> {
        let written = &file.socketio.admin_ui;
        let account = account(written, problems);
        let namespace = namespace(&file.socketio, problems);
        let max_queue = written.max_queue.map_or(defaults::ADMIN_UI_MAX_QUEUE, |size| size.0);
        let max_logins = written.max_logins.unwrap_or(defaults::ADMIN_UI_MAX_LOGINS);
        let session = written.session.map_or(defaults::ADMIN_UI_SESSION, |time| time.0);
        if max_queue < MIN_QUEUE {
            let wrong = "what one event may show does not fit";
            problems.add(at("max_queue"), wrong, format!("at least {MIN_QUEUE} bytes"));
        }
        if max_logins == 0 {
            problems.add(at("max_logins"), "nobody could log in", "give a number such as 2");
        }
        if session.is_zero() {
            problems.add(at("session"), "no time at all", "give a duration such as 24h");
        }
        let known = file.socketio.namespaces.keys().filter(|name| !name.contains('{'));
        let known = ["/"].into_iter().chain(known.map(String::as_str)).map(Arc::from);
        let tokens = file.credentials.token.as_ref().map_or_else(Vec::new, |tokens| tokens.0.clone());
        written.enabled.then(|| Options {
            namespaces: known.chain([Arc::clone(&namespace)]).collect(),
            namespace,
            account,
            session,
            development: written.mode == AdminUiMode::Development,
            read_only: written.read_only,
            server_id: written.server_id.clone(),
            max_logins,
            failed_logins: written.failed_logins.unwrap_or(defaults::ADMIN_UI_FAILED_LOGINS),
            max_sockets: written.max_sockets.unwrap_or(defaults::ADMIN_UI_MAX_SOCKETS),
            max_queue: usize::try_from(max_queue).unwrap_or(usize::MAX),
            tokens,
            secrets: file.cluster.as_ref().map_or_else(Vec::new, |cluster| cluster.node.secret.0.clone()),
            event_log: file.log.events.unwrap_or(defaults::LOG_EVENTS),
        })
    }

    /// Whether who has logged in under the other options may stay.
    pub(super) fn admits_those_of(&self, other: &Options) -> bool {
        self.namespace == other.namespace && self.account == other.account
    }
}

/// The namespace's name, which no rules may have.
fn namespace(file: &file::SocketIo, problems: &mut Problems) -> Arc<str> {
    let name = file.admin_ui.namespace.as_deref().unwrap_or(defaults::ADMIN_UI_NAMESPACE);
    let right = "a name of its own, such as /admin";
    if !name.starts_with('/') || name == "/" || name.contains(['{', '}', ',', '?']) {
        problems.add(at("namespace"), format!("`{name}` can be no namespace of the Admin UI"), right);
    }
    if file.admin_ui.enabled && file.namespaces.contains_key(name) {
        problems.add(at("namespace"), format!("`{name}` has rules in `socketio.namespaces`"), right);
    }
    name.into()
}

/// Who may log in, which must be said one way or the other.
fn account(written: &file::AdminUi, problems: &mut Problems) -> Option<Account> {
    if written.auth == AdminUiAuth::None {
        for (key, given) in [("username", &written.username), ("password", &written.password)] {
            if given.is_some() {
                problems.add(at(key), "contradicts `auth: none`", "drop it, or write `auth: basic`");
            }
        }
        return None;
    }
    let right = "give the hash that `htpasswd -nbBC 10 admin PASSWORD` prints, or write `auth: none` where only those \
                 can reach it who may do anything";
    match written.password.as_deref().map(HashParts::from_str) {
        None if written.enabled => problems.add(at("password"), "is missing", right),
        Some(Err(_)) => problems.add(at("password"), "is no bcrypt hash", right),
        Some(Ok(parts)) if !COSTS.contains(&parts.get_cost()) => {
            let wrong = format!("has the cost {}", parts.get_cost());
            problems.add(at("password"), wrong, format!("make it with a cost of 10 to {}", COSTS.end()));
        }
        _ => {}
    }
    if written.enabled && written.username.as_ref().is_none_or(|name| name.is_empty()) {
        problems.add(at("username"), "is missing", "give a name such as admin");
    }
    let (username, hash) = (written.username.clone()?, written.password.clone()?);
    Some(Account { username, hash })
}
