//! The same requests straight to a backend and through frontroom: what both ends saw must be the same,
//! but for what is written down (docs/proxying.md).

// Clippy's leave for tests ends at the helpers they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../support/mod.rs"]
mod support;

mod backend;
mod cases;
mod differences;
mod memory;
mod message;

use std::io::Write;
use std::net::TcpStream;

use backend::Backend;
use cases::Case;
use message::{Message, Reader};
use support::gateway::Gateway;

/// What the backend and the client saw of one exchange.
struct Seen {
    request: Message,
    response: Message,
}

fn exchange(address: &str, backend: &Backend, case: &Case) -> Seen {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    stream.write_all(&case.request).unwrap();
    let mut reader = Reader::new(stream);
    let response = reader.response(case.method).unwrap_or_else(|| panic!("{}: no response", case.name));
    Seen { request: backend.seen(&case.name), response }
}

#[test]
fn nobody_can_tell_that_frontroom_is_there() {
    let backend = Backend::start();
    let gateway = Gateway::start(&format!("upstream: http://{}\n", backend.address));
    let cases = cases::all();
    let mut wrong = Vec::new();
    for case in &cases {
        let direct = exchange(&backend.address, &backend, case);
        let through = exchange(&gateway.address, &backend, case);
        wrong.extend(differences::find(case, &direct, &through));
    }
    assert!(wrong.is_empty(), "{} of {} cases differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() >= 500, "only {} cases were run", cases.len());
    let count = |method: &str| cases.iter().filter(|case| case.method == method).count();
    for method in cases::METHODS {
        assert!(count(method) >= 20, "only {} cases of {method}", count(method));
    }
}
