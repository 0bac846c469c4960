//! Fields against a map that is known to be right, and messages there and back.

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

/// Names whose tags agree in one part or another, and some that are near to them.
const NAMES: [&str; 8] =
    ["host", "hxst", "origin", "x-forwarded-for", "x-forwarded-fur", "a", "content-length", "content-langth"];

#[derive(Debug, Clone)]
enum Change {
    Append(usize, u8),
    Insert(usize, u8),
    Remove(usize),
    Drop(usize),
    Clear,
}

fn change() -> impl Strategy<Value = Change> {
    let name = 0..NAMES.len();
    prop_oneof![
        5 => (name.clone(), any::<u8>()).prop_map(|(name, value)| Change::Append(name, value)),
        3 => (name.clone(), any::<u8>()).prop_map(|(name, value)| Change::Insert(name, value)),
        2 => name.clone().prop_map(Change::Remove),
        1 => name.prop_map(Change::Drop),
        1 => Just(Change::Clear),
    ]
}

fn name(index: usize) -> HeaderName {
    HeaderName::from_static(NAMES[index])
}

fn make(change: Change, fields: &mut Fields, map: &mut HeaderMap) {
    match change {
        Change::Append(index, value) => {
            fields.append(name(index), u16::from(value).into());
            map.append(name(index), u16::from(value).into());
        }
        Change::Insert(index, value) => {
            fields.insert(NAMES[index], u16::from(value).into());
            map.insert(name(index), u16::from(value).into());
        }
        Change::Remove(index) => assert_eq!(fields.remove(NAMES[index]), map.remove(NAMES[index])),
        Change::Drop(index) => {
            fields.retain(|name| name != NAMES[index]);
            map.remove(NAMES[index]);
        }
        Change::Clear => {
            fields.clear();
            map.clear();
        }
    }
}

proptest! {
    #[test]
    fn they_hold_what_a_map_holds(changes in prop::collection::vec(change(), 0..40)) {
        let (mut fields, mut map) = (Fields::new(), HeaderMap::new());
        for change in changes {
            make(change, &mut fields, &mut map);
            prop_assert_eq!(fields.len(), map.len());
            prop_assert_eq!(fields.is_empty(), map.is_empty());
            prop_assert_eq!(fields.keys().count(), map.keys().len());
            for name in NAMES {
                prop_assert_eq!(fields.contains_key(name), map.contains_key(name));
                prop_assert_eq!(fields.get(name), map.get(name));
                let only = map.get(name).filter(|_| map.get_all(name).iter().count() == 1);
                prop_assert_eq!(fields.get_only(name), only);
                let all: Vec<&HeaderValue> = fields.get_all(name).collect();
                prop_assert_eq!(all, map.get_all(name).iter().collect::<Vec<_>>());
            }
            prop_assert_eq!(&HeaderMap::from(fields.clone()), &map);
            prop_assert_eq!(&HeaderMap::from(Fields::from(map.clone())), &map);
        }
    }
}

fn lines(fields: &Fields) -> Vec<String> {
    fields.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
}

#[test]
fn lines_stay_in_their_order() {
    let mut fields = Fields::new();
    for (name, value) in [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4"), ("a", "5")] {
        fields.append(name, HeaderValue::from_static(value));
    }
    assert_eq!(lines(&fields), ["a: 1", "b: 2", "a: 3", "c: 4", "a: 5"]);
    fields.insert("a", HeaderValue::from_static("6"));
    assert_eq!(lines(&fields), ["a: 6", "b: 2", "c: 4"]);
    fields.insert("d", HeaderValue::from_static("7"));
    fields.remove("b");
    assert_eq!(lines(&fields), ["a: 6", "c: 4", "d: 7"]);
}

#[test]
fn messages_turn_into_those_of_http_and_back() {
    let mut request = Request::new("body");
    *request.method_mut() = http::Method::PUT;
    *request.uri_mut() = "/a?b".parse().unwrap();
    *request.version_mut() = http::Version::HTTP_2;
    request.headers_mut().append("a", HeaderValue::from_static("1"));
    request.headers_mut().append("a", HeaderValue::from_static("2"));
    request.extensions_mut().insert(7_u8);
    let there = http::Request::from(request.clone());
    assert_eq!(
        (there.method(), there.uri().path(), there.version()),
        (request.method(), "/a", request.version())
    );
    let back = Request::from(there);
    assert_eq!(
        (back.method(), back.uri(), back.version()),
        (request.method(), request.uri(), request.version())
    );
    assert_eq!(
        (back.headers(), back.extensions().get(), back.body()),
        (request.headers(), Some(&7_u8), &"body")
    );

    let mut response = Response::new("body");
    *response.status_mut() = http::StatusCode::GONE;
    response.headers_mut().append("a", HeaderValue::from_static("1"));
    response.extensions_mut().insert(7_u8);
    let back = Response::from(http::Response::from(response.clone()));
    assert_eq!((back.status(), back.version()), (response.status(), response.version()));
    assert_eq!(
        (back.headers(), back.extensions().get(), back.body()),
        (response.headers(), Some(&7_u8), &"body")
    );
}
