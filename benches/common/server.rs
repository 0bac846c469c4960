//! Servers as child processes, each on cores of its own.

use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use tempfile::TempDir;

/// A running server, killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Kept open: a server that says more must not fail over it.
    _output: BufReader<ChildStdout>,
    /// Its configuration.
    _files: TempDir,
}

impl Server {
    /// Starts a server at `address`, without waiting for it; or one that tells its address in a line
    /// `listening on http://ADDRESS`.
    pub(crate) fn start(
        mut command: Command,
        files: TempDir,
        address: Option<SocketAddr>,
    ) -> io::Result<Server> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        let mut output = BufReader::new(output);
        let told = address.or_else(|| {
            output.by_ref().lines().find_map(|line| {
                let line = line.ok()?;
                let (_, address) = line.split_once("listening on http")?;
                address.trim_start_matches('s').trim_start_matches("://").trim().parse().ok()
            })
        });
        let address = told.ok_or_else(|| io::Error::other(format!("{command:?} does not start")))?;
        Ok(Server { child, address, _output: output, _files: files })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that may use some cores only, as taskset(1) has them.
pub(crate) fn on(cores: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", cores]);
    command
}

/// `frontroom run`; `FRONTROOM_BIN` is another binary.
pub(crate) fn frontroom(cores: &str, workers: u8, config: &Path) -> Command {
    let mut command = on(cores);
    command.arg(std::env::var_os("FRONTROOM_BIN").unwrap_or(env!("CARGO_BIN_EXE_frontroom").into()));
    command.args(["run", "--workers", &workers.to_string(), "--config"]).arg(config);
    command
}

/// One of the scripts in `benches/peers`.
pub(crate) fn node(cores: &str, script: &str) -> Command {
    let mut command = on(cores);
    command.arg("node").arg(peers().join(script)).env("NODE_ENV", "production");
    command
}

/// This benchmark in one of its roles.
pub(crate) fn this(cores: &str, role: &str) -> io::Result<Command> {
    let mut command = on(cores);
    command.arg(std::env::current_exe()?).arg(role);
    Ok(command)
}

fn peers() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers"))
}

/// Installs Node's packages if they are missing or not those of the lock file.
pub(crate) fn install() -> io::Result<()> {
    let modified = |file: &str| peers().join(file).metadata().and_then(|file| file.modified());
    let lock = modified("package-lock.json")?;
    if modified("node_modules/.package-lock.json").is_ok_and(|done| done >= lock) {
        return Ok(());
    }
    eprintln!("installing npm packages");
    let done = Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(peers()).status()?;
    if done.success() { Ok(()) } else { Err(io::Error::other("npm ci failed")) }
}
