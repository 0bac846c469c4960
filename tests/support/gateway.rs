//! The real binary on a free port, stopped when the test ends.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

/// A running `frontroom run`.
pub struct Gateway {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
    output: Option<JoinHandle<String>>,
    _config: tempfile::NamedTempFile,
}

impl Gateway {
    /// Starts the binary with `listen` on a free port and the given rest of the config.
    pub fn start(config: &str) -> Gateway {
        let mut file = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a temporary file");
        let common = "listen: 127.0.0.1:0\nadmin: {listen: 127.0.0.1:0}\nlog: {access: false}\n";
        write!(file, "{common}{config}").expect("the config is written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_frontroom"))
            .args(["run", "--config"])
            .arg(file.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output"));
        let address = listening(&mut lines);
        // Somebody must read on, or the gateway would block on a full pipe.
        let output = std::thread::spawn(move || {
            let mut all = String::new();
            let _ = std::io::Read::read_to_string(&mut lines, &mut all);
            all
        });
        Gateway { child, address, output: Some(output), _config: file }
    }
}

fn listening(lines: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        let read = lines.read_line(&mut line).expect("the output is text");
        assert!(read > 0, "the gateway ended before it listened");
        if let Some((_, address)) = line.split_once("listening on http://") {
            return address.trim().to_owned();
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(output) = self.output.take() {
            let _ = output.join();
        }
    }
}
