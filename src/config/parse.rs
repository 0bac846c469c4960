//! YAML text into [`Node`]s: aliases and merges resolved, size and depth bounded.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::node::{Entry, Kind, Mark, Node};

/// Deeper files are refused; the rules of a namespace go about ten deep.
const MAX_DEPTH: usize = 64;
/// Nodes and bytes of text that a file may come to with its aliases resolved: four times the largest
/// file, so that no file without aliases meets it.
const MAX_WEIGHT: usize = 4 << 20;

/// Why a text is not the YAML that is understood here.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) at: Mark,
    pub(super) wrong: String,
    pub(super) right: String,
}

/// Reads a text that holds one YAML document.
pub(super) fn parse(text: &str) -> Result<Node, Unreadable> {
    let mut reader = Reader { parser: Parser::new_from_str(text), anchors: HashMap::new(), weight: 0 };
    reader.document()
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Anchored>,
    weight: usize,
}

/// What an alias stands for.
struct Anchored {
    node: Node,
    weight: usize,
    height: usize,
}

type Read<T> = Result<T, Unreadable>;

impl<'a> Reader<'a> {
    fn next(&mut self) -> Read<(Event<'a>, Mark)> {
        match self.parser.next_event() {
            Some(Ok((event, Span { start, .. }))) => Ok((event, mark(start))),
            Some(Err(error)) => Err(syntax(&error)),
            None => Ok((Event::StreamEnd, Mark::START)),
        }
    }

    fn document(&mut self) -> Read<Node> {
        let root = loop {
            let (event, at) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                Event::StreamEnd => return Ok(Node::empty_map()),
                event => break self.node(event, at, 0)?,
            }
        };
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(root),
                (Event::DocumentStart(_), at) => {
                    return Err(refuse(at, "a second document begins", "keep one document in the file"));
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, event: Event<'a>, at: Mark, depth: usize) -> Read<Node> {
        self.spend(1, depth, at)?;
        let (anchor, kind) = match event {
            Event::Alias(anchor) => return self.alias(anchor, at, depth),
            Event::Scalar(text, style, anchor, tag) => {
                self.spend(text.len(), depth, at)?;
                let plain = is_plain(style, tag.as_deref(), at)?;
                (anchor, Kind::Scalar { text: text.into_owned(), plain })
            }
            Event::SequenceStart(anchor, tag) => {
                standard(tag.as_deref(), at)?;
                (anchor, Kind::List(self.list(depth + 1)?))
            }
            Event::MappingStart(anchor, tag) => {
                standard(tag.as_deref(), at)?;
                (anchor, Kind::Map(self.map(depth + 1)?))
            }
            _ => return Err(refuse(at, "this is not a value", "write one value")),
        };
        let node = Node { at, kind };
        if anchor > 0 {
            let (weight, height) = measure(&node);
            self.spend(weight, depth, at)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), weight, height });
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, at: Mark, depth: usize) -> Read<Node> {
        let Some(known) = self.anchors.get(&anchor) else {
            return Err(refuse(at, "this alias stands for something that holds it", "write it out"));
        };
        let (weight, height) = (known.weight, known.height);
        self.spend(weight, depth + height, at)?;
        self.anchors.get(&anchor).map(|known| known.node.clone()).ok_or_else(|| too_much(at))
    }

    fn list(&mut self, depth: usize) -> Read<Vec<Node>> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, at) => items.push(self.node(event, at, depth)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Read<Vec<Entry>> {
        let (mut entries, mut merged) = (Vec::new(), Vec::new());
        loop {
            let (event, at) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(with_merged(entries, merged));
            }
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let key = self.key(event, at, depth)?;
            let (event, value_at) = self.next()?;
            let mut value = self.node(event, value_at, depth)?;
            if is_merge {
                merge(value, at, &mut merged)?;
                continue;
            }
            if matches!(&value.kind, Kind::Scalar { text, plain: true } if text.is_empty()) {
                // A value that is not there has its place behind comments and blank lines.
                value.at = at;
            }
            entries.push(Entry { key, at, value });
        }
    }

    fn key(&mut self, event: Event<'a>, at: Mark, depth: usize) -> Read<String> {
        match self.node(event, at, depth)?.kind {
            Kind::Scalar { text, plain: true } if text.is_empty() => {
                Err(refuse(at, "a value without a key", "write `key: value`"))
            }
            Kind::Scalar { text, .. } => Ok(text),
            _ => Err(refuse(
                at,
                "a map or a list is used as a key",
                r#"put quotes around what begins with a brace: "{{ data }}""#,
            )),
        }
    }

    /// Keeps files from taking more memory or stack than their size suggests.
    fn spend(&mut self, weight: usize, depth: usize, at: Mark) -> Read<()> {
        self.weight = self.weight.saturating_add(weight);
        if depth > MAX_DEPTH {
            return Err(refuse(at, "this is nested too deep", format!("use at most {MAX_DEPTH} levels")));
        }
        if self.weight > MAX_WEIGHT {
            return Err(too_much(at));
        }
        Ok(())
    }
}

