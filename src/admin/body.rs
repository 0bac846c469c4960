//! The bodies of calls: JSON, within a bound.

use http::StatusCode;
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::body::{Body, Interrupted};
use crate::fault::Fault;
use crate::json::Json;

/// A call that is wrong; `message` names the field.
pub(super) fn bad(message: impl Into<String>) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, "bad_request", message)
}

/// Reads a whole body of at most `max` bytes.
pub(super) async fn read(body: Body, max: usize) -> Result<Json, Fault> {
    if body.size_hint().lower() > max as u64 {
        return Err(Interrupted::TooLarge.into());
    }
    let bytes = match Limited::new(body, max).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(Interrupted::TooLarge.into()),
        Err(error) => {
            return Err(Interrupted::find(&*error).map_or_else(|| bad("the body broke off"), Into::into));
        }
    };
    if bytes.is_empty() {
        return Err(bad("the body is missing; send a JSON object"));
    }
    Json::parse(bytes).map_err(|error| bad(format!("the body is not JSON: {error}")))
}
