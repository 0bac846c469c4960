//! Forwarding fields.

use std::net::IpAddr;
use std::sync::LazyLock;

use http::HeaderValue;

use super::parts;
use crate::config::{Problems, value::OneOrMany};
use crate::headers::{Forwarded, TrustedProxies, cookie, joined_cookies};
use crate::message::Fields;

static TRUSTED: LazyLock<TrustedProxies> = LazyLock::new(|| {
    let networks = ["10.0.0.0/8", "fd00::/8"].map(str::to_owned).to_vec();
    TrustedProxies::build(&OneOrMany(networks), &mut Problems::default())
});

/// Lines of forwarding fields. A stranger's are not believed; of a trusted proxy's, the client is the last
/// address that is not trusted itself.
pub(super) fn forwarded(bytes: &[u8]) {
    const NAMES: [&str; 6] = [
        "x-forwarded-for",
        "forwarded",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-port",
        "cookie",
    ];
    let mut headers = Fields::new();
    headers.insert("host", HeaderValue::from_static("api.test:81"));
    for line in parts(bytes) {
        let Some((kind, value)) = line.split_first() else { continue };
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(NAMES[usize::from(*kind) % NAMES.len()], value);
        }
    }
    let stranger: IpAddr = "192.0.2.1".parse().expect("an address");
    let heard = Forwarded::identify(stranger, false, &headers, &TRUSTED);
    assert_eq!(
        (heard.client, heard.chain().to_str().expect("text"), heard.trusted),
        (stranger, "192.0.2.1", false)
    );
    assert_eq!((heard.scheme(), heard.host.as_str(), heard.port), ("http", "api.test:81", 81));

    let proxy: IpAddr = "10.0.0.1".parse().expect("an address");
    let heard = Forwarded::identify(proxy, false, &headers, &TRUSTED);
    assert!(heard.trusted && heard.chain().as_bytes().ends_with(b"10.0.0.1"), "{heard:?}");
    // Nobody vouches for what stands left of an address that is not trusted.
    let vouched = headers.get_all("x-forwarded-for").last();
    let last = vouched.and_then(|line| line.to_str().ok()?.rsplit(',').next()?.trim().parse::<IpAddr>().ok());
    if let Some(last) = last.map(|last| last.to_canonical()).filter(|last| !TRUSTED.contains(*last)) {
        assert_eq!(heard.client, last, "{headers:?}");
    }
    let mut sent = headers.clone();
    heard.apply(&mut sent);
    assert!(sent.get_all("x-forwarded-for").count() <= 1, "{sent:?}");
    let _ = (cookie(&headers, "a"), joined_cookies(&headers));
}