/// Number of nodes and bytes, and levels below.
fn measure(node: &Node) -> (usize, usize) {
    let (own, below): (usize, Vec<(usize, usize)>) = match &node.kind {
        Kind::Scalar { text, .. } => (text.len(), Vec::new()),
        Kind::List(items) => (0, items.iter().map(measure).collect()),
        Kind::Map(entries) => (
            entries.iter().map(|entry| entry.key.len() + 1).sum(),
            entries.iter().map(|entry| measure(&entry.value)).collect(),
        ),
    };
    below
        .into_iter()
        .fold((own + 1, 0), |(weight, height), (more, deep)| (weight + more, height.max(deep + 1)))
}

/// Notes the entries that `<<: *map` or `<<: [*map, *map]` brings in.
fn merge(value: Node, at: Mark, merged: &mut Vec<Entry>) -> Read<()> {
    match value.kind {
        Kind::Map(entries) => merged.extend(entries),
        Kind::List(items) if items.iter().all(|item| matches!(item.kind, Kind::Map(_))) => {
            for item in items {
                merge(item, at, merged)?;
            }
        }
        _ => return Err(refuse(at, "`<<` takes a map or a list of maps", "write `<<: *name`")),
    }
    Ok(())
}

/// What is written in the map itself wins over what is merged, and what is merged first over the rest.
fn with_merged(mut entries: Vec<Entry>, merged: Vec<Entry>) -> Vec<Entry> {
    if merged.is_empty() {
        return entries;
    }
    let mut known: HashSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    entries.extend(merged.into_iter().filter(|entry| known.insert(entry.key.clone())));
    entries
}

fn is_plain(style: ScalarStyle, tag: Option<&Tag>, at: Mark) -> Read<bool> {
    standard(tag, at)?;
    Ok(match tag {
        Some(tag) => tag.suffix != "str",
        None => style == ScalarStyle::Plain,
    })
}

/// Only the tags of YAML's core schema mean something here.
fn standard(tag: Option<&Tag>, at: Mark) -> Read<()> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema() => {
            Err(refuse(at, format!("the tag `{tag}` is not known"), "leave it out, or quote the text"))
        }
        _ => Ok(()),
    }
}

fn mark(marker: Marker) -> Mark {
    Mark { line: marker.line().max(1), col: marker.col() + 1 }
}

fn syntax(error: &ScanError) -> Unreadable {
    let wrong = format!("this is not YAML: {}", error.info());
    let right = "look at the indentation, and put quotes around text that begins with one of {[*&!|>%@`";
    refuse(mark(*error.marker()), wrong, right)
}

fn too_much(at: Mark) -> Unreadable {
    refuse(at, "with its aliases written out the file is too large", "use fewer aliases")
}

fn refuse(at: Mark, wrong: impl Into<String>, right: impl Into<String>) -> Unreadable {
    Unreadable { at, wrong: wrong.into(), right: right.into() }
}
