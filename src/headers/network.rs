//! What counts as one address where clients are bounded by it.

use std::net::{IpAddr, Ipv6Addr};

/// An address of IPv4, or the /64 of one of IPv6, which is what one customer gets (RFC 6177).
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}
