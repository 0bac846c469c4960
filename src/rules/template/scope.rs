//! Where templates find their names.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, Value};

use crate::json::Json;

use super::pointer::{self, Path};
use super::value;

/// Where templates find their names. Nothing is built that no template asks for.
pub(crate) trait Scope: Send + Sync {
    /// The value of a name, or `None` where it is undefined.
    fn root(&self, name: &str) -> Option<Json>;

    /// The value at the end of a path.
    fn find(&self, path: &Path) -> Option<Json> {
        pointer::follow(&self.root(&path.root)?, &path.steps)
    }
}

/// A scope as MiniJinja sees it.
pub(super) struct Root(pub(super) Arc<dyn Scope>);

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names")
    }
}

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.0.root(key).as_ref().map(value::from_json)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}
