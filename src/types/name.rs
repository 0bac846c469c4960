//! Names made of other names.

use std::collections::HashSet;

/// Names that are taken, each once.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// `wanted`, or with the first number behind it that makes it another name.
    pub(super) fn take(&mut self, wanted: &str) -> String {
        let numbered = (2..).map(|number| format!("{wanted}{number}"));
        let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
        names.find(|name| self.0.insert(name.clone())).unwrap_or_default()
    }
}

/// `new-message` and `newMessage` as `NewMessage`; `otherwise` stands for what has no letter or digit, and
/// before what begins with a digit.
pub(super) fn pascal(text: &str, otherwise: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let name: String = words
        .map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_ascii_uppercase())
                .into_iter()
                .chain(letters)
                .collect::<String>()
        })
        .collect();
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if fits { name } else { format!("{otherwise}{name}") }
}
