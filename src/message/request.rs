//! Requests.

use http::{Method, Uri};

use super::{Head, Message};

/// A request.
pub type Request<B> = Message<RequestLine, B>;

/// A request without its body.
pub type RequestHead = Head<RequestLine>;

/// What a request asks for.
#[derive(Debug, Clone, Default)]
pub struct RequestLine {
    /// Its method.
    pub method: Method,
    /// Its target.
    pub uri: Uri,
}

impl<B> Request<B> {
    /// Its method.
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// Its method, to be changed.
    pub fn method_mut(&mut self) -> &mut Method {
        &mut self.head.method
    }

    /// Its target.
    pub fn uri(&self) -> &Uri {
        &self.head.uri
    }

    /// Its target, to be changed.
    pub fn uri_mut(&mut self) -> &mut Uri {
        &mut self.head.uri
    }
}

impl<B> From<http::Request<B>> for Request<B> {
    fn from(request: http::Request<B>) -> Request<B> {
        let (parts, body) = request.into_parts();
        let line = RequestLine { method: parts.method, uri: parts.uri };
        let (version, headers, extensions) = (parts.version, parts.headers.into(), parts.extensions);
        Message { head: Head { line, version, headers, extensions }, body }
    }
}

impl<B> From<Request<B>> for http::Request<B> {
    fn from(request: Request<B>) -> http::Request<B> {
        let (head, mut to) = (request.head, http::Request::new(request.body));
        (*to.method_mut(), *to.uri_mut(), *to.version_mut()) =
            (head.line.method, head.line.uri, head.version);
        (*to.headers_mut(), *to.extensions_mut()) = (head.headers.into(), head.extensions);
        to
    }
}
