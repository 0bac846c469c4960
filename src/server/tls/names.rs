//! Which certificate a client gets, by the name it asks for.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate::Certificate;

/// Certificates by name: exact names first, then wildcards of one label (RFC 6125 6.4.3), then the first
/// certificate. Of several for a name it is the first that the client can verify.
#[derive(Debug)]
pub(super) struct Names {
    keys: Vec<Arc<CertifiedKey>>,
    /// Places in `keys`. A wildcard is kept with its star.
    names: HashMap<String, Vec<usize>>,
}

impl Names {
    pub(super) fn new(certificates: &[Certificate]) -> Names {
        let mut names: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, certificate) in certificates.iter().enumerate() {
            for name in &certificate.names {
                names.entry(name.clone()).or_default().push(index);
            }
        }
        Names { keys: certificates.iter().map(|certificate| certificate.key.clone()).collect(), names }
    }

    /// The places of the certificates for `name`.
    fn find(&self, name: &str) -> &[usize] {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let exact = self.names.get(&name);
        let wildcard = || {
            let (_, parent) = name.split_once('.')?;
            self.names.get(&format!("*.{parent}"))
        };
        exact.or_else(wildcard).map_or(&[], Vec::as_slice)
    }
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let found = hello.server_name().map_or(&[][..], |name| self.find(name));
        let mut keys = found.iter().filter_map(|index| self.keys.get(*index));
        let first = keys.clone().next().or(self.keys.first());
        keys.find(|key| key.key.choose_scheme(hello.signature_schemes()).is_some()).or(first).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_name_goes_before_a_wildcard_of_one_label() {
        let names = [("a.test", 0), ("*.test", 1), ("b.a.test", 2), ("*.a.test", 3), ("a.test", 4)];
        let mut map: HashMap<String, Vec<usize>> = HashMap::new();
        for (name, index) in names {
            map.entry(name.to_owned()).or_default().push(index);
        }
        let names = Names { keys: Vec::new(), names: map };
        for (name, found) in [
            ("a.test", &[0, 4][..]),
            ("A.Test.", &[0, 4]),
            ("b.test", &[1]),
            ("b.a.test", &[2]),
            ("c.a.test", &[3]),
            ("d.c.a.test", &[]),
            ("test", &[]),
            ("", &[]),
        ] {
            assert_eq!(names.find(name), found, "{name}");
        }
    }
}
