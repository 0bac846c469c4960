//! The WebSocket side: the handshake by the HTTP client, frames by tungstenite.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use http::header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http_body_util::{BodyExt, Limited};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::answer::Answer;
use super::client::{Ask, Client, Jar, PATIENCE, Trouble};

/// Bytes of a refusal that are read.
const MAX_REFUSAL: usize = 16 * 1024;

/// An open WebSocket.
pub(super) struct Wire(WebSocketStream<TokioIo<Upgraded>>);

/// Why there is no WebSocket.
pub(super) enum NoWire {
    /// Something else than 101 was answered.
    Refused(Box<Answer>),
    /// Nothing was answered.
    Trouble(Trouble),
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// A packet.
    Packet(String),
    /// The end, with what is known of it.
    End(String),
    /// Nothing in time.
    Nothing,
}

impl Wire {
    /// Opens one, with the headers that browsers send (RFC 6455 4.1).
    pub(super) async fn open(client: &Client, target: &str, jar: &mut Jar) -> Result<Wire, NoWire> {
        let ask = Ask::get(target)
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, STANDARD.encode(rand::random::<[u8; 16]>()));
        let response = client.respond(ask, jar).await.map_err(NoWire::Trouble)?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let (parts, body) = response.into_parts();
            let body = tokio::time::timeout(PATIENCE, Limited::new(body, MAX_REFUSAL).collect()).await;
            let body = body.ok().and_then(Result::ok).map(|body| body.to_bytes()).unwrap_or_default();
            return Err(NoWire::Refused(Box::new(Answer {
                status: parts.status,
                headers: parts.headers,
                body,
            })));
        }
        let broken = |error: hyper::Error| NoWire::Trouble(Trouble::Broken(error.to_string()));
        let upgraded = hyper::upgrade::on(response).await.map_err(broken)?;
        Ok(Wire(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await))
    }

    /// Sends a packet.
    pub(super) async fn send(&mut self, packet: &str) -> Result<(), Trouble> {
        let sent = self.0.send(Message::text(packet)).await;
        sent.map_err(|error| Trouble::Broken(error.to_string()))
    }

    /// The next packet.
    pub(super) async fn next(&mut self, patience: Duration) -> Came {
        let next = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => return Came::Packet(text.as_str().to_owned()),
                    Some(Ok(Message::Close(Some(close)))) => {
                        return Came::End(format!("close frame {} {}", close.code, close.reason));
                    }
                    Some(Ok(Message::Close(None))) => return Came::End("close frame".to_owned()),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Came::End(error.to_string()),
                    None => return Came::End("end of the connection".to_owned()),
                }
            }
        };
        tokio::time::timeout(patience, next).await.unwrap_or(Came::Nothing)
    }

    /// The next packet for which `wanted` holds; others are passed over, pings answered.
    pub(super) async fn find(&mut self, patience: Duration, wanted: impl Fn(&str) -> bool) -> Came {
        let find = async {
            loop {
                match self.next(patience).await {
                    Came::Packet(packet) if wanted(&packet) => return Came::Packet(packet),
                    Came::Packet(packet) if packet == "2" => {
                        let _ = self.send("3").await;
                    }
                    Came::Packet(_) => {}
                    end => return end,
                }
            }
        };
        tokio::time::timeout(patience, find).await.unwrap_or(Came::Nothing)
    }

    /// Says goodbye.
    pub(super) async fn close(mut self) {
        let _ = tokio::time::timeout(PATIENCE, self.0.close(None)).await;
    }
}
