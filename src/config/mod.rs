//! The config file: how it is read ([`fn@load`]), as written ([`mod@file`]), its scalars ([`mod@value`]) and
//! defaults ([`defaults`]), and what is wrong with it ([`Problems`], [`Report`]).
//!
//! text -> nodes with places (`parse`) -> variables filled in, held against the schema (`shape`) ->
//! [`file::File`] -> the features' builders -> [`Loaded::judge`].

pub mod defaults;
pub mod file;
mod form;
mod load;
mod nearest;
mod node;
mod parse;
mod problem;
mod report;
mod scalar;
mod schema;
mod shape;
mod short;
#[cfg(test)]
mod tests;
pub mod value;
mod variables;

pub use load::{Loaded, load, load_from, load_text, text};
pub use node::Mark;
pub use problem::{Problem, Problems};
pub use report::{Located, Report};
pub use schema::schema;
pub use variables::Lookup;
