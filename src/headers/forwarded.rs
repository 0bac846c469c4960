//! Who a request came from, as read from peers that are believed and as told to upstreams.

use std::net::{IpAddr, SocketAddr};

use http::HeaderName;
use http::header::{FORWARDED, HOST, HeaderValue};

use super::{Decimal, TrustedProxies, is_hop_by_hop};
use crate::message::Fields;

static FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// Who a request came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarded {
    /// Address of the client: the peer's, or what a trusted proxy said.
    pub client: IpAddr,
    /// Address of the peer.
    pub peer: IpAddr,
    /// The chain of addresses that a trusted proxy said; empty where none did.
    pub hops: String,
    /// `https` or not.
    pub secure: bool,
    /// Host with port, as the client asked for it; empty where an HTTP/1.0 client named none.
    pub host: String,
    /// Port, as the client asked for it.
    pub port: u16,
    /// Whether the peer is a trusted proxy. Only then a forwarding field that it sent and that is
    /// not set anew (`Forwarded`, `X-Real-IP`, `X-Forwarded-Prefix`) goes on.
    pub trusted: bool,
}

impl Forwarded {
    /// Reads who sent the request that came from `peer`, over TLS if `secure`. The client is the
    /// right-most address that is no trusted proxy.
    pub fn identify(peer: IpAddr, secure: bool, headers: &Fields, proxies: &TrustedProxies) -> Forwarded {
        let peer = peer.to_canonical();
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if !proxies.contains(peer) {
            let port = port_of(host, secure);
            let (host, hops) = (host.to_owned(), String::new());
            return Forwarded { client: peer, peer, hops, secure, host, port, trusted: false };
        }
        let said = Said::read(headers);
        let secure = said.proto.map_or(secure, |proto| matches!(proto.as_str(), "https" | "wss"));
        let host = said.host.unwrap_or_else(|| host.to_owned());
        let port = said.port.unwrap_or_else(|| port_of(&host, secure));
        let client = client(&said.hops, peer, proxies);
        Forwarded { client, peer, hops: said.hops.join(", "), secure, host, port, trusted: true }
    }

    /// Value for `X-Forwarded-For`: a trusted proxy's chain with the peer appended, else the peer.
    pub fn chain(&self) -> HeaderValue {
        if self.hops.is_empty() {
            return value(self.peer);
        }
        let chain = format!("{}, {}", self.hops, self.peer);
        HeaderValue::try_from(chain).unwrap_or_else(|_| value(self.peer))
    }

    /// `https` or `http`.
    pub fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// Sets `X-Forwarded-For`, `-Proto`, `-Host` and `-Port`; a client's own are replaced. Names that a
    /// CGI-like program could not tell from a field that is ours to set or to remove go, whoever sent
    /// them (`x_forwarded_for`, `transfer_encoding`).
    pub fn apply(&self, headers: &mut Fields) {
        headers.retain(|name| !self.is_foreign(name.as_str()) && !is_set(name));
        headers.append(&FOR, self.chain());
        headers.append(&PROTO, HeaderValue::from_static(self.scheme()));
        let same = headers.get(HOST).filter(|host| **host == self.host);
        let host = same.map_or_else(|| HeaderValue::from_str(&self.host), |host| Ok(host.clone()));
        if let Some(host) = host.ok().filter(|host| !host.is_empty()) {
            headers.append(&FORWARDED_HOST, host);
        }
        headers.append(&PORT, port_value(self.port));
    }

    /// Whether a field of that name must not go on: it claims what only a trusted proxy may say.
    fn is_foreign(&self, name: &str) -> bool {
        if memchr::memchr(b'_', name.as_bytes()).is_some() {
            return is_look_alike(name);
        }
        !self.trusted && is_forwarding(name)
    }
}

/// An address as a value. It is written for every request, and `Display` for addresses takes its time.
fn value(address: IpAddr) -> HeaderValue {
    let IpAddr::V4(v4) = address else {
        return HeaderValue::try_from(address.to_string()).unwrap_or(HeaderValue::from_static("unknown"));
    };
    let mut text = Short::default();
    for (index, octet) in v4.octets().into_iter().enumerate() {
        if index > 0 {
            text.push(b'.');
        }
        text.push_number(octet);
    }
    text.value()
}

fn port_value(port: u16) -> HeaderValue {
    match port {
        80 => HeaderValue::from_static("80"),
        443 => HeaderValue::from_static("443"),
        other => Decimal::of(other.into()).value(),
    }
}

