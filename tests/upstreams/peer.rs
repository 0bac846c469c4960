//! A backend that treats each connection as the test says, and notes what it saw.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A running backend.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) ledger: Arc<Ledger>,
}

/// What a backend saw.
#[derive(Default)]
pub(crate) struct Ledger {
    connections: AtomicUsize,
    /// Request lines with their headers and bodies, in order.
    requests: Mutex<Vec<Request>>,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

impl Ledger {
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Requests but those of health checks.
    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().iter().filter(|request| !request.line.contains("/health")).count()
    }
}

/// One connection, at the backend's end.
pub(crate) struct Wire<S> {
    pub(crate) stream: BufReader<S>,
    pub(crate) ledger: Arc<Ledger>,
}

impl<S: Read + Write> Wire<S> {
    /// Reads a request, and notes it; none at the end.
    pub(crate) fn request(&mut self) -> Option<Request> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let line = lines.remove(0).trim_end_matches(" HTTP/1.1").to_owned();
        let mut request = Request { line, headers: lines, body: Vec::new() };
        let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
        request.body.resize(length, 0);
        self.stream.read_exact(&mut request.body).ok()?;
        self.ledger.requests.lock().unwrap().push(request.clone());
        Some(request)
    }

    pub(crate) fn answer(&mut self, status: u16, body: &str) -> Option<()> {
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        self.stream.get_mut().write_all(head.as_bytes()).ok()
    }
}

impl Peer {
    /// Treats each connection as `script` says; the number counts them from 0.
    pub(crate) fn start(script: impl Fn(Wire<TcpStream>, usize) + Send + Sync + 'static) -> Peer {
        Peer::on(TcpListener::bind("127.0.0.1:0").unwrap(), script)
    }

    /// The same on a listener.
    pub(crate) fn on(
        listener: TcpListener,
        script: impl Fn(Wire<TcpStream>, usize) + Send + Sync + 'static,
    ) -> Peer {
        let peer = Peer { address: listener.local_addr().unwrap(), ledger: Arc::default() };
        let (ledger, script) = (Arc::clone(&peer.ledger), Arc::new(script));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                stream.set_nodelay(true).unwrap();
                let number = ledger.connections.fetch_add(1, Ordering::SeqCst);
                let wire = Wire { stream: BufReader::new(stream), ledger: Arc::clone(&ledger) };
                let script = Arc::clone(&script);
                std::thread::spawn(move || script(wire, number));
            }
        });
        peer
    }

    /// Answers every request with what `reply` says.
    pub(crate) fn answering(reply: impl Fn(&Request) -> (u16, String) + Send + Sync + 'static) -> Peer {
        Peer::start(move |mut wire, _| {
            while let Some(request) = wire.request() {
                let (status, body) = reply(&request);
                if wire.answer(status, &body).is_none() {
                    return;
                }
            }
        })
    }

    /// Answers every request with 200 and a name.
    pub(crate) fn named(name: &'static str) -> Peer {
        Peer::answering(move |_| (200, name.to_owned()))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// An address that refuses connections.
pub(crate) fn refusing() -> String {
    format!("http://{}", super::support::refusing())
}
