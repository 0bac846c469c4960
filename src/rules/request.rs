//! The REST request of a rule.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::header::{HeaderName, HeaderValue};
use http::uri::PathAndQuery;

use crate::config::file;
use crate::json::Json;
use crate::message::Fields;
use crate::upstream::{Upstream, Upstreams};

use super::template::{Compiler, Error, Scope, Template, Text, Url};

/// Headers that a rule may not set: they belong to the connection, or say who is asking.
const FORBIDDEN: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy",
    "expect",
    "host",
    "content-length",
    "forwarded",
    "x-real-ip",
    "x-socket-id",
    "x-request-id",
    "frontroom-signature",
];

/// The REST request of a rule, with templates.
#[derive(Debug)]
pub(crate) struct Request {
    method: Method,
    url: Url,
    upstream: Option<Arc<Upstream>>,
    headers: Vec<(HeaderName, Text)>,
    body: Body,
    timeout: Option<Duration>,
}

#[derive(Debug)]
enum Body {
    None,
    FirstArgument,
    Template(Template),
}

/// A request ready to be sent.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) method: Method,
    pub(crate) target: PathAndQuery,
    /// The upstream that the rule names; without one the routes are asked.
    pub(crate) upstream: Option<Arc<Upstream>>,
    pub(crate) headers: Fields,
    pub(crate) body: Option<Json>,
    pub(crate) timeout: Option<Duration>,
}

impl Request {
    pub(crate) fn compile(
        compiler: &mut Compiler<'_>,
        key: &str,
        request: &file::Request,
        body: Option<&file::Tree>,
        upstreams: &Upstreams,
    ) -> Request {
        let request_key = format!("{key}.request");
        let method = method(compiler, &request_key, &request.method);
        let body = match body {
            Some(tree) => Body::Template(compiler.template(&format!("{key}.body"), tree)),
            None if matches!(method, Method::POST | Method::PUT | Method::PATCH) => Body::FirstArgument,
            None => Body::None,
        };
        let upstream = request.upstream.as_ref().and_then(|name| {
            let upstream = upstreams.get(name).cloned();
            if upstream.is_none() {
                let wrong = format!("no upstream is named `{name}`");
                compiler.problems.add(format!("{request_key}.upstream"), wrong, "a name under `upstreams`");
            }
            upstream
        });
        Request {
            method,
            url: compiler.url(&request_key, &request.path),
            upstream,
            headers: headers(compiler, &request_key, request),
            body,
            timeout: request.timeout.map(|timeout| timeout.0),
        }
    }

    /// The request with its values in place.
    pub(crate) fn fill(&self, scope: &Arc<dyn Scope>) -> Result<Prepared, Error> {
        let target = self.url.render(scope)?;
        let mut headers = Fields::new();
        for (name, text) in &self.headers {
            let value = HeaderValue::try_from(text.render(scope)?)
                .map_err(|_| Error::other(format!("the header {name} cannot hold this value")))?;
            headers.insert(name, value);
        }
        let body = match &self.body {
            Body::None => None,
            Body::FirstArgument => scope.root("data"),
            Body::Template(template) => Some(template.json(scope)?),
        };
        let (method, upstream) = (self.method.clone(), self.upstream.clone());
        Ok(Prepared { method, target, upstream, headers, body, timeout: self.timeout })
    }
}

fn method(compiler: &mut Compiler<'_>, key: &str, written: &str) -> Method {
    const KNOWN: [Method; 7] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    KNOWN.into_iter().find(|method| method.as_str() == written).unwrap_or_else(|| {
        let wrong = format!("`{written}` is no method that a request can have");
        compiler.problems.add(key, wrong, "GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS");
        Method::GET
    })
}

fn headers(compiler: &mut Compiler<'_>, key: &str, request: &file::Request) -> Vec<(HeaderName, Text)> {
    let mut headers = Vec::new();
    for (name, text) in &request.headers {
        let key = format!("{key}.headers.{name}");
        match name.to_ascii_lowercase().parse::<HeaderName>() {
            Ok(name) if is_forbidden(&name) => {
                compiler.problems.add(key, format!("{name} is set by frontroom"), "another header");
            }
            Ok(name) => headers.push((name, compiler.text(&key, text))),
            Err(_) => compiler.problems.add(key, "is no name of a header", "letters, digits and hyphens"),
        }
    }
    headers
}

fn is_forbidden(name: &HeaderName) -> bool {
    // Some servers read `x_forwarded_for` as `x-forwarded-for`.
    let name = name.as_str().replace('_', "-");
    FORBIDDEN.contains(&name.as_str()) || name.starts_with("x-forwarded-")
}
