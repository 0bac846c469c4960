//! HTTP messages as they go through: heads whose fields are a list, and bodies of any kind. Everything else of them
//! is of the crate `http`, and they turn into its messages and back where HTTP/2 begins.

mod fields;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::ops::{Deref, DerefMut};

use http::{Extensions, Version};

pub use fields::{Fields, IntoName, Line, Lines, Values};
pub use request::{Request, RequestHead, RequestLine};
pub use response::{Response, ResponseHead, StatusLine};

/// A message that begins with a line of this kind.
#[derive(Debug, Clone, Default)]
pub struct Message<L, B> {
    head: Head<L>,
    body: B,
}

/// A message without its body. What stands in its first line is read as its own.
#[derive(Debug, Clone, Default)]
pub struct Head<L> {
    /// What its first line says, besides the version.
    pub line: L,
    /// The version of HTTP that it came by, or goes by.
    pub version: Version,
    /// Its fields.
    pub headers: Fields,
    /// What else is known of it.
    pub extensions: Extensions,
}

impl<L> Deref for Head<L> {
    type Target = L;

    fn deref(&self) -> &L {
        &self.line
    }
}

impl<L> DerefMut for Head<L> {
    fn deref_mut(&mut self) -> &mut L {
        &mut self.line
    }
}

impl<L: Default, B> Message<L, B> {
    /// A GET of `/`, or a 200, with this body.
    pub fn new(body: B) -> Message<L, B> {
        Message { head: Head::default(), body }
    }
}

impl<L, B> Message<L, B> {
    /// Puts it together.
    pub fn from_parts(head: Head<L>, body: B) -> Message<L, B> {
        Message { head, body }
    }

    /// Takes it apart.
    pub fn into_parts(self) -> (Head<L>, B) {
        (self.head, self.body)
    }

    /// Its body alone.
    pub fn into_body(self) -> B {
        self.body
    }

    /// The same with another body.
    pub fn map<C>(self, change: impl FnOnce(B) -> C) -> Message<L, C> {
        Message { head: self.head, body: change(self.body) }
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
