//! The command line.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

mod admin;

use crate::{app, config, doctor};

/// A gateway that gives Socket.IO to a REST API that already exists.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    Run {
        #[command(flatten)]
        config: ConfigArg,
        /// Threads that serve [default: one for each core]
        #[arg(long, value_name = "N")]
        workers: Option<NonZeroUsize>,
    },
    /// Read and compile the config as `run` would, and print every problem; binds nothing
    Check {
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Print the JSON Schema of the config file, for editors
    Schema,
    /// Print the events of a config as types for its clients
    Types {
        #[command(flatten)]
        config: ConfigArg,
        /// In what language
        #[arg(long, value_enum, default_value_t = app::Format::Typescript)]
        format: app::Format,
    },
    /// A chat to try in the browser: REST backend, gateway and page in one process
    Demo {
        /// Where the gateway listens
        #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:4000")]
        listen: String,
    },
    /// Publish an event through the admin listener, and print how many sockets it was queued for
    Emit(Box<admin::Emit>),
    /// Ask the admin listener whether the process is alive, for images without a shell
    Healthcheck(admin::Healthcheck),
    /// Let everybody go as SIGTERM would, without exiting, and wait until nobody is left
    Drain(admin::Drain),
    /// Look at a running site from outside, as a browser would, and say what to change where
    Doctor {
        /// URL of the site, such as `https://app.example.com`, with the path of its REST side
        url: String,
        /// Origin of the page that uses it, for CORS, such as `https://www.example.com`
        #[arg(long)]
        origin: Option<String>,
        /// Path of Socket.IO
        #[arg(long, default_value = "/socket.io")]
        path: String,
        /// Access token: `auth.token` of the client, and Authorization of REST requests
        #[arg(long)]
        token: Option<String>,
        /// Namespace to enter
        #[arg(long, default_value = "/")]
        namespace: String,
    },
}

#[derive(Debug, Args)]
struct ConfigArg {
    /// The config file
    #[arg(short = 'c', long = "config", value_name = "FILE", default_value = "./config.yaml")]
    path: PathBuf,
}

impl ConfigArg {
    /// As messages show it: the default is named as plainly as any other file.
    fn path(&self) -> &Path {
        self.path.strip_prefix("./").unwrap_or(&self.path)
    }
}

/// Does what the command line says. Exit codes: 0 fine, 1 failed at run time, 2 bad config or usage.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run { config, workers } => app::run(config.path(), workers.map_or_else(cores, usize::from)),
        Command::Check { config } => app::check(config.path()),
        Command::Emit(arguments) => admin::emit(&arguments),
        Command::Healthcheck(arguments) => admin::healthcheck(&arguments),
        Command::Drain(arguments) => admin::drain(&arguments),
        Command::Schema => print_schema(),
        Command::Types { config, format } => app::types(config.path(), format),
        Command::Demo { listen } => app::demo(&listen),
        Command::Doctor { url, origin, path, token, namespace } => {
            doctor::run(&doctor::Options { url, origin, path, token, namespace })
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn print_schema() -> ExitCode {
    let written = writeln!(std::io::stdout().lock(), "{:#}", config::schema());
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
