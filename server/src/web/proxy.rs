//! Who is behind a proxy. A proxy says it in `Forwarded` (RFC 7239) or `X-Forwarded-For`, and anybody
//! else may say anything there: so these are read only where a trusted proxy connects, from the right,
//! since each proxy adds at that end, and up to the first address that is no trusted proxy's.

use super::who::Who;
use crate::connection::PeerAddress;
use axum::http::header::FORWARDED;
use axum::http::{HeaderMap, HeaderName};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Addresses that begin alike: `10.0.0.0/8`, or a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    address: IpAddr,
    bits: u32,
}

impl Prefix {
    fn holds(&self, ip: IpAddr) -> bool {
        let (address, ip, width) = match (self.address, ip) {
            (IpAddr::V4(address), IpAddr::V4(ip)) => {
                (u128::from(address.to_bits()), u128::from(ip.to_bits()), 32)
            }
            (IpAddr::V6(address), IpAddr::V6(ip)) => (address.to_bits(), ip.to_bits(), 128),
            _ => return false,
        };
        (address ^ ip).checked_shr(width - self.bits).unwrap_or(0) == 0
    }
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Prefix, String> {
        let wrong = || {
            "expected an address or a network, such as 192.168.1.5, 10.0.0.0/8 or fd00::/8"
                .to_owned()
        };
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        match bits.unwrap_or(width) {
            bits if bits <= width => Ok(Prefix { address, bits }),
            _ => Err(format!("a prefix of this address has at most {width} bits")),
        }
    }
}

/// Who sends a request that came through `socket`.
pub(super) fn peer(who: &Who, socket: PeerAddress, headers: &HeaderMap) -> PeerAddress {
    let is_trusted = |ip| is_proxy(who, ip);
    if !is_trusted(socket.ip) {
        return socket;
    }
    let forwarded = hops_of_forwarded(headers);
    let x_forwarded = hops_of_x_forwarded_for(headers);
    match (forwarded.is_empty(), x_forwarded.is_empty()) {
        (true, _) => walk(socket, &x_forwarded, is_trusted),
        (_, true) => walk(socket, &forwarded, is_trusted),
        (false, false) => {
            // A proxy that sets one passes the other on as it came, and does not say which it sets.
            let one = walk(socket, &forwarded, is_trusted);
            let other = walk(socket, &x_forwarded, is_trusted);
            if one.ip == other.ip { one } else { socket }
        }
    }
}

/// Whether a connection from there is a proxy's: the operator says so, or has named an outside with
/// `--allow-origin`, which what comes from loopback then is.
fn is_proxy(who: &Who, ip: IpAddr) -> bool {
    who.trusted_proxies.iter().any(|prefix| prefix.holds(ip))
        || (who.has_outside() && ip.is_loopback())
}

/// The first from the right that is not trusted; the leftmost if all are, or the last one that is known.
fn walk(
    socket: PeerAddress,
    hops: &[Option<PeerAddress>],
    is_trusted: impl Fn(IpAddr) -> bool,
) -> PeerAddress {
    let mut seen = socket;
    for hop in hops.iter().rev() {
        match hop {
            Some(hop) if is_trusted(seen.ip) => seen = *hop,
            _ => break,
        }
    }
    seen
}

fn hops_of_x_forwarded_for(headers: &HeaderMap) -> Vec<Option<PeerAddress>> {
    let lines = lines(headers, X_FORWARDED_FOR);
    let hops = lines.flat_map(|line| line.split(',')).map(str::trim);
    hops.filter(|hop| !hop.is_empty()).map(parse_hop).collect()
}

/// `for=192.0.2.60;proto=http, for="[2001:db8::1]:4711"`
fn hops_of_forwarded(headers: &HeaderMap) -> Vec<Option<PeerAddress>> {
    let elements = lines(headers, FORWARDED).flat_map(|line| split_unquoted(line, ','));
    let elements = elements.filter(|element| !element.trim().is_empty());
    let hop = |element| {
        let mut pairs = split_unquoted(element, ';').filter_map(|pair| pair.split_once('='));
        let (_, hop) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
        parse_hop(hop.trim().trim_matches('"'))
    };
    elements.map(hop).collect()
}

fn lines(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    // What is no text is an address that is not known.
    headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("?"))
}

fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |char| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match char {
            _ if was_escaped => false,
            '\\' => {
                is_escaped = is_quoted;
                false
            }
            '"' => {
                is_quoted = !is_quoted;
                false
            }
            char => char == separator && !is_quoted,
        }
    })
}

