//! Where to listen.

/// One listening address, written `HOST:PORT` or `{address: HOST:PORT}`.
#[derive(Debug, Clone)]
pub struct Listen {
    /// `HOST:PORT`; port 0 takes a free one and tells which.
    pub address: String,
}
