//! A long-polling client, request by request.

use super::http::{self, Answer, get, request};

pub const HANDSHAKE: &str = "/socket.io/?EIO=4&transport=polling";

/// A client's session.
pub struct Polling {
    pub address: String,
    /// The target of its requests.
    pub target: String,
}

impl Polling {
    /// Opens a session.
    pub fn open(address: &str) -> Polling {
        let answer = get(address, HANDSHAKE);
        assert_eq!(answer.status, 200, "{answer:?}");
        let text = answer.text();
        let sid = text.split_once("\"sid\":\"").and_then(|(_, rest)| rest.split('"').next());
        let target = format!("{HANDSHAKE}&sid={}", sid.expect("a session id"));
        Polling { address: address.to_owned(), target }
    }

    /// Opens a session and joins the namespace `/`.
    pub fn connect(address: &str) -> Polling {
        let polling = Polling::open(address);
        assert_eq!(polling.post("40").status, 200);
        assert!(polling.get().text().starts_with("40{"));
        polling
    }

    pub fn post(&self, body: &str) -> Answer {
        request(&self.address, "POST", &self.target, &[], body.as_bytes())
    }

    pub fn get(&self) -> Answer {
        get(&self.address, &self.target)
    }

    /// A GET that is not waited for.
    pub fn begin_get(&self) -> std::net::TcpStream {
        let stream = http::connect(&self.address);
        http::send(&stream, "GET", &self.target, &[], b"");
        stream
    }

    /// The same session's target over WebSocket.
    pub fn websocket(&self) -> String {
        self.target.replace("polling", "websocket")
    }

    /// Whether the gateway knows the session.
    pub fn is_known(&self) -> bool {
        !request(&self.address, "POST", &self.target, &[], b"3").text().contains("Session ID unknown")
    }
}
