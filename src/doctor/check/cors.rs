//! What a browser would make of the CORS headers (Fetch standard, CORS protocol), with credentials.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::{HeaderName, Method};

use super::POLLING;
use crate::doctor::advice::Problem;
use crate::doctor::answer::Answer;
use crate::doctor::client::{Ask, Client, Jar};
use crate::doctor::report::Finding;

/// A session that no server knows: its answer is an error of Engine.IO.
const UNKNOWN: &str = "&sid=frontroom-doctor-asks-for-an-error";

/// A path that no API has.
const NOWHERE: &str = "/frontroom-doctor-asks-for-a-404";

/// An origin that nobody should trust (RFC 2606).
const FOREIGN: &str = "https://frontroom-doctor.invalid";

/// What a preflight asks for: what pages with a token and JSON need.
const WANTED: &str = "authorization,content-type";

/// Looks at REST and Socket.IO as a page of the origin would.
pub(in crate::doctor) async fn check(client: &Client, polling: bool) -> Vec<Finding> {
    let site = &client.site;
    let Some(origin) = site.origin.clone() else {
        return vec![Finding::skip("CORS", "not looked at; give the page's origin by --origin")];
    };
    if origin == site.own_origin() {
        return vec![Finding::ok("CORS", "the page has the site's own origin: no CORS headers are needed")];
    }
    let look = Look { client, origin: &origin };
    let mut rest = Ask::get(site.base.clone());
    if let Some((name, value)) = client.authorization() {
        rest = rest.header(name, value);
    }
    let mut findings = vec![
        look.preflight("preflight REST", &site.base).await,
        look.answer("CORS REST", rest, Problem::CorsMissing).await,
        look.answer("CORS REST error", Ask::get(NOWHERE), Problem::CorsOnErrors).await,
    ];
    if polling {
        let target = site.engine(POLLING);
        findings.push(look.preflight("preflight Socket.IO", &target).await);
        findings.push(look.answer("CORS Socket.IO", Ask::get(target), Problem::CorsMissing).await);
        let error = Ask::get(site.engine(&format!("{POLLING}{UNKNOWN}")));
        findings.push(look.answer("CORS Socket.IO error", error, Problem::CorsOnErrors).await);
    }
    findings.push(look.foreign().await);
    findings
}

struct Look<'a> {
    client: &'a Client,
    origin: &'a str,
}

impl Look<'_> {
    /// What a page may do with the answer to a request with credentials.
    async fn answer(&self, check: &'static str, ask: Ask, missing: Problem) -> Finding {
        match self.client.ask(ask, &mut Jar::default()).await {
            Ok(answer) => match judge(&answer, self.origin, missing) {
                Ok(()) => {
                    Finding::ok(check, format!("{}, readable by {}", answer.status.as_u16(), self.origin))
                }
                Err((seen, problem)) => Finding::fail(check, format!("{}: {seen}", answer.status.as_u16()))
                    .because(problem)
                    .by(&answer),
            },
            Err(trouble) => Finding::fail(check, trouble.to_string()).because(Problem::BadGateway),
        }
    }

    async fn preflight(&self, check: &'static str, target: &str) -> Finding {
        let ask = Ask { method: Method::OPTIONS, ..Ask::get(target) }
            .header(ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(ACCESS_CONTROL_REQUEST_HEADERS, WANTED);
        let answer = match self.client.ask(ask, &mut Jar::default()).await {
            Ok(answer) => answer,
            Err(trouble) => return Finding::fail(check, trouble.to_string()).because(Problem::BadGateway),
        };
        let status = answer.status.as_u16();
        let fail = |seen: String, problem| Finding::fail(check, seen).because(problem).by(&answer);
        if !answer.status.is_success() {
            return fail(
                format!("OPTIONS is answered with {status}; 2xx is needed"),
                Problem::PreflightRefused,
            );
        }
        if let Err((seen, problem)) = judge(&answer, self.origin, Problem::PreflightRefused) {
            return fail(format!("{status}: {seen}"), problem);
        }
        let named = |name: &&str| lists(&answer, &ACCESS_CONTROL_ALLOW_HEADERS, name);
        if let Some(name) = WANTED.split(',').find(|name| !named(name)) {
            let seen = format!("{status}, but {ACCESS_CONTROL_ALLOW_HEADERS} does not name {name}");
            return fail(seen, Problem::PreflightRefused);
        }
        // POST is always allowed (Fetch standard, CORS-safelisted method); what is listed is told.
        let methods = answer.values(&ACCESS_CONTROL_ALLOW_METHODS).join(", ");
        Finding::ok(check, format!("{status}, with authorization and content-type, methods: {methods}"))
    }

    /// Whether a page of any other site may read with this site's cookies.
    async fn foreign(&self) -> Finding {
        const CHECK: &str = "foreign origin";
        let ask = Ask::get(self.client.site.base.clone()).header(ORIGIN, FOREIGN);
        match self.client.ask(ask, &mut Jar::default()).await {
            Ok(answer) if judge(&answer, FOREIGN, Problem::CorsMissing).is_ok() => {
                let seen =
                    "any origin may read with credentials: every page of the web can act for your users";
                Finding::warn(CHECK, seen)
            }
            Ok(_) => Finding::ok(CHECK, "another origin may not read with credentials"),
            Err(trouble) => Finding::warn(CHECK, trouble.to_string()),
        }
    }
}

/// Whether a list header names a word. With credentials `*` is a word like any other.
fn lists(answer: &Answer, header: &HeaderName, word: &str) -> bool {
    let values = answer.values(header);
    values.iter().flat_map(|value| value.split(',')).any(|name| name.trim().eq_ignore_ascii_case(word))
}

/// The CORS check of the Fetch standard for a request with credentials: what is wrong, if anything.
fn judge(answer: &Answer, origin: &str, missing: Problem) -> Result<(), (String, Problem)> {
    let allowed = answer.values(&ACCESS_CONTROL_ALLOW_ORIGIN);
    let name = ACCESS_CONTROL_ALLOW_ORIGIN.as_str();
    match allowed.as_slice() {
        [] => return Err((format!("no {name}"), missing)),
        [only] if only == "*" => {
            return Err((format!("{name}: * with credentials"), Problem::CorsWildcard));
        }
        [only] if only.contains(',') => {
            return Err((format!("{name}: {only}, two values in one"), Problem::CorsDoubled));
        }
        [only] if only != origin => return Err((format!("{name}: {only}, not {origin}"), missing)),
        [_] => {}
        several => {
            return Err((
                format!("{name} {} times: {}", several.len(), several.join(", ")),
                Problem::CorsDoubled,
            ));
        }
    }
    let credentials = answer.values(&ACCESS_CONTROL_ALLOW_CREDENTIALS);
    match credentials.as_slice() {
        [only] if only == "true" => Ok(()),
        [] => Err((format!("no {ACCESS_CONTROL_ALLOW_CREDENTIALS}: true"), missing)),
        [_] => Err((format!("{ACCESS_CONTROL_ALLOW_CREDENTIALS} is not exactly `true`"), missing)),
        several => {
            Err((format!("{ACCESS_CONTROL_ALLOW_CREDENTIALS} {} times", several.len()), Problem::CorsDoubled))
        }
    }
}
