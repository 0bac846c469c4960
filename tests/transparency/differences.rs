//! What may differ, and what does.

use super::Seen;
use super::cases::Case;
use super::message::{Field, Framing, Message};

/// End with their connection (RFC 9110 7.6.1); frontroom sets its own.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy",
];

/// Are kept although `Connection` names them.
const END_TO_END: &[&str] =
    &["host", "content-length", "content-type", "cookie", "authorization", "cache-control", "origin"];

/// Everything in which an exchange through frontroom differs from one without.
pub(crate) fn find(case: &Case, direct: &Seen, through: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |what: &str, direct: String, through: String| {
        if direct != through {
            wrong.push(format!(
                "{}\n  {what}\n    direct  {direct:.300}\n    through {through:.300}",
                case.name
            ));
        }
    };
    let bytes = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let (ours, theirs) = (&direct.request, &through.request);
    compare("request line", bytes(&ours.start), bytes(&theirs.start));
    compare("request fields", list(&request_fields(ours)), list(&request_fields(theirs)));
    compare("request framing", format!("{:?}", ours.framing), format!("{:?}", theirs.framing));
    compare("request body", bytes(&ours.body), bytes(&theirs.body));
    compare("request trailers", list(&ours.trailers), list(&theirs.trailers));
    compare("additions", "as written down".to_owned(), additions(theirs));
    let (ours, theirs) = (&direct.response, &through.response);
    // The version is each connection's own.
    compare("status line", bytes(&ours.start[9..]), bytes(&theirs.start[9..]));
    compare("response fields", list(&response_fields(ours, ours)), list(&response_fields(theirs, ours)));
    compare("response framing", format!("{:?}", framing(ours)), format!("{:?}", framing(theirs)));
    compare("response body", bytes(&ours.body), bytes(&theirs.body));
    compare("complete", ours.complete.to_string(), theirs.complete.to_string());
    wrong
}

/// The fields that go on, by name: only fields of the same name have an order (RFC 9110 5.3).
fn end_to_end(message: &Message) -> Vec<Field> {
    let nominated: Vec<String> = message
        .all("connection")
        .iter()
        .flat_map(|line| line.split(|byte| *byte == b','))
        .map(|name| String::from_utf8_lossy(name).trim().to_ascii_lowercase())
        .filter(|name| !END_TO_END.contains(&name.as_str()))
        .collect();
    let mut fields = message.fields.clone();
    fields.retain(|(name, _)| !HOP_BY_HOP.contains(&name.as_str()) && !nominated.contains(name));
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields
}

/// Without what nobody but a trusted proxy may say, and what frontroom says instead.
fn request_fields(message: &Message) -> Vec<Field> {
    let mut fields = end_to_end(message);
    fields.retain(|(name, value)| {
        let plain = name.replace('_', "-");
        let forwarding = plain.starts_with("x-forwarded-") || plain == "forwarded" || plain == "x-real-ip";
        let ours = name == "via" && value == b"1.1 frontroom";
        !forwarding && !ours && name != "x-request-id"
    });
    // Equal lengths twice are one, and leading zeros mean nothing.
    let lengths: Vec<usize> = (0..fields.len()).filter(|at| fields[*at].0 == "content-length").collect();
    for at in lengths.iter().skip(1).rev() {
        fields.remove(*at);
    }
    for (_, value) in fields.iter_mut().filter(|(name, _)| name == "content-length") {
        let zeros = value.iter().take_while(|byte| **byte == b'0').count().min(value.len() - 1);
        value.drain(..zeros);
    }
    fields
}

/// A missing `Date` is added (RFC 9110 6.6.1), and the request's id.
fn response_fields(message: &Message, direct: &Message) -> Vec<Field> {
    let dated = !direct.all("date").is_empty();
    let mut fields = end_to_end(message);
    fields.retain(|(name, _)| name != "x-request-id" && (dated || name != "date"));
    // What ends with its connection upstream ends with a length or chunks here; frontroom leaves out the
    // length that a 304 may have (RFC 9110 8.6).
    if framing(direct) == Framing::Chunked || direct.start[9..].starts_with(b"304") {
        fields.retain(|(name, _)| name != "content-length");
    }
    fields
}

/// The end of a connection is told by a last chunk, and an empty body by its length.
fn framing(message: &Message) -> Framing {
    match message.framing {
        Framing::Close | Framing::Chunked => Framing::Chunked,
        other => other,
    }
}

/// What frontroom adds to every request.
fn additions(request: &Message) -> String {
    for (name, expected) in [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "api.test:81"),
        ("x-forwarded-port", "81"),
    ] {
        if request.all(name) != [expected.as_bytes()] {
            return format!("{name}: {:?}", request.all(name));
        }
    }
    let id = request.one("x-request-id").unwrap_or_default();
    if request.all("x-request-id").len() != 1 || id.len() != 36 {
        return format!("x-request-id: {id}");
    }
    if request.all("via").last() != Some(&b"1.1 frontroom".as_slice()) {
        return format!("via: {:?}", request.all("via"));
    }
    "as written down".to_owned()
}

fn list(fields: &[Field]) -> String {
    let lines = fields.iter().map(|(name, value)| format!("{name}: {}", value.escape_ascii()));
    lines.collect::<Vec<_>>().join(" | ")
}
