//! Requests.

use http::{Extensions, Method, Uri, Version};

use super::Fields;

/// A request.
#[derive(Debug, Clone, Default)]
pub struct Request<B> {
    head: RequestHead,
    body: B,
}

/// A request without its body.
#[derive(Debug, Clone, Default)]
pub struct RequestHead {
    /// Its method.
    pub method: Method,
    /// Its target.
    pub uri: Uri,
    /// The version of HTTP that it came by, or goes by.
    pub version: Version,
    /// Its fields.
    pub headers: Fields,
    /// What else is known of it.
    pub extensions: Extensions,
}

impl<B> Request<B> {
    /// A GET of `/` with this body.
    pub fn new(body: B) -> Request<B> {
        Request { head: RequestHead::default(), body }
    }

    /// Puts it together.
    pub fn from_parts(head: RequestHead, body: B) -> Request<B> {
        Request { head, body }
    }

    /// Takes it apart.
    pub fn into_parts(self) -> (RequestHead, B) {
        (self.head, self.body)
    }

    /// Its body alone.
    pub fn into_body(self) -> B {
        self.body
    }

    /// The same with another body.
    pub fn map<C>(self, change: impl FnOnce(B) -> C) -> Request<C> {
        Request { head: self.head, body: change(self.body) }
    }

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

    /// Its version.
    pub fn version(&self) -> Version {
        self.head.version
    }

    /// Its version, to be changed.
    pub fn version_mut(&mut self) -> &mut Version {
        &mut self.head.version
    }

    /// Its fields.
    pub fn headers(&self) -> &Fields {
        &self.head.headers
    }

    /// Its fields, to be changed.
    pub fn headers_mut(&mut self) -> &mut Fields {
        &mut self.head.headers
    }

    /// What else is known of it.
    pub fn extensions(&self) -> &Extensions {
        &self.head.extensions
    }

    /// What else is known of it, to be changed.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.head.extensions
    }

    /// Its body.
    pub fn body(&self) -> &B {
        &self.body
    }

    /// Its body, to be changed.
    pub fn body_mut(&mut self) -> &mut B {
        &mut self.body
    }
}

impl<B> From<http::Request<B>> for Request<B> {
    fn from(request: http::Request<B>) -> Request<B> {
        let (parts, body) = request.into_parts();
        let http::request::Parts { method, uri, version, headers, extensions, .. } = parts;
        Request { head: RequestHead { method, uri, version, headers: headers.into(), extensions }, body }
    }
}

impl<B> From<Request<B>> for http::Request<B> {
    fn from(request: Request<B>) -> http::Request<B> {
        let (head, mut to) = (request.head, http::Request::new(request.body));
        (*to.method_mut(), *to.uri_mut(), *to.version_mut()) = (head.method, head.uri, head.version);
        (*to.headers_mut(), *to.extensions_mut()) = (head.headers.into(), head.extensions);
        to
    }
}
