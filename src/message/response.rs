//! Responses.

use http::StatusCode;

use super::{Head, Message};

/// A response.
pub type Response<B> = Message<StatusLine, B>;

/// A response without its body.
pub type ResponseHead = Head<StatusLine>;

/// How a request went.
#[derive(Debug, Clone, Default)]
pub struct StatusLine {
    /// Its status.
    pub status: StatusCode,
}

impl<B> Response<B> {
    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// Its status, to be changed.
    pub fn status_mut(&mut self) -> &mut StatusCode {
        &mut self.head.status
    }
}

impl<B> From<http::Response<B>> for Response<B> {
    fn from(response: http::Response<B>) -> Response<B> {
        let (parts, body) = response.into_parts();
        let line = StatusLine { status: parts.status };
        let (version, headers, extensions) = (parts.version, parts.headers.into(), parts.extensions);
        Message { head: Head { line, version, headers, extensions }, body }
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
