//! Why a client is refused for its token, and how that is told (RFC 6750 3).

use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};

use crate::fault::Fault;

/// Why a client is refused for its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is none.
    Missing,
    /// It is not one that we accept.
    Invalid,
    /// It was good once.
    Expired,
    /// It is good, but of another user than the one it should replace.
    OtherUser,
    /// Nobody can tell: the keys could not be fetched yet.
    Unavailable,
}

impl Refusal {
    /// HTTP status.
    pub fn status(self) -> StatusCode {
        match self {
            Refusal::Missing | Refusal::Invalid | Refusal::Expired => StatusCode::UNAUTHORIZED,
            Refusal::OtherUser => StatusCode::FORBIDDEN,
            Refusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Stable word for programs.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::Missing => "token_missing",
            Refusal::Invalid => "token_invalid",
            Refusal::Expired => "token_expired",
            Refusal::OtherUser => "token_other_user",
            Refusal::Unavailable => "token_keys_unavailable",
        }
    }

    /// For people.
    pub fn message(self) -> &'static str {
        match self {
            Refusal::Missing => "a token is needed",
            Refusal::Invalid => "the token is not valid",
            Refusal::Expired => "the token has expired",
            Refusal::OtherUser => "the token belongs to another user; disconnect, and connect with it",
            Refusal::Unavailable => "tokens cannot be verified at the moment",
        }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        let fault = Fault::new(refusal.status(), refusal.code(), refusal.message());
        let challenge = match refusal {
            // Who brought no token learns the scheme and no error (RFC 6750 3.1).
            Refusal::Missing => "Bearer",
            Refusal::Expired => r#"Bearer error="invalid_token", error_description="the token has expired""#,
            Refusal::Invalid | Refusal::OtherUser => {
                r#"Bearer error="invalid_token", error_description="the token is not valid""#
            }
            Refusal::Unavailable => return fault.with_header(RETRY_AFTER, HeaderValue::from_static("5")),
        };
        fault.with_header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }
}
