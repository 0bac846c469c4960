//! What outsiders can write, read from arbitrary bytes: the targets of `fuzz/`. They panic where a reader
//! breaks, and where it lets through what it is there to stop. Not part of the binary.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "to panic is how a target tells of a finding"
)]

mod fields;
mod head;
mod origin;

#[cfg(test)]
mod smoke;

use crate::config::{self, Problems};

/// A target: reads bytes that anybody could have written.
pub type Target = fn(&[u8]);

/// All of them, by the names of their corpus and of their program in `fuzz/targets`.
pub const TARGETS: &[(&str, Target)] = &[
    ("config", config),
    ("forwarded", fields::forwarded),
    ("frames", crate::engineio::fuzz::frames),
    ("head", head::head),
    ("legacy_payload", crate::engineio::fuzz::legacy_payload),
    ("origin", origin::origin),
    ("packet", crate::socketio::fuzz::packet),
    ("payload", crate::engineio::fuzz::payload),
    ("requests", crate::server::fuzz::requests),
    ("response", crate::upstream::fuzz::response),
    ("url", crate::rules::fuzz::url),
];

/// Runs the target of that name.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.unwrap_or_else(|| panic!("no target {name}")).1(bytes);
}

/// A config file: every problem has a place and says what would be right.
fn config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let read = config::load_text(&text, "config.yaml", &|_| Some("value".to_owned()));
    if let Err(report) = read.and_then(|loaded| loaded.judge(Problems::default())) {
        let report = report.to_string();
        assert!(report.starts_with("config.yaml:") && report.contains("; "), "{report}");
    }
}

/// The parts of an input that holds several, between lines of `--`.
fn parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n')
}
