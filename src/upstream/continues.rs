//! Hearing of an upstream's 100.

use std::fmt;
use std::sync::Arc;

/// What is done when the upstream says 100 (RFC 9110 15.2.1), put into a request's extensions.
#[derive(Clone)]
pub struct OnContinue(Arc<dyn Fn() + Send + Sync>);

impl OnContinue {
    /// Calls `then` at each 100.
    pub fn new(then: impl Fn() + Send + Sync + 'static) -> OnContinue {
        OnContinue(Arc::new(then))
    }

    pub(super) fn call(&self) {
        (self.0)();
    }
}

impl fmt::Debug for OnContinue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnContinue")
    }
}
