//! The rules of each namespace, and which names of namespaces there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use regex::Regex;

use crate::config::{Problems, file};
use crate::socketio::Captures;
use crate::upstream::Upstreams;

use super::actions::refused_name;
use super::rule::{Kind, Rule};

/// All namespaces. `/` always exists.
#[derive(Debug)]
pub(crate) struct Namespaces {
    exact: BTreeMap<String, Namespace>,
    /// In the order written.
    patterns: Vec<(Regex, Namespace)>,
}

/// The rules of one namespace, or of all that match a pattern.
#[derive(Debug)]
pub(crate) struct Namespace {
    /// Its name as written, which its metrics go by.
    pub(crate) label: Arc<str>,
    pub(crate) connect: Option<Rule>,
    events: BTreeMap<String, Rule>,
    /// The rule for what no other matches.
    any: Option<Rule>,
    pub(crate) disconnect: Option<Rule>,
}

impl Namespaces {
    pub(crate) fn build(file: &file::SocketIo, upstreams: &Upstreams, problems: &mut Problems) -> Namespaces {
        let rules = Written { connect: &file.connect, events: &file.events, disconnect: &file.disconnect };
        let root = Namespace::build("socketio", "/", &rules, &[], upstreams, problems);
        let mut exact = BTreeMap::from([("/".to_owned(), root)]);
        let mut patterns = Vec::new();
        for (name, raw) in &file.namespaces {
            let key = format!("socketio.namespaces.{name}");
            let (pattern, captures) = match pattern(name) {
                Ok(pattern) => pattern,
                Err(wrong) => {
                    problems.add(key, wrong, "a name such as /support or /org-{id}");
                    continue;
                }
            };
            let rules = Written { connect: &raw.connect, events: &raw.events, disconnect: &raw.disconnect };
            let namespace = Namespace::build(&key, name, &rules, &captures, upstreams, problems);
            match pattern {
                Some(pattern) => patterns.push((pattern, namespace)),
                None => drop(exact.insert(name.clone(), namespace)),
            }
        }
        Namespaces { exact, patterns }
    }

    /// The rules of a namespace, or `None` if there is no such namespace.
    pub(crate) fn get(&self, name: &str) -> Option<&Namespace> {
        let pattern = || self.patterns.iter().find(|(pattern, _)| pattern.is_match(name));
        self.exact.get(name).or_else(|| pattern().map(|(_, namespace)| namespace))
    }

    /// What a namespace's name captures, or `None` if there is no such namespace.
    pub(crate) fn captures(&self, name: &str) -> Option<Captures> {
        if self.exact.contains_key(name) {
            return Some(Captures::new());
        }
        self.patterns.iter().find_map(|(pattern, _)| {
            let found = pattern.captures(name)?;
            let names = pattern.capture_names().flatten();
            Some(
                names
                    .filter_map(|name| Some((name.to_owned(), found.name(name)?.as_str().to_owned())))
                    .collect(),
            )
        })
    }
}

/// The keys of a namespace, wherever they are written.
struct Written<'a> {
    connect: &'a Option<file::Rule>,
    events: &'a IndexMap<String, file::Rule>,
    disconnect: &'a Option<file::Rule>,
}

impl Namespace {
    fn build(
        key: &str,
        name: &str,
        rules: &Written<'_>,
        captures: &[String],
        upstreams: &Upstreams,
        problems: &mut Problems,
    ) -> Namespace {
        let mut one = |key: String, kind: (Kind, &str), raw: &file::Rule| {
            Rule::compile(&key, raw, kind, captures, upstreams, problems)
        };
        let connect =
            rules.connect.as_ref().map(|raw| one(format!("{key}.connect"), (Kind::Connect, "connect"), raw));
        let mut events: BTreeMap<String, Rule> = rules
            .events
            .iter()
            .map(|(event, raw)| {
                (event.clone(), one(format!("{key}.events.{event}"), (Kind::Event, event), raw))
            })
            .collect();
        let disconnect = rules.disconnect.as_ref();
        let disconnect =
            disconnect.map(|raw| one(format!("{key}.disconnect"), (Kind::Disconnect, "disconnect"), raw));
        for event in rules.events.keys() {
            if let Some(wrong) = refused_name(event) {
                problems.add(format!("{key}.events.{event}"), wrong, "a name that clients may emit");
            }
        }
        let any = events.remove("*");
        Namespace { label: name.into(), connect, events, any, disconnect }
    }

    /// The rule for an event.
    pub(crate) fn rule(&self, event: &str) -> Option<&Rule> {
        self.events.get(event).or(self.any.as_ref())
    }
}

/// The pattern of a namespace's name, if it is one, and the names of its captures.
pub(crate) fn pattern(name: &str) -> Result<(Option<Regex>, Vec<String>), String> {
    if name == "/" {
        return Err("the rules of `/` stand directly under `socketio`".to_owned());
    }
    if !name.starts_with('/') {
        return Err("a namespace begins with `/`".to_owned());
    }
    let (mut regex, mut captures, mut rest) = (String::from(r"\A"), Vec::new(), name);
    while let Some((literal, after)) = rest.split_once('{') {
        let (capture, behind) = after.split_once('}').ok_or("`{` without its `}`")?;
        let valid = capture.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && capture.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !valid || literal.contains('}') {
            return Err(format!("`{capture}` is no name of a capture"));
        }
        if captures.iter().any(|known| known == capture) {
            return Err(format!("`{{{capture}}}` is captured twice"));
        }
        regex += &regex::escape(literal);
        regex += &format!("(?P<{capture}>[^/]+)");
        captures.push(capture.to_owned());
        rest = behind;
    }
    if captures.is_empty() {
        return Ok((None, captures));
    }
    regex += &regex::escape(rest);
    regex += r"\z";
    let regex = Regex::new(&regex).map_err(|error| error.to_string())?;
    Ok((Some(regex), captures))
}
