//! The REST backend: accepts connections and answers requests over HTTP/1.1.

mod page;
mod reply;
mod route;
mod seed;
mod shop;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub(super) use seed::CURL_TOKEN;
use shop::Shop;

/// Connections at a time; more wait in the listener's backlog.
const MAX_CONNECTIONS: usize = 1024;

/// Pause after an accept that failed, so that a lack of file descriptors does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves the backend on `listener` for as long as the future lives; dropping it ends every
/// connection. Each call begins with the seeded rooms.
pub async fn serve(listener: TcpListener) {
    let shop = Arc::new(Mutex::new(Shop::seeded(SystemTime::now())));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => { connections.spawn(connection(stream, shop.clone())); }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Answers the requests of one connection. How it ends concerns nobody but the client.
async fn connection(stream: TcpStream, shop: Arc<Mutex<Shop>>) {
    let service = service_fn(|request| async { Ok::<_, Infallible>(route::answer(&shop, request).await) });
    let _ =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
}
