//! Where peers are.

use std::net::{IpAddr, Ipv6Addr};

/// Where a peer is: an address of IPv4, or a network of IPv6, since a home or a machine there has
/// 2^64 addresses to choose from (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(IpAddr);

impl From<IpAddr> for Origin {
    fn from(ip: IpAddr) -> Origin {
        const NETWORK: u128 = !0 << 64;
        match ip.to_canonical() {
            IpAddr::V6(ip) => Origin(IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & NETWORK))),
            ip @ IpAddr::V4(_) => Origin(ip),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(ip: &str) -> Origin {
        Origin::from(ip.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn a_network_of_ipv6_is_one_origin() {
        assert_eq!(origin("2001:db8::1"), origin("2001:db8::ffff:1"));
        assert_ne!(origin("2001:db8::1"), origin("2001:db8:0:1::1"));
        assert_eq!(origin("::ffff:10.0.0.1"), origin("10.0.0.1"));
        assert_ne!(origin("10.0.0.1"), origin("10.0.0.2"));
    }
}
