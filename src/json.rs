//! JSON text kept exactly: key order, number spelling and escapes stay as they were written.

use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use time::OffsetDateTime;

/// One valid JSON value as text. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(Bytes);

impl Json {
    /// `null`.
    pub fn null() -> Json {
        Json(Bytes::from_static(b"null"))
    }

    /// A text that is known to be JSON.
    pub const fn from_static(text: &'static str) -> Json {
        Json(Bytes::from_static(text.as_bytes()))
    }

    /// Checks that `text` is one JSON value (RFC 8259) with nothing behind it.
    pub fn parse(text: Bytes) -> Result<Json, serde_json::Error> {
        let raw: &RawValue = serde_json::from_slice(&text)?;
        let text = text.slice_ref(raw.get().as_bytes());
        Ok(Json(text))
    }

    /// A slice of a text that was checked as a whole.
    pub(crate) fn from_raw(whole: &Bytes, raw: &RawValue) -> Json {
        Json(whole.slice_ref(raw.get().as_bytes()))
    }

    /// What a JSON writer wrote; not checked again.
    pub(crate) fn from_written(text: String) -> Json {
        Json(Bytes::from(text))
    }

    /// Writes a value down.
    pub fn from_value(value: &Value) -> Json {
        Json(Bytes::from(value.to_string()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Every constructor went through a check of UTF-8.
        std::str::from_utf8(&self.0).unwrap_or("null")
    }

    /// The text's bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Reads the text into a tree. Fails only for what JSON allows and a tree cannot hold,
    /// such as a lone surrogate.
    pub fn to_value(&self) -> Result<Value, serde_json::Error> {
        serde_json::from_slice(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_slice(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl std::fmt::Debug for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A time in nanoseconds since 1970 as JavaScript's `toJSON` writes a date: `2026-11-21T07:12:00.000Z`. None beyond
/// the years of four digits.
pub fn date(nanoseconds: i128) -> Option<String> {
    let date = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok()?;
    let ((year, month, day), (hour, minute, second, milli)) =
        (date.to_calendar_date(), date.time().as_hms_milli());
    let month = u8::from(month);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_javascript_writes_them() {
        let at = |milliseconds: i64| date(i128::from(milliseconds) * 1_000_000);
        for (milliseconds, written) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_763_700_000_000, "2025-11-21T04:40:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(at(milliseconds).as_deref(), Some(written));
        }
        assert_eq!(at(i64::MAX), None);
    }
}
