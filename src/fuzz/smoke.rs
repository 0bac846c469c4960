//! The targets of `fuzz/` on a stable compiler: their corpus, and seeded mutations of it.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{TARGETS, Target};

/// Mutated inputs for each target; `FUZZ_ROUNDS` asks for more.
const ROUNDS: usize = 3000;

/// Files that a target's corpus has at least.
const MIN_FILES: usize = 5;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz"))
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(folder().join("corpus").join(target)).expect("a corpus");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    let inputs: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).expect("a file")).collect();
    assert!(inputs.len() >= MIN_FILES, "{target} has only {} files", inputs.len());
    inputs
}

/// Another input made of those of the corpus.
fn mutate(random: &mut StdRng, corpus: &[Vec<u8>]) -> Vec<u8> {
    const MARKS: &[&[u8]] = &[
        b"\r\n", b"\n", b":", b",", b";", b"\"", b"%", b"..", b"/", b"\0", b"\xff", b"-", b"[", b"{",
        b"\x1e", b"_",
    ];
    let mut input = corpus.choose(random).expect("a corpus").clone();
    for _ in 0..random.random_range(1..=6) {
        let at = random.random_range(0..=input.len());
        let end = random.random_range(at..=input.len().min(at + 24));
        match random.random_range(0..7) {
            0 => input.insert(at, random.random()),
            1 => drop(input.drain(at..end)),
            2 => input.splice(at..at, MARKS.choose(random).expect("marks").iter().copied()).for_each(drop),
            3 => input.extend_from_within(at..end),
            4 if at < input.len() => input[at] ^= 1 << random.random_range(0..8),
            5 => {
                let other = corpus.choose(random).expect("a corpus");
                let from = random.random_range(0..=other.len());
                input.splice(at..end, other[from..].iter().copied()).for_each(drop);
            }
            _ => input.truncate(end),
        }
    }
    input
}

fn hold(name: &str, target: Target, input: &[u8]) {
    let held = catch_unwind(AssertUnwindSafe(|| target(input)));
    assert!(held.is_ok(), "{name} broke on b\"{}\"", input.escape_ascii());
}

fn run(name: &str) {
    let target = TARGETS.iter().find(|(known, _)| *known == name).expect("a target").1;
    let corpus = corpus(name);
    corpus.iter().for_each(|input| hold(name, target, input));
    let mut random = StdRng::seed_from_u64(0xF00D);
    let asked = std::env::var("FUZZ_ROUNDS").ok().map(|rounds| rounds.parse().expect("a number"));
    for _ in 0..asked.unwrap_or(ROUNDS) {
        hold(name, target, &mutate(&mut random, &corpus));
    }
}

/// One test for each target.
macro_rules! smoke {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*

        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

smoke!(config forwarded frames head legacy_payload origin packet payload requests response url);

#[test]
fn every_target_has_its_test_its_corpus_and_its_program() {
    let targets: BTreeSet<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(targets, TESTED.iter().copied().collect());
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).expect("the manifest");
    for name in &targets {
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"targets/{name}.rs\"")), "{name}");
        let program =
            std::fs::read_to_string(folder().join(format!("targets/{name}.rs"))).expect("a program");
        assert!(program.contains(&format!("run(\"{name}\", bytes)")), "{name}");
    }
    let folders = std::fs::read_dir(folder().join("corpus")).expect("the corpus");
    assert_eq!(folders.count(), targets.len(), "a corpus without a target");
}
