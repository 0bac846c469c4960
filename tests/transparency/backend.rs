//! A backend that answers with the bytes of the case and keeps what it read.

use std::collections::HashMap;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::cases::{self, Answer};
use super::message::{Message, Reader};
use super::support::eventually;

type Ledger = Arc<Mutex<HashMap<String, Message>>>;

pub(crate) struct Backend {
    /// `HOST:PORT`.
    pub(crate) address: String,
    ledger: Ledger,
}

impl Backend {
    pub(crate) fn start() -> Backend {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let ledger = Ledger::default();
        let kept = Arc::clone(&ledger);
        std::thread::spawn(move || {
            let answers = Arc::new(cases::answers());
            for stream in listener.incoming().map_while(Result::ok) {
                let (ledger, answers) = (Arc::clone(&kept), Arc::clone(&answers));
                std::thread::spawn(move || serve(stream, &ledger, &answers));
            }
        });
        Backend { address, ledger }
    }

    /// The request of a case, once.
    pub(crate) fn seen(&self, case: &str) -> Message {
        eventually(&format!("the request of {case}"), || self.ledger.lock().unwrap().remove(case))
    }
}

fn serve(stream: TcpStream, ledger: &Ledger, answers: &[Answer]) {
    stream.set_nodelay(true).unwrap();
    let mut reader = Reader::new(stream);
    while let Some(request) = reader.request() {
        let name = request.one("x-case").expect("every case has its name");
        let wanted = request.one("x-answer").expect("every case names its answer");
        let head_only = request.start.starts_with(b"HEAD ");
        ledger.lock().unwrap().insert(name, request);
        let answer = answers.iter().find(|answer| answer.name == wanted).expect("an answer of that name");
        let body = if head_only { &[] } else { answer.body.as_slice() };
        let bytes = [answer.head.as_slice(), body].concat();
        if reader.stream().write_all(&bytes).is_err() || answer.closes {
            return;
        }
    }
}
