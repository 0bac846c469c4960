//! Origins: which ones a policy allows, and what a well-formed one looks like.

use std::collections::HashSet;

use regex::bytes::{Regex, RegexBuilder};

use crate::config::Problems;
use crate::config::file::AllowOrigin;

/// No browser sends a longer one: a host name has at most 253 bytes.
const MAX_ORIGIN: usize = 2048;

/// Bound of a compiled regular expression, in bytes.
const MAX_REGEX: usize = 1 << 20;

/// A tuple origin as a browser serialises it (HTML standard 7.1.1): lower case, no default port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin<'a> {
    pub(super) scheme: &'a str,
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
}

impl<'a> Origin<'a> {
    /// Reads the value of an `Origin` header. `None`: `null`, too long, or nothing a browser sends.
    pub(super) fn parse(value: &'a [u8]) -> Option<Origin<'a>> {
        if value.len() > MAX_ORIGIN {
            return None;
        }
        let (scheme, rest) = std::str::from_utf8(value).ok()?.split_once("://")?;
        let (host, port) = split_port(rest)?;
        (is_scheme(scheme) && is_host(host)).then_some(Origin { scheme, host, port })
    }

    /// The port that is meant where none is written.
    pub(super) fn port(&self) -> Option<u16> {
        self.port.or_else(|| default_port(self.scheme))
    }
}

/// The port that browsers leave out of an origin.
fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// Splits `host[:port]`; `None` where the port is no port.
pub(super) fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    match authority.rsplit_once(':') {
        // The colons of an IPv6 address are inside its brackets.
        Some((host, port)) if !port.ends_with(']') => {
            let canonical = !port.starts_with('0') && port.bytes().all(|b| b.is_ascii_digit());
            let port = port.parse().ok().filter(|_| canonical)?;
            Some((host, Some(port)))
        }
        _ => Some((authority, None)),
    }
}

fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.'))
}

/// A host name in lower case, or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => is_labels(host),
    }
}

/// One or more labels with single dots between them.
fn is_labels(name: &str) -> bool {
    name.split('.').all(|label| {
        !label.is_empty() && label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
    })
}

/// The origins that a policy allows.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    /// `"*"`.
    pub(super) everyone: bool,
    exact: HashSet<Box<str>>,
    wildcards: Vec<Wildcard>,
    regexes: Vec<Regex>,
}

/// `https://*.example.com:8443` as what stands before and after the star.
#[derive(Debug)]
struct Wildcard {
    /// `https://`
    before: String,
    /// `.example.com:8443`
    after: String,
}

impl Wildcard {
    /// One or more labels in place of the star; never the bare domain.
    fn matches(&self, origin: &str) -> bool {
        origin
            .strip_prefix(&*self.before)
            .and_then(|rest| rest.strip_suffix(&*self.after))
            .is_some_and(is_labels)
    }
}

impl Allowed {
    /// Compiles `cors.allow_origins`.
    pub(super) fn build(entries: &[AllowOrigin], problems: &mut Problems) -> Allowed {
        let mut allowed = Allowed::default();
        for (index, entry) in entries.iter().enumerate() {
            let key = format!("cors.allow_origins[{index}]");
            let added = match entry {
                AllowOrigin::Pattern(pattern) => allowed.add_pattern(pattern),
                AllowOrigin::Regex(regex) => allowed.add_regex(regex).map_err(|wrong| {
                    (
                        wrong,
                        r"write it as https://pr-\d+\.example\.com; it is anchored at both ends".to_owned(),
                    )
                }),
            };
            if let Err((wrong, right)) = added {
                problems.add(key, wrong, right);
            }
        }
        allowed
    }

    fn add_pattern(&mut self, pattern: &str) -> Result<(), (String, String)> {
        if pattern == "*" {
            self.everyone = true;
            return Ok(());
        }
        let origin = normalise(pattern)?;
        match origin.split_once('*') {
            Some((before, after)) => {
                self.wildcards.push(Wildcard { before: before.to_owned(), after: after.to_owned() });
            }
            None => {
                self.exact.insert(origin.into());
            }
        }
        Ok(())
    }

    fn add_regex(&mut self, pattern: &str) -> Result<(), String> {
        let compile = |text: &str| {
            RegexBuilder::new(text)
                .size_limit(MAX_REGEX)
                .build()
                .map_err(|error| format!("`{pattern}` is not a regular expression: {}", last_line(&error)))
        };
        // Alone first: `a)|(?:b` is no expression, though it would become one between the anchors.
        compile(pattern)?;
        self.regexes.push(compile(&format!(r"\A(?:{pattern})\z"))?);
        Ok(())
    }

    /// Whether a well-formed origin is one of them, byte for byte.
    pub(super) fn contains(&self, origin: &str) -> bool {
        self.everyone
            || self.exact.contains(origin)
            || self.wildcards.iter().any(|wildcard| wildcard.matches(origin))
            || self.regexes.iter().any(|regex| regex.is_match(origin.as_bytes()))
    }
}

/// The last line of a regex error is its reason; the lines above draw the place.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// An origin as browsers write it, or what is wrong with it and what would be right. A leading
/// `*.` label may stand for one or more labels.
fn normalise(written: &str) -> Result<String, (String, String)> {
    let example = || "write it as https://app.example.com".to_owned();
    if written.is_empty() {
        return Err(("is empty".to_owned(), example()));
    }
    if written.eq_ignore_ascii_case("null") {
        let right = "name the origins; every sandboxed page and local file has the origin null";
        return Err(("`null` cannot be allowed".to_owned(), right.to_owned()));
    }
    if written.contains(',') {
        return Err((format!("`{written}` is several origins in one"), "write them as a list".to_owned()));
    }
    let Some((scheme, rest)) = written.split_once("://") else {
        let right = format!("write it with its scheme, as https://{}", written.trim_start_matches('/'));
        return Err((format!("`{written}` has no scheme"), right));
    };
    if let Some(end) = rest.find(['/', '?', '#', '\\']) {
        let right = format!("write it as {scheme}://{}", &rest.get(..end).unwrap_or_default());
        return Err((format!("`{written}` has a path, and an origin has none"), right));
    }
    if !written.is_ascii() {
        let right = "write the host name in punycode (xn--...), as browsers send it";
        return Err((format!("`{written}` is not ASCII"), right.to_owned()));
    }
    let lower = format!("{scheme}://{rest}").to_ascii_lowercase();
    let star = lower.contains('*');
    // The star is checked as if it were a label; a second one is not a host name's character.
    let model = if star { lower.replacen("://*.", "://x.", 1) } else { lower.clone() };
    let Some(origin) = Origin::parse(model.as_bytes()) else {
        let right = if star {
            "a `*` may only be the first label, as https://*.example.com; {regex: ...} says more".to_owned()
        } else {
            example()
        };
        return Err((format!("`{written}` is not an origin"), right));
    };
    if origin.port.is_some() && origin.port == default_port(origin.scheme) {
        let without = lower.rsplit_once(':').map_or(lower.as_str(), |(before, _)| before);
        return Ok(without.to_owned());
    }
    Ok(lower)
}
