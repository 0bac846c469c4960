//! What a scalar without quotes means (YAML 1.2.2, section 10.3.2, the core schema).

use std::str::FromStr;

use serde_json::Number;

/// A plain scalar's meaning. `no`, `on` and `yes` are text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Meaning {
    Null,
    Bool(bool),
    /// Spelled as written where JSON allows it.
    Number(Number),
    /// Infinities and NaN, which JSON does not have.
    NoJson,
    Text,
}

/// What the plain scalar `text` means.
pub(super) fn meaning(text: &str) -> Meaning {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Meaning::Null,
        "true" | "True" | "TRUE" => Meaning::Bool(true),
        "false" | "False" | "FALSE" => Meaning::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Meaning::NoJson,
        _ => number(text),
    }
}

fn number(text: &str) -> Meaning {
    let (sign, unsigned) = match text.as_bytes().first() {
        Some(b'-') => ("-", text.get(1..).unwrap_or_default()),
        Some(b'+') => ("", text.get(1..).unwrap_or_default()),
        _ => ("", text),
    };
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Meaning::NoJson;
    }
    let spelling = match text.split_at_checked(2) {
        Some(("0x", digits)) => radix(digits, 16),
        Some(("0o", digits)) => radix(digits, 8),
        _ => decimal(unsigned).map(|digits| format!("{sign}{digits}")),
    };
    spelling.and_then(|text| Number::from_str(&text).ok()).map_or(Meaning::Text, Meaning::Number)
}

fn radix(digits: &str, radix: u32) -> Option<String> {
    // `from_str_radix` would take a sign.
    digits.chars().all(|c| c.is_digit(radix)).then_some(())?;
    u64::from_str_radix(digits, radix).ok().map(|number| number.to_string())
}

/// A decimal number as JSON spells it: no leading zeros, a digit on both sides of the point.
fn decimal(text: &str) -> Option<String> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{whole}{point}{fraction}{exponent}"))
}
