//! What an endpoint's URL says: `http://`, `https://`, `h2c://HOST[:PORT]` or `unix:/PATH`.

use std::path::PathBuf;

use http::Uri;
use http::uri::Authority;

/// Longest path of a unix socket that Linux takes (`sun_path`, without its final zero).
const MAX_PATH: usize = 107;

/// How an endpoint is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// HTTP/1.1.
    Http,
    /// TLS, and what ALPN chooses: HTTP/2 or HTTP/1.1.
    Https,
    /// HTTP/2 without TLS, by prior knowledge (RFC 9113 3.3).
    H2c,
}

/// Where an endpoint is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A name or an address without brackets.
    Host { host: String, port: u16 },
    /// A unix socket.
    Unix(PathBuf),
}

/// What an endpoint's URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) scheme: Scheme,
    pub(super) place: Place,
    /// The `Host` of requests that name none.
    pub(super) authority: Authority,
}

/// What is wrong with a URL, and what would be right.
pub(super) type Wrong = (String, &'static str);

const RIGHT: &str = "write it as http://HOST:PORT, https://HOST:PORT, h2c://HOST:PORT or unix:/PATH";

impl Target {
    /// Reads a URL.
    pub(super) fn parse(url: &str) -> Result<Target, Wrong> {
        if let Some(path) = url.strip_prefix("unix:") {
            return unix(url, path);
        }
        let (scheme, port) = match url.split_once("://") {
            Some(("http", _)) => (Scheme::Http, 80),
            Some(("https", _)) => (Scheme::Https, 443),
            Some(("h2c", _)) => (Scheme::H2c, 80),
            _ => return Err((format!("`{url}` is not a URL that begins with http://"), RIGHT)),
        };
        let (authority, host, port) = authority(url, port)?;
        Ok(Target { scheme, place: Place::Host { host, port }, authority })
    }

    /// For messages: the address, or the socket's path.
    pub(super) fn name(&self) -> String {
        match &self.place {
            Place::Host { .. } => self.authority.to_string(),
            Place::Unix(path) => format!("unix:{}", path.display()),
        }
    }
}

fn authority(url: &str, default_port: u16) -> Result<(Authority, String, u16), Wrong> {
    let wrong = |what: &str| (format!("`{url}` {what}"), RIGHT);
    let uri: Uri = url.parse().map_err(|_| wrong("is not a URL"))?;
    let authority = uri.authority().ok_or_else(|| wrong("has no host"))?;
    if authority.as_str().contains('@') {
        return Err(wrong("holds a user name, which endpoints have not"));
    }
    if !matches!(uri.path(), "/" | "") || uri.query().is_some() || url.ends_with('?') {
        return Err((
            format!("`{url}` has a path"),
            "leave it out; a route's add_prefix puts a path before every request",
        ));
    }
    let port = match authority.port() {
        Some(port) => port.as_u16(),
        None if authority.as_str().ends_with(authority.host()) => default_port,
        None => return Err(wrong("has no valid port")),
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err(wrong("has no host"));
    }
    Ok((authority.clone(), host.to_owned(), port))
}

/// `unix:/PATH`, as nginx and curl's users write it, or `unix:///PATH`, as gRPC's do.
fn unix(url: &str, rest: &str) -> Result<Target, Wrong> {
    const RIGHT: &str = "write it as unix:/run/app.sock";
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if !path.starts_with('/') || path.len() < 2 {
        return Err((format!("`{url}` has no absolute path"), RIGHT));
    }
    if path.len() > MAX_PATH {
        return Err((
            format!("`{url}` is longer than the {MAX_PATH} bytes that a socket's path may have"),
            RIGHT,
        ));
    }
    let authority = Authority::from_static("localhost");
    Ok(Target { scheme: Scheme::Http, place: Place::Unix(path.into()), authority })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_url_is_read() {
        let host = |host: &str, port| Place::Host { host: host.into(), port };
        for (url, scheme, place, name) in [
            ("http://a", Scheme::Http, host("a", 80), "a"),
            ("http://a:1/", Scheme::Http, host("a", 1), "a:1"),
            ("http://[::1]:80", Scheme::Http, host("::1", 80), "[::1]:80"),
            ("https://a", Scheme::Https, host("a", 443), "a"),
            ("https://127.0.0.1:8443", Scheme::Https, host("127.0.0.1", 8443), "127.0.0.1:8443"),
            ("h2c://a:50051", Scheme::H2c, host("a", 50051), "a:50051"),
            ("unix:/run/a.sock", Scheme::Http, Place::Unix("/run/a.sock".into()), "unix:/run/a.sock"),
            ("unix:///run/a.sock", Scheme::Http, Place::Unix("/run/a.sock".into()), "unix:/run/a.sock"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!(
                (target.scheme, &target.place, target.name().as_str()),
                (scheme, &place, name),
                "{url}"
            );
        }
    }

    #[test]
    fn what_is_no_endpoint_is_told() {
        let long = format!("unix:/{}", "a".repeat(107));
        for (url, wrong) in [
            ("a:80", "is not a URL that begins with http://"),
            ("127.0.0.1", "is not a URL that begins with http://"),
            ("ftp://a", "is not a URL that begins with http://"),
            ("http://", "is not a URL"),
            ("http://a/b", "has a path"),
            ("https://a?b", "has a path"),
            ("http://u:p@a", "holds a user name"),
            ("http://a:99999", "has no valid port"),
            ("unix:run/a.sock", "has no absolute path"),
            ("unix:", "has no absolute path"),
            (&long, "is longer than the 107 bytes"),
            ("", "is not a URL"),
        ] {
            let (told, _) = Target::parse(url).unwrap_err();
            assert!(told.contains(wrong), "{url}: {told}");
        }
    }
}
