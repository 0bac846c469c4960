//! The real binary on a free port, stopped when the test ends.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

/// A running `frontroom run`.
pub struct Gateway {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// The admin listener's.
    pub admin: String,
    output: Option<JoinHandle<String>>,
    _config: tempfile::NamedTempFile,
}

impl Gateway {
    /// Starts the binary with `listen` on a free port and the given rest of the config.
    pub fn start(config: &str) -> Gateway {
        Gateway::start_with(&[], config)
    }

    /// The same with more arguments.
    pub fn start_with(arguments: &[&str], config: &str) -> Gateway {
        Gateway::spawn(arguments, config, |_| {})
    }

    /// Starts the binary with every line of its log written to `log`.
    pub fn start_traced(log: &std::path::Path, config: &str) -> Gateway {
        let log = std::fs::File::create(log).expect("the log is made");
        Gateway::spawn(&[], config, |command| {
            command.env("RUST_LOG", "trace").stderr(log);
        })
    }

    fn spawn(arguments: &[&str], config: &str, prepare: impl FnOnce(&mut Command)) -> Gateway {
        let mut file = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a temporary file");
        let common = "listen: 127.0.0.1:0\nadmin: {listen: 127.0.0.1:0, token: test}\nlog: {access: false}\n";
        write!(file, "{common}{config}").expect("the config is written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_frontroom"));
        command.args(["run", "--config"]).arg(file.path()).args(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        prepare(&mut command);
        let mut child = command.spawn().expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output"));
        let address = url(&mut lines, "listening on http://");
        let admin = url(&mut lines, "admin on http://");
        // Somebody must read on, or the gateway would block on a full pipe.
        let output = std::thread::spawn(move || {
            let mut all = String::new();
            let _ = std::io::Read::read_to_string(&mut lines, &mut all);
            all
        });
        Gateway { child, address, admin, output: Some(output), _config: file }
    }

    /// The value of a metric, with its labels as `/metrics` writes them; 0 where it is not there yet.
    pub fn metric(&self, name: &str) -> u64 {
        let text =
            super::http::request(&self.admin, "GET", "/metrics", &["Authorization: Bearer test"], b"").text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse::<f64>().expect("a number") as u64)
    }

    /// How often a bound was reached.
    pub fn refused(&self, key: &str) -> u64 {
        self.metric(&format!("frontroom_refused_total{{limit=\"{key}\"}}"))
    }

    /// Memory that the process holds, in bytes.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        1024 * line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
    }

    /// Files that the process has open.
    pub fn files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("Linux").count()
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let kill = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
    }
}

fn url(lines: &mut BufReader<ChildStdout>, before: &str) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        let read = lines.read_line(&mut line).expect("the output is text");
        assert!(read > 0, "the gateway ended before it listened");
        if let Some((_, address)) = line.split_once(before) {
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
