//! An Engine.IO server that sends every message back, over the same engine as the product.
//! For conformance suites: `engine_echo ADDRESS PATH [eio3]` (`127.0.0.1:3000 /engine.io`); with
//! `eio3` clients of protocol version 3 are served as well.

use std::convert::Infallible;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use frontroom::body::Body;
use frontroom::config::file::SocketIo;
use frontroom::config::{Problems, value};
use frontroom::engineio::{
    Application, Caller, Carrier, Conversation, Engine, Frame, Message, Options, Parcel, Reason, Session,
    random_id,
};
use frontroom::headers::{Forwarded, TrustedProxies};
use frontroom::http1::upgrade::{Offer, Upgraded};
use frontroom::message::{Request, Response};
use http::StatusCode;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

struct Echo;

impl Application for Echo {
    fn open(&self, _: &Arc<Session>) -> Box<dyn Conversation> {
        Box::new(Echo)
    }
}

impl Conversation for Echo {
    fn message(&self, session: &Arc<Session>, message: Message) {
        let frame = match &message {
            Message::Text(text) => Frame::text(&[text.as_str()]),
            Message::Binary(data) => Frame::binary(data),
        };
        session.admit();
        session.send(&Parcel::new(frame, false));
    }

    fn upgraded(&self, _: &Arc<Session>) {}

    fn ended(&self, _: &Arc<Session>, _: Reason) {}
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3000".into());
    let path = arguments.next().unwrap_or_else(|| "/engine.io".into());
    let millis = |millis| Some(value::Duration(Duration::from_millis(millis)));
    let eio3 = Some(arguments.next().as_deref() == Some("eio3"));
    let file =
        SocketIo { eio3, ping_interval: millis(300), ping_timeout: millis(200), ..SocketIo::default() };
    let options = Options::build(&file, &mut Problems::default());
    let engine = Arc::new(Engine::new(options, Arc::new(Echo), unwrap, Box::new(random_id)));
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream, peer, engine.clone(), path.clone()));
    }
}

/// The socket under a WebSocket, as the product finds it.
fn unwrap(upgraded: Upgraded) -> Carrier {
    match upgraded.downcast::<TcpStream>() {
        Ok((tcp, read)) => Carrier::Plain { tcp, read, guard: Box::new(()) },
        Err(upgraded) => Carrier::covered(upgraded, Bytes::new()),
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, engine: Arc<Engine>, path: String) {
    let switched = AtomicBool::new(false);
    let service = service_fn(async |request| {
        let response = answer(&engine, &path, peer.ip(), request).await;
        switched.store(response.status() == StatusCode::SWITCHING_PROTOCOLS, Ordering::Relaxed);
        Ok::<_, Infallible>(http::Response::from(response))
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let _ = connection.await;
    if switched.into_inner() {
        // The suite of version 3 begins to listen for the open packet only after it has seen the
        // 101. Nobody writes before this task rests, so they will not come at once.
        std::thread::sleep(Duration::from_millis(5));
    }
}

async fn answer(
    engine: &Engine,
    path: &str,
    client: IpAddr,
    mut request: http::Request<Incoming>,
) -> Response<Body> {
    if request.uri().path().trim_end_matches('/') != path {
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }
    let upgrade = hyper::upgrade::on(&mut request);
    let mut request = Request::from(request.map(Body::boxed));
    let forwarded = Forwarded::identify(client, false, request.headers(), &TrustedProxies::default());
    let caller = || Caller { forwarded, request_id: String::new() };
    let offer = Offer::put(&mut request);
    tokio::spawn(async move {
        let upgraded = upgrade.await.ok()?.downcast::<TokioIo<TcpStream>>().ok()?;
        offer.give(Upgraded::new(upgraded.io.into_inner(), upgraded.read_buf));
        Some(())
    });
    engine.call(&mut request, caller).await
}
