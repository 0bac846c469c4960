//! One CORS policy for REST and Socket.IO (Fetch standard, CORS protocol). Pure: decides from a
//! request's head, and says what the answer carries.

mod origin;
mod preflight;
#[cfg(test)]
mod tests;
mod vary;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::{HeaderValue, Method, StatusCode};

use crate::config::Problems;
use crate::config::file::{self, WebsocketOrigin};
use crate::message::{Fields, Response};

use origin::{Allowed, Origin, split_port};
use preflight::{Preflights, header_list};

/// Who may call, from which pages, with what.
#[derive(Debug, Default)]
pub struct Policy {
    /// `None` where the file has no `cors` section.
    rules: Option<Rules>,
}

#[derive(Debug)]
struct Rules {
    allowed: Allowed,
    credentials: bool,
    expose: Option<HeaderValue>,
    preflights: Preflights,
    websocket_origin: WebsocketOrigin,
}

/// What the client asked for, needed to tell a page's own origin from a foreign one.
#[derive(Debug, Clone, Copy)]
pub struct SiteInfo<'a> {
    /// `Host`, or `X-Forwarded-Host` of a trusted proxy.
    pub host: &'a str,
    /// Whether the client came over TLS, where that is known: from our own listener's TLS or a
    /// trusted `X-Forwarded-Proto`. `None` compares hosts alone, since a plain connection may
    /// come from a balancer that ended TLS.
    pub secure: Option<bool>,
}

/// What a request's `Origin` is to the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// None was sent: no browser, or a plain navigation.
    Absent,
    /// One of `allow_origins`.
    Allowed,
    /// Not listed, but the page came from this very host.
    SameOrigin,
    /// Foreign, `null`, malformed, or sent twice.
    Denied,
}

/// Whether a request may use sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Granted,
    /// It may because `websocket_origin` is `report`: to be counted and logged.
    Reported,
    /// It may not: 403.
    Refused,
}

/// What is decided about one request. Owns what it needs, so that it outlives a reload.
#[derive(Debug, Clone)]
pub struct Decision {
    verdict: Verdict,
    preflight: bool,
    websocket_origin: WebsocketOrigin,
    /// Whether there is a policy: the upstream's own `Access-Control-*` give way to ours.
    ours: bool,
    /// Our `Access-Control-*`.
    grants: Fields,
    /// Names for `Vary`.
    vary: &'static str,
}

impl Policy {
    /// Compiles the `cors` section.
    pub fn build(cors: Option<&file::Cors>, problems: &mut Problems) -> Policy {
        let Some(cors) = cors else { return Policy::default() };
        let allowed = Allowed::build(&cors.allow_origins.0, problems);
        let expose = header_list("cors.expose_headers", &cors.expose_headers.0, problems);
        if cors.allow_credentials && allowed.everyone {
            problems.add(
                "cors.allow_origins",
                "`*` cannot be used with allow_credentials: true",
                "browsers refuse it; name the origins, e.g. \"https://app.example.com\"",
            );
        }
        if cors.allow_credentials && cors.expose_headers.0.iter().any(|name| name == "*") {
            problems.add(
                "cors.expose_headers",
                "`*` exposes nothing with allow_credentials: true",
                "browsers take it for a header's name; name the headers",
            );
        }
        Policy {
            rules: Some(Rules {
                allowed,
                credentials: cors.allow_credentials,
                expose,
                preflights: Preflights::build(cors, problems),
                websocket_origin: cors.websocket_origin,
            }),
        }
    }

    /// Decides about a request, before routing, limits and credentials.
    pub fn decide(&self, method: &Method, headers: &Fields, site: &SiteInfo<'_>) -> Decision {
        let Some(rules) = &self.rules else {
            return Decision {
                verdict: judge(None, headers, site),
                preflight: false,
                websocket_origin: WebsocketOrigin::Enforce,
                ours: false,
                grants: Fields::new(),
                vary: "",
            };
        };
        let verdict = judge(Some(&rules.allowed), headers, site);
        let preflight = method == Method::OPTIONS
            && verdict != Verdict::Absent
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        Decision {
            verdict,
            preflight,
            websocket_origin: rules.websocket_origin,
            ours: true,
            grants: rules.grants(verdict, preflight, headers),
            vary: match (rules.allowed.everyone, preflight) {
                (true, _) => "",
                (false, true) => vary::PREFLIGHT,
                (false, false) => vary::ACTUAL,
            },
        }
    }
}

