//! What a tap's templates see.

use http::Method;

use crate::json::Json;
use crate::message::Fields;
use crate::rules::object::{self, Object};
use crate::rules::reply::Reply;
use crate::rules::template::{Path, Scope, Step, follow};
use crate::socketio::Captures;

/// A request as a tap sees it.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) method: Method,
    /// Raw, without the query.
    pub(crate) path: String,
    /// Raw.
    pub(crate) query: String,
    /// Empty where no template reads them.
    pub(crate) headers: Fields,
}

/// What a tap's templates see.
pub(super) struct TapScope {
    pub(super) exchange: Exchange,
    pub(super) body: Json,
    pub(super) captures: Captures,
    pub(super) reply: Reply,
}

impl TapScope {
    fn request(&self, key: &str) -> Option<Json> {
        let exchange = &self.exchange;
        match key {
            "method" => Some(object::string(exchange.method.as_str())),
            "path" => Some(object::string(&exchange.path)),
            "headers" => Some(object::headers(&exchange.headers)),
            "query" => {
                let pairs: Vec<_> = form_urlencoded::parse(exchange.query.as_bytes()).into_owned().collect();
                Some(object::query(&pairs))
            }
            "body" => Some(self.body.clone()),
            _ => None,
        }
    }
}

impl Scope for TapScope {
    fn root(&self, name: &str) -> Option<Json> {
        match name {
            "response" => Some(self.reply.whole()),
            "path" => Some(object::strings(&self.captures)),
            "request" => {
                let keys = ["method", "path", "headers", "query", "body"];
                let add = |object: Object, key| match self.request(key) {
                    Some(value) => object.json(key, value.as_str()),
                    None => object,
                };
                Some(keys.into_iter().fold(Object::new(), add).finish())
            }
            _ => None,
        }
    }

    fn find(&self, path: &Path) -> Option<Json> {
        match (&*path.root, path.steps.split_first()) {
            ("response", _) => self.reply.find(path),
            ("request", Some((Step::Key(key), rest))) => follow(&self.request(key)?, rest),
            _ => follow(&self.root(&path.root)?, &path.steps),
        }
    }
}
