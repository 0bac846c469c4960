//! Header rules of a proxy: hop-by-hop fields (RFC 9110 7.6.1), forwarding fields, cookies.

mod cookie;
mod decimal;
mod forwarded;
mod hop;
mod id;
mod network;
mod said;
mod trusted;

#[cfg(test)]
mod tests;

pub use cookie::{cookie, join_cookies, joined_cookies};
pub use decimal::Decimal;
pub use forwarded::{Forwarded, is_forwarding};
pub use hop::{Intent, has_token, is_chunked, is_hop_by_hop, remove_hop_by_hop, tokens};
pub use id::new_id;
pub use network::network;
pub use said::Said;
pub use trusted::TrustedProxies;
