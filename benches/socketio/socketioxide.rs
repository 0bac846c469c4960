//! The peer: socketioxide on hyper, one thread, with the handlers that every server here has.

use std::io;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use socketioxide::ParserConfig;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use tokio::net::TcpListener;

/// Serves until it is killed.
pub(crate) fn serve() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (service, io) = SocketIo::builder().with_parser(ParserConfig::common()).build_svc();
        io.ns("/", connected);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on http://{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let service = service.clone();
            tokio::spawn(async move {
                let mut http = http1::Builder::new();
                http.timer(TokioTimer::new());
                let _ = http.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
            });
        }
    })
}

async fn connected(socket: SocketRef) {
    socket.on("join", async |socket: SocketRef, Data(room): Data<String>, ack: AckSender| {
        socket.join(room);
        let _ = ack.send(&());
    });
    socket.on("broadcast", async |socket: SocketRef, Data(data): Data<Value>| {
        let room = data.get("room").and_then(Value::as_str).unwrap_or_default().to_owned();
        let _ = socket.within(room).emit("msg", &data).await;
    });
    socket.on("echo", async |Data(data): Data<Value>, ack: AckSender| {
        let _ = ack.send(&data);
    });
}
