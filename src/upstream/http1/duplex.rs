//! Responses that begin before their request was sent: both go on side by side, in a task, so that
//! a client that reads only once it has sent everything is not waited for.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;

use super::connection::Connection;
use super::incoming::Paced;
use super::send::{Outgoing, Unsent};
use crate::body::{Body, BodyError};
use crate::http1::Framing;
use crate::upstream::endpoint::Endpoint;

/// Frames of the response that wait for the client.
const FRAMES: usize = 1;

/// How long a request may go on behind the end of its response.
const SETTLE: Duration = Duration::from_secs(1);

type Item = Result<Frame<Bytes>, BodyError>;

/// Sends the rest of a request; gives the response's body.
pub(super) fn start(
    connection: Box<Connection>,
    (outgoing, body): (Outgoing, Body),
    framing: Framing,
    persistent: bool,
    endpoint: Arc<Endpoint>,
) -> Body {
    let decoder = Paced::new(framing, endpoint.stream_idle_timeout());
    let size = decoder.size_hint();
    let (sender, receiver) = channel(FRAMES);
    let exchange = Exchange { connection, outgoing, body, decoder };
    tokio::spawn(async move {
        if let Some(connection) = exchange.run(sender).await {
            endpoint.take_back(connection, persistent);
        }
    });
    if size.exact() == Some(0) { Body::Empty } else { Body::boxed(Relayed { receiver, size }) }
}

struct Exchange {
    connection: Box<Connection>,
    outgoing: Outgoing,
    body: Body,
    decoder: Paced,
}

impl Exchange {
    /// Carries both to their ends; the connection, if it may be used again. It closes where nobody
    /// listens to the response any more.
    async fn run(self, sender: Sender<Item>) -> Option<Box<Connection>> {
        let Exchange { connection, mut outgoing, mut body, mut decoder } = self;
        let Connection { stream, mut unread, shard, .. } = *connection;
        let (mut reading, mut writing) = tokio::io::split(stream);
        let failed = sender.downgrade();
        let both = async {
            let mut upload = pin!(poll_fn(|cx| outgoing.poll(&mut writing, &mut body, cx)));
            let mut download = pin!(async {
                while let Some(frame) = next(&mut decoder, &mut reading, &mut unread, &sender).await? {
                    let failed = frame.is_err();
                    sender.send(frame).await.ok().filter(|()| !failed)?;
                }
                drop(sender);
                Some(())
            });
            tokio::select! {
                done = &mut download => {
                    done?;
                    timeout(SETTLE, upload).await.ok()?.ok()
                }
                sent = &mut upload => {
                    if let (Err(unsent), Some(sender)) = (sent, failed.upgrade()) {
                        let _ = sender.send(Err(unsent.into())).await;
                        return None;
                    }
                    download.await
                }
            }
        };
        both.await?;
        if outgoing.is_deaf() {
            return None;
        }
        let mut connection = Connection::new(reading.unsplit(writing), shard);
        connection.unread = unread;
        Some(Box::new(connection))
    }
}

/// The next frame; nothing at all once nobody listens.
async fn next<S: tokio::io::AsyncRead + Unpin>(
    decoder: &mut Paced,
    stream: &mut S,
    unread: &mut Bytes,
    sender: &Sender<Item>,
) -> Option<Option<Item>> {
    tokio::select! {
        biased;
        () = sender.closed() => None,
        frame = poll_fn(|cx| decoder.poll(stream, unread, cx)) => Some(frame),
    }
}

impl From<Unsent> for BodyError {
    fn from(unsent: Unsent) -> BodyError {
        match unsent {
            Unsent::Body(error) => error,
            Unsent::Stalled => "the upstream takes no more of the request".into(),
        }
    }
}

/// A response's body that a task reads.
struct Relayed {
    receiver: Receiver<Item>,
    size: SizeHint,
}

impl HttpBody for Relayed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        let polled = self.receiver.poll_recv(cx);
        if let (Poll::Ready(Some(Ok(frame))), Some(left)) = (&polled, self.size.exact())
            && let Some(data) = frame.data_ref()
        {
            self.size = SizeHint::with_exact(left.saturating_sub(data.len() as u64));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.size.exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}
