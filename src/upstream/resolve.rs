//! The addresses behind a host's name, looked up again and again.
//!
//! The system's resolver tells no time to live, so that names are asked for every five seconds, which
//! is what headless services of Kubernetes change by; while nothing is found, up to every minute.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::clock::now;

/// Time between two lookups of a name.
const EVERY: Duration = Duration::from_secs(5);

/// The same while they fail, at most.
const AT_MOST: Duration = Duration::from_secs(60);

/// For so long an address that could not be connected to is tried after the others, in milliseconds.
const AVOIDED: u64 = 10_000;

/// More addresses of one name than these are not used.
const MAX_ADDRESSES: usize = 64;

/// Asks for the addresses behind a name. The system does; tests put their own here.
pub(super) trait Lookup: fmt::Debug + Send + Sync {
    /// All addresses, IPv4 and IPv6.
    fn lookup(&self, host: &str, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// The system's resolver: hosts file, search domains and DNS as everywhere else on the machine.
#[derive(Debug)]
pub(super) struct System;

impl Lookup for System {
    fn lookup(&self, host: &str, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let host = host.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// One address. Connections keep it, so that they learn when it is gone.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) socket: SocketAddr,
    gone: AtomicBool,
    /// The millisecond until which it is tried after the others; 0 for never.
    avoided_until: AtomicU64,
}

impl Address {
    fn new(socket: SocketAddr) -> Arc<Address> {
        Arc::new(Address { socket, gone: AtomicBool::new(false), avoided_until: AtomicU64::new(0) })
    }

    /// Whether the name does not lead here any more: its connections finish what they carry.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// Notes whether it could be connected to.
    pub(super) fn note(&self, connected: bool) {
        let until = if connected { 0 } else { now() + AVOIDED };
        self.avoided_until.store(until, Ordering::Relaxed);
    }

    fn is_avoided(&self) -> bool {
        let until = self.avoided_until.load(Ordering::Relaxed);
        until != 0 && now() < until
    }
}

/// The addresses of one host.
#[derive(Debug)]
pub(super) struct Resolver {
    host: String,
    port: u16,
    /// Whether the host is an address already.
    fixed: bool,
    lookup: Arc<dyn Lookup>,
    known: Mutex<Known>,
    /// Held while the first answer is awaited.
    asking: tokio::sync::Mutex<()>,
    next: AtomicUsize,
}

#[derive(Debug, Default)]
struct Known {
    addresses: Vec<Arc<Address>>,
    /// When the name is asked for again; none before the first time.
    again: Option<Instant>,
    failures: u32,
}

impl Resolver {
    pub(super) fn new(host: &str, port: u16, lookup: Arc<dyn Lookup>) -> Resolver {
        let address = host.parse::<IpAddr>().ok().map(|ip| Address::new(SocketAddr::new(ip, port)));
        let fixed = address.is_some();
        let known = Known { addresses: address.into_iter().collect(), ..Known::default() };
        Resolver {
            host: host.to_owned(),
            port,
            fixed,
            lookup,
            known: Mutex::new(known),
            asking: tokio::sync::Mutex::new(()),
            next: AtomicUsize::new(0),
        }
    }

    /// The addresses in the order to try them: in turn, those that failed lately last. Asks for the
    /// name if that is due; what was known before does while no answer comes.
    pub(super) async fn addresses(&self) -> io::Result<Vec<Arc<Address>>> {
        if !self.fixed && self.is_due() {
            let _asking = self.asking.lock().await;
            if self.is_due() {
                self.refresh().await?;
            }
        }
        let mut addresses = self.known().addresses.clone();
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        if addresses.len() > 1 {
            let turn = self.next.fetch_add(1, Ordering::Relaxed) % addresses.len();
            addresses.rotate_left(turn);
            addresses.sort_by_key(|address| address.is_avoided());
        }
        Ok(addresses)
    }

    /// Asks for the name; an error only if nothing was known before either.
    pub(super) async fn refresh(&self) -> io::Result<()> {
        let answer = self.lookup.lookup(&self.host, self.port).await;
        let mut known = self.known();
        let failed = match answer {
            Ok(found) if !found.is_empty() => {
                known.learn(found);
                None
            }
            Ok(_) => Some(io::Error::new(io::ErrorKind::NotFound, "the name has no address")),
            Err(error) => Some(error),
        };
        known.failures = if failed.is_some() { known.failures.saturating_add(1) } else { 0 };
        known.again = Some(Instant::now() + pause(known.failures));
        match failed {
            Some(error) if known.addresses.is_empty() => {
                // Whoever comes next asks again: nobody can be served from what is known.
                known.again = None;
                Err(error)
            }
            Some(error) => {
                tracing::warn!(host = self.host, %error, "lookup failed, going on with the addresses known");
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Asks for the name again if somebody wanted it before and it is due.
    pub(super) async fn keep_up(&self) {
        if !self.fixed && self.known().again.is_some() && self.is_due() {
            let _ = self.refresh().await;
        }
    }

    fn is_due(&self) -> bool {
        self.known().again.is_none_or(|again| again <= Instant::now())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Time to the next lookup after so many failed ones in a row.
fn pause(failures: u32) -> Duration {
    EVERY.saturating_mul(1 << failures.saturating_sub(1).min(4)).min(AT_MOST)
}

impl Known {
    /// Takes over what was found: addresses that stay keep what is known of them.
    fn learn(&mut self, mut found: Vec<SocketAddr>) {
        found.truncate(MAX_ADDRESSES);
        let mut seen = Vec::with_capacity(found.len());
        for socket in interleaved(found) {
            if !seen.iter().any(|address: &Arc<Address>| address.socket == socket) {
                let known = self.addresses.iter().find(|address| address.socket == socket);
                seen.push(known.map_or_else(|| Address::new(socket), Arc::clone));
            }
        }
        for old in &self.addresses {
            let stays = seen.iter().any(|address| Arc::ptr_eq(address, old));
            old.gone.store(!stays, Ordering::Relaxed);
        }
        self.addresses = seen;
    }
}

/// The two families in turn, beginning with the first that was found (RFC 8305 4).
fn interleaved(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = found.first().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut order = Vec::new();
    loop {
        let before = order.len();
        order.extend(one.next());
        order.extend(other.next());
        if order.len() == before {
            return order;
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Answers what the test says at the time.
    #[derive(Debug, Default)]
    pub(in crate::upstream) struct Scripted {
        pub(in crate::upstream) answer: Mutex<Vec<SocketAddr>>,
        asked: AtomicUsize,
    }

    impl Scripted {
        pub(in crate::upstream) fn say(&self, addresses: &[&str]) {
            *self.answer.lock().unwrap() = addresses.iter().map(|address| address.parse().unwrap()).collect();
        }
    }

    impl Lookup for Scripted {
        fn lookup(&self, _: &str, _: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let answer = self.answer.lock().unwrap().clone();
            let failed = answer.is_empty();
            Box::pin(async move { if failed { Err(io::ErrorKind::TimedOut.into()) } else { Ok(answer) } })
        }
    }

    async fn sockets(resolver: &Resolver) -> Vec<String> {
        let mut found: Vec<_> =
            resolver.addresses().await.unwrap().iter().map(|address| address.socket.to_string()).collect();
        found.sort();
        found
    }

    /// As if the pause to the next lookup were over.
    fn pass(resolver: &Resolver) {
        resolver.known().again = Some(Instant::now());
    }

    #[tokio::test]
    async fn a_name_is_asked_for_again_and_addresses_that_left_are_told() {
        let dns = Arc::new(Scripted::default());
        let resolver = Resolver::new("api.test", 80, dns.clone());
        resolver.keep_up().await;
        assert_eq!(dns.asked.load(Ordering::SeqCst), 0, "nobody wanted it yet");
        assert!(resolver.addresses().await.is_err());
        dns.say(&["10.0.0.1:80", "10.0.0.2:80"]);
        assert_eq!(sockets(&resolver).await, ["10.0.0.1:80", "10.0.0.2:80"]);
        let before = resolver.addresses().await.unwrap();
        dns.say(&["10.0.0.2:80", "10.0.0.3:80"]);
        resolver.keep_up().await;
        assert_eq!(sockets(&resolver).await, ["10.0.0.1:80", "10.0.0.2:80"], "not yet");
        pass(&resolver);
        resolver.keep_up().await;
        for address in before {
            assert_eq!(address.is_gone(), address.socket.to_string() == "10.0.0.1:80");
        }
        let asked = dns.asked.load(Ordering::SeqCst);
        assert_eq!(sockets(&resolver).await, ["10.0.0.2:80", "10.0.0.3:80"]);
        assert_eq!(dns.asked.load(Ordering::SeqCst), asked);
    }

    #[tokio::test]
    async fn the_last_good_answer_is_kept_while_lookups_fail_ever_more_rarely() {
        let dns = Arc::new(Scripted::default());
        let resolver = Resolver::new("api.test", 80, dns.clone());
        dns.say(&["10.0.0.1:80"]);
        assert_eq!(sockets(&resolver).await, ["10.0.0.1:80"]);
        dns.say(&[]);
        for _ in 0..3 {
            pass(&resolver);
            assert_eq!(sockets(&resolver).await, ["10.0.0.1:80"]);
        }
        let left = resolver.known().again.unwrap().saturating_duration_since(Instant::now());
        assert!(left > pause(2) && left <= pause(3), "{left:?}");
        let pauses = [0, 1, 2, 3, 4, 5, 99].map(|failures| pause(failures).as_secs());
        assert_eq!(pauses, [5, 5, 10, 20, 40, 60, 60]);
        dns.say(&["10.0.0.9:80"]);
        pass(&resolver);
        assert_eq!(sockets(&resolver).await, ["10.0.0.9:80"]);
    }

    #[tokio::test]
    async fn addresses_take_turns_and_those_that_failed_come_last() {
        let dns = Arc::new(Scripted::default());
        dns.say(&["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]);
        let resolver = Resolver::new("api.test", 80, dns);
        let mut firsts = Vec::new();
        for _ in 0..3 {
            firsts.push(resolver.addresses().await.unwrap()[0].socket.to_string());
        }
        assert_eq!(firsts, ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]);
        let bad = resolver.addresses().await.unwrap()[0].clone();
        bad.note(false);
        for _ in 0..6 {
            assert_eq!(resolver.addresses().await.unwrap()[2].socket, bad.socket);
        }
    }

    #[test]
    fn the_families_alternate() {
        let parse = |text: &str| text.parse::<SocketAddr>().unwrap();
        let found = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"].map(parse).to_vec();
        assert_eq!(interleaved(found), ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"].map(parse));
    }
}
