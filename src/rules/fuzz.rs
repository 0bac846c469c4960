//! Values in the URLs of requests, for `crate::fuzz`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "to panic is how a target tells of a finding"
)]

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use percent_encoding::percent_decode_str;

use super::template::{Compiler, Names, Scope, Url};
use crate::config::Problems;
use crate::json::Json;

static URL: LazyLock<Url> = LazyLock::new(|| {
    let mut problems = Problems::default();
    let template = "/rooms/{{ data.a }}/m/x{{ data.a }}.json?q={{ data.a }}&r=1";
    let url = Compiler::new(Names::event(&[]), &mut problems).url("path", template);
    assert!(problems.is_empty());
    url
});

struct Data(Json);

impl Scope for Data {
    fn root(&self, name: &str) -> Option<Json> {
        (name == "data").then(|| self.0.clone())
    }
}

/// A client's value: in a path it is one segment, in a query one value, whatever it holds.
pub(crate) fn url(bytes: &[u8]) {
    let value = String::from_utf8_lossy(bytes);
    let data = serde_json::json!({"a": value}).to_string();
    let data = Json::parse(Bytes::from(data)).expect("JSON");
    let scope: Arc<dyn Scope> = Arc::new(Data(data));
    let Ok(target) = URL.render(&scope) else { return };
    let (path, query) = target.as_str().split_once('?').expect("the template has a query");
    let segments: Vec<&str> = path.split('/').collect();
    assert_eq!((segments.len(), segments[1], segments[3]), (5, "rooms", "m"), "{target}");
    assert!(
        segments.iter().all(|segment| !matches!(
            percent_decode_str(segment).collect::<Vec<u8>>().as_slice(),
            b"." | b".."
        ))
    );
    let decoded = percent_decode_str(segments[2]).decode_utf8().expect("UTF-8");
    assert_eq!(decoded, value);
    let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    assert_eq!((pairs.len(), pairs[0].1.as_ref(), pairs[1].1.as_ref()), (2, value.as_ref(), "1"));
}
