//! On which terms a listener takes connections: what a reload may change without binding anew.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, Semaphore};

use super::tls::Tls;
use super::{Listener, Options};
use crate::config::{Problems, defaults, file};
use crate::headers::TrustedProxies;

/// On which terms a listener takes connections.
#[derive(Debug)]
pub struct Terms {
    /// Bounds on its connections.
    pub options: Options,
    pub(super) tls: Option<Tls>,
    pub(super) proxy_protocol: bool,
    pub(super) trusted: TrustedProxies,
    /// Room for TLS handshakes.
    pub(super) handshakes: Semaphore,
}

impl Terms {
    /// Plain HTTP within `options`.
    pub fn plain(options: Options) -> Terms {
        Terms {
            handshakes: Semaphore::new(options.tls_handshakes),
            options,
            tls: None,
            proxy_protocol: false,
            trusted: TrustedProxies::default(),
        }
    }

    /// Compiles `listen`, with the keys of the file that listeners have in common: the addresses, and
    /// on which terms.
    pub fn build(file: &file::File, problems: &mut Problems) -> Vec<(String, Terms)> {
        let options = Options::build(&file.limits, problems);
        // Who complains of the networks is the gateway.
        let trusted = TrustedProxies::build(&file.trusted_proxies, &mut Problems::default());
        let default = [file::Listen { address: defaults::LISTEN.to_owned(), ..Default::default() }];
        let listen = file.listen.as_ref().map_or(&default[..], |listen| &listen.0);
        let mut terms = Vec::with_capacity(listen.len());
        for (index, listen) in listen.iter().enumerate() {
            let key = format!("listen[{index}]");
            if !Listener::is_address(&listen.address) {
                let wrong = format!("`{}` is not an address", listen.address);
                problems.add(&key, wrong, "write HOST:PORT, such as 0.0.0.0:4000");
            }
            if listen.proxy_protocol && file.trusted_proxies.0.is_empty() {
                problems.add(
                    format!("{key}.proxy_protocol"),
                    "nobody may send the header, since `trusted_proxies` is empty",
                    "name your load balancer's networks in `trusted_proxies`",
                );
            }
            let tls = listen.tls.as_ref().and_then(|tls| Tls::build(&format!("{key}.tls"), tls, problems));
            terms.push((
                listen.address.clone(),
                Terms {
                    tls,
                    proxy_protocol: listen.proxy_protocol,
                    trusted: trusted.clone(),
                    ..Terms::plain(options.clone())
                },
            ));
        }
        terms
    }

    /// `https` where the listener speaks TLS, else `http`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// The one handle by which a listener's terms are swapped: for connections that come from then on,
/// while those that are open go on as they were taken.
#[derive(Debug, Clone)]
pub struct Handle(Arc<Held>);

#[derive(Debug)]
struct Held {
    terms: ArcSwap<Terms>,
    swapped: Notify,
}

impl Handle {
    /// A handle on these terms.
    pub fn new(terms: Terms) -> Handle {
        Handle(Arc::new(Held { terms: ArcSwap::from_pointee(terms), swapped: Notify::new() }))
    }

    /// The terms of connections that come now.
    pub fn load(&self) -> Arc<Terms> {
        self.0.terms.load_full()
    }

    /// Swaps the terms. Tickets of TLS sessions stay good where the same clients are believed.
    pub fn set(&self, terms: Terms) {
        if let (Some(new), Some(old)) = (&terms.tls, &self.load().tls) {
            new.take_over(old);
        }
        self.0.terms.store(Arc::new(terms));
        self.0.swapped.notify_one();
    }

    /// Waits for the next swap; one that nobody waited for counts.
    pub async fn swapped(&self) {
        self.0.swapped.notified().await;
    }
}
