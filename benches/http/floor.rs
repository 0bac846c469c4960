//! The floor, no product: forwards HTTP/1.1 with `Content-Length` and nothing else, one upstream
//! connection for each client, with the same four system calls a request as everybody. It adds
//! `X-Forwarded-For` and removes `Connection`.

use std::io;

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const BUFFER: usize = 64 * 1024;

/// Serves until it is killed.
pub(crate) fn serve() -> io::Result<()> {
    let backend = std::env::var(crate::peers::BACKEND).map_err(io::Error::other)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on http://{}", listener.local_addr()?);
        loop {
            let (client, peer) = listener.accept().await?;
            let (backend, added) = (backend.clone(), format!("X-Forwarded-For: {}\r\n\r\n", peer.ip()));
            tokio::spawn(async move {
                // A client that leaves ends it.
                let _ = forward(client, &backend, added.as_bytes()).await;
            });
        }
    })
}

async fn forward(mut client: TcpStream, backend: &str, added: &[u8]) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut upstream = TcpStream::connect(backend).await?;
    upstream.set_nodelay(true)?;
    let (mut buffer, mut out) = (vec![0; BUFFER], Vec::with_capacity(BUFFER));
    loop {
        pass(&mut client, &mut upstream, &mut buffer, &mut out, added).await?;
        pass(&mut upstream, &mut client, &mut buffer, &mut out, b"\r\n").await?;
    }
}

/// Passes on one message, with `end` behind its fields.
async fn pass(
    from: &mut TcpStream,
    to: &mut TcpStream,
    buffer: &mut [u8],
    out: &mut Vec<u8>,
    end: &[u8],
) -> io::Result<()> {
    let mut filled = 0;
    let head = loop {
        let room = buffer.get_mut(filled..).unwrap_or_default();
        match from.read(room).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
        let read = buffer.get(..filled).unwrap_or_default();
        if let Some(head) = memmem::find(read, b"\r\n\r\n") {
            break head;
        }
    };
    let (head, body) = buffer.split_at(head + 2);
    let body = body.get(2..filled - head.len()).unwrap_or_default();
    out.clear();
    let mut length = 0;
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        if is(line, b"connection:") {
            continue;
        }
        if is(line, b"content-length:") {
            let digits = line.iter().filter(|byte| byte.is_ascii_digit());
            length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
        }
        out.extend_from_slice(line);
    }
    out.extend_from_slice(end);
    out.extend_from_slice(body);
    let mut left = length.saturating_sub(body.len());
    to.write_all(out).await?;
    while left > 0 {
        let read = from.read(buffer).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all(buffer.get(..read).unwrap_or_default()).await?;
        left = left.saturating_sub(read);
    }
    Ok(())
}

fn is(line: &[u8], name: &[u8]) -> bool {
    line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}
