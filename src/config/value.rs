//! Scalars of the config file: durations, sizes, rates, ratios, one or many.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor, value::SeqAccessDeserializer};

/// A length of time: `300ms`, `25s`, `2m`, `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration(pub std::time::Duration);

/// A number of bytes: `64KB`, `1MB` (powers of ten), or plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

/// So many in so long: `5/s`, `100/m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In how long.
    pub per: std::time::Duration,
}

/// A share of a whole, from 0 to 1: `0.2`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio(pub f64);

/// A list, where a single value will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        OneOrMany(Vec::new())
    }
}

/// A notation that some texts must have, and how messages speak of it.
#[derive(Clone, Copy)]
pub(super) struct Spelling {
    /// What it is called.
    pub(super) noun: &'static str,
    /// How it is written.
    pub(super) right: &'static str,
    /// Whether a text has it.
    pub(super) fits: fn(&str) -> bool,
}

impl Spelling {
    /// The notation that `T` is parsed from.
    pub(super) const fn of<T: FromStr>(noun: &'static str, right: &'static str) -> Spelling {
        Spelling { noun, right, fits: |text| text.parse::<T>().is_ok() }
    }

    /// The error of a text that does not have it.
    fn refuse(&self, text: &str) -> String {
        format!("`{text}` is not a {}; write {}", self.noun, self.right)
    }
}

const DURATION: Spelling = Spelling::of::<Duration>("duration", "300ms, 25s, 2m or 1h");
const SIZE: Spelling = Spelling::of::<Size>("size", "64KB, 1MB, 2GB or a plain number of bytes");
const RATE: Spelling = Spelling::of::<Rate>("rate", "5/s, 100/m or 1000/h");
const RATIO: Spelling = Spelling::of::<Ratio>("ratio", "a number from 0 to 1, such as 0.2");

/// The notation of the type that the JSON Schema calls `name`.
pub(super) fn spelling(name: &str) -> Option<Spelling> {
    match name {
        "Duration" => Some(DURATION),
        "Size" => Some(SIZE),
        "Rate" => Some(RATE),
        "Ratio" => Some(RATIO),
        "Request" => Some(super::short::REQUEST),
        _ => None,
    }
}

/// Splits `25s` into its number and unit.
fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.split_at(end)
}

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || DURATION.refuse(text);
        let (number, unit) = split_unit(text);
        let unit = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ if text == "0" => 1.0,
            _ => return Err(wrong()),
        };
        let number: f64 = number.parse().map_err(|_| wrong())?;
        std::time::Duration::try_from_secs_f64(number * unit).map(Duration).map_err(|_| wrong())
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || SIZE.refuse(text);
        let (number, unit) = split_unit(text);
        let unit = match unit {
            "" | "B" => 1_u64,
            "KB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        number.checked_mul(unit).map(Size).ok_or_else(wrong)
    }
}

impl FromStr for Ratio {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let ratio = text.parse().ok().filter(|ratio| plain && (0.0..=1.0).contains(ratio));
        ratio.map(Ratio).ok_or_else(|| RATIO.refuse(text))
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || RATE.refuse(text);
        let (count, per) = text.split_once('/').ok_or_else(wrong)?;
        let per = match per {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(wrong()),
        };
        let count: u32 = count.parse().map_err(|_| wrong())?;
        if count == 0 {
            return Err(wrong());
        }
        Ok(Rate { count, per: std::time::Duration::from_secs(per) })
    }
}

/// Reads a scalar written as text or as a plain number.
struct Scalar<T>(PhantomData<T>);

impl<T: FromStr<Err = String>> Visitor<'_> for Scalar<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

macro_rules! scalar {
    ($type:ident, $name:literal, $number:literal, $description:literal, $pattern:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Scalar(PhantomData))
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "description": $description,
                    "type": ["string", $number],
                    "pattern": $pattern,
                    "minimum": 0,
                })
            }
        }
    };
}

scalar!(
    Duration,
    "Duration",
    "integer",
    "A length of time: `300ms`, `25s`, `2m`, `1h`.",
    r"^(\d+(\.\d+)?(ms|s|m|h)|0)$"
);
scalar!(Size, "Size", "integer", "Bytes: `64KB`, `1MB` (powers of ten), or plain.", r"^\d+(B|KB|MB|GB)?$");
scalar!(Ratio, "Ratio", "number", "A share of a whole, from 0 to 1: `0.2`.", r"^(0?\.\d+|0|1|1\.0+|0\.)$");
scalar!(Rate, "Rate", "integer", "So many in so long: `5/s`, `100/m`, `1000/h`.", r"^[1-9]\d*/(s|m|h)$");

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor(PhantomData))
    }
}

struct OneOrManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or a list of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(OneOrMany)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(de::value::MapAccessDeserializer::new(map)).map(|one| OneOrMany(vec![one]))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        T::deserialize(de::value::StrDeserializer::new(text)).map(|one| OneOrMany(vec![one]))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        T::deserialize(de::value::U64Deserializer::new(number)).map(|one| OneOrMany(vec![one]))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(OneOrMany(Vec::new()))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({"anyOf": [one, {"type": "array", "items": one}]})
    }
}

/// Tells a key written as `null` from one that is absent.
pub(super) fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(Some)
}
