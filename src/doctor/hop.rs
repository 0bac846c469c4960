//! Who answered, as far as an answer gives it away.

use super::answer::Answer;

/// A program between the page and the backend, or the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hop {
    Nginx,
    Traefik,
    Alb,
    Cloudflare,
    Nestjs,
    Frontroom,
}

/// All of them, in the order in which advice is printed.
pub(super) const ALL: &[Hop] =
    &[Hop::Nginx, Hop::Traefik, Hop::Alb, Hop::Cloudflare, Hop::Nestjs, Hop::Frontroom];

impl Hop {
    /// Its name, as in the headings of the advice.
    pub(super) fn name(self) -> &'static str {
        match self {
            Hop::Nginx => "nginx",
            Hop::Traefik => "Traefik",
            Hop::Alb => "ALB",
            Hop::Cloudflare => "Cloudflare",
            Hop::Nestjs => "NestJS",
            Hop::Frontroom => "frontroom",
        }
    }

    /// The hops that an answer names, with what named them, outermost first.
    pub(super) fn seen(answer: &Answer) -> Vec<(Hop, String)> {
        let mut seen = Vec::new();
        let server = answer.value("server").unwrap_or_default();
        let lower = server.to_ascii_lowercase();
        if answer.headers.contains_key("cf-ray") || lower == "cloudflare" {
            seen.push((Hop::Cloudflare, "CF-Ray".to_owned()));
        }
        let cookies = answer.values(&http::header::SET_COOKIE).join("; ");
        if lower.starts_with("awselb") || cookies.contains("AWSALB") {
            seen.push((
                Hop::Alb,
                if server.is_empty() { "AWSALB cookie".to_owned() } else { server.to_owned() },
            ));
        }
        if lower.starts_with("nginx") || lower.starts_with("openresty") {
            seen.push((Hop::Nginx, format!("Server: {server}")));
        }
        let text = answer.text();
        if text.contains("\"request_id\"") && text.starts_with("{\"error\":") {
            seen.push((Hop::Frontroom, "its error body".to_owned()));
        }
        if answer.value("x-powered-by") == Some("Express") || text.contains("\"statusCode\":") {
            seen.push((Hop::Nestjs, "an Express or NestJS answer".to_owned()));
        }
        seen
    }
}
