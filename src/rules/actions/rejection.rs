//! Why a backend does not want an event or a connect.

use http::StatusCode;

use crate::json::Json;
use crate::rules::failure::{Failure, default_code, reason};
use crate::rules::fields::Fields;

use super::{Result, invalid};

/// Why a backend does not want an event or a connect.
#[derive(Debug, Clone)]
pub struct Rejection {
    /// Default 400.
    pub status: StatusCode,
    /// Default: a word for the status.
    pub code: Option<String>,
    /// For people.
    pub message: String,
    /// For programs.
    pub data: Option<Json>,
}

impl Rejection {
    /// What the client is told.
    pub(crate) fn failure(self) -> Failure {
        let code = self.code.map_or_else(|| default_code(self.status).into(), Into::into);
        Failure { status: self.status.as_u16(), code, message: self.message, body: self.data }
    }

    pub(super) fn parse(field: &str, json: &Json) -> Result<Rejection> {
        let mut fields = Fields::read(field, json)?;
        let status = match fields.take("status") {
            Some(status) => status
                .as_str()
                .parse()
                .ok()
                .filter(|status| (400..600).contains(status))
                .and_then(|status: u16| StatusCode::from_u16(status).ok())
                .map_or_else(|| invalid(&fields.at("status"), "must be a status from 400 to 599"), Ok)?,
            None => StatusCode::BAD_REQUEST,
        };
        let rejection = Rejection {
            status,
            code: fields.string("code")?,
            message: fields.string("message")?.unwrap_or_else(|| reason(status)),
            data: fields.take("data"),
        };
        fields.finish()?;
        Ok(rejection)
    }
}
