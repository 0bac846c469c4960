//! Which known word somebody may have meant.

use strsim::damerau_levenshtein;

/// A shorter word inside a longer one says too little to suggest the longer.
const MIN_PART: usize = 4;

/// The known word that is nearest to `word`, if any is near. Case, `_` and `-` are not counted, so that
/// `pingInterval` finds `ping_interval`.
pub(super) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = folded(word);
    known
        .into_iter()
        .filter_map(|candidate| distance(&word, &folded(candidate)).map(|far| (far, candidate)))
        .min_by_key(|(far, _)| *far)
        .map(|(_, candidate)| candidate)
}

fn distance(word: &str, candidate: &str) -> Option<usize> {
    let far = damerau_levenshtein(word, candidate);
    let shorter = word.len().min(candidate.len());
    let part = shorter >= MIN_PART && (word.contains(candidate) || candidate.contains(word));
    let near = far <= 1.max(word.len().max(candidate.len()) / 3);
    (near || part).then_some(far)
}

fn folded(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).take(64).collect()
}
