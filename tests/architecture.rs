//! Holds the source against the import table of `docs/design.md`, and its files against their
//! bound. Whoever needs another edge changes the table there and here, in the same commit.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "it is all a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Open to every module of the table below.
const OPEN: &[&str] =
    &["config", "telemetry", "fault", "json", "body", "message", "headers", "http1", "watch"];

/// The open modules themselves, and `cors`: what each may import, and nothing else.
const CLOSED: &[(&str, &[&str])] = &[
    ("json", &[]),
    ("watch", &[]),
    ("body", &[]),
    ("message", &[]),
    ("config", &["body", "json"]),
    ("fault", &["body", "json", "message"]),
    ("telemetry", &["config", "message"]),
    ("headers", &["config", "message"]),
    ("http1", &["body", "headers", "message"]),
    ("cors", &["config", "message"]),
];

/// Every other module: what it may import besides [`OPEN`].
const HOUSES: &[(&str, &[&str])] = &[
    ("credentials", &[]),
    ("server", &[]),
    ("upstream", &[]),
    ("demo", &[]),
    ("doctor", &[]),
    ("engineio", &[]),
    ("proxy", &["upstream"]),
    ("socketio", &["engineio"]),
    ("cluster", &["upstream", "engineio", "proxy", "socketio"]),
    ("rules", &["credentials", "upstream", "socketio", "engineio"]),
    ("types", &["rules"]),
    ("admin", &["socketio", "rules"]),
    ("admin_ui", &["engineio", "socketio", "cluster", "rules"]),
    ("fuzz", &["server", "upstream", "engineio", "proxy", "socketio", "rules", "cors"]),
    (
        "gateway",
        &[
            "credentials",
            "server",
            "upstream",
            "engineio",
            "proxy",
            "socketio",
            "cluster",
            "rules",
            "admin",
            "cors",
        ],
    ),
    (
        "app",
        &[
            "credentials",
            "server",
            "upstream",
            "demo",
            "engineio",
            "proxy",
            "socketio",
            "cluster",
            "rules",
            "types",
            "admin",
            "admin_ui",
            "cors",
            "gateway",
        ],
    ),
    ("cli", &["app", "doctor", "upstream"]),
    ("main", &["cli", "app"]),
];

/// Lines a file may have without its tests.
const MAX_LINES: usize = 400;

/// Files that may be longer, how long, and why.
const LONGER: &[(&str, usize, &str)] = &[];

/// A source file: its path below the crate, and its text without tests and comments.
struct Source {
    path: String,
    text: String,
    lines: usize,
}

impl Source {
    /// The module right below the crate that the file belongs to.
    fn house(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap();
        below.split(['/', '.']).next().unwrap()
    }

    /// How many `super`s lead from the file's module to the crate.
    fn depth(&self) -> usize {
        self.path.trim_end_matches("/mod.rs").matches('/').count()
    }

    /// The crate's modules that are named in the file.
    fn imports(&self) -> BTreeSet<String> {
        let root = if self.path == "src/main.rs" { "frontroom::" } else { "crate::" };
        let mut found = BTreeSet::new();
        for (at, _) in self.text.match_indices(root) {
            let before = self.text[..at].chars().next_back();
            if before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '$') {
                found.extend(first_names(&self.text[at + root.len()..]));
            }
        }
        found
    }
}

/// The first name of a path, or of each path in a group: `a` of `a::b`, `a` and `c` of `{a::b, c}`.
fn first_names(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        return vec![path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()];
    };
    let (mut depth, mut names, mut start) = (1, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => start = true,
            c if start && c.is_alphabetic() => {
                names.extend(first_names(&group[at..]));
                start = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// The code of a file: line comments gone, and its test module, which is the last thing in it.
fn without_tests(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let next = lines.peek().map_or("", |next| next.trim());
        if line.trim() == "#[cfg(test)]" && next.starts_with("mod ") && next.ends_with('{') {
            break;
        }
        code.push_str(line);
        code.push('\n');
    }
    code
}

fn without_comments(code: &str) -> String {
    code.lines()
        .map(|line| if line.trim_start().starts_with("//") { "" } else { line })
        .collect::<Vec<_>>()
        .join("\n")
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src")];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let is_tests = |path: &Path| {
        path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")))
    };
    files
        .iter()
        .map(|path| path.strip_prefix(root).unwrap())
        .filter(|path| !is_tests(path))
        .map(|path| {
            let code = without_tests(&std::fs::read_to_string(root.join(path)).unwrap());
            Source {
                path: path.to_str().unwrap().replace('\\', "/"),
                lines: code.lines().count(),
                text: without_comments(&code),
            }
        })
        .collect()
}

