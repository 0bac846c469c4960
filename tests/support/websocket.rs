//! A WebSocket client that can break the rules.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::http;

/// A frame as it came: opcode and payload.
pub type Frame = (u8, Vec<u8>);

/// A client's WebSocket.
pub struct WebSocket(pub TcpStream);

/// The headers of a good opening handshake.
pub const HANDSHAKE: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

impl WebSocket {
    /// Opens one; the gateway must answer 101.
    pub fn open(address: &str, target: &str) -> WebSocket {
        WebSocket::open_on(http::connect(address), target)
    }

    /// Opens one on a connection.
    pub fn open_on(stream: TcpStream, target: &str) -> WebSocket {
        http::send(&stream, "GET", target, &HANDSHAKE, b"");
        let answer = http::read(&stream);
        assert_eq!(answer.status, 101, "{answer:?}");
        assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        WebSocket(stream)
    }

    /// Opens a Socket.IO connection and joins the namespace `/`.
    pub fn connect(address: &str) -> WebSocket {
        WebSocket::join(http::connect(address)).0
    }

    /// Joins another namespace; the socket's id there.
    pub fn enter(&mut self, namespace: &str) -> String {
        self.send(&format!("40{namespace},"));
        let connected = self.text();
        let id = connected
            .strip_prefix(&format!("40{namespace},{{\"sid\":\""))
            .and_then(|rest| rest.split('"').next());
        id.unwrap_or_else(|| panic!("not connected: {connected}")).to_owned()
    }

    /// The same on a connection, with the socket's id.
    pub fn join(stream: TcpStream) -> (WebSocket, String) {
        let mut socket = WebSocket::open_on(stream, "/socket.io/?EIO=4&transport=websocket");
        assert!(socket.text().starts_with("0{"));
        socket.send("40");
        let connected = socket.text();
        let id = connected.strip_prefix("40{\"sid\":\"").and_then(|rest| rest.split('"').next());
        let id = id.unwrap_or_else(|| panic!("not connected: {connected}")).to_owned();
        (socket, id)
    }

    /// Sends one masked frame with any first byte.
    pub fn send_raw(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        match payload.len() {
            length @ 0..126 => frame.push(0x80 | length as u8),
            length @ 126..65_536 => {
                frame.push(0x80 | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        let mask = [7, 11, 13, 17];
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
        // The gateway may have closed already; the test sees it when it reads.
        let _ = self.0.write_all(&frame);
    }

    pub fn send(&mut self, text: &str) {
        self.send_raw(0x81, text.as_bytes());
    }

    pub fn send_binary(&mut self, data: &[u8]) {
        self.send_raw(0x82, data);
    }

    /// The next frame; `None` when the connection has ended.
    pub fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).ok()?;
        let mut length = usize::from(head[1] & 0x7f);
        assert_eq!(head[1] & 0x80, 0, "a server's frames are not masked");
        if length == 126 {
            let mut more = [0; 2];
            self.0.read_exact(&mut more).ok()?;
            length = usize::from(u16::from_be_bytes(more));
        } else if length == 127 {
            let mut more = [0; 8];
            self.0.read_exact(&mut more).ok()?;
            length = u64::from_be_bytes(more) as usize;
        }
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).ok()?;
        Some((head[0] & 0x0f, payload))
    }

    /// The next text; pings of Engine.IO are answered on the way.
    pub fn text(&mut self) -> String {
        loop {
            match self.next() {
                Some((1, text)) if text == b"2" => self.send("3"),
                Some((1, text)) => return String::from_utf8(text).expect("text is UTF-8"),
                other => panic!("expected text, got {other:?}"),
            }
        }
    }

    /// Reads to the close frame; its code, where it has one.
    pub fn closed(&mut self) -> Option<u16> {
        loop {
            match self.next() {
                Some((8, payload)) => return payload.first_chunk().map(|code| u16::from_be_bytes(*code)),
                Some(_) => {}
                None => return None,
            }
        }
    }
}
