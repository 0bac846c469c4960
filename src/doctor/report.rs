//! What was seen, a line a check, and what to change, for each failure.

use super::advice::{self, Problem};
use super::answer::Answer;
use super::hop::Hop;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Ok,
    /// Works, and somebody should look at it.
    Warn,
    Fail,
    /// Could not be looked at, or was not asked for.
    Skip,
}

/// One check's line.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    level: Level,
    check: &'static str,
    seen: String,
    problem: Option<Problem>,
    hops: Vec<(Hop, String)>,
}

impl Finding {
    fn new(level: Level, check: &'static str, seen: impl Into<String>) -> Finding {
        Finding { level, check, seen: seen.into(), problem: None, hops: Vec::new() }
    }

    pub(super) fn ok(check: &'static str, seen: impl Into<String>) -> Finding {
        Finding::new(Level::Ok, check, seen)
    }

    pub(super) fn warn(check: &'static str, seen: impl Into<String>) -> Finding {
        Finding::new(Level::Warn, check, seen)
    }

    pub(super) fn skip(check: &'static str, seen: impl Into<String>) -> Finding {
        Finding::new(Level::Skip, check, seen)
    }

    pub(super) fn fail(check: &'static str, seen: impl Into<String>) -> Finding {
        Finding::new(Level::Fail, check, seen)
    }

    /// What is wrong, in the words of the advice.
    pub(super) fn because(self, problem: Problem) -> Finding {
        Finding { problem: Some(problem), ..self }
    }

    /// The answer in which the hops show themselves.
    pub(super) fn by(self, answer: &Answer) -> Finding {
        Finding { hops: Hop::seen(answer), ..self }
    }

    /// Whether the check failed.
    pub(super) fn failed(&self) -> bool {
        self.level == Level::Fail
    }

    fn line(&self) -> String {
        let level = match self.level {
            Level::Ok => "ok  ",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
            Level::Skip => "-   ",
        };
        format!("{level}  {:<22} {}", self.check, self.seen)
    }
}

/// All findings.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Finding>);

impl Report {
    /// Prints a finding and keeps it.
    pub(super) fn add(&mut self, finding: Finding) {
        println!("{}", finding.line());
        self.0.push(finding);
    }

    pub(super) fn add_all(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }

    /// Whether nothing failed.
    pub(super) fn is_healthy(&self) -> bool {
        !self.0.iter().any(Finding::failed)
    }

    /// Prints, for each cause once, the likely hop and the lines to change.
    pub(super) fn print_advice(&self) {
        let causes = self.causes();
        for (index, cause) in causes.iter().enumerate() {
            let checks: Vec<_> = cause.findings.iter().map(|finding| finding.check).collect();
            println!("\n{}. {}: {}", index + 1, checks.join(", "), cause.problem.title());
            let mut seen: Vec<&(Hop, String)> = Vec::new();
            for hop in cause.findings.iter().flat_map(|finding| &finding.hops) {
                if !seen.iter().any(|(known, _)| *known == hop.0) {
                    seen.push(hop);
                }
            }
            if !seen.is_empty() {
                let names: Vec<_> = seen.iter().map(|(hop, by)| format!("{} ({by})", hop.name())).collect();
                println!("   seen on the way: {}", names.join(", "));
            }
            let hops: Vec<Hop> = seen.iter().map(|(hop, _)| *hop).collect();
            print!("{}", advice::lines(cause.problem, &hops));
        }
        let failures = self.0.iter().filter(|finding| finding.failed()).count();
        println!("\n{} checks, {failures} failed", self.0.len());
    }

    /// The failures, with those together that are mended together.
    fn causes(&self) -> Vec<Cause<'_>> {
        let mut causes: Vec<Cause<'_>> = Vec::new();
        for finding in &self.0 {
            let Some(problem) = finding.problem else { continue };
            match causes.iter_mut().find(|cause| cause.problem.is_mended_like(problem)) {
                Some(cause) => cause.findings.push(finding),
                None => causes.push(Cause { problem, findings: vec![finding] }),
            }
        }
        causes
    }
}

/// What is mended together.
struct Cause<'a> {
    problem: Problem,
    findings: Vec<&'a Finding>,
}