/// The whole table: what each module may import.
fn table() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let closed = CLOSED.iter().map(|(house, allowed)| (*house, allowed.iter().copied().collect()));
    let houses =
        HOUSES.iter().map(|(house, allowed)| (*house, allowed.iter().chain(OPEN).copied().collect()));
    closed.chain(houses).collect()
}

#[test]
fn every_import_is_in_the_table() {
    let (table, sources) = (table(), sources());
    assert!(sources.len() > 10, "only {} files were found", sources.len());
    let (mut edges, mut wrong) = (0, Vec::new());
    for source in sources.iter().filter(|source| source.house() != "lib") {
        let house = source.house();
        let Some(allowed) = table.get(house) else {
            wrong.push(format!("{}: `{house}` is not in the table", source.path));
            continue;
        };
        for import in source.imports().iter().filter(|import| *import != house) {
            edges += 1;
            if !allowed.contains(import.as_str()) {
                wrong.push(format!("{}: `{house}` may not import `{import}`", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "docs/design.md says otherwise:\n{}", wrong.join("\n"));
    assert!(edges > 10, "only {edges} imports were found");
}

#[test]
fn the_crate_is_named_and_not_climbed_to() {
    for source in sources() {
        let climbs = source.text.contains(&"super::".repeat(source.depth()));
        assert!(!climbs, "{}: write `crate::`, so that the import is seen", source.path);
    }
}

#[test]
fn nobody_imports_in_a_circle() {
    let table = table();
    for house in table.keys() {
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut next: Vec<&str> = table[house].iter().copied().collect();
        while let Some(import) = next.pop() {
            assert_ne!(import, *house, "`{house}` reaches itself");
            if reached.insert(import) {
                next.extend(table[import].iter().copied());
            }
        }
    }
}

#[test]
fn files_stay_short() {
    let sources = sources();
    for source in &sources {
        let longer = LONGER.iter().find(|(path, ..)| *path == source.path);
        let bound = longer.map_or(MAX_LINES, |(_, bound, _)| *bound);
        assert!(source.lines <= bound, "{} has {} lines; {bound} is the bound", source.path, source.lines);
    }
    for (path, ..) in LONGER {
        let lines = sources.iter().find(|source| source.path == *path).map_or(0, |source| source.lines);
        assert!(lines > MAX_LINES, "{path} needs no exception any more");
    }
}

#[test]
fn every_file_says_what_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for source in sources().iter().filter(|source| source.path != "src/main.rs") {
        let text = std::fs::read_to_string(root.join(&source.path)).unwrap();
        assert!(text.starts_with("//! "), "{} has no sentence at its top", source.path);
    }
}

#[test]
fn the_table_is_the_one_in_the_design() {
    let design = include_str!("../docs/design.md");
    for (house, allowed) in CLOSED.iter().chain(HOUSES) {
        let row = design.lines().find(|line| line.starts_with(&format!("| `{house}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/design.md has no row for `{house}`"));
        let column = row.split('|').nth(2).unwrap();
        let written: BTreeSet<&str> = column.split('`').skip(1).step_by(2).collect();
        assert_eq!(written, allowed.iter().copied().collect(), "docs/design.md, row `{house}`");
    }
}

#[test]
fn names_are_read_from_groups_too() {
    assert_eq!(first_names("a::b;"), ["a"]);
    assert_eq!(first_names("{a::{b, c}, d, e::f};\nuse x::{y};"), ["a", "d", "e"]);
    assert_eq!(first_names("{\n    a_b::c,\n}"), ["a_b"]);
}
