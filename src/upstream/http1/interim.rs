//! Interim responses (RFC 9110 15.2): none is passed on, and one may be waited for.

use http::StatusCode;

use crate::body::{Body, BodyError};
use crate::message::Request;
use crate::telemetry::metrics;
use crate::upstream::OnContinue;

/// Interim responses that may come before a response. Without a bound an upstream could send them for ever.
const MAX: usize = 100;

/// What is done with the interim responses to one request.
pub(super) struct Interim {
    on_continue: Option<OnContinue>,
    count: usize,
}

impl Interim {
    pub(super) fn of(request: &Request<Body>) -> Interim {
        Interim { on_continue: request.extensions().get().cloned(), count: 0 }
    }

    /// Whether a head of that status is an interim one, and is dealt with.
    pub(super) fn takes(&mut self, status: StatusCode) -> Result<bool, BodyError> {
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(false);
        }
        self.count += 1;
        if self.count > MAX {
            return Err("too many interim responses".into());
        }
        match &self.on_continue {
            _ if status != StatusCode::CONTINUE => metrics::interim_response_dropped(),
            Some(on_continue) => on_continue.call(),
            None => (),
        }
        Ok(true)
    }
}
