//! Responses.

use http::{Extensions, StatusCode, Version};

use super::Fields;

/// A response.
#[derive(Debug, Clone, Default)]
pub struct Response<B> {
    head: ResponseHead,
    body: B,
}

/// A response without its body.
#[derive(Debug, Clone, Default)]
pub struct ResponseHead {
    /// Its status.
    pub status: StatusCode,
    /// The version of HTTP that it came by, or goes by.
    pub version: Version,
    /// Its fields.
    pub headers: Fields,
    /// What else is known of it.
    pub extensions: Extensions,
}

impl<B> Response<B> {
    /// A 200 with this body.
    pub fn new(body: B) -> Response<B> {
        Response { head: ResponseHead::default(), body }
    }

    /// Puts it together.
    pub fn from_parts(head: ResponseHead, body: B) -> Response<B> {
        Response { head, body }
    }

    /// Takes it apart.
    pub fn into_parts(self) -> (ResponseHead, B) {
        (self.head, self.body)
    }

    /// Its body alone.
    pub fn into_body(self) -> B {
        self.body
    }

    /// The same with another body.
    pub fn map<C>(self, change: impl FnOnce(B) -> C) -> Response<C> {
        Response { head: self.head, body: change(self.body) }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// Its status, to be changed.
    pub fn status_mut(&mut self) -> &mut StatusCode {
        &mut self.head.status
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

impl<B> From<http::Response<B>> for Response<B> {
    fn from(response: http::Response<B>) -> Response<B> {
        let (parts, body) = response.into_parts();
        let http::response::Parts { status, version, headers, extensions, .. } = parts;
        Response { head: ResponseHead { status, version, headers: headers.into(), extensions }, body }
    }
}

impl<B> From<Response<B>> for http::Response<B> {
    fn from(response: Response<B>) -> http::Response<B> {
        let (head, mut to) = (response.head, http::Response::new(response.body));
        (*to.status_mut(), *to.version_mut()) = (head.status, head.version);
        (*to.headers_mut(), *to.extensions_mut()) = (head.headers.into(), head.extensions);
        to
    }
}
