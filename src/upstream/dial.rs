//! Connecting: to a unix socket, or to the first of a name's addresses that takes it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;

use super::resolve::Address;

/// After so long the next address is tried beside the one that has not answered (RFC 8305 8 says
/// 250 ms; a connection inside a data centre takes far less).
const STAGGER: Duration = Duration::from_millis(300);

/// Connects to the first of `addresses` that takes it: happy eyeballs (RFC 8305 5).
pub(super) async fn dial(addresses: &[Arc<Address>]) -> io::Result<(TcpStream, Arc<Address>)> {
    if let [address] = addresses {
        return connect(address).await;
    }
    let mut waiting = addresses.iter();
    let mut tries = FuturesUnordered::new();
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    loop {
        let more = match waiting.next() {
            Some(address) => {
                tries.push(connect(address));
                waiting.len() > 0
            }
            None if tries.is_empty() => return Err(last),
            None => false,
        };
        tokio::select! {
            Some(done) = tries.next() => match done {
                Ok(connected) => return Ok(connected),
                Err(error) => last = error,
            },
            () = tokio::time::sleep(STAGGER), if more => {}
        }
    }
}

async fn connect(address: &Arc<Address>) -> io::Result<(TcpStream, Arc<Address>)> {
    let connected = TcpStream::connect(address.socket).await;
    address.note(connected.is_ok());
    let stream = connected?;
    stream.set_nodelay(true)?;
    Ok((stream, Arc::clone(address)))
}

#[cfg(test)]
mod tests {
    use super::super::resolve::Resolver;
    use super::super::resolve::tests::Scripted;
    use super::*;

    #[tokio::test]
    async fn an_address_that_refuses_gives_way_to_the_next_at_once() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let dns = Arc::new(Scripted::default());
        dns.say(&[&free.to_string(), &good.to_string()]);
        let resolver = Resolver::new("api.test", 80, dns);
        for _ in 0..4 {
            let begun = std::time::Instant::now();
            let (_, address) = dial(&resolver.addresses().await.unwrap()).await.unwrap();
            assert_eq!(address.socket, good);
            assert!(begun.elapsed() < STAGGER, "{:?}", begun.elapsed());
        }
        drop(listener);
        assert!(dial(&resolver.addresses().await.unwrap()).await.is_err());
    }

    /// A backlog that is full takes no further connection on Linux, so that one stays unanswered.
    #[tokio::test]
    async fn an_address_that_is_silent_does_not_hold_up_the_next() {
        let silent = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        silent.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
        silent.listen(0).unwrap();
        let full = silent.local_addr().unwrap().as_socket().unwrap();
        let _filled: Vec<_> = (0..8)
            .map(|_| {
                let socket =
                    socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
                socket.set_nonblocking(true).unwrap();
                let _ = socket.connect(&full.into());
                socket
            })
            .collect();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let dns = Arc::new(Scripted::default());
        dns.say(&[&full.to_string(), &good.to_string()]);
        let resolver = Resolver::new("api.test", 80, dns);
        let addresses = resolver.addresses().await.unwrap();
        assert_eq!(addresses[0].socket, full);
        let begun = std::time::Instant::now();
        let (_, address) = dial(&addresses).await.unwrap();
        assert_eq!(address.socket, good);
        assert!(begun.elapsed() >= STAGGER && begun.elapsed() < STAGGER * 5, "{:?}", begun.elapsed());
    }
}
