//! The header by which a balancer tells whom a connection comes from: PROXY protocol, versions 1 and 2
//! (HAProxy's `proxy-protocol.txt`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The longest header of version 1, its line end included.
const MAX_V1: usize = 107;

/// What a header of version 2 begins with.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The fixed part of version 2: signature, version and command, family, length of the rest.
const FIXED_V2: usize = 16;

/// The most that may follow the fixed part: addresses of sockets (216 bytes) and what else is told.
const MAX_REST_V2: usize = 4096;

/// Where a connection comes from and goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
}

/// What stands at the begin of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// The begin of a header.
    Partial,
    /// No header.
    Bad,
    /// A header of so many bytes. It names no ends where the balancer speaks for itself (`LOCAL`) or
    /// does not know (`UNKNOWN`).
    Whole { length: usize, ends: Option<Ends> },
}

/// Reads a header at the begin of `bytes`.
pub(super) fn read(bytes: &[u8]) -> Header {
    let read = if begins(bytes, SIGNATURE) {
        read_v2(bytes)
    } else if begins(bytes, b"PROXY ") {
        read_v1(bytes)
    } else {
        None
    };
    read.unwrap_or(Header::Bad)
}

/// Whether `bytes` begin with `word`, as far as they go.
fn begins(bytes: &[u8], word: &[u8]) -> bool {
    bytes.iter().zip(word).all(|(byte, expected)| byte == expected)
}

/// `PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n`.
fn read_v1(bytes: &[u8]) -> Option<Header> {
    let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") else {
        return (bytes.len() < MAX_V1).then_some(Header::Partial);
    };
    let length = end + 2;
    let line = std::str::from_utf8(bytes.get(..end).filter(|_| length <= MAX_V1)?).ok()?;
    let words: Vec<&str> = line.split(' ').collect();
    let ends = match words.as_slice() {
        ["PROXY", "UNKNOWN", ..] => None,
        ["PROXY", "TCP4", source, destination, from, to] => {
            Some(ends_v1::<Ipv4Addr>(source, destination, from, to)?)
        }
        ["PROXY", "TCP6", source, destination, from, to] => {
            Some(ends_v1::<Ipv6Addr>(source, destination, from, to)?)
        }
        _ => return None,
    };
    Some(Header::Whole { length, ends })
}

fn ends_v1<A: std::str::FromStr + Into<IpAddr>>(
    source: &str,
    destination: &str,
    from: &str,
    to: &str,
) -> Option<Ends> {
    let address = |text: &str| text.parse::<A>().ok().map(Into::into);
    let port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
    Some(Ends {
        source: SocketAddr::new(address(source)?, port(from)?),
        destination: SocketAddr::new(address(destination)?, port(to)?),
    })
}

fn read_v2(bytes: &[u8]) -> Option<Header> {
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED_V2>() else {
        return Some(Header::Partial);
    };
    let [.., command, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MAX_REST_V2 {
        return None;
    }
    let local = match command {
        0x20 => true,
        0x21 => false,
        _ => return None,
    };
    let Some(rest) = rest.get(..length) else { return Some(Header::Partial) };
    let ends = match family {
        _ if local => None,
        0x11 => Some(ends_v2::<4, Ipv4Addr>(rest)?),
        0x21 => Some(ends_v2::<16, Ipv6Addr>(rest)?),
        // Unspecified, datagrams, unix sockets: no address of a client that we could use.
        _ => None,
    };
    Some(Header::Whole { length: FIXED_V2 + length, ends })
}

/// Two addresses of `N` bytes, two ports; more that is told behind them is skipped.
fn ends_v2<const N: usize, A: From<[u8; N]> + Into<IpAddr>>(rest: &[u8]) -> Option<Ends> {
    let (source, rest) = rest.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let (from, rest) = rest.split_first_chunk::<2>()?;
    let to = rest.first_chunk::<2>()?;
    let end = |address: &[u8; N], port: &[u8; 2]| {
        SocketAddr::new(A::from(*address).into(), u16::from_be_bytes(*port))
    };
    Some(Ends { source: end(source, from), destination: end(destination, to) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ends(source: &str, destination: &str) -> Option<Ends> {
        Some(Ends { source: source.parse().unwrap(), destination: destination.parse().unwrap() })
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &length, rest].concat()
    }

    #[test]
    fn lines_of_version_1_are_read() {
        for (line, expected) in [
            ("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n", ends("192.0.2.1:56324", "192.0.2.2:443")),
            ("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n", ends("[2001:db8::1]:1", "[::1]:65535")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None),
        ] {
            let whole = Header::Whole { length: line.len(), ends: expected };
            assert_eq!(read(format!("{line}GET / HTTP/1.1\r\n").as_bytes()), whole, "{line}");
            for cut in 0..line.len() {
                assert_eq!(read(&line.as_bytes()[..cut]), Header::Partial, "{line} cut at {cut}");
            }
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
        for text in [
            "GET / HTTP/1.1\r\n",
            "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
            "PROXY TCP4 2001:db8::1 ::1 1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
            "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
            long.as_str(),
            &"PROXY ".repeat(20),
        ] {
            assert_eq!(read(text.as_bytes()), Header::Bad, "{text}");
        }
        for bytes in [
            v2(0x22, 0x11, &[0; 12]),
            v2(0x11, 0x11, &[0; 12]),
            v2(0x21, 0x11, &[0; 11]),
            v2(0x21, 0x21, &[0; 12]),
            v2(0x21, 0x11, &[0; 4097]),
        ] {
            assert_eq!(read(&bytes), Header::Bad, "{bytes:x?}");
        }
    }

    #[test]
    fn headers_of_version_2_are_read_and_what_else_they_tell_is_skipped() {
        let four =
            [&[192, 0, 2, 1, 192, 0, 2, 2, 0xdc, 0x04, 0x01, 0xbb][..], &[3, 0, 4, 1, 2, 3, 4]].concat();
        let mut six = [0; 36];
        (six[0], six[15], six[31], six[33], six[35]) = (0x20, 1, 1, 7, 9);
        for (header, expected) in [
            (v2(0x21, 0x11, &four), ends("192.0.2.1:56324", "192.0.2.2:443")),
            (v2(0x21, 0x21, &six), ends("[2000::1]:7", "[::1]:9")),
            (v2(0x20, 0x11, &four), None),
            (v2(0x20, 0x00, &[]), None),
            (v2(0x21, 0x00, &[1, 2]), None),
            (v2(0x21, 0x31, &[0; 216]), None),
        ] {
            let whole = Header::Whole { length: header.len(), ends: expected };
            assert_eq!(read(&[&header[..], b"more"].concat()), whole);
            for cut in 0..header.len() {
                assert_eq!(read(&header[..cut]), Header::Partial, "cut at {cut}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_read_beyond_their_end(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), which in 0..3) {
            if which > 0 {
                let begin: &[u8] = if which == 1 { SIGNATURE } else { b"PROXY TCP4 " };
                bytes.splice(0..0, begin.iter().copied());
            }
            if let Header::Whole { length, .. } = read(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
