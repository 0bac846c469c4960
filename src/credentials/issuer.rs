//! The keys of an issuer behind a `jwks_url`: fetched, kept, and fetched again.
//!
//! The last good set counts until there is a newer one, however long the URL is away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;

use super::fetch::Place;
use super::jwks;
use super::key::KeySet;
use crate::config::{Problems, defaults, file, value};
use crate::telemetry::metrics;

/// Largest set, in bytes: a hundred keys with their certificates.
const MAX_BYTES: usize = 512 * 1024;

/// The keys behind a URL.
pub(super) struct Issuer {
    options: Options,
    place: Place,
    keys: ArcSwapOption<KeySet>,
    /// Held while the URL is asked; when it was last asked for the sake of a token.
    asking: Mutex<Option<Instant>>,
    started: AtomicBool,
}

/// What the config says of it. Where a reload brings the same, the keys stay.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Options {
    url: String,
    /// The file's path and what it held.
    ca: Option<(String, Vec<u8>)>,
    refresh: Duration,
    cooldown: Duration,
    timeout: Duration,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer").field("options", &self.options.url).finish_non_exhaustive()
    }
}

impl Issuer {
    /// Compiles the `jwks_*` keys of `credentials.jwt`.
    pub(super) fn build(url: &str, file: &file::Jwt, problems: &mut Problems) -> Option<Arc<Issuer>> {
        let mut time = |name: &str, written: Option<value::Duration>, default: Duration| {
            let time = written.map_or(default, |time| time.0);
            if time.is_zero() {
                problems.add(format!("credentials.jwt.{name}"), "it is zero", "write a time such as 5s");
            }
            time
        };
        let refresh = time("jwks_refresh", file.jwks_refresh, defaults::JWKS_REFRESH);
        let cooldown = time("jwks_cooldown", file.jwks_cooldown, defaults::JWKS_COOLDOWN);
        let timeout = time("jwks_timeout", file.jwks_timeout, defaults::JWKS_TIMEOUT);
        let ca = match file.jwks_ca.as_ref().map(|path| Ok((path.clone(), std::fs::read(path)?))).transpose()
        {
            Ok(ca) => ca,
            Err::<_, std::io::Error>(error) => {
                let wrong = format!("cannot be read: {error}");
                problems.add("credentials.jwt.jwks_ca", wrong, "name a PEM file that frontroom may read");
                return None;
            }
        };
        let place = Place::parse(url, ca.as_ref().map(|(_, pem)| pem.as_slice()));
        let place =
            place.map_err(|(key, wrong, right)| problems.add(format!("credentials.jwt.{key}"), wrong, right));
        let options = Options { url: url.to_owned(), ca, refresh, cooldown, timeout };
        let (keys, asking, started) = (ArcSwapOption::empty(), Mutex::new(None), AtomicBool::new(false));
        Some(Arc::new(Issuer { options, place: place.ok()?, keys, asking, started }))
    }

    /// Whether both say the same, so that the keys of one are those of the other.
    pub(super) fn is_like(&self, other: &Issuer) -> bool {
        self.options == other.options
    }

    /// Fetches the keys now, and again and again for as long as somebody has them.
    pub(super) fn start(self: &Arc<Self>) {
        if !self.started.swap(true, Ordering::AcqRel) {
            tokio::spawn(keep_fresh(Arc::downgrade(self)));
        }
    }

    /// The keys as they are known.
    pub(super) fn keys(&self) -> Option<Arc<KeySet>> {
        self.keys.load_full()
    }

    /// Newer keys than those that were `seen`, for a token that none of them has signed: those that somebody
    /// else has fetched meanwhile, or those that are fetched now. Not more often than every `jwks_cooldown`,
    /// since anybody can make tokens that nobody has signed. `None` where there are none.
    pub(super) async fn newer(self: &Arc<Self>, seen: Option<&Arc<KeySet>>) -> Option<Arc<KeySet>> {
        // A task of its own: whoever asks may go away, and others wait for the same answer.
        let issuer = Arc::clone(self);
        let seen = seen.cloned();
        tokio::spawn(async move {
            let mut asked = issuer.asking.lock().await;
            let differs = |known: &Arc<KeySet>| seen.as_ref().is_none_or(|seen| !Arc::ptr_eq(seen, known));
            if let Some(known) = issuer.keys().filter(differs) {
                return Some(known);
            }
            if asked.is_some_and(|asked| asked.elapsed() < issuer.options.cooldown) {
                return None;
            }
            let fetched = issuer.fetch().await;
            // From its end: an issuer that hangs makes nobody wait again at once.
            *asked = Some(Instant::now());
            if fetched { issuer.keys() } else { None }
        })
        .await
        .ok()
        .flatten()
    }

    /// Asks the URL. False where it has no good answer, which changes nothing.
    async fn fetch(&self) -> bool {
        let asked = tokio::time::timeout(self.options.timeout, self.ask()).await;
        match asked.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
            Ok(keys) => {
                tracing::debug!(url = self.options.url, keys = keys.0.len(), "keys fetched");
                self.keys.store(Some(Arc::new(keys)));
                metrics::jwks_fetch("ok");
                true
            }
            Err(wrong) => {
                let kept = self.keys.load().is_some();
                tracing::warn!(url = self.options.url, wrong, kept, "keys could not be fetched");
                metrics::jwks_fetch("failed");
                false
            }
        }
    }

    async fn ask(&self) -> Result<KeySet, String> {
        jwks::parse(&self.place.get(MAX_BYTES).await?)
    }
}

async fn keep_fresh(issuer: Weak<Issuer>) {
    let mut failures = 0;
    loop {
        let Some(issuer) = issuer.upgrade() else { return };
        let fetched = {
            let _asking = issuer.asking.lock().await;
            issuer.fetch().await
        };
        let Options { refresh, cooldown, .. } = issuer.options;
        drop(issuer);
        failures = if fetched { 0 } else { failures + 1 };
        let wait =
            if fetched { refresh } else { cooldown.saturating_mul(1 << failures.min(10)).min(refresh) };
        tokio::time::sleep(wait).await;
    }
}
