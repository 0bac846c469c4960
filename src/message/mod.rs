//! HTTP messages as they go through: heads whose fields are a list, and bodies of any kind. Everything else of them
//! is of the crate `http`, and they turn into its messages and back where HTTP/2 begins.

mod fields;
mod request;
mod response;
#[cfg(test)]
mod tests;

pub use fields::{Fields, IntoName, Line, Lines, Values};
pub use request::{Request, RequestHead};
pub use response::{Response, ResponseHead};
