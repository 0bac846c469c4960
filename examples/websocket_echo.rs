//! A WebSocket server that sends every message back, over the same decoder and pipe as the product.
//! For Autobahn|Testsuite, which cannot speak Engine.IO: `websocket_echo ADDRESS` (`127.0.0.1:9001`).
#![allow(dead_code, unreachable_pub, reason = "the product's own files, of which an echo needs a part")]

use std::convert::Infallible;
use std::error::Error;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};
use tokio::net::{TcpListener, TcpStream};

#[path = "../src/engineio/frame.rs"]
mod frame;
#[path = "../src/engineio/outlet.rs"]
mod outlet;
#[path = "../src/engineio/packet.rs"]
mod packet;
#[path = "../src/engineio/pipe.rs"]
mod pipe;
#[path = "../src/engineio/wire.rs"]
mod wire;

use frame::Frame;
use outlet::Carrier;
use packet::Message;
use pipe::{Broken, Pipe};
use wire::Incoming;

/// Autobahn's largest messages have 16 MiB.
const MAX_PAYLOAD: usize = 16 * 1024 * 1024;

/// As `socketio.max_fragments`.
const MAX_FRAGMENTS: usize = frontroom::config::defaults::MAX_FRAGMENTS;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream));
    }
}

async fn serve(stream: TcpStream) {
    let service = service_fn(|request| async { Ok::<_, Infallible>(switch(request)) });
    let connection = hyper::server::conn::http1::Builder::new();
    let _ = connection.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

/// The socket under a WebSocket, as the product finds it.
fn unwrap(upgraded: Upgraded) -> Carrier {
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => Carrier::Plain { tcp: parts.io.into_inner(), read: parts.read_buf, guard: Box::new(()) },
        Err(upgraded) => Carrier::covered(TokioIo::new(upgraded), Bytes::new()),
    }
}

fn switch(mut request: Request<hyper::body::Incoming>) -> Response<Empty<&'static [u8]>> {
    let mut hash = Sha1::new();
    hash.update(request.headers().get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = HeaderValue::try_from(STANDARD.encode(hash.finalize()));
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            echo(Pipe::new(unwrap(upgraded), MAX_PAYLOAD, MAX_FRAGMENTS)).await;
        }
    });
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    accept.into_iter().for_each(|accept| drop(headers.insert(SEC_WEBSOCKET_ACCEPT, accept)));
    response
}

async fn echo(mut pipe: Pipe) {
    let end = loop {
        match pipe.read().await {
            Ok(Incoming::Message(Message::Text(text))) => pipe.push(Frame::packet(text.as_str()).websocket()),
            Ok(Incoming::Message(Message::Binary(data))) => pipe.push(Frame::binary(&data).websocket()),
            Ok(_) => {}
            Err(end) => break end,
        }
        if pipe.flush().await.is_err() {
            return;
        }
    };
    let violation = match end {
        Broken::Violation(violation) => Some(violation),
        Broken::Closed => None,
        Broken::Io => return,
    };
    let _ = pipe.finish(violation).await;
}
