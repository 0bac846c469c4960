//! What `frontroom types` prints: the events of a config as TypeScript interfaces for socket.io-client, or
//! as an AsyncAPI document.
//!
//! config -> `Model` (namespaces, events, JSON Schemas of their arguments) -> one of the two texts.

mod asyncapi;
mod client;
mod infer;
mod model;
mod name;
mod schemas;
mod server;
mod typescript;

#[cfg(test)]
mod tests;

use crate::config::file::File;

use model::Model;

/// In what language the events are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Interfaces for `Socket<ServerToClientEvents, ClientToServerEvents>` of socket.io-client
    Typescript,
    /// An AsyncAPI 3.0 document, as JSON
    Asyncapi,
}

/// The events of a config that compiles.
pub fn print(file: &File, format: Format) -> String {
    let model = Model::build(file);
    match format {
        Format::Typescript => typescript::print(&model),
        Format::Asyncapi => format!("{:#}\n", asyncapi::document(&model, file)),
    }
}
