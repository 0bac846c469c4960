//! A Redis of the test's own, behind a unix socket: no port, no file that outlives it.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::eventually;

/// A running `redis-server`.
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
