//! Keys that may be written short, as one string, or long, as a map.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};

use super::file::{AllowOrigin, Listen, ListenTls, Request};
use super::value::{Duration, Spelling};

/// A type with a short form and a long one.
trait Short: Sized {
    type Long: for<'de> Deserialize<'de> + JsonSchema;
    const NAME: &'static str;

    fn short(text: &str) -> Result<Self, String>;
    fn long(long: Self::Long) -> Self;
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["address"]))]
struct ListenLong {
    /// `HOST:PORT`.
    #[serde(default)]
    address: String,
    /// TLS, if it is ended here.
    #[serde(default)]
    tls: Option<ListenTls>,
    /// Whether connections begin with a PROXY protocol header (version 1 or 2), from peers in
    /// `trusted_proxies` alone. Default false.
    #[serde(default)]
    proxy_protocol: bool,
}

impl Short for Listen {
    type Long = ListenLong;
    const NAME: &'static str = "Listen";

    fn short(text: &str) -> Result<Self, String> {
        Ok(Listen { address: text.to_owned(), ..Listen::default() })
    }

    fn long(long: ListenLong) -> Self {
        let ListenLong { address, tls, proxy_protocol } = long;
        Listen { address, tls, proxy_protocol }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["regex"]))]
struct OriginLong {
    /// A regular expression, anchored at both ends.
    #[serde(default)]
    regex: String,
}

impl Short for AllowOrigin {
    type Long = OriginLong;
    const NAME: &'static str = "AllowOrigin";

    fn short(text: &str) -> Result<Self, String> {
        Ok(AllowOrigin::Pattern(text.to_owned()))
    }

    fn long(long: OriginLong) -> Self {
        AllowOrigin::Regex(long.regex)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["method", "path"]))]
struct RequestLong {
    /// HTTP method.
    #[serde(default)]
    method: String,
    /// Path and query with templates.
    #[serde(default)]
    path: String,
    /// Name of the upstream.
    #[serde(default)]
    upstream: Option<String>,
    /// Headers with templates.
    #[serde(default)]
    headers: IndexMap<String, String>,
    /// Time to the whole response.
    #[serde(default)]
    timeout: Option<Duration>,
}

impl Short for Request {
    type Long = RequestLong;
    const NAME: &'static str = "Request";

    fn short(text: &str) -> Result<Self, String> {
        let (method, path) =
            text.split_once(' ').ok_or_else(|| format!("`{text}` has no method; write it as `GET /path`"))?;
        Ok(Request {
            method: method.to_owned(),
            path: path.trim_start().to_owned(),
            upstream: None,
            headers: IndexMap::new(),
            timeout: None,
        })
    }

    fn long(long: RequestLong) -> Self {
        let RequestLong { method, path, upstream, headers, timeout } = long;
        Request { method, path, upstream, headers, timeout }
    }
}

/// How a request is written short.
pub(super) const REQUEST: Spelling =
    Spelling { noun: "request", right: "`GET /path`", fits: |text| Request::short(text).is_ok() };

struct ShortVisitor<T>(PhantomData<T>);

impl<'de, T: Short> Visitor<'de> for ShortVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a map")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::short(text).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::Long::deserialize(MapAccessDeserializer::new(map)).map(T::long)
    }
}

macro_rules! short {
    ($type:ident) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(ShortVisitor(PhantomData))
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                <$type as Short>::NAME.into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let long = <$type as Short>::Long::json_schema(generator);
                json_schema!({"anyOf": [{"type": "string"}, long]})
            }
        }
    };
}

short!(Listen);
short!(AllowOrigin);
short!(Request);
