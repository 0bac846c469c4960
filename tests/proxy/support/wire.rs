//! One end of a connection, spoken to byte by byte.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::soon;

/// One end of a connection.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    pub(crate) buffer: Vec<u8>,
}

/// A response as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to the end that its head announced.
    pub(crate) complete: bool,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// All values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        values(&self.head, name)
    }

    pub(crate) fn one(&self, name: &str) -> Option<String> {
        self.all(name).into_iter().next()
    }
}

/// All values of a header in a head.
pub(crate) fn values(head: &str, name: &str) -> Vec<String> {
    head.split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().to_owned())
        .collect()
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Wire {
        stream.set_nodelay(true).unwrap();
        Wire { stream, buffer: Vec::new() }
    }

    pub(crate) async fn connect(address: SocketAddr) -> Wire {
        Wire::new(soon("a connection", TcpStream::connect(address)).await.unwrap())
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The other side may have closed already; what it said before is what a test looks at.
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Reads more; false at the end or after a reset.
    pub(crate) async fn fill(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.buffer).await, Ok(read) if read > 0)
    }

    /// Reads a head, without the empty line; none at the end.
    pub(crate) async fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
                return Some(String::from_utf8_lossy(&head[..end]).into_owned());
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// Reads exactly so many bytes; fewer at the end.
    pub(crate) async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count && self.fill().await {}
        let count = count.min(self.buffer.len());
        self.buffer.drain(..count).collect()
    }

    /// Reads a line of a chunked body.
    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Some(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// Reads the body that a head announces, and whether it was complete.
    pub(crate) async fn body(&mut self, head: &str) -> (Vec<u8>, bool) {
        if values(head, "transfer-encoding").iter().any(|value| value == "chunked") {
            return self.chunks().await;
        }
        match values(head, "content-length").first().map(|value| value.parse::<usize>().unwrap()) {
            Some(length) => {
                let body = self.bytes(length).await;
                let complete = body.len() == length;
                (body, complete)
            }
            None => (Vec::new(), true),
        }
    }

    async fn chunks(&mut self) -> (Vec<u8>, bool) {
        let mut body = Vec::new();
        loop {
            let Some(size) = self.line().await else { return (body, false) };
            let Ok(size) = usize::from_str_radix(size.split(';').next().unwrap(), 16) else {
                return (body, false);
            };
            if size == 0 {
                while let Some(line) = self.line().await {
                    if line.is_empty() {
                        return (body, true);
                    }
                    body.extend_from_slice(b"|trailer ");
                    body.extend_from_slice(line.as_bytes());
                }
                return (body, false);
            }
            let chunk = self.bytes(size).await;
            let complete = chunk.len() == size;
            body.extend(chunk);
            if !complete || self.line().await.is_none() {
                return (body, false);
            }
        }
    }

    /// Reads a response; one to HEAD has no body.
    pub(crate) async fn answer_to(&mut self, method: &str) -> Answer {
        soon("a response", async {
            let head = self.head().await.expect("the connection ended without a response");
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect(&head);
            let bodiless = method == "HEAD" || status < 200 || status == 204 || status == 304;
            let (body, complete) = if bodiless { (Vec::new(), true) } else { self.body(&head).await };
            Answer { status, head, body, complete }
        })
        .await
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        self.answer_to("GET").await
    }

    /// Sends a request and reads its response.
    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request).await;
        self.answer().await
    }

    /// Reads to the end; what came.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        soon("the connection's end", async { while self.fill().await {} }).await;
        std::mem::take(&mut self.buffer)
    }
}
