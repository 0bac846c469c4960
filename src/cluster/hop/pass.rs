//! What a node shows another with a request: that it knows the secret, and whose request it is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderName, HeaderValue, Method};

use crate::cluster::key::{Keys, WHOLE};
use crate::message::Fields;

/// `t=SECONDS,v1=HEX`, as hooks are signed.
pub(super) static PASS: HeaderName = HeaderName::from_static("frontroom-pass");

/// The client's address.
pub(super) static CLIENT: HeaderName = HeaderName::from_static("frontroom-client");

/// How far the clocks of two nodes may be apart. As long is a pass good for the same request once more,
/// which whoever has seen it could also make without: it holds the session's id.
const SKEW: Duration = Duration::from_secs(300);

/// Fields that are signed with the request: who the client is, and how it came.
pub(super) const SIGNED: [&str; 4] =
    ["frontroom-client", "x-forwarded-proto", "x-forwarded-host", "x-request-id"];

/// Comes before a challenge: no code of a request, which begins with a number, is a proof.
const CHALLENGE: &[u8] = b"challenge\n";

/// Makes and checks passes.
#[derive(Clone)]
pub(super) struct Passes(Keys);

/// A request as far as it is signed; the fields are those of [`SIGNED`], in their order.
pub(super) struct Signed<'a> {
    pub(super) method: &'a Method,
    /// Path and query.
    pub(super) target: &'a str,
    pub(super) fields: [&'a [u8]; 4],
}

/// Why a request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stranger {
    /// It has no pass that this node can read.
    NoPass,
    /// Its time is not ours.
    Clock,
    /// It was not made with the secret, or for another request.
    Forged,
}

impl Passes {
    pub(super) fn new(secrets: &[String]) -> Passes {
        Passes(Keys::derive(secrets, "frontroom node to node 1"))
    }

    /// The pass of a request that is sent now.
    pub(super) fn make(&self, request: &Signed<'_>) -> HeaderValue {
        self.make_at(now(), request)
    }

    fn make_at(&self, time: u64, request: &Signed<'_>) -> HeaderValue {
        let mut pass = format!("t={time},v1=");
        for byte in request.code(&self.0, time) {
            for digit in [byte >> 4, byte & 0xf] {
                pass.push(char::from_digit(digit.into(), 16).unwrap_or_default());
            }
        }
        HeaderValue::try_from(pass).unwrap_or(HeaderValue::from_static(""))
    }

    /// What shows that this node knows the secret, for a challenge that nobody has seen before.
    pub(super) fn prove(&self, challenge: &[u8; WHOLE]) -> [u8; WHOLE] {
        self.0.code(&[CHALLENGE, challenge])
    }

    /// Whether another node has met the challenge.
    pub(super) fn is_proof(&self, challenge: &[u8; WHOLE], proof: &[u8]) -> bool {
        proof.len() == WHOLE && self.0.knows(&[CHALLENGE, challenge], proof)
    }

    /// Whether another node sent the request, not long ago.
    pub(super) fn check(&self, method: &Method, target: &str, headers: &Fields) -> Result<(), Stranger> {
        self.check_at(now(), method, target, headers)
    }

    fn check_at(&self, now: u64, method: &Method, target: &str, headers: &Fields) -> Result<(), Stranger> {
        let (time, code) = headers.get(&PASS).and_then(read).ok_or(Stranger::NoPass)?;
        let fields = SIGNED.map(|name| headers.get(name).map_or(&b""[..], HeaderValue::as_bytes));
        if !(Signed { method, target, fields }).fits(&self.0, time, &code) {
            return Err(Stranger::Forged);
        }
        if now.abs_diff(time) > SKEW.as_secs() { Err(Stranger::Clock) } else { Ok(()) }
    }
}

impl Signed<'_> {
    fn code(&self, keys: &Keys, time: u64) -> [u8; WHOLE] {
        self.parts(time, |parts| keys.code(parts))
    }

    fn fits(&self, keys: &Keys, time: u64, code: &[u8]) -> bool {
        self.parts(time, |parts| keys.knows(parts, code))
    }

    /// One part a line: neither a target nor a field has a line's end in it.
    fn parts<T>(&self, time: u64, then: impl FnOnce(&[&[u8]]) -> T) -> T {
        let time = time.to_string();
        let [client, proto, host, id] = self.fields;
        let line: &[u8] = b"\n";
        let (method, target) = (self.method.as_str().as_bytes(), self.target.as_bytes());
        then(&[time.as_bytes(), line, method, line, target, line, client, line, proto, line, host, line, id])
    }
}

