//! Where to listen, and how.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::value::OneOrMany;

/// One listening address, written `HOST:PORT` or `{address: HOST:PORT, tls, proxy_protocol}`.
#[derive(Debug, Clone, Default)]
pub struct Listen {
    /// `HOST:PORT`; port 0 takes a free one and tells which.
    pub address: String,
    /// TLS, if it is ended here.
    pub tls: Option<ListenTls>,
    /// Whether connections begin with a PROXY protocol header.
    pub proxy_protocol: bool,
}

/// TLS of a listener. Files are read again when they change.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["certificates"]))]
pub struct ListenTls {
    /// Certificates, chosen by the name that a client asks for: exact names, then wildcards, then the first.
    pub certificates: OneOrMany<Certificate>,
    /// PEM file of the authorities whose client certificates are asked for. Default: none are.
    pub client_ca: Option<String>,
    /// Oldest version of TLS that is spoken. Default 1.2.
    pub min_version: MinVersion,
}

/// A certificate and its key.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["cert", "key"]))]
pub struct Certificate {
    /// PEM file of the certificate, with the intermediate ones behind it.
    pub cert: String,
    /// PEM file of its private key.
    pub key: String,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum MinVersion {
    /// TLS 1.2 (RFC 5246) and newer.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3 (RFC 8446) alone.
    #[serde(rename = "1.3")]
    Tls13,
}
