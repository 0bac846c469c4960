//! From a path or a text to a checked [`File`].

use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;

use super::file::File;
use super::form::Schema;
use super::node::{Mark, Node};
use super::parse::{Unreadable, parse};
use super::problem::{Problem, Problems};
use super::report::{Located, Report};
use super::schema;
use super::shape;
use super::variables::Lookup;

/// Largest config file, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// What is said where the types refuse what the check let through, which a test says does not happen.
pub(super) const MISFIT: &str = "look at the types of the keys";

/// A file whose structure was checked, for the builders of the features to look at.
///
/// The file can be taken out by [`Loaded::judge`] alone, so that no problem is overlooked.
#[derive(Debug)]
pub struct Loaded {
    name: String,
    root: Node,
    file: File,
    found: Vec<Located>,
}

/// Reads the file at `path` with the variables of the environment.
///
/// Fails only where there is nothing to look at further; other problems are kept for [`Loaded::judge`].
pub fn load(path: &Path) -> Result<Loaded, Report> {
    load_from(&text(path)?, path)
}

/// Reads `text`, which came from the file at `path`, with the variables of the environment.
pub fn load_from(text: &str, path: &Path) -> Result<Loaded, Report> {
    load_text(text, &path.display().to_string(), &|variable| std::env::var(variable).ok())
}

/// The file's text, at most 1 MiB of UTF-8.
pub fn text(path: &Path) -> Result<String, Report> {
    read(path).map_err(|located| Report::new(&path.display().to_string(), vec![located]))
}

/// Reads `text`, called `name` in reports, with the variables that `lookup` knows.
pub fn load_text(text: &str, name: &str, lookup: &Lookup<'_>) -> Result<Loaded, Report> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let root = parse(text).map_err(|Unreadable { at, wrong, right }| {
        Report::new(name, vec![Located::new(at, "", wrong, right)])
    })?;
    let (value, mut found) = shape::check(&root, &Schema::new(schema::of_types()), lookup);
    match File::deserialize(value) {
        Ok(file) => Ok(Loaded { name: name.to_owned(), root, file, found }),
        Err(error) => {
            if found.is_empty() {
                found.push(Located::new(Mark::START, "", error.to_string(), MISFIT));
            }
            Err(Report::new(name, found))
        }
    }
}

impl Loaded {
    /// The file without what is wrong with its structure. To be looked at, not to be run with.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The file, if its structure is right and `problems`, what the builders found, is empty.
    pub fn judge(self, problems: Problems) -> Result<File, Report> {
        let Loaded { name, root, file, mut found } = self;
        let consequence = |problem: &Problem| found.iter().any(|located| located.explains(&problem.key));
        let further: Vec<Located> = problems
            .into_vec()
            .into_iter()
            .filter(|problem| !consequence(problem))
            .map(|Problem { key, wrong, right }| Located::new(root.locate(&key), key, wrong, right))
            .collect();
        found.extend(further);
        if found.is_empty() { Ok(file) } else { Err(Report::new(&name, found)) }
    }
}

fn read(path: &Path) -> Result<String, Located> {
    let unreadable = |error: io::Error| {
        let right = "name a file that can be read with --config";
        Located::nowhere(format!("cannot be read: {error}"), right)
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Located::nowhere("is larger than 1 MiB", "name a config file with --config"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes().get(..good).unwrap_or_default()).into_owned();
        Located::new(end_of(&text), "", "this is not UTF-8", "save the file as UTF-8")
    })
}

/// The place behind the last character.
fn end_of(text: &str) -> Mark {
    let last = text.rsplit('\n').next().unwrap_or_default();
    Mark { line: text.matches('\n').count() + 1, col: last.chars().count() + 1 }
}
