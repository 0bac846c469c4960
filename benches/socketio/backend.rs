//! The REST API that rules ask: raw epoll that answers every POST alike, so that it costs little beside the
//! server that is measured. A thread of the benchmark, on the generator's core.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use memchr::memmem;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rustix::thread::{CpuSet, sched_setaffinity};

const LISTENER: Token = Token(usize::MAX);

const BODY: &str = r#"{"id":4711,"room":7,"user":{"id":42,"name":"Ada"},"text":"Lorem ipsum dolor sit amet, consectetur adipiscing elit","createdAt":"2026-01-01T00:00:00.000Z"}"#;

/// Requests answered by it so far.
static ANSWERED: AtomicU64 = AtomicU64::new(0);

/// Where it is; the first call starts it.
pub(crate) fn address() -> io::Result<SocketAddr> {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    if let Some(address) = ADDRESS.get() {
        return Ok(*address);
    }
    let backend = Backend::bind()?;
    let address = backend.listener.local_addr()?;
    std::thread::spawn(|| {
        if let Err(error) = backend.serve() {
            eprintln!("the backend: {error}");
        }
    });
    Ok(*ADDRESS.get_or_init(|| address))
}

/// How many requests it has answered since the program began.
pub(crate) fn answered() -> u64 {
    ANSWERED.load(Ordering::Relaxed)
}

/// What it answers, whatever it is asked.
pub(crate) fn answer() -> Vec<u8> {
    let answer = format!(
        "HTTP/1.1 201 Created\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\
         Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nConnection: keep-alive\r\n\r\n{BODY}",
        BODY.len()
    );
    answer.into_bytes()
}

struct Backend {
    poll: Poll,
    listener: TcpListener,
    connections: Vec<Option<(TcpStream, Vec<u8>)>>,
    answer: Vec<u8>,
}

impl Backend {
    fn bind() -> io::Result<Backend> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Backend { poll, listener, connections: Vec::new(), answer: answer() })
    }

    fn serve(mut self) -> io::Result<()> {
        let mut core = CpuSet::new();
        core.set(1);
        sched_setaffinity(None, &core)?;
        let (mut events, mut buffer) = (Events::with_capacity(256), vec![0; 64 * 1024]);
        loop {
            self.poll.poll(&mut events, None)?;
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(id) => self.read(id, &mut buffer),
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        while let Ok((mut stream, _)) = self.listener.accept() {
            stream.set_nodelay(true)?;
            let token = Token(self.connections.len());
            self.poll.registry().register(&mut stream, token, Interest::READABLE)?;
            self.connections.push(Some((stream, Vec::new())));
        }
        Ok(())
    }

    fn read(&mut self, id: usize, buffer: &mut [u8]) {
        let Some(slot) = self.connections.get_mut(id) else { return };
        let Some((stream, unread)) = slot else { return };
        match stream.read(buffer) {
            Ok(count) if count > 0 => unread.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            _ => {
                *slot = None;
                return;
            }
        }
        while let Some(length) = request(unread) {
            unread.drain(..length);
            ANSWERED.fetch_add(1, Ordering::Relaxed);
            // So little fits into every send buffer.
            if stream.write_all(&self.answer).is_err() {
                *slot = None;
                return;
            }
        }
    }
}

/// The length of the request that the input begins with, once it is complete.
fn request(input: &[u8]) -> Option<usize> {
    let head = memmem::find(input, b"\r\n\r\n")? + 4;
    let lines = std::str::from_utf8(input.get(..head)?).ok()?.split("\r\n");
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, length)| length.trim().parse::<usize>().ok())
        .unwrap_or(0);
    (input.len() >= head + length).then_some(head + length)
}
