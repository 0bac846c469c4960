mod action;
mod carried;
mod compiled;
mod failures;
mod hooks;
mod limits;
mod schemas;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value};

use crate::config::value::Rate;
use crate::config::{Problems, file};
use crate::engineio::Handshake;
use crate::headers::{Forwarded, TrustedProxies};
use crate::json::Json;
use crate::message::Fields;
use crate::socketio::{Command, EventName};
use crate::upstream::Upstreams;

use super::actions::{Actions, Doer, Here};
use super::carried::{alike, set_own};
use super::context::Facts;
use super::effects::Ack;
use super::failure::Failure;
use super::hook::{self, Hooks, Told};
use super::limit::Buckets;
use super::reply::Reply;
use super::rule::{Call, Kind, Rule};
use super::template::tests::{json, scope};
use super::*;

fn headers(pairs: &[(&str, &str)]) -> Fields {
    let mut headers = Fields::new();
    for (name, value) in pairs {
        headers.append(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
    }
    headers
}

fn reply(status: u16, kind: &str, body: &str) -> Reply {
    let body = Bytes::copy_from_slice(body.as_bytes());
    Reply::new(StatusCode::from_u16(status).unwrap(), headers(&[("content-type", kind)]), body)
}

fn handshake() -> Handshake {
    Handshake {
        headers: headers(&[
            ("user-agent", "ua"),
            ("cookie", "sid=1; access_token=\"tok\""),
            ("authorization", "Bearer abc"),
            ("x-a", "1"),
            ("x-a", "2"),
        ]),
        url: "/socket.io/?EIO=4&a=1".to_owned(),
        query: [("EIO", "4"), ("a", "1"), ("a", "2")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        forwarded: Forwarded::identify(
            [127, 0, 0, 1].into(),
            true,
            &headers(&[("host", "app.example:4000")]),
            &TrustedProxies::default(),
        ),
        request_id: "r".to_owned(),
        issued: 1_763_700_000_000,
    }
}

fn text(problems: Problems) -> Vec<String> {
    problems.into_vec().iter().map(ToString::to_string).collect()
}
