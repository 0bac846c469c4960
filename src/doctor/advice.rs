//! What to change, by problem and hop: the texts of `advice/`, one file a problem.

use super::hop::{ALL, Hop};

/// What is wrong with a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    Unreachable,
    BadGateway,
    NoSocketIo,
    PrefixStripped,
    Redirected,
    OldProtocol,
    UpgradeLost,
    UpgradeRefused,
    NoAffinity,
    PreflightRefused,
    CorsMissing,
    CorsDoubled,
    CorsWildcard,
    CorsOnErrors,
    IdleTimeout,
    ConnectRefused,
}

/// Problem, what it is called, and its text: lines to change below the name of a hop.
const TEXTS: &[(Problem, &str, &str)] = &[
    (Problem::Unreachable, "nobody answers", include_str!("advice/unreachable.txt")),
    (Problem::BadGateway, "a proxy answers in the backend's place", include_str!("advice/bad_gateway.txt")),
    (Problem::NoSocketIo, "nothing serves Socket.IO on this path", include_str!("advice/no_socketio.txt")),
    (
        Problem::PrefixStripped,
        "a hop takes a prefix off the path",
        include_str!("advice/prefix_stripped.txt"),
    ),
    (Problem::Redirected, "a redirect answers on the path", include_str!("advice/redirected.txt")),
    (
        Problem::OldProtocol,
        "the server speaks Socket.IO 1.x/2.x only",
        include_str!("advice/old_protocol.txt"),
    ),
    (Problem::UpgradeLost, "a hop drops the Upgrade header", include_str!("advice/upgrade_lost.txt")),
    (Problem::UpgradeRefused, "the WebSocket does not open", include_str!("advice/upgrade_refused.txt")),
    (
        Problem::NoAffinity,
        "requests of one session reach several servers",
        include_str!("advice/no_affinity.txt"),
    ),
    (
        Problem::PreflightRefused,
        "the preflight is not answered as browsers need it",
        include_str!("advice/cors.txt"),
    ),
    (Problem::CorsMissing, "the page may not read the answer", include_str!("advice/cors.txt")),
    (Problem::CorsDoubled, "two hops add CORS headers", include_str!("advice/cors_doubled.txt")),
    (Problem::CorsWildcard, "`*` does not work with credentials", include_str!("advice/cors.txt")),
    (Problem::CorsOnErrors, "error answers carry no CORS headers", include_str!("advice/cors_on_errors.txt")),
    (
        Problem::IdleTimeout,
        "a hop cuts connections that are idle between two pings",
        include_str!("advice/idle_timeout.txt"),
    ),
    (
        Problem::ConnectRefused,
        "the server does not let this client in",
        include_str!("advice/connect_refused.txt"),
    ),
];

impl Problem {
    /// What it is called.
    pub(super) fn title(self) -> &'static str {
        text(self).0
    }

    /// Whether the same lines mend both.
    pub(super) fn is_mended_like(self, other: Problem) -> bool {
        text(self).1 == text(other).1
    }
}

fn text(problem: Problem) -> (&'static str, &'static str) {
    let row = TEXTS.iter().find(|(of, ..)| *of == problem);
    row.map_or(("", ""), |(_, title, text)| (title, text))
}

/// A text's sections: the heading's name, and the lines below it. What stands before the first heading
/// has no name.
fn sections(text: &'static str) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut sections = vec![("", Vec::new())];
    for line in text.lines() {
        match line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(name) => sections.push((name, Vec::new())),
            None => sections.last_mut().into_iter().for_each(|(_, lines)| lines.push(line)),
        }
    }
    sections
}

/// What to change, for the hops that were seen first.
pub(super) fn lines(problem: Problem, seen: &[Hop]) -> String {
    let sections = sections(text(problem).1);
    let mut order: Vec<Hop> = seen.to_vec();
    order.extend(ALL.iter().filter(|hop| !seen.contains(hop)));
    let mut out = String::new();
    let below = |name: &str| -> Vec<&'static str> {
        sections.iter().filter(|(of, _)| *of == name).flat_map(|(_, lines)| lines.clone()).collect()
    };
    for line in below("") {
        out.push_str(&format!("   {line}\n"));
    }
    for hop in order {
        let lines = below(hop.name());
        if !lines.is_empty() {
            let here = if seen.contains(&hop) { ", likely here" } else { "" };
            out.push_str(&format!("   {}{here}:\n", hop.name()));
        }
        for line in lines {
            out.push_str(&format!("       {line}\n"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_advice_for_a_hop_and_no_heading_is_unknown() {
        for (problem, title, text) in TEXTS {
            let sections = sections(text);
            assert!(sections.len() > 1, "{title}");
            for (name, lines) in &sections[1..] {
                assert!(ALL.iter().any(|hop| hop.name() == *name), "{title}: [{name}]");
                assert!(lines.iter().any(|line| !line.is_empty()), "{title}: [{name}] is empty");
            }
            assert!(lines(*problem, &[]).contains("frontroom:"), "{title}: nothing on frontroom");
        }
    }

    #[test]
    fn the_hop_that_was_seen_comes_first() {
        let text = lines(Problem::UpgradeLost, &[Hop::Alb]);
        assert!(text.find("ALB, likely here:").unwrap() < text.find("nginx:").unwrap(), "{text}");
        assert!(text.contains("proxy_set_header Upgrade $http_upgrade;"), "{text}");
    }
}
