//! What the tests over the real binary share.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

pub mod backend;
pub mod gateway;
pub mod http;
pub mod polling;
pub mod redis;
pub mod targets;
pub mod websocket;

use std::time::{Duration, Instant};

/// The binary under test: that of `FRONTROOM_BIN`, else what cargo built beside the tests.
pub fn binary() -> std::path::PathBuf {
    std::env::var_os("FRONTROOM_BIN").map_or_else(|| env!("CARGO_BIN_EXE_frontroom").into(), Into::into)
}

/// An address that refuses connections, as long as the test lives: it is somebody's who does not listen.
pub fn refusing() -> std::net::SocketAddr {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = socket.local_addr().expect("its address");
    std::mem::forget(socket);
    address
}

/// Waits until something is so; says what was awaited if it never is.
pub fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
