//! A client that shows bytes as they are: hyper on both ends would hide mistakes in framing.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A connection that tests give up on after ten seconds.
pub fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the gateway listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    stream.set_nodelay(true).expect("no delay");
    stream
}

/// A connection whose own kernel buffers little: what is not read from it stays with the gateway.
pub fn connect_narrow(address: &str) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let address: std::net::SocketAddr = address.parse().expect("an address");
    socket.connect(&address.into()).expect("the gateway listens");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    stream
}

/// Writes a request; headers as `Name: value` lines.
pub fn send(mut stream: &TcpStream, method: &str, target: &str, headers: &[&str], body: &[u8]) {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: gateway.test\r\n");
    if !body.is_empty() {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    for header in headers {
        head += header;
        head += "\r\n";
    }
    head += "\r\n";
    stream.write_all(&[head.as_bytes(), body].concat()).expect("the request is written");
}

/// Reads one answer with a length or chunks.
pub fn read(stream: &TcpStream) -> Answer {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut line = String::new();
    reader.read_line(&mut line).expect("a status line");
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no status line: {line:?}"));
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line).expect("a header");
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
            None => break,
        }
    }
    let mut answer = Answer { status, headers, body: Vec::new() };
    if status != 101 {
        answer.body = read_body(&mut reader, &answer);
    }
    answer
}

fn read_body(reader: &mut impl BufRead, answer: &Answer) -> Vec<u8> {
    let mut body = Vec::new();
    if let Some(length) = answer.header("content-length") {
        body.resize(length.parse().expect("a length"), 0);
        reader.read_exact(&mut body).expect("the whole body");
    } else if answer.header("transfer-encoding").is_some() {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a chunk's size");
            let size = usize::from_str_radix(line.trim(), 16).expect("a chunk's size");
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).expect("a chunk");
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }
    body
}

/// One request on a connection of its own.
pub fn request(address: &str, method: &str, target: &str, headers: &[&str], body: &[u8]) -> Answer {
    let stream = connect(address);
    send(&stream, method, target, headers, body);
    read(&stream)
}

/// A GET on a connection of its own.
pub fn get(address: &str, target: &str) -> Answer {
    request(address, "GET", target, &[], b"")
}
