//! A backend that answers every request at once with what the test says, and remembers them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request that came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub line: String,
    pub headers: Vec<String>,
    pub body: String,
}

impl Seen {
    /// The values of a header.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter_map(|line| line.split_once(": "));
        named.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }
}

/// A whole response. Headers are lines.
pub fn answer(status: u16, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let head = format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Status and JSON body.
pub type Reply = (u16, String);

/// A running backend.
#[derive(Clone)]
pub struct Backend {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Backend {
    /// Answers `METHOD /path` and the body with what `reply` says.
    pub fn start(reply: impl Fn(&str, &str) -> Reply + Send + Sync + 'static) -> Backend {
        Backend::raw(move |seen| {
            let (status, json) = reply(&seen.line, &seen.body);
            answer(status, &["Content-Type: application/json"], json.as_bytes())
        })
    }

    /// Answers with the bytes that `reply` makes; see [`answer`].
    pub fn raw(reply: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Backend {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let backend = Backend { url, seen: Arc::default() };
        let (seen, reply) = (backend.seen.clone(), Arc::new(reply));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, reply) = (seen.clone(), reply.clone());
                std::thread::spawn(move || while exchange(&stream, &seen, reply.as_ref()).is_some() {});
            }
        });
        backend
    }

    /// One that knows nothing.
    pub fn empty() -> Backend {
        Backend::start(|_, _| (404, r#"{"message":"not found"}"#.into()))
    }

    /// Everything that came so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("nobody panicked").clone()
    }
}

fn exchange(mut stream: &TcpStream, seen: &Mutex<Vec<Seen>>, reply: &dyn Fn(&Seen) -> Vec<u8>) -> Option<()> {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let length = lines.iter().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let line = lines.remove(0).trim_end_matches(" HTTP/1.1").to_owned();
    let request = Seen { line, headers: lines, body };
    let answer = reply(&request);
    seen.lock().expect("nobody panicked").push(request);
    stream.write_all(&answer).ok()
}
