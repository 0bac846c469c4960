//! Clients' tokens.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::value::{Duration, OneOrMany, Size};

/// Where a client's token is found, what makes it good, and how it goes upstream.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Credentials {
    /// `header:NAME`, `auth:KEY`, `cookie:NAME`, `query:NAME`; the first one found counts.
    /// Default `["header:authorization", "auth:token"]`.
    pub token: Option<OneOrMany<String>>,
    /// How tokens are verified. Without it they are carried, and never judged.
    pub jwt: Option<Jwt>,
    /// Who must have a good token. Default `none`.
    pub require: Require,
    /// Where `require: all` asks for none: `/auth/**`, `GET /health`.
    pub public: OneOrMany<String>,
    /// Whether the handshake's cookies go along with event requests. Default true.
    pub cookies: Option<bool>,
    /// Request headers that tell the upstream a verified token's claims, by name. A client that sends such a
    /// header itself is not believed.
    pub claims_to_headers: IndexMap<String, String>,
    /// What becomes of a socket whose token expires. Default `disconnect`.
    pub on_expiry: OnExpiry,
}

/// How tokens are verified (RFC 7519): by one of `secret`, `public_key_file` and `jwks_url`.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Jwt {
    /// Secret of the algorithms HS256, HS384 and HS512, as text.
    pub secret: Option<String>,
    /// PEM file with public keys or certificates: RSA, EC (P-256, P-384), Ed25519.
    pub public_key_file: Option<String>,
    /// URL of a JSON Web Key Set (RFC 7517), whose keys are found by a token's `kid`.
    pub jwks_url: Option<String>,
    /// PEM file of the authorities to trust for the URL in place of the system's.
    pub jwks_ca: Option<String>,
    /// How often the set is fetched again. Default 10m.
    pub jwks_refresh: Option<Duration>,
    /// Least time between fetches for the sake of keys that are not known. Default 5s.
    pub jwks_cooldown: Option<Duration>,
    /// Time to the whole set. Default 5s.
    pub jwks_timeout: Option<Duration>,
    /// Algorithms that tokens may be signed with; they must fit the key.
    pub algorithms: OneOrMany<String>,
    /// What the claim `iss` must be. Default: not looked at.
    pub issuer: OneOrMany<String>,
    /// What the claim `aud` must be, or contain. Default: not looked at.
    pub audience: OneOrMany<String>,
    /// Longest token that is looked at, in bytes. Default 16KB.
    pub max_token: Option<Size>,
    /// How far clocks may differ when `exp` and `nbf` are looked at. Default 30s.
    pub leeway: Option<Duration>,
}

/// The secret stays out of logs.
impl std::fmt::Debug for Jwt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jwt").field("algorithms", &self.algorithms).finish_non_exhaustive()
    }
}

/// Who must have a good token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Require {
    /// Nobody.
    #[default]
    None,
    /// Sockets.
    Sockets,
    /// Sockets, and requests beyond `public`.
    All,
}

/// What becomes of a socket whose token expires.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnExpiry {
    /// It is disconnected.
    #[default]
    Disconnect,
    /// It stays, and its requests carry the expired token.
    Ignore,
}
