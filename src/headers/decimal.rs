//! Numbers as values.

use http::HeaderValue;

/// A number's digits. `HeaderValue::from` takes two pieces of memory for one, this takes the value's own.
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    digits: [u8; 20],
    length: usize,
}

impl Decimal {
    /// Writes a number.
    pub fn of(mut number: u64) -> Decimal {
        let (mut digits, mut length) = ([b'0'; 20], 0);
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            (number, length) = (number / 10, length + 1);
            if number == 0 {
                break;
            }
        }
        Decimal { digits, length }
    }

    /// The digits, without zeros before them.
    pub fn as_bytes(&self) -> &[u8] {
        self.digits.get(self.digits.len() - self.length..).unwrap_or_default()
    }

    /// The number as a value.
    pub fn value(&self) -> HeaderValue {
        HeaderValue::from_bytes(self.as_bytes()).unwrap_or(HeaderValue::from_static("0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_display_writes_them() {
        for number in [0, 7, 10, 99, 100, 10_240, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let decimal = Decimal::of(number);
            assert_eq!(decimal.as_bytes(), number.to_string().as_bytes());
            assert_eq!(decimal.value(), number.to_string());
        }
    }
}
