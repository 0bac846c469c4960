//! Redis of the test's own, of which no file outlives it.

use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::eventually;

/// A running `redis-server` behind a unix socket: without a port.
pub struct Redis {
    child: Option<Child>,
    folder: tempfile::TempDir,
}

impl Redis {
    /// Starts one.
    pub fn start() -> Redis {
        let mut redis = Redis { child: None, folder: tempfile::tempdir().expect("a temporary folder") };
        redis.launch();
        redis
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Starts it again after [`Redis::stop`], empty.
    pub fn launch(&mut self) {
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(self.socket())
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        self.child = Some(child);
        eventually("redis-server listens", || UnixStream::connect(self.socket()).ok());
    }

    /// Kills it: what it knew is gone.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_file(self.socket());
    }

    /// Runs a command with redis-cli; its output.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli").arg("-s").arg(self.socket()).args(arguments).output();
        String::from_utf8_lossy(&output.expect("redis-cli runs").stdout).into_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A running `redis-server` on a port of 127.0.0.1.
pub struct Server {
    child: Child,
    pub port: u16,
    _folder: tempfile::TempDir,
}

/// What most servers have.
pub const PLAIN: [&str; 6] = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];

impl Server {
    /// Starts one with these arguments, in the folder where its files are.
    pub fn start(port: u16, folder: tempfile::TempDir, arguments: &[&str]) -> Server {
        let child = Command::new("redis-server")
            .args(arguments)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let server = Server { child, port, _folder: folder };
        eventually("redis-server listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        server
    }

    /// Runs a command with redis-cli; its output.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(arguments).output();
        String::from_utf8_lossy(&output.expect("redis-cli runs").stdout).into_owned()
    }

    /// Kills it: what it knew is gone.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}
