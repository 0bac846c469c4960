//! Backends that do what a test tells them, and keep a ledger.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::Wire;

/// A backend on a free port.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    pub(crate) ledger: Arc<Ledger>,
    task: JoinHandle<()>,
}

/// What a backend saw.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) connections: AtomicUsize,
    /// Connections that have ended.
    pub(crate) ended: AtomicUsize,
    /// Heads of requests, in order.
    pub(crate) heads: Mutex<Vec<String>>,
}

impl Ledger {
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn ended(&self) -> usize {
        self.ended.load(Ordering::SeqCst)
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    pub(crate) fn note(&self, head: &str) {
        self.heads.lock().unwrap().push(head.to_owned());
    }
}

impl Backend {
    /// Treats each connection as `script` says; the number counts them from 0.
    pub(crate) async fn start<F, S>(script: S) -> Backend
    where
        S: Fn(Wire, usize, Arc<Ledger>) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ledger = Arc::new(Ledger::default());
        let noted = Arc::clone(&ledger);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = noted.connections.fetch_add(1, Ordering::SeqCst);
                let work = script(Wire::new(stream), number, Arc::clone(&noted));
                let noted = Arc::clone(&noted);
                tokio::spawn(async move {
                    work.await;
                    noted.ended.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Backend { address, ledger, task }
    }

    /// Reads each request with its body and answers with the same bytes.
    pub(crate) async fn fixed(answer: impl Into<Vec<u8>>) -> Backend {
        let answer: Arc<Vec<u8>> = Arc::new(answer.into());
        Backend::start(move |mut wire, _, ledger| {
            let answer = Arc::clone(&answer);
            async move {
                while let Some(head) = wire.head().await {
                    wire.body(&head).await;
                    ledger.note(&head);
                    wire.send(answer.as_slice()).await;
                }
            }
        })
        .await
    }

    /// Answers each request with its own head, and its body after an empty line.
    pub(crate) async fn mirror() -> Backend {
        Backend::start(|mut wire, _, ledger| async move {
            while let Some(head) = wire.head().await {
                let (body, complete) = wire.body(&head).await;
                ledger.note(&head);
                if !complete {
                    return;
                }
                let mut answer = head.into_bytes();
                answer.extend_from_slice(b"\r\n\r\n");
                answer.extend(body);
                wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", answer.len())).await;
                wire.send(answer).await;
            }
        })
        .await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}
