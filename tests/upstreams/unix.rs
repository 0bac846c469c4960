//! An upstream behind a unix socket.

use std::io::BufReader;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use crate::peer::{Ledger, Wire};
use crate::support::gateway::Gateway;
use crate::support::http::{get, request};

#[test]
fn a_unix_socket_is_an_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let ledger = Arc::new(Ledger::default());
    let noted = Arc::clone(&ledger);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut wire = Wire { stream: BufReader::new(stream), ledger: Arc::clone(&noted) };
            std::thread::spawn(move || {
                while let Some(request) = wire.request() {
                    wire.answer(200, &request.line);
                }
            });
        }
    });
    for url in [format!("unix:{}", path.display()), format!("unix://{}", path.display())] {
        let gateway = Gateway::start(&format!("upstream: '{url}'\n"));
        assert_eq!(get(&gateway.address, "/a%2Fb?x").text(), "GET /a%2Fb?x");
        assert_eq!(request(&gateway.address, "POST", "/b", &[], b"body").text(), "POST /b");
    }
    let seen = ledger.requests();
    assert!(seen.iter().all(|request| request.header("host") == Some("gateway.test")));
    drop(folder);
    let gateway = Gateway::start("upstream: unix:/nonexistent/app.sock\n");
    let answer = get(&gateway.address, "/");
    assert_eq!((answer.status, answer.text().contains("upstream_unreachable")), (502, true));
}
