//! The access log: one line a request.

use std::net::IpAddr;
use std::time::Duration;

use super::escape::escape;

/// What the access log says of one request.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// As the client sent it.
    pub method: &'a str,
    /// The raw path. A query, if there is one, is left out: it may hold a session id or a token.
    pub path: &'a str,
    /// Of the answer; 499 where the client left before it.
    pub status: u16,
    /// From the request's head to the end of the answer's head.
    pub duration: Duration,
    /// Length of the answer's body, where it is known.
    pub bytes: Option<u64>,
    /// Address of the client, as far as proxies are trusted.
    pub client: IpAddr,
    /// `X-Request-Id`.
    pub request_id: &'a str,
    /// The metrics' label.
    pub route: &'a str,
}

impl Access<'_> {
    /// Writes the line. It never holds a token, a cookie or a message's content.
    pub fn log(&self) {
        let path = self.path.split_once('?').map_or(self.path, |(path, _)| path);
        tracing::info!(
            target: "frontroom::access",
            method = %escape(self.method),
            path = %escape(path),
            status = self.status,
            ms = self.duration.as_micros() as f64 / 1000.0,
            bytes = self.bytes,
            client = %self.client,
            request_id = %escape(self.request_id),
            route = %escape(self.route),
            "request",
        );
    }
}