impl Rules {
    /// The `Access-Control-*` of the answer.
    fn grants(&self, verdict: Verdict, preflight: bool, request: &Fields) -> Fields {
        let mut grants = Fields::new();
        let listed = verdict == Verdict::Allowed;
        let origin = if self.allowed.everyone && (listed || !preflight) {
            // The same for everybody, even without an Origin: a cache may keep one answer for all.
            Some(HeaderValue::from_static("*"))
        } else {
            request.get(ORIGIN).filter(|_| listed).cloned()
        };
        let Some(origin) = origin else { return grants };
        grants.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        // `build` reported the contradiction; should it be used all the same, it opens nothing.
        if self.credentials && !self.allowed.everyone {
            grants.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if preflight {
            self.preflights.grant(request, &mut grants);
        } else if let Some(expose) = &self.expose {
            grants.insert(ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
        grants
    }
}

impl Decision {
    /// What the request's `Origin` is to the policy.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Whether it is a preflight that we answer: OPTIONS with `Origin` and
    /// `Access-Control-Request-Method`, and nothing else.
    pub fn is_preflight(&self) -> bool {
        self.preflight
    }

    /// The answer to a preflight: 204, granting everything, or nothing to a denied origin.
    pub fn preflight(&self) -> Option<Response<()>> {
        self.preflight.then(|| {
            let mut response = Response::new(());
            *response.status_mut() = StatusCode::NO_CONTENT;
            self.apply(response.headers_mut());
            response
        })
    }

    /// Whether a polling request to the Socket.IO path is served. Checked on every one, also with
    /// a session id: a foreign page can POST `text/plain` with cookies and without a preflight.
    pub fn admits_polling(&self) -> bool {
        self.verdict != Verdict::Denied
    }

    /// Whether a WebSocket upgrade, ours or one passed upstream, is served. CORS does not cover
    /// these handshakes, and they carry cookies.
    pub fn admits_upgrade(&self) -> Admission {
        match (self.verdict, self.websocket_origin) {
            (Verdict::Denied, WebsocketOrigin::Enforce) => Admission::Refused,
            (Verdict::Denied, WebsocketOrigin::Report) => Admission::Reported,
            _ => Admission::Granted,
        }
    }

    /// Puts the decision on an answer, whoever made it: the upstream's `Access-Control-*` go, ours
    /// come, `Vary` is merged. Doing it twice changes nothing.
    pub fn apply(&self, headers: &mut Fields) {
        if !self.ours {
            return;
        }
        strip(headers);
        headers.extend(self.grants.iter().map(|(name, value)| (name.clone(), value.clone())));
        vary::merge(headers, self.vary);
    }
}

/// Removes every `Access-Control-*` header, also those that no standard names yet.
fn strip(headers: &mut Fields) {
    headers.retain(|name| !name.as_str().starts_with("access-control-"));
}

/// Says what the request's `Origin` is. `allowed` is absent where there is no `cors` section.
fn judge(allowed: Option<&Allowed>, headers: &Fields, site: &SiteInfo<'_>) -> Verdict {
    let mut values = headers.get_all(ORIGIN);
    let (value, more) = (values.next(), values.next());
    let Some(value) = value else { return Verdict::Absent };
    let (Some(origin), Ok(text), None) = (Origin::parse(value.as_bytes()), value.to_str(), more) else {
        return Verdict::Denied;
    };
    if allowed.is_some_and(|allowed| allowed.contains(text)) {
        Verdict::Allowed
    } else if is_same(&origin, site) {
        Verdict::SameOrigin
    } else {
        Verdict::Denied
    }
}

/// Whether a page of this origin came from the host that was asked.
fn is_same(origin: &Origin<'_>, site: &SiteInfo<'_>) -> bool {
    let scheme = match origin.scheme {
        "https" => true,
        "http" => false,
        _ => return false,
    };
    if site.secure.is_some_and(|secure| secure != scheme) {
        return false;
    }
    split_port(site.host).is_some_and(|(host, port)| {
        let same_port = match port {
            Some(_) => port == origin.port(),
            None => origin.port.is_none(),
        };
        same_port && host.eq_ignore_ascii_case(origin.host)
    })
}