/// A short text on its way into a value, which is its one piece of memory.
#[derive(Default)]
struct Short {
    bytes: [u8; 15],
    length: usize,
}

impl Short {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    fn push_number(&mut self, number: u8) {
        if number >= 100 {
            self.push(b'0' + number / 100);
        }
        if number >= 10 {
            self.push(b'0' + number / 10 % 10);
        }
        self.push(b'0' + number % 10);
    }

    fn value(&self) -> HeaderValue {
        let text = self.bytes.get(..self.length).unwrap_or_default();
        HeaderValue::from_bytes(text).unwrap_or(HeaderValue::from_static("unknown"))
    }
}

/// Whether [`Forwarded::apply`] sets the field.
fn is_set(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-forwarded-") && [&FOR, &PROTO, &FORWARDED_HOST, &PORT].contains(&name)
}

/// Whether a name with `_` stands for one of the fields that we set, remove or frame messages by.
#[cold]
fn is_look_alike(name: &str) -> bool {
    let name = name.replace('_', "-");
    let other = || HeaderName::from_bytes(name.as_bytes()).is_ok_and(|name| is_hop_by_hop(&name));
    is_forwarding(&name) || matches!(name.as_str(), "x-request-id" | "content-length") || other()
}

/// Whether the field tells who a request came from: `X-Forwarded-*`, `X-Real-IP`, `Forwarded`.
pub fn is_forwarding(name: &str) -> bool {
    name.starts_with("x-forwarded-") || name == "x-real-ip" || name == "forwarded"
}

/// The port in `host`, else the scheme's own.
fn port_of(host: &str, secure: bool) -> u16 {
    // What follows the last colon of an address in brackets is no number.
    let port = memchr::memrchr(b':', host.as_bytes()).and_then(|colon| host.get(colon + 1..)?.parse().ok());
    port.unwrap_or(if secure { 443 } else { 80 })
}

/// The right-most hop that is no trusted proxy. What cannot be read ends the search: nobody
/// vouches for what stands left of it.
fn client(hops: &[String], peer: IpAddr, proxies: &TrustedProxies) -> IpAddr {
    let mut client = peer;
    for hop in hops.iter().rev() {
        let Some(address) = address(hop) else { break };
        client = address;
        if !proxies.contains(address) {
            break;
        }
    }
    client
}

/// Reads `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`, with or without a zone id.
fn address(hop: &str) -> Option<IpAddr> {
    if let Ok(address) = hop.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(address) = hop.parse::<SocketAddr>() {
        return Some(address.ip().to_canonical());
    }
    let inner = hop.strip_prefix('[').map_or(hop, |rest| rest.split(']').next().unwrap_or(rest));
    let inner = inner.split('%').next().unwrap_or(inner);
    inner.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// What the fields of a trusted proxy say.
#[derive(Default)]
struct Said {
    hops: Vec<String>,
    proto: Option<String>,
    host: Option<String>,
    port: Option<u16>,
}

impl Said {
    fn read(headers: &Fields) -> Said {
        let hops = members(headers, &FOR);
        let mut said =
            if hops.is_empty() { Said::standard(headers) } else { Said { hops, ..Said::default() } };
        let last = |name| members(headers, name).pop();
        said.proto = last(&PROTO).map(|proto| proto.to_ascii_lowercase()).or(said.proto);
        said.host = last(&FORWARDED_HOST).or(said.host);
        said.port = last(&PORT).and_then(|port| port.parse().ok()).or(said.port);
        said
    }

    /// Reads `Forwarded` (RFC 7239). `proto` and `host` are those of the nearest proxy.
    fn standard(headers: &Fields) -> Said {
        let mut said = Said::default();
        for member in members(headers, &FORWARDED) {
            for pair in member.split(';') {
                let Some((key, value)) = pair.split_once('=') else { continue };
                let value = value.trim().trim_matches('"').to_owned();
                match key.trim().to_ascii_lowercase().as_str() {
                    "for" => said.hops.push(value),
                    "proto" => said.proto = Some(value.to_ascii_lowercase()),
                    "host" => said.host = Some(value),
                    _ => (),
                }
            }
        }
        said
    }
}

/// The members of all lines of `name`; lines that are not ASCII are left out.
fn members(headers: &Fields, name: &HeaderName) -> Vec<String> {
    headers
        .get_all(name)
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|member| member.trim().to_owned())
        .filter(|member| !member.is_empty())
        .collect()
}
