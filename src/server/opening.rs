//! What happens on a connection before HTTP: the PROXY protocol, TLS, and which version is spoken.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::drain::Serving;
use super::proxy_protocol::{self, Ends, Header};
use super::socket::Stream;
use super::tcp::Tcp;
use super::terms::Terms;
use super::tls::Tls;
use crate::telemetry::metrics;

/// What an HTTP/2 client says first (RFC 9113 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Time for a PROXY protocol header, which a balancer sends at once.
const HEADER_TIME: Duration = Duration::from_secs(5);

/// The first byte of a TLS handshake record.
const HANDSHAKE: u8 = 22;

/// Told to who speaks HTTP where TLS is expected.
const PLAIN_ON_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 48\r\n\
    Connection: close\r\n\r\nThis port speaks HTTPS: write https:// instead.\n";

/// Which HTTP a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// Takes the PROXY protocol header off; the ends it names, if it names any. Only a trusted peer may say
/// whom it speaks for, and on such a listener nobody may leave it out.
pub(super) async fn take_header(tcp: &mut Tcp, peer: SocketAddr, terms: &Terms) -> io::Result<Option<Ends>> {
    if !terms.trusted.contains(peer.ip()) {
        metrics::refused("listen.proxy_protocol");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "not in trusted_proxies"));
    }
    let read = async {
        loop {
            match proxy_protocol::read(tcp.ahead()) {
                Header::Whole { length, ends } => {
                    tcp.skip(length);
                    return Ok(ends);
                }
                Header::Partial if tcp.more().await? => (),
                Header::Partial | Header::Bad => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "no PROXY protocol header"));
                }
            }
        }
    };
    let header = timeout(HEADER_TIME.min(terms.options.header_timeout), read).await?;
    if header.is_err() {
        metrics::refused("listen.proxy_protocol");
    }
    header
}

/// Finds out what a plain connection speaks; none when it ends, the drain begins or `deadline` comes
/// before it has said enough.
pub(super) async fn peek(tcp: &mut Tcp, serving: &mut Serving, deadline: Instant) -> Option<Protocol> {
    let mut late = pin!(sleep_until(deadline));
    std::future::poll_fn(|cx| {
        loop {
            let ahead = tcp.ahead();
            if !ahead.iter().zip(PREFACE).all(|(byte, expected)| byte == expected) {
                return Poll::Ready(Some(Protocol::Http1));
            }
            if ahead.len() >= PREFACE.len() {
                return Poll::Ready(Some(Protocol::Http2));
            }
            match tcp.poll_more(cx) {
                Poll::Ready(Ok(true)) => (),
                Poll::Ready(_) => return Poll::Ready(None),
                Poll::Pending if serving.must_end(cx) => return Poll::Ready(None),
                Poll::Pending => return late.as_mut().poll(cx).map(|()| None),
            }
        }
    })
    .await
}

/// Does the TLS handshake, in its turn, by `deadline`.
pub(super) async fn handshake(
    mut tcp: Tcp,
    tls: &Tls,
    terms: &Terms,
    deadline: Instant,
) -> io::Result<(Stream, Protocol)> {
    let shake = async {
        // A silent client takes no turn.
        if tcp.ahead().is_empty() && !tcp.more().await? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if tcp.ahead().first() != Some(&HANDSHAKE) {
            refuse_plain(tcp).await;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no TLS"));
        }
        let turn = terms.handshakes.acquire().await;
        let stream = tls.accept(tcp).await;
        drop(turn);
        stream
    };
    let result = timeout_at(deadline, shake).await.unwrap_or_else(|late| Err(late.into()));
    metrics::tls_handshake(match &result {
        Ok(_) => "ok",
        Err(error) if error.kind() == io::ErrorKind::TimedOut => "timeout",
        Err(_) => "failed",
    });
    let stream = result?;
    let protocol = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        _ => Protocol::Http1,
    };
    Ok((Stream::Tls(Box::new(stream)), protocol))
}

/// Tells a client that speaks HTTP to a TLS port what is wrong.
async fn refuse_plain(mut tcp: Tcp) {
    if !tcp.ahead().first().is_some_and(u8::is_ascii_uppercase) {
        return;
    }
    let _ = tcp.write_all(PLAIN_ON_TLS).await;
    let _ = tcp.shutdown().await;
    // What it says further is read, for a while, or the answer would be lost by a reset.
    let mut rest = [0; 1024];
    for _ in 0..64 {
        if !matches!(tcp.read(&mut rest).await, Ok(read) if read > 0) {
            return;
        }
    }
}
