//! What is done to sockets: one call, or several in order.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use serde::Serialize;

use crate::fault::Fault;
use crate::json::Json;
use crate::rules::actions::{Call, Verb};
use crate::socketio::{Answers, Command, Heard, Question, Sockets};

use super::body::bad;
use super::lists::is_zero;

/// What became of a call.
#[derive(Debug, Serialize)]
pub(super) struct Done {
    /// Sockets it was done to; for an emit, queued for.
    sockets: usize,
    #[serde(flatten)]
    answers: Option<Acks>,
    /// Nodes that did not answer in time.
    #[serde(skip_serializing_if = "is_zero")]
    silent_nodes: usize,
}

#[derive(Debug, Serialize)]
struct Acks {
    acks: Vec<Ack>,
    /// Sockets that did not answer in time.
    missing: usize,
}

#[derive(Debug, Serialize)]
struct Ack {
    socket: Arc<str>,
    args: Vec<Json>,
}

/// One result of a batch.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Outcome {
    Done(Done),
    Failed { error: Wrong },
}

/// What is wrong with a call of a batch.
#[derive(Debug, Serialize)]
pub(super) struct Wrong {
    code: &'static str,
    message: String,
}

/// Does one call.
pub(super) async fn one(sockets: &dyn Sockets, verb: Verb, body: &Json) -> Result<Done, Fault> {
    let call = Call::parse(verb, "", body).map_err(|invalid| bad(invalid.to_string()))?;
    Ok(begin(sockets, call).await)
}

/// Does several, each when those before it are done; answers are waited for together. What is wrong
/// with one keeps no other from being done.
pub(super) async fn batch(sockets: &dyn Sockets, body: &Json) -> Result<Vec<Outcome>, Fault> {
    let calls = Call::parse_all(body).map_err(|invalid| bad(invalid.to_string()))?;
    let begun = calls.into_iter().map(|call| match call {
        Ok(call) => begin(sockets, call).map(Outcome::Done).boxed(),
        Err(invalid) => {
            let error = Wrong { code: "bad_request", message: invalid.to_string() };
            std::future::ready(Outcome::Failed { error }).boxed()
        }
    });
    Ok(join_all(begun.collect::<Vec<_>>()).await)
}

/// Sends what a call sends; the future waits for its result.
fn begin(sockets: &dyn Sockets, call: Call) -> BoxFuture<'static, Done> {
    match (call.command, call.ack_timeout) {
        (Command::Emit { namespace, target, event }, Some(timeout)) => {
            let question = Question { namespace, target, event, timeout };
            sockets.ask(question).map(Done::from).boxed()
        }
        (command, _) => {
            let done = |heard: Heard<usize>| Done {
                sockets: heard.said,
                answers: None,
                silent_nodes: heard.silent_nodes,
            };
            sockets.perform(command).map(done).boxed()
        }
    }
}

impl From<Heard<Answers>> for Done {
    fn from(heard: Heard<Answers>) -> Done {
        let Heard { said: answers, silent_nodes } = heard;
        let missing = answers.sockets.saturating_sub(answers.acks.len());
        let acks = answers.acks.into_iter().map(|(socket, args)| Ack { socket, args }).collect();
        Done { sockets: answers.sockets, answers: Some(Acks { acks, missing }), silent_nodes }
    }
}
