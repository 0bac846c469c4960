//! A JSON Web Token in its parts (RFC 7515 7.1), before anybody has verified it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::algorithm::{self, Algorithm};
use super::claims::Claims;

/// A token in its parts.
pub(super) struct Token<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    /// What is signed: the first two parts as they were sent.
    pub(super) message: &'a str,
    payload: &'a str,
    pub(super) signature: &'a str,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood (RFC 7515 4.1.11). We understand none.
    crit: Option<IgnoredAny>,
}

impl<'a> Token<'a> {
    /// Reads the first part. The error is what is wrong.
    pub(super) fn read(text: &'a str) -> Result<Token<'a>, &'static str> {
        let (message, signature) = text.rsplit_once('.').ok_or("it has not three parts")?;
        let (header, payload) = message.split_once('.').ok_or("it has not three parts")?;
        if payload.contains('.') {
            return Err("it has not three parts");
        }
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| "its header is not base64url")?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| "its header cannot be read")?;
        if header.crit.is_some() {
            return Err("it needs an extension");
        }
        let algorithm = algorithm::parse(&header.alg).ok_or("its algorithm is unknown, or none")?;
        Ok(Token { algorithm, key_id: header.kid, message, payload, signature })
    }

    /// What it says. Of a claim that stands twice the last counts (RFC 7519 4).
    pub(super) fn claims(&self) -> Result<Claims, &'static str> {
        let payload = URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| "its claims are not base64url")?;
        serde_json::from_slice(&payload).map(Claims).map_err(|_| "its claims are no JSON object")
    }
}
