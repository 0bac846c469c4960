//! Large bodies with a slow peer at their end: what waits, waits with the sender.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::message::Reader;
use super::support::gateway::Gateway;
use super::support::http::connect_narrow;

const SIZE: usize = 20_000_000;

/// Transfers at a time.
const PEERS: usize = 3;

/// What the process may grow by while three times twenty megabytes go through it.
const GROWTH: u64 = 16_000_000;

/// Reads so many bytes, slowly: twenty megabytes in two seconds.
fn sip(stream: &mut TcpStream, mut left: usize) {
    let mut sip = vec![0; 100_000];
    while left > 0 {
        let part = left.min(sip.len());
        stream.read_exact(&mut sip[..part]).expect("the transfer goes on");
        left -= part;
        thread::sleep(Duration::from_millis(10));
    }
}

/// A backend on connections that hold little, each served by `serve`.
fn backend(serve: fn(TcpStream)) -> String {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(64).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// The most that the process grew by while `transfers` ran.
fn growth(gateway: &Gateway, transfers: Vec<thread::JoinHandle<()>>) -> u64 {
    let before = gateway.memory();
    let ended = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&ended);
    let waiting = thread::spawn(move || {
        let results: Vec<_> = transfers.into_iter().map(thread::JoinHandle::join).collect();
        end.store(true, Ordering::SeqCst);
        results.into_iter().for_each(|result| result.expect("the transfer"));
    });
    let mut most = before;
    while !ended.load(Ordering::SeqCst) {
        most = most.max(gateway.memory());
        thread::sleep(Duration::from_millis(5));
    }
    waiting.join().expect("all transfers");
    most - before
}

#[test]
fn a_download_by_slow_clients_is_not_held() {
    let address = backend(|mut stream| {
        let mut reader = Reader::new(stream.try_clone().unwrap());
        while reader.request().is_some() {
            stream
                .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes())
                .unwrap();
            stream.write_all(&vec![b'x'; SIZE]).unwrap();
        }
    });
    let gateway = Gateway::start(&format!("upstream: http://{address}\n"));
    let transfers = (0..PEERS).map(|_| {
        let address = gateway.address.clone();
        thread::spawn(move || {
            let mut client = connect_narrow(&address);
            client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
            sip(&mut client, SIZE);
        })
    });
    let grown = growth(&gateway, transfers.collect());
    assert!(grown < GROWTH, "the gateway grew by {grown} bytes");
}

#[test]
fn an_upload_to_a_slow_backend_is_not_held() {
    let address = backend(|mut stream| {
        let mut head = [0; 1];
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut head).unwrap();
            seen.push(head[0]);
        }
        sip(&mut stream, SIZE);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let gateway = Gateway::start(&format!("upstream: http://{address}\n"));
    let transfers = (0..PEERS).map(|_| {
        let address = gateway.address.clone();
        thread::spawn(move || {
            let mut client = TcpStream::connect(&address).unwrap();
            client
                .write_all(format!("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes())
                .unwrap();
            client.write_all(&vec![b'x'; SIZE]).unwrap();
            let response = Reader::new(client).response("PUT").expect("a response");
            assert_eq!(&response.start[9..12], b"200");
        })
    });
    let grown = growth(&gateway, transfers.collect());
    assert!(grown < GROWTH, "the gateway grew by {grown} bytes");
}
