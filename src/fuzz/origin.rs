//! The matcher of origins.

use std::sync::LazyLock;

use http::{HeaderValue, Method};

use super::parts;
use crate::config::Problems;
use crate::cors::{Policy, SiteInfo, Verdict};
use crate::message::Fields;

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let config = "cors: {allow_origins: ['https://app.example.com', 'https://*.wild.test', {regex: 'https://pr-[0-9]+[.]pages[.]test'}], allow_credentials: true}";
    let loaded = crate::config::load_text(config, "config.yaml", &|_| None).expect("a config");
    Policy::build(loaded.file().cors.as_ref(), &mut Problems::default())
});

/// The `Origin` lines of a request. Who is allowed is on the list, and is told exactly that.
pub(super) fn origin(bytes: &[u8]) {
    let mut headers = Fields::new();
    for line in parts(bytes) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append("origin", value);
        }
    }
    let site = SiteInfo { host: "api.example.com", secure: Some(true) };
    let decision = POLICY.decide(&Method::GET, &headers, &site);
    let mut answer = Fields::new();
    answer.insert("access-control-allow-origin", HeaderValue::from_static("*"));
    decision.apply(&mut answer);
    let granted: Vec<&HeaderValue> = answer.get_all("access-control-allow-origin").collect();
    match decision.verdict() {
        Verdict::Allowed => {
            let only = headers.get_all("origin").collect::<Vec<_>>();
            assert_eq!(granted, only, "told another origin than the one that asked");
            assert!(is_listed(granted[0].to_str().expect("an allowed origin is text")), "{granted:?}");
        }
        Verdict::SameOrigin => {
            assert!(granted.is_empty());
            let host = headers["origin"].to_str().expect("text").trim_start_matches("https://");
            assert!(matches!(host, "api.example.com" | "api.example.com:443"), "{host}");
        }
        Verdict::Absent | Verdict::Denied => assert!(granted.is_empty(), "{headers:?} {granted:?}"),
    }
}

/// The list again, in other words.
fn is_listed(origin: &str) -> bool {
    let Some(host) = origin.strip_prefix("https://") else { return false };
    let label = |text: &str| !text.is_empty() && !text.contains(['/', ':', '@', '?', '#', '\\']);
    let number = || host.strip_prefix("pr-")?.strip_suffix(".pages.test");
    host == "app.example.com"
        || host.strip_suffix(".wild.test").is_some_and(|labels| labels.split('.').all(label))
        || number().is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}
