//! An Engine.IO server that sends every message back, over the same engine as the product.
//! For conformance suites: `engine_echo ADDRESS PATH` (`127.0.0.1:3000 /engine.io`).

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use frontroom::body::Body;
use frontroom::config::file::SocketIo;
use frontroom::config::{Problems, value};
use frontroom::engineio::{
    Application, Caller, Conversation, Engine, Frame, Message, Options, Parcel, Reason, Session,
};
use frontroom::headers::{Forwarded, TrustedProxies};
use http::{Request, Response};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

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
    let file = SocketIo { ping_interval: millis(300), ping_timeout: millis(200), ..SocketIo::default() };
    let engine = Arc::new(Engine::new(Options::build(&file, &mut Problems::default()), Arc::new(Echo)));
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream, peer, engine.clone(), path.clone()));
    }
}

async fn serve(stream: tokio::net::TcpStream, peer: SocketAddr, engine: Arc<Engine>, path: String) {
    let service = service_fn(move |request| answer(engine.clone(), path.clone(), peer.ip(), request));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let _ = connection.await;
}

async fn answer(
    engine: Arc<Engine>,
    path: String,
    client: IpAddr,
    request: Request<hyper::body::Incoming>,
) -> Result<Response<Body>, std::convert::Infallible> {
    if request.uri().path().trim_end_matches('/') != path {
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = http::StatusCode::NOT_FOUND;
        return Ok(response);
    }
    let forwarded = Forwarded::identify(client, false, request.headers(), &TrustedProxies::default());
    let caller = Caller { forwarded, request_id: String::new() };
    Ok(engine.call(request.map(Body::Incoming), caller).await)
}
