//! The names a template may use, by the place it stands in.

use std::collections::HashSet;

const SOCKET: &[&str] = &["id", "namespace", "rooms", "recovered", "handshake"];
const HANDSHAKE: &[&str] = &["headers", "query", "auth", "address", "url", "secure", "issued"];
const RESPONSE: &[&str] = &["status", "headers", "body"];
const REQUEST: &[&str] = &["method", "path", "headers", "query", "body"];

/// The names a template may use.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    roots: Vec<&'static str>,
    /// Captures of the namespace.
    namespace: Vec<String>,
    /// Captures of the tap's path.
    path: Vec<String>,
}

impl Names {
    /// In a `connect` rule of a namespace with these captures.
    pub(crate) fn connect(captures: &[String]) -> Names {
        let roots = vec!["socket", "state", "claims", "namespace"];
        Names { roots, namespace: captures.to_vec(), path: Vec::new() }
    }

    /// In a rule of an event.
    pub(crate) fn event(captures: &[String]) -> Names {
        Names::connect(captures).with(&["event", "data", "args"])
    }

    /// In a `disconnect` rule.
    pub(crate) fn disconnect(captures: &[String]) -> Names {
        Names::connect(captures).with(&["reason"])
    }

    /// In a tap whose path has these captures.
    pub(crate) fn tap(captures: &[String]) -> Names {
        let roots = vec!["request", "response", "path"];
        Names { roots, namespace: Vec::new(), path: captures.to_vec() }
    }

    /// The same, after a request was answered.
    pub(crate) fn with_response(&self) -> Names {
        self.clone().with(&["response"])
    }

    fn with(mut self, more: &[&'static str]) -> Names {
        self.roots.extend(more);
        self
    }

    /// Checks a name and the keys after it. The error is what is wrong and what would be right.
    pub(crate) fn check(&self, keys: &[&str]) -> Result<(), (String, String)> {
        let Some((root, rest)) = keys.split_first() else { return Ok(()) };
        if !self.roots.contains(root) {
            return Err(unknown(root, &self.roots));
        }
        match (*root, rest) {
            ("socket", ["handshake", key, ..]) => among("socket.handshake", key, HANDSHAKE),
            ("socket", [key, ..]) => among("socket", key, SOCKET),
            ("response", [key, ..]) => among("response", key, RESPONSE),
            ("request", [key, ..]) => among("request", key, REQUEST),
            ("namespace", [key, ..]) => among("namespace", key, &self.namespace),
            ("path", [key, ..]) => among("path", key, &self.path),
            _ => Ok(()),
        }
    }
}

fn among<S: AsRef<str>>(parent: &str, key: &str, known: &[S]) -> Result<(), (String, String)> {
    if known.iter().any(|name| name.as_ref() == key) {
        return Ok(());
    }
    let names: Vec<String> = known.iter().map(|name| format!("{parent}.{}", name.as_ref())).collect();
    Err(unknown(&format!("{parent}.{key}"), &names))
}

fn unknown<S: AsRef<str>>(name: &str, known: &[S]) -> (String, String) {
    let wrong = format!("unknown name `{name}`");
    let nearest = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(name, known.as_ref()), known.as_ref()))
        .min()
        .filter(|(distance, _)| *distance <= 2);
    let right = match nearest {
        Some((_, near)) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "there are no captures here".to_owned(),
        None => {
            format!("names here are {}", known.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "))
        }
    };
    (wrong, right)
}

/// What templates read, so that nothing is kept or parsed that none of them asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    /// `response.body`.
    pub(crate) response_body: bool,
    /// `request.body`.
    pub(crate) request_body: bool,
    /// `request.headers`.
    pub(crate) request_headers: bool,
}

impl Uses {
    /// Whether the request's headers are needed: by themselves, or to decode its body.
    pub(crate) fn reads_request(self) -> bool {
        self.request_headers || self.request_body
    }

    /// Notes that a name and the keys after it are read.
    pub(crate) fn note(&mut self, keys: &[&str]) {
        let reads = |root: &str, key: &str| match keys {
            [only] => *only == root,
            [first, second, ..] => *first == root && *second == key,
            [] => false,
        };
        self.response_body |= reads("response", "body");
        self.request_body |= reads("request", "body");
        self.request_headers |= reads("request", "headers");
    }
}

/// Names with the keys after them, as MiniJinja lists them (`response.body.id`), in a fixed order.
pub(crate) fn sorted(names: HashSet<String>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort_unstable();
    names
}