fn read(pass: &HeaderValue) -> Option<(u64, [u8; WHOLE])> {
    let (time, code) = pass.to_str().ok()?.strip_prefix("t=")?.split_once(",v1=")?;
    let mut bytes = [0; WHOLE];
    if code.len() != 2 * WHOLE {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(code.as_bytes().chunks_exact(2)) {
        let digit = |digit: &u8| char::from(*digit).to_digit(16);
        let [high, low] = pair else { return None };
        *byte = u8::try_from(digit(high)? << 4 | digit(low)?).ok()?;
    }
    Some((time.parse().ok()?, bytes))
}

/// Seconds since the Unix epoch.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: &str = "/socket.io/?EIO=4&transport=polling&sid=x";
    const FIELDS: [&[u8]; 4] = [b"192.0.2.1", b"https", b"app.example.com", b"7d2f"];

    fn passes(secrets: &[&str]) -> Passes {
        Passes::new(&secrets.iter().map(|secret| (*secret).to_owned()).collect::<Vec<_>>())
    }

    fn request(pass: HeaderValue) -> Fields {
        let mut headers = Fields::new();
        headers.insert(&PASS, pass);
        for (name, value) in SIGNED.into_iter().zip(FIELDS) {
            headers.insert(name, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    fn signed() -> Signed<'static> {
        Signed { method: &Method::GET, target: TARGET, fields: FIELDS }
    }

    #[test]
    fn a_pass_is_good_for_its_request_and_its_time_alone() {
        let passes = passes(&["s"]);
        let good = request(passes.make_at(10_000, &signed()));
        let check = |now, method, target, headers: &Fields| passes.check_at(now, &method, target, headers);
        assert_eq!(check(10_000, Method::GET, TARGET, &good), Ok(()));
        assert_eq!(check(10_300, Method::GET, TARGET, &good), Ok(()));
        assert_eq!(check(9_700, Method::GET, TARGET, &good), Ok(()));
        for now in [10_301, 9_699] {
            assert_eq!(check(now, Method::GET, TARGET, &good), Err(Stranger::Clock));
        }
        assert_eq!(check(10_000, Method::POST, TARGET, &good), Err(Stranger::Forged));
        let other = TARGET.replace("=x", "=y");
        assert_eq!(check(10_000, Method::GET, &other, &good), Err(Stranger::Forged));
        for name in SIGNED {
            let mut other = good.clone();
            other.insert(name, HeaderValue::from_static("192.0.2.9"));
            assert_eq!(check(10_000, Method::GET, TARGET, &other), Err(Stranger::Forged), "{name}");
            other.remove(name);
            assert_eq!(check(10_000, Method::GET, TARGET, &other), Err(Stranger::Forged), "{name}");
        }
    }

    #[test]
    fn a_challenge_is_met_by_whoever_knows_a_secret_and_once() {
        let (ours, old, other) = (passes(&["new", "old"]), passes(&["old"]), passes(&["other"]));
        let (challenge, another) = ([7; WHOLE], [8; WHOLE]);
        assert!(ours.is_proof(&challenge, &ours.prove(&challenge)));
        assert!(ours.is_proof(&challenge, &old.prove(&challenge)));
        assert!(!ours.is_proof(&another, &old.prove(&challenge)));
        assert!(!ours.is_proof(&challenge, &other.prove(&challenge)));
        assert!(!ours.is_proof(&challenge, &ours.prove(&challenge)[..16]));
        assert!(!ours.is_proof(&challenge, &[]));
    }

    #[test]
    fn who_does_not_know_the_secret_makes_no_pass() {
        let ours = passes(&["new", "old"]);
        let check = |pass| ours.check_at(10_000, &Method::GET, TARGET, &request(pass));
        assert_eq!(check(passes(&["old"]).make_at(10_000, &signed())), Ok(()));
        assert_eq!(check(passes(&["other"]).make_at(10_000, &signed())), Err(Stranger::Forged));
        let zeros = format!("t=10000,v1={}", "0".repeat(64));
        assert_eq!(check(HeaderValue::try_from(zeros).unwrap()), Err(Stranger::Forged));
        for pass in ["", "t=", "t=10000", "t=10000,v1=", "t=10000,v1=00", "t=x,v1=00", "v1=00,t=10000"] {
            assert_eq!(check(HeaderValue::from_static(pass)), Err(Stranger::NoPass), "{pass}");
        }
        let long = format!("t=10000,v1={}", "é".repeat(32));
        assert_eq!(check(HeaderValue::from_bytes(long.as_bytes()).unwrap()), Err(Stranger::NoPass));
        assert_eq!(ours.check_at(0, &Method::GET, TARGET, &Fields::new()), Err(Stranger::NoPass));
    }
}
