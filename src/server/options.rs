//! Bounds on client connections.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::{Problems, defaults, file, value};

/// Bounds on client connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Connections at a time; 0 is no bound.
    pub connections: usize,
    /// Connections of one address at a time; 0 is no bound.
    pub connections_per_ip: usize,
    /// TLS handshakes at a time.
    pub tls_handshakes: usize,
    /// Bytes of a request's head that a [`Handler`](super::Handler) takes. More are read, so that it can
    /// say what is wrong; beyond that the answer knows nothing of the request.
    pub header_bytes: usize,
    /// Fields of a head that a handler takes, likewise.
    pub header_fields: usize,
    /// Time to send a request's head, from the connection's begin or from the head's first byte; to do
    /// a TLS handshake; to send a PROXY protocol header.
    pub header_timeout: Duration,
    /// How long a request's body may stand still (408), and how long a client may take no byte of a response.
    pub body_timeout: Duration,
    /// How long a connection may wait for its next request. Balancers in front give up after 60 s.
    pub idle_timeout: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            connections: defaults::LIMIT_CONNECTIONS,
            connections_per_ip: defaults::LIMIT_CONNECTIONS_PER_IP,
            tls_handshakes: defaults::LIMIT_TLS_HANDSHAKES,
            header_bytes: 32_000,
            header_fields: defaults::LIMIT_HEADER_FIELDS,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(75),
        }
    }
}

/// The least `limits.header_bytes`: below it ordinary browsers are refused.
const MIN_HEADER_BYTES: u64 = 1_000;

/// The greatest: a head is held in memory for every connection.
const MAX_HEADER_BYTES: u64 = 1_000_000;

/// The least that is read of a head beyond what it may have.
const MIN_SLACK: usize = 32_000;
const MIN_MORE_FIELDS: usize = 400;

/// `limits.header_fields`: below it ordinary browsers are refused, above it no list of fields can go.
const HEADER_FIELDS: RangeInclusive<usize> = 20..=5_000;

/// The greatest `limits.tls_handshakes`.
const MAX_HANDSHAKES: usize = 1_000_000;

impl Options {
    /// Compiles `limits`.
    pub fn build(limits: &file::Limits, problems: &mut Problems) -> Options {
        let default = Options::default();
        Options {
            connections: limits.connections.unwrap_or(default.connections),
            connections_per_ip: limits.connections_per_ip.unwrap_or(default.connections_per_ip),
            tls_handshakes: handshakes(limits.tls_handshakes, problems).unwrap_or(default.tls_handshakes),
            header_bytes: header_bytes(limits.header_bytes, problems).unwrap_or(default.header_bytes),
            header_fields: header_fields(limits.header_fields, problems).unwrap_or(default.header_fields),
            header_timeout: time("header_timeout", limits.header_timeout, problems)
                .unwrap_or(default.header_timeout),
            body_timeout: time("body_timeout", limits.body_timeout, problems).unwrap_or(default.body_timeout),
            idle_timeout: default.idle_timeout,
        }
    }
}

impl Options {
    /// Bytes at which a head is not even read to its end. Below it a head that is too large gets an
    /// answer that has everything that belongs to one.
    pub(super) fn max_head(&self) -> usize {
        self.header_bytes.saturating_add(self.header_bytes.max(MIN_SLACK))
    }

    /// The same for fields.
    pub(super) fn max_fields(&self) -> usize {
        self.header_fields.saturating_add(self.header_fields.max(MIN_MORE_FIELDS))
    }
}

fn header_bytes(written: Option<value::Size>, problems: &mut Problems) -> Option<usize> {
    let bytes = written?.0;
    if !(MIN_HEADER_BYTES..=MAX_HEADER_BYTES).contains(&bytes) {
        problems.add("limits.header_bytes", format!("{bytes} bytes are out of bounds"), "write 1KB to 1MB");
    }
    usize::try_from(bytes).ok()
}

fn header_fields(written: Option<usize>, problems: &mut Problems) -> Option<usize> {
    let count = written?;
    if !HEADER_FIELDS.contains(&count) {
        problems.add("limits.header_fields", format!("{count} is out of bounds"), "write 20 to 5000");
        return None;
    }
    Some(count)
}

fn handshakes(written: Option<usize>, problems: &mut Problems) -> Option<usize> {
    let count = written?;
    if !(1..=MAX_HANDSHAKES).contains(&count) {
        problems.add("limits.tls_handshakes", format!("{count} is out of bounds"), "write 1 to 1000000");
        return None;
    }
    Some(count)
}

fn time(key: &str, written: Option<value::Duration>, problems: &mut Problems) -> Option<Duration> {
    let time = written?.0;
    if time.is_zero() {
        problems.add(format!("limits.{key}"), "it is zero", "write a time above zero, such as 10s");
    }
    Some(time)
}
