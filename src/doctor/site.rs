//! The site that is looked at: where it is, and in whose name it is asked.

use http::Uri;
use http::uri::Scheme;

use super::Options;

/// The site that is looked at.
#[derive(Debug, Clone)]
pub(super) struct Site {
    /// Whether it is reached over TLS.
    pub(super) secure: bool,
    /// Host without brackets, for DNS and SNI.
    pub(super) host: String,
    /// Port.
    pub(super) port: u16,
    /// `HOST[:PORT]` as written, for the Host header.
    pub(super) authority: String,
    /// Path of the REST side, at least `/`.
    pub(super) base: String,
    /// Path of Socket.IO without the slash at its end.
    pub(super) path: String,
    /// Origin of the page.
    pub(super) origin: Option<String>,
    /// Access token.
    pub(super) token: Option<String>,
    /// Namespace.
    pub(super) namespace: String,
}

impl Site {
    /// Reads the command line's words.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub(super) fn parse(options: &Options) -> Result<Site, String> {
        let url: Uri = options
            .url
            .parse()
            .map_err(|_| format!("`{}` is not a URL; write https://app.example.com", options.url))?;
        let secure = match url.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(format!("`{}` has no scheme; write http:// or https://", options.url)),
        };
        let authority = url.authority().ok_or_else(|| format!("`{}` names no host", options.url))?;
        if authority.as_str().contains('@') {
            return Err("a URL with a user name is not looked at; give the token by --token".to_owned());
        }
        let origin = options.origin.as_deref().map(origin).transpose()?;
        let path = options.path.trim_end_matches('/');
        if !path.starts_with('/') {
            return Err(format!("`{}` is not a path; write --path /socket.io", options.path));
        }
        let namespace = options.namespace.trim();
        Ok(Site {
            secure,
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            base: url.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            path: path.to_owned(),
            origin,
            token: options.token.clone(),
            namespace: if namespace.starts_with('/') {
                namespace.to_owned()
            } else {
                format!("/{namespace}")
            },
        })
    }

    /// A path and query below the path of Socket.IO.
    pub(super) fn engine(&self, query: &str) -> String {
        format!("{}/?{query}", self.path)
    }

    /// The site's own origin.
    pub(super) fn own_origin(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.authority)
    }

    /// The CONNECT packet of the namespace, in its Engine.IO message.
    pub(super) fn connect_packet(&self) -> String {
        let auth = self.token.as_ref().map(|token| serde_json::json!({ "token": token }).to_string());
        match (self.namespace.as_str(), auth) {
            ("/", None) => "40".to_owned(),
            ("/", Some(auth)) => format!("40{auth}"),
            (namespace, auth) => format!("40{namespace},{}", auth.unwrap_or_default()),
        }
    }
}

/// An origin as browsers write it: scheme and host, lower case, nothing after.
fn origin(written: &str) -> Result<String, String> {
    let right = "write it as browsers do, such as https://app.example.com";
    let trimmed = written.trim_end_matches('/').to_ascii_lowercase();
    let host = trimmed.strip_prefix("https://").or_else(|| trimmed.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => Ok(trimmed),
        _ => Err(format!("`{written}` is not an origin; {right}")),
    }
}
