//! Verifying tokens.

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;

use super::algorithm::Algorithm;
use super::claims::{Claims, Demands};
use super::issuer::Issuer;
use super::key::{Answer, KeySet};
use super::refusal::Refusal;
use super::token::Token;
use crate::telemetry::metrics;

/// Verifies tokens.
#[derive(Debug)]
pub(super) struct Verifier {
    /// Longest token that is looked at, in bytes.
    pub(super) max_token: u64,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) demands: Demands,
    pub(super) keys: Keys,
}

/// Where the keys are.
pub(super) enum Keys {
    /// In the config.
    Known(KeySet),
    /// Behind a URL; a reload may bring the keys that were known before.
    Fetched(ArcSwap<Issuer>),
}

/// Why a token is no good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// Whatever the keys are.
    Refused(Refusal, &'static str),
    /// None of the keys has made its signature; another one may have.
    UnknownKey,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Keys::Known(keys) => keys.fmt(f),
            Keys::Fetched(issuer) => issuer.load().fmt(f),
        }
    }
}

impl Verifier {
    /// Begins to fetch keys, where they are to be fetched.
    pub(super) fn start(&self) {
        if let Keys::Fetched(issuer) = &self.keys {
            issuer.load().start();
        }
    }

    /// Takes over the keys that `old` has fetched, if they are from the same place.
    pub(super) fn adopt(&self, old: &Verifier) {
        if let (Keys::Fetched(ours), Keys::Fetched(theirs)) = (&self.keys, &old.keys) {
            let theirs = theirs.load_full();
            if ours.load().is_like(&theirs) {
                ours.store(theirs);
            }
        }
    }

    /// What a token says, if it is good.
    pub(super) async fn verify(&self, token: &str) -> Result<Claims, Refusal> {
        let verdict = match &self.keys {
            Keys::Known(keys) => self.judge(token, keys, SystemTime::now()),
            Keys::Fetched(issuer) => self.ask(token, &issuer.load_full()).await,
        };
        verdict.map_err(|wrong| {
            let (refusal, why) = match wrong {
                Wrong::Refused(refusal, why) => (refusal, why),
                Wrong::UnknownKey => (Refusal::Invalid, "no key has made its signature"),
            };
            tracing::debug!(code = refusal.code(), why, "token refused");
            refusal
        })
    }

    /// Judges by an issuer's keys, and by newer ones if none of them has signed.
    async fn ask(&self, token: &str, issuer: &Arc<Issuer>) -> Result<Claims, Wrong> {
        let known = match issuer.keys() {
            Some(keys) => Some(keys),
            None => issuer.newer(None).await,
        };
        let Some(keys) = known else { return Err(Wrong::Refused(Refusal::Unavailable, "there are no keys")) };
        match self.judge(token, &keys, SystemTime::now()) {
            Err(Wrong::UnknownKey) => match issuer.newer(Some(&keys)).await {
                Some(newer) => self.judge(token, &newer, SystemTime::now()),
                None => Err(Wrong::UnknownKey),
            },
            verdict => verdict,
        }
    }

    /// Judges a token by these keys at this time.
    pub(super) fn judge(&self, token: &str, keys: &KeySet, now: SystemTime) -> Result<Claims, Wrong> {
        let invalid = |why| Wrong::Refused(Refusal::Invalid, why);
        if token.len() as u64 > self.max_token {
            metrics::refused("credentials.jwt.max_token");
            return Err(invalid("it is too long"));
        }
        let token = Token::read(token).map_err(invalid)?;
        if !self.algorithms.contains(&token.algorithm) {
            return Err(invalid("its algorithm is not one of `algorithms`"));
        }
        let id = token.key_id.as_deref();
        match keys.verify(token.algorithm, id, token.message.as_bytes(), token.signature) {
            Answer::Verified => {}
            Answer::Refused => return Err(invalid("its signature is wrong")),
            Answer::UnknownKey => return Err(Wrong::UnknownKey),
        }
        let claims = token.claims().map_err(invalid)?;
        let checked = self.demands.check(&claims, now);
        checked.map(|()| claims).map_err(|(refusal, why)| Wrong::Refused(refusal, why))
    }
}
