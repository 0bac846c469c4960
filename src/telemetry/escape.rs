//! Text of strangers made safe for a line of a log.

use std::borrow::Cow;

/// Writes control characters, line ends and marks that turn the reading direction as `\u{..}`, so
/// that nobody can write a second line or reorder what is read.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_deceptive) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_deceptive(c) { safe.extend(c.escape_unicode()) } else { safe.push(c) }
    }
    Cow::Owned(safe)
}

/// Controls, line separators, bidirectional controls (Unicode UAX #9) and the byte order mark.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_deceives_is_escaped() {
        assert!(matches!(escape("/chat/ünï%0d%0a ✓"), Cow::Borrowed("/chat/ünï%0d%0a ✓")));
        assert_eq!(escape("a\r\nb\u{1b}[31m"), r"a\u{d}\u{a}b\u{1b}[31m");
        assert_eq!(escape("x\u{202e}gpj.exe\u{2066}"), r"x\u{202e}gpj.exe\u{2066}");
    }
}
