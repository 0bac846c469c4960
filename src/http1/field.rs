//! Fields of heads and of trailers.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Fields that are taken of what an upstream says, and of trailers.
pub(crate) const MAX_FIELDS: usize = 100;

/// A name or a value that cannot be one.
#[derive(Debug, thiserror::Error)]
#[error("a field that is not valid")]
pub(crate) struct Invalid;

/// Appends a field that was read. The value shares the memory it was read to.
pub(crate) fn append(headers: &mut HeaderMap, name: &[u8], value: Bytes) -> Result<(), Invalid> {
    let name = HeaderName::from_bytes(name).map_err(|_| Invalid)?;
    let value = HeaderValue::from_maybe_shared(value).map_err(|_| Invalid)?;
    headers.append(name, value);
    Ok(())
}

/// Appends a number, as lengths are written.
pub(crate) fn write_number(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut count = 0;
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
        count += 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - count..).unwrap_or_default());
}

/// Appends a field's line.
pub(crate) fn write(name: &HeaderName, value: &HeaderValue, out: &mut Vec<u8>) {
    let name = name.as_str().as_bytes();
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}
