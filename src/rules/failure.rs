//! What a client is told when its event or connect fails.

use std::borrow::Cow;

use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::fault::Fault;
use crate::json::Json;
use crate::socketio::{EventName, Refusal, Socket};
use crate::telemetry::Panicked;
use crate::upstream;

use super::object::{self, Object};
use super::reply::Reply;
use super::template::{self, elements, member, string};

/// Longest plain text that is taken for a message; longer ones are pages.
const MAX_TEXT: usize = 300;

/// What a client is told when its event or connect fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// An HTTP status, whether or not there was HTTP.
    pub(crate) status: u16,
    /// For programs.
    pub(crate) code: Cow<'static, str>,
    /// For people.
    pub(crate) message: String,
    /// The upstream's answer where it was JSON.
    pub(crate) body: Option<Json>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Failure {
        Failure { status: status.as_u16(), code: code.into(), message: message.into(), body: None }
    }

    /// No rule for an event.
    pub(crate) fn no_rule(event: &str) -> Failure {
        Failure::new(StatusCode::NOT_FOUND, "no_rule", format!("no rule for the event `{event}`"))
    }

    /// An event sent too often.
    pub(crate) fn rate_limited() -> Failure {
        Failure::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "sent too often")
    }

    /// A defect of ours, in what was done for a socket.
    pub(crate) fn defect(panicked: &Panicked, socket: &Socket, rule: &str) -> Failure {
        let namespace = &**socket.namespace();
        tracing::error!(namespace, rule, panic = panicked.message, "a rule has panicked");
        let message = "the gateway failed: its log tells more";
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message)
    }

    /// A response that is no success.
    pub(crate) fn from_reply(reply: &Reply) -> Failure {
        if reply.status.is_redirection() {
            // Followed by nobody: a login page is no answer to an event.
            let message = "the upstream answered with a redirect";
            return Failure::new(StatusCode::BAD_GATEWAY, "upstream_redirected", message);
        }
        let body = reply.json().cloned();
        let told = body.as_ref().map(Told::read).unwrap_or_default();
        let code = told.code.map_or_else(|| default_code(reply.status).into(), Cow::Owned);
        let message = told.message.or_else(|| plain_text(reply)).unwrap_or_else(|| reason(reply.status));
        Failure { status: reply.status.as_u16(), code, message, body }
    }

    /// `{status, code, message, body}`.
    pub(crate) fn error(&self) -> Json {
        let mut error = Object::new()
            .json("status", &self.status.to_string())
            .string("code", &self.code)
            .string("message", &self.message);
        if let Some(body) = &self.body {
            error = error.json("body", body.as_str());
        }
        error.finish()
    }

    /// The argument of an ack: `{"error":{..}}`.
    pub(crate) fn ack(&self) -> Json {
        Object::new().json("error", self.error().as_str()).finish()
    }

    /// The argument of the event `exception`: `{"error":{..},"event":name}`.
    pub(crate) fn exception(&self, event: &EventName) -> Json {
        Object::new().json("error", self.error().as_str()).json("event", name(event).as_str()).finish()
    }

    /// What CONNECT_ERROR says.
    pub(crate) fn refusal(self) -> Refusal {
        let data = self.body.clone().unwrap_or_else(|| {
            Object::new().json("status", &self.status.to_string()).string("code", &self.code).finish()
        });
        Refusal { message: self.message, data: Some(data) }
    }
}

/// An event's name as JSON.
pub(crate) fn name(event: &EventName) -> Json {
    match event {
        EventName::Text(name) => object::string(name),
        EventName::Number(number) => number.clone(),
    }
}

impl From<template::Error> for Failure {
    fn from(error: template::Error) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, "bad_event", error.to_string())
    }
}

impl From<upstream::Error> for Failure {
    fn from(error: upstream::Error) -> Failure {
        let fault = Fault::from(error);
        Failure::new(fault.status, fault.code, fault.message)
    }
}

/// A stable word for a status.
pub(crate) fn default_code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "bad_request",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        409 => "conflict",
        410 => "gone",
        413 => "too_large",
        422 => "unprocessable",
        429 => "too_many_requests",
        402..=499 => "rejected",
        501 => "not_implemented",
        502 => "bad_gateway",
        503 => "unavailable",
        504 => "timeout",
        _ => "internal_error",
    }
}

/// A status in words.
pub(crate) fn reason(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or("The request failed").to_owned()
}

/// The message of a short plain text, as Go's `http.Error` sends it.
fn plain_text(reply: &Reply) -> Option<String> {
    let kind = reply.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let text = std::str::from_utf8(&reply.bytes).ok()?.trim();
    let fits = kind.starts_with("text/plain") && !text.is_empty() && text.len() <= MAX_TEXT;
    fits.then(|| text.to_owned())
}

/// What an error body says of itself.
#[derive(Debug, Default)]
struct Told {
    code: Option<String>,
    message: Option<String>,
}

impl Told {
    /// Reads the shapes that frameworks send: `{message}` (NestJS, Laravel, Spring), `{detail}`
    /// (Django, FastAPI, RFC 9457), `{error}` (Rails, OAuth), `{error: {code, message}}`, `{errors}`.
    fn read(body: &Json) -> Told {
        let error = member(body, "error");
        let nested = error.as_ref().filter(|error| error.as_str().starts_with('{')).map(Told::read);
        let nested = nested.unwrap_or_default();
        let word = error.as_ref().and_then(string).filter(|word| !word.is_empty());
        let code = ["code", "error_code", "errorCode"]
            .iter()
            .find_map(|key| string(&member(body, key)?))
            .filter(|code| !code.is_empty());
        let messages = ["message", "error_description", "detail", "title"];
        let message = messages.iter().find_map(|key| sentence(&member(body, key)?));
        Told {
            code: code.or(nested.code).or_else(|| word.clone().filter(|word| is_code(word))),
            message: message.or(nested.message).or(word).or_else(|| sentence(&member(body, "errors")?)),
        }
    }
}

/// A message: a string, or the first strings of what validators send.
fn sentence(json: &Json) -> Option<String> {
    if let Some(text) = string(json) {
        return Some(text).filter(|text| !text.trim().is_empty());
    }
    let all: Vec<String> = elements(json)?
        .iter()
        .filter_map(|item| {
            let inner = ["message", "msg", "detail"].iter().find_map(|key| member(item, key));
            string(inner.as_ref().unwrap_or(item))
        })
        .collect();
    (!all.is_empty()).then(|| all.join("; "))
}

fn is_code(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte))
}
