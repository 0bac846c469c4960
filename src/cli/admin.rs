//! Commands that call the admin listener of a running frontroom.

use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use crate::body::Body;
use crate::config::{Problems, defaults, file};
use crate::upstream::Upstreams;

/// Time to an answer's head: longer than the longest that acks are waited for.
const TIMEOUT: Duration = Duration::from_secs(65);

/// Largest answer read.
const MAX_ANSWER: usize = 64_000_000;

/// Time between two looks at a drain.
const LOOK: Duration = Duration::from_millis(200);

/// The exit code of bad usage.
const BAD_USAGE: u8 = 2;

/// Where the admin listener is.
#[derive(Debug, Args)]
pub(super) struct Admin {
    /// The admin listener
    #[arg(long, value_name = "URL", env = "FRONTROOM_ADMIN", default_value_t = format!("http://{}", defaults::ADMIN_LISTEN))]
    admin: String,
    /// Its token
    #[arg(long, value_name = "TOKEN", env = "FRONTROOM_ADMIN_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// An event to publish.
#[derive(Debug, Args)]
pub(super) struct Emit {
    #[command(flatten)]
    admin: Admin,
    /// Its name
    event: String,
    /// Room that it goes to; may be given several times
    // An id may begin with a hyphen.
    #[arg(long, value_name = "ROOM", required_unless_present = "everyone", conflicts_with = "everyone")]
    #[arg(allow_hyphen_values = true)]
    to: Vec<String>,
    /// Room or socket left out; may be given several times
    #[arg(long, value_name = "ROOM", allow_hyphen_values = true)]
    except: Vec<String>,
    /// To every socket of the namespace
    #[arg(long)]
    everyone: bool,
    /// Its namespace [default: /]
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Its argument, as JSON
    #[arg(long, value_name = "JSON", value_parser = json_argument, allow_hyphen_values = true)]
    data: Option<Value>,
    /// It may be dropped for clients that are not ready
    #[arg(long)]
    volatile: bool,
    /// Wait so long for the clients' acks: 500ms, 2s
    #[arg(long, value_name = "TIME")]
    ack_timeout: Option<String>,
}

/// What to look at.
#[derive(Debug, Args)]
pub(super) struct Healthcheck {
    #[command(flatten)]
    admin: Admin,
    /// Ask whether new traffic should come, not only whether the process is alive
    #[arg(long)]
    ready: bool,
}

/// How to drain.
#[derive(Debug, Args)]
pub(super) struct Drain {
    #[command(flatten)]
    admin: Admin,
    /// Return at once, without waiting for the end of it
    #[arg(long)]
    no_wait: bool,
}

/// Why a command failed.
enum Failed {
    /// What was asked for makes no sense.
    Usage(String),
    /// It could not be done.
    Call(String),
}

fn json_argument(text: &str) -> Result<Value, String> {
    let right = "write a text with its quotes: '\"hello\"'";
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}; {right}"))
}

/// Publishes an event, and prints what the API answers.
pub(super) fn emit(arguments: &Emit) -> ExitCode {
    let body = arguments.body();
    finish(async {
        let answer = arguments.admin.call(Method::POST, "/v1/emit", Some(&body)).await?;
        println!("{}", String::from_utf8_lossy(&answer));
        Ok(())
    })
}

/// Whether the process is alive.
pub(super) fn healthcheck(arguments: &Healthcheck) -> ExitCode {
    let path = if arguments.ready { "/readyz" } else { "/healthz" };
    finish(async { arguments.admin.call(Method::GET, path, None).await.map(drop) })
}

/// Drains, and waits until nothing is left to wait for.
pub(super) fn drain(arguments: &Drain) -> ExitCode {
    finish(async {
        loop {
            let answer = arguments.admin.call(Method::POST, "/v1/drain", None).await?;
            let progress: Value = serde_json::from_slice(&answer).unwrap_or_default();
            if arguments.no_wait || progress.get("status").is_some_and(|status| status == "drained") {
                println!("{}", String::from_utf8_lossy(&answer));
                return Ok(());
            }
            sleep(LOOK).await;
        }
    })
}

fn finish(work: impl Future<Output = Result<(), Failed>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => Err(Failed::Call(format!("cannot start: {error}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed::Usage(message)) => {
            eprintln!("{message}");
            ExitCode::from(BAD_USAGE)
        }
        Err(Failed::Call(message)) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

impl Emit {
    fn body(&self) -> Value {
        let mut body = Map::from_iter([("event".to_owned(), json!(self.event))]);
        let mut set = |key: &str, value: Value| body.insert(key.to_owned(), value);
        if self.everyone {
            set("everyone", json!(true));
        } else {
            set("to", json!(self.to));
        }
        if !self.except.is_empty() {
            set("except", json!(self.except));
        }
        for (key, text) in [("namespace", &self.namespace), ("ack_timeout", &self.ack_timeout)] {
            if let Some(text) = text {
                set(key, json!(text));
            }
        }
        if let Some(data) = &self.data {
            set("data", data.clone());
        }
        if self.volatile {
            set("volatile", json!(true));
        }
        Value::Object(body)
    }
}

impl Admin {
    /// Makes a call; its answer's body where it succeeds.
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Bytes, Failed> {
        let mut problems = Problems::default();
        let file = file::File { upstream: Some(self.admin.clone()), ..file::File::default() };
        let upstreams = Upstreams::build(&file, &mut problems);
        let upstream = match upstreams.get(defaults::UPSTREAM_NAME) {
            Some(upstream) if problems.is_empty() => upstream,
            _ => return Err(Failed::Usage(wrong_url(problems))),
        };
        let body = body.map_or(Body::Empty, |body| Bytes::from(body.to_string()).into());
        let mut request =
            http::Request::builder().method(method).uri(path).header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let bad_token = || Failed::Usage("--token: holds characters that no header can carry".to_owned());
        let mut request = request.body(body).map_err(|_| bad_token())?.into();
        let lost = |error: String| Failed::Call(format!("{}: {error}", self.admin));
        let response =
            upstream.send(&mut request, Some(TIMEOUT)).await.map_err(|error| lost(error.to_string()))?;
        let status = response.status();
        let answer = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        let answer = answer.map_err(|error| lost(error.to_string()))?.to_bytes();
        if status.is_success() { Ok(answer) } else { Err(lost(refusal(status, &answer))) }
    }
}

fn wrong_url(problems: Problems) -> String {
    let told: Vec<String> = problems.into_vec().iter().map(ToString::to_string).collect();
    told.join("\n").replace("upstream:", "--admin:")
}

/// What an error's body says.
fn refusal(status: StatusCode, answer: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let message = answer.pointer("/error/message").or_else(|| answer.get("status")).and_then(Value::as_str);
    message.map_or_else(|| format!("answered {status}"), |message| format!("{status}: {message}"))
}