/// `192.0.2.60`, `192.0.2.60:4711`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:4711`; not
/// `unknown`, and no name that a proxy invented (`_hidden`).
fn parse_hop(text: &str) -> Option<PeerAddress> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.into());
    }
    // A port may be an invented name as well.
    let text = text.split_once(":_").map_or(text, |(address, _)| address);
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let ip: IpAddr = bare.parse().ok()?;
    Some(PeerAddress { ip: ip.to_canonical(), port: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    fn seen(trusted: &[&str], socket: &str, lines: &[(&'static str, &'static str)]) -> String {
        let trusted_proxies = trusted.iter().map(|text| prefix(text)).collect();
        let who = Who { trusted_proxies, ..Who::default() };
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let socket: SocketAddr = socket.parse().unwrap();
        peer(&who, socket.into(), &headers).to_string()
    }

    #[test]
    fn a_trusted_proxy_says_who_is_behind_it() {
        const XFF: &str = "x-forwarded-for";
        const FWD: &str = "forwarded";
        let (own, lan) = ("10.0.0.1:5", "10.0.0.0/8");
        for (trusted, socket, lines, expected) in [
            (&[][..], own, &[(XFF, "203.0.113.7")][..], "10.0.0.1:5"),
            (&["10.0.0.2"], own, &[(XFF, "203.0.113.7")], "10.0.0.1:5"),
            (&["10.0.0.1"], own, &[], "10.0.0.1:5"),
            (&["10.0.0.1"], own, &[(XFF, "203.0.113.7")], "203.0.113.7"),
            (&["10.0.0.1"], own, &[(XFF, "203.0.113.7:99")], "203.0.113.7:99"),
            (&["10.0.0.1"], own, &[(XFF, "2001:db8::1")], "2001:db8::1"),
            // What the client said itself is at the left of what the proxy adds.
            (&["10.0.0.1"], own, &[(XFF, "1.2.3.4, 203.0.113.7")], "203.0.113.7"),
            (&["10.0.0.1"], own, &[(XFF, "1.2.3.4"), (XFF, "203.0.113.7")], "203.0.113.7"),
            // Several proxies.
            (&[lan], own, &[(XFF, "1.2.3.4, 203.0.113.7, 10.9.9.9")], "203.0.113.7"),
            (&[lan, "203.0.113.0/24"], own, &[(XFF, "1.2.3.4, 203.0.113.7, 10.9.9.9")], "1.2.3.4"),
            (&[lan], own, &[(XFF, "10.1.1.1, 10.2.2.2")], "10.1.1.1"),
            // What is not known ends it.
            (&[lan], own, &[(XFF, "203.0.113.7, unknown")], "10.0.0.1:5"),
            (&[lan], own, &[(XFF, "203.0.113.7, unknown, 10.2.2.2")], "10.2.2.2"),
            (&[lan], own, &[(XFF, " , ")], "10.0.0.1:5"),
            (&[lan], own, &[(FWD, "for=203.0.113.7;proto=http;by=10.0.0.1")], "203.0.113.7"),
            (
                &[lan],
                own,
                &[(FWD, "proto=https; For=\"[2001:db8::1]:4711\"")],
                "[2001:db8::1]:4711",
            ),
            (&[lan], own, &[(FWD, "for=1.2.3.4, for=\"[2001:db8::1]\"")], "2001:db8::1"),
            (&[lan], own, &[(FWD, "for=\"a,b;\\\"for=9.9.9.9\", for=203.0.113.7")], "203.0.113.7"),
            (&[lan], own, &[(FWD, "for=_hidden, for=10.0.0.3")], "10.0.0.3"),
            (&[lan], own, &[(FWD, "for=\"203.0.113.7:_x\"")], "203.0.113.7"),
            (&[lan], own, &[(FWD, "proto=https")], "10.0.0.1:5"),
            // One of the two may be the client's own.
            (&[lan], own, &[(FWD, "for=203.0.113.7"), (XFF, "203.0.113.7")], "203.0.113.7"),
            (&[lan], own, &[(FWD, "for=1.2.3.4"), (XFF, "203.0.113.7")], "10.0.0.1:5"),
            (&["10.0.0.1"], "[::ffff:10.0.0.1]:5", &[(XFF, "::ffff:203.0.113.7")], "203.0.113.7"),
            (&["fd00::/8"], "[fd12::1]:5", &[(XFF, "203.0.113.7")], "203.0.113.7"),
            (&["fd00::/8"], "[fe80::1]:5", &[(XFF, "203.0.113.7")], "[fe80::1]:5"),
            (&["0.0.0.0/0"], own, &[(XFF, "203.0.113.7")], "203.0.113.7"),
        ] {
            let about = format!("{trusted:?} {socket} {lines:?}");
            assert_eq!(seen(trusted, socket, lines), expected, "{about}");
        }
    }

    #[test]
    fn an_outside_means_a_proxy_on_loopback() {
        let mut headers = HeaderMap::new();
        headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("203.0.113.7"));
        let mut who = Who { is_loopback: true, ..Who::default() };
        let [loopback, lan] = ["127.0.0.1:1", "10.0.0.1:1"]
            .map(|address| PeerAddress::from(address.parse::<SocketAddr>().unwrap()));
        for origin in [None, Some("http://localhost:8080")] {
            who.allowed_origins = origin.map(|text| text.parse().unwrap()).into_iter().collect();
            assert_eq!(peer(&who, loopback, &headers), loopback, "{origin:?}");
        }
        who.allowed_origins = vec!["https://lab.example".parse().unwrap()];
        assert_eq!(peer(&who, loopback, &headers).to_string(), "203.0.113.7");
        assert_eq!(peer(&who, lan, &headers), lan);
    }

    #[test]
    fn a_prefix_is_an_address_and_bits() {
        assert!(prefix("10.0.0.0/8").holds("10.255.0.1".parse().unwrap()));
        assert!(!prefix("10.0.0.0/8").holds("11.0.0.1".parse().unwrap()));
        assert!(!prefix("::/0").holds("11.0.0.1".parse().unwrap()));
        assert!(prefix("::/0").holds("::1".parse().unwrap()));
        for wrong in
            ["", "nginx", "10.0.0.0/33", "::1/129", "10.0.0.0/", "10.0.0.0/-1", "1.2.3.4:80"]
        {
            assert!(wrong.parse::<Prefix>().is_err(), "{wrong}");
        }
    }
}
