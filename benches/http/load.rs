//! Load: wrk for throughput, h2load for a fixed rate, openssl for handshakes, all on core 1.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::Failure;
use crate::common::server::on;

/// The core of backend and generator.
const CORE: &str = "1";

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/http/wrk.lua");

/// What wrk sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requests {
    /// Path of the target.
    pub(crate) path: &'static str,
    /// Bytes that are posted, if it is a POST.
    pub(crate) post: Option<usize>,
    /// Connections, each with one request under way.
    pub(crate) connections: usize,
    /// Whether they are TLS.
    pub(crate) tls: bool,
}

impl Requests {
    /// Sends as many as it can; how many were answered. One that failed is a loss.
    pub(crate) fn send(&self, to: SocketAddr, time: Duration) -> Result<u64, Failure> {
        let scheme = if self.tls { "https" } else { "http" };
        let mut command = on(CORE);
        command.args(["wrk", "-t1", "--timeout", "4s", "-s", SCRIPT]);
        command.args(["-c", &self.connections.to_string(), "-d", &format!("{}s", time.as_secs())]);
        command.arg(format!("{scheme}://{to}{}", self.path)).arg("--");
        if let Some(bytes) = self.post {
            command.args(["POST", &bytes.to_string()]);
        }
        let said = output(command)?;
        let line = said.lines().find_map(|line| line.strip_prefix("done ")).ok_or("wrk said nothing")?;
        let (done, failed) = line.split_once(" failed ").ok_or("wrk said something else")?;
        match (done.parse()?, failed.trim().parse::<u64>()?) {
            (done, 0) if done > 0 => Ok(done),
            (done, failed) => Err(format!("LOSS: {failed} requests failed, {done} did not").into()),
        }
    }
}

/// Sends requests at a fixed rate over 64 connections; the 99th percentile of their times in microseconds.
pub(crate) fn percentile(to: SocketAddr, path: &str, rate: u32, time: Duration) -> Result<f64, Failure> {
    const CONNECTIONS: u32 = 64;
    let log = tempfile::NamedTempFile::new()?;
    let mut command = on(CORE);
    command.args(["h2load", "--h1", "-t1", "-c", &CONNECTIONS.to_string()]);
    command.args(["--rps", &(rate / CONNECTIONS).to_string()]);
    command.args(["-n", &(u64::from(rate) * time.as_secs()).to_string()]);
    command.arg("--log-file").arg(log.path()).arg(format!("http://{to}{path}"));
    output(command)?;
    let mut times = Vec::new();
    for line in fs::read_to_string(log.path())?.lines() {
        let mut fields = line.split('\t').skip(1);
        match (fields.next(), fields.next().and_then(|time| time.parse::<f64>().ok())) {
            (Some("200"), Some(time)) => times.push(time),
            _ => return Err(format!("LOSS: {line}").into()),
        }
    }
    if (times.len() as f64) < f64::from(rate) * time.as_secs_f64() * 0.95 {
        return Err(format!("LOSS: only {} requests at {rate}/s", times.len()).into());
    }
    times.sort_by(f64::total_cmp);
    Ok(*times.get(times.len() * 99 / 100).ok_or("nothing was measured")?)
}

/// Makes full TLS 1.3 handshakes, four at once; how many.
pub(crate) fn handshakes(to: SocketAddr, time: Duration) -> Result<u64, Failure> {
    let mut children = Vec::new();
    for _ in 0..4 {
        let mut command = on(CORE);
        command.args(["openssl", "s_time", "-new", "-tls1_3", "-connect", &to.to_string()]);
        command.args(["-time", &time.as_secs().to_string()]);
        children.push(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?);
    }
    let mut count = 0;
    for child in children {
        let said = String::from_utf8(child.wait_with_output()?.stdout)?;
        let line = said.lines().find(|line| line.contains("connections in") && line.contains("real seconds"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        count += number.filter(|count| *count > 0).ok_or_else(|| format!("LOSS: no handshakes: {said}"))?;
    }
    Ok(count)
}

fn output(mut command: Command) -> Result<String, Failure> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{command:?} failed").into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// A connection of our own that asks for things.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    /// Connects.
    pub(crate) fn connect(to: SocketAddr) -> io::Result<Client> {
        let stream = TcpStream::connect(to)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        Ok(Client(BufReader::with_capacity(4096, stream)))
    }

    /// The body of a 200 to a GET with these further lines, as far as its length is told.
    pub(crate) fn get(&mut self, path: &str, lines: &str) -> Result<Vec<u8>, Failure> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\n{lines}\r\n");
        self.0.get_mut().write_all(request.as_bytes())?;
        let (mut length, mut status) = (0, String::new());
        self.0.read_line(&mut status)?;
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line)?;
            match line.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse()?;
                }
                Some(_) => {}
                None => break,
            }
        }
        if !status.starts_with("HTTP/1.1 200") {
            return Err(format!("{path} answered {status}").into());
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok(body)
    }
}
