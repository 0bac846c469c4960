//! The real binary on a free port, stopped when the test ends.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A running `frontroom run`.
pub struct Gateway {
    child: Child,
    /// `127.0.0.1:PORT`, be it for http or https.
    pub address: String,
    /// The admin listener's.
    pub admin: String,
    /// The listener's for other nodes, where the config has a `cluster`; else empty.
    pub nodes: String,
    output: Option<JoinHandle<String>>,
    log: Log,
    folder: tempfile::TempDir,
}

/// The config's keys that every test has.
const COMMON: &str = "listen: 127.0.0.1:0\nadmin: {listen: 127.0.0.1:0, token: test}\nlog: {access: false}\n";

impl Gateway {
    /// Starts the binary with `listen` on a free port and the given rest of the config.
    pub fn start(config: &str) -> Gateway {
        Gateway::start_with(&[], config)
    }

    /// The same with more arguments.
    pub fn start_with(arguments: &[&str], config: &str) -> Gateway {
        let (file, folder) = written(&format!("{COMMON}{config}"));
        Gateway::spawn(&file, arguments, &[], folder)
    }

    /// The same with an environment variable.
    pub fn start_in((name, value): (&str, &Path), config: &str) -> Gateway {
        let (file, folder) = written(&format!("{COMMON}{config}"));
        Gateway::spawn(&file, &[], &[(name, value)], folder)
    }

    /// Starts the binary with a whole config of the test's own, which listens on free ports and has an admin
    /// listener with the token `test`.
    pub fn start_whole(config: &str) -> Gateway {
        let (file, folder) = written(config);
        Gateway::spawn(&file, &[], &[], folder)
    }

    /// Starts the binary with a config file of the test's own, which listens on free ports and has an
    /// admin listener with the token `test`.
    pub fn start_file(file: &Path) -> Gateway {
        Gateway::spawn(file, &[], &[], tempfile::tempdir().expect("a temporary folder"))
    }

    fn spawn(
        file: &Path,
        arguments: &[&str],
        environment: &[(&str, &Path)],
        folder: tempfile::TempDir,
    ) -> Gateway {
        let mut child = Command::new(super::binary())
            .args(["run", "--config"])
            .arg(file)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let log = Log::read(child.stderr.take().expect("its log"));
        let mut lines = BufReader::new(child.stdout.take().expect("its output"));
        let address = url(&mut lines, "listening on ");
        let clustered = std::fs::read_to_string(file).is_ok_and(|text| text.contains("\ncluster:"));
        let nodes = if clustered { url(&mut lines, "other nodes on ") } else { String::new() };
        let admin = url(&mut lines, "admin on ");
        // Somebody must read on, or the gateway would block on a full pipe.
        let output = std::thread::spawn(move || {
            let mut all = String::new();
            let _ = std::io::Read::read_to_string(&mut lines, &mut all);
            all
        });
        Gateway { child, address, admin, nodes, output: Some(output), log, folder }
    }

    /// Whether its log has this text.
    pub fn printed(&self, text: &str) -> bool {
        self.log.0.lock().expect("nobody panicked").contains(text)
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        self.log.0.lock().expect("nobody panicked").clone()
    }

    /// The value of a metric, with its labels as `/metrics` writes them; 0 where it is not there yet.
    pub fn metric(&self, name: &str) -> u64 {
        let text =
            super::http::request(&self.admin, "GET", "/metrics", &["Authorization: Bearer test"], b"").text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse::<f64>().expect("a number") as u64)
    }

    /// Makes a call of the admin API.
    pub fn call(&self, method: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
        let headers = ["Authorization: Bearer test"];
        let answer = super::http::request(&self.admin, method, path, &headers, body.as_bytes());
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
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

    /// Lets the process have so many files open and no more.
    pub fn bound_files(&self, count: usize) {
        let bound = format!("--nofile={count}:");
        let set = Command::new("prlimit").args(["--pid", &self.child.id().to_string(), &bound]).status();
        assert!(set.expect("prlimit runs").success());
    }

    /// The folder of its config file.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Writes another rest of the config, in one step as editors do.
    pub fn rewrite(&self, config: &str) {
        let new = self.folder().join("new");
        std::fs::write(&new, format!("{COMMON}{config}")).expect("the config is written");
        std::fs::rename(new, self.folder().join("config.yaml")).expect("the config is replaced");
    }

    /// How often the config was read again with this result.
    pub fn reloads(&self, result: &str) -> u64 {
        self.metric(&format!("frontroom_config_reloads_total{{result=\"{result}\"}}"))
    }

    /// Waits for the process to end, at most ten seconds; its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        super::eventually("the end of the process", || self.child.try_wait().expect("a child")).code()
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
    }
}

/// A config's file in a folder of its own.
fn written(config: &str) -> (PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, config).expect("the config is written");
    (file, folder)
}

/// What a process writes to standard error: kept, and shown where a failing test shows its output.
struct Log(Arc<Mutex<String>>);

impl Log {
    fn read(stderr: ChildStderr) -> Log {
        let text = Arc::new(Mutex::new(String::new()));
        let log = Log(text.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                eprintln!("{line}");
                let mut text = text.lock().expect("nobody panicked");
                text.push_str(&line);
                text.push('\n');
            }
        });
        log
    }
}

fn url(lines: &mut BufReader<ChildStdout>, before: &str) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        let read = lines.read_line(&mut line).expect("the output is text");
        assert!(read > 0, "the gateway ended before it listened");
        if let Some((_, address)) = line.split_once(before).and_then(|(_, url)| url.split_once("://")) {
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
