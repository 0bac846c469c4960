//! Peers whose forwarding fields are believed.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::{Problems, value::OneOrMany};

/// Networks whose `X-Forwarded-*`, `Forwarded` and `X-Request-Id` are believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Compiles `trusted_proxies`: CIDRs or single addresses.
    pub fn build(list: &OneOrMany<String>, problems: &mut Problems) -> TrustedProxies {
        let single = list.0.len() == 1;
        let mut networks = Vec::new();
        for (index, text) in list.0.iter().enumerate() {
            match network(text) {
                Some(found) => networks.push(found),
                None => problems.add(
                    if single { "trusted_proxies".to_owned() } else { format!("trusted_proxies[{index}]") },
                    format!("`{text}` is not a network"),
                    "write a CIDR such as 10.0.0.0/8 or fd00::/8, or one address",
                ),
            }
        }
        TrustedProxies(networks)
    }

    /// Whether the peer at `address` is believed.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse::<IpNet>()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(|ip| IpNet::from(ip.to_canonical())))
}
