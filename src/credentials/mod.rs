//! Clients' credentials: where a token is found, whether it is good, and what follows from it for requests
//! and sockets. Decisions alone, without I/O but for the keys behind a `jwks_url`.

mod algorithm;
mod build;
mod claims;
mod fetch;
mod grant;
mod headers;
mod issuer;
mod jwks;
mod key;
mod pem;
mod public;
mod refusal;
mod source;
mod token;
mod verifier;

#[cfg(test)]
mod tests;

use http::{HeaderName, HeaderValue, StatusCode};

use crate::config::file::{self, OnExpiry, Require};
use crate::config::{Problems, defaults};
use crate::fault::Fault;
use crate::json::Json;
use crate::message::{Fields, RequestHead};

use claims::Claims;
use headers::ClaimHeaders;
use public::Public;
use source::{Found, Luggage, Source};
use verifier::Verifier;

pub use grant::Grant;
pub use refusal::Refusal;

/// `credentials`, compiled.
#[derive(Debug)]
pub struct Credentials {
    sources: Vec<Source>,
    verifier: Option<Verifier>,
    require: Require,
    public: Public,
    claim_headers: ClaimHeaders,
    on_expiry: OnExpiry,
    cookies: bool,
}

impl Credentials {
    /// Builds them from `credentials`.
    pub fn build(file: &file::Credentials, problems: &mut Problems) -> Credentials {
        if file.jwt.is_none() && !file.claims_to_headers.is_empty() {
            let wrong = "without `jwt` no token is verified, so there are no claims";
            problems.add("credentials.claims_to_headers", wrong, "add `jwt`, or leave it out");
        }
        Credentials {
            sources: Source::build(file.token.as_ref(), problems),
            verifier: file.jwt.as_ref().map(|jwt| Verifier::build(jwt, problems)),
            require: file.require,
            public: Public::build(&file.public, problems),
            claim_headers: ClaimHeaders::build(&file.claims_to_headers, problems),
            on_expiry: file.on_expiry,
            cookies: file.cookies.unwrap_or(defaults::CREDENTIALS_COOKIES),
        }
    }

    /// Begins to fetch keys, where they are to be fetched: now and for as long as these credentials live.
    /// Those that were begun before go on as they are.
    pub fn start(&self) {
        if let Some(verifier) = &self.verifier {
            verifier.start();
        }
    }

    /// Takes over the keys that `old` has fetched, if they are from the same URL: a reload loses none.
    pub fn adopt(&self, old: &Credentials) {
        if let (Some(verifier), Some(old)) = (&self.verifier, &old.verifier) {
            verifier.adopt(old);
        }
    }

    /// Whether the handshake's cookies go along with event requests.
    pub fn cookies(&self) -> bool {
        self.cookies
    }

    /// Whether sockets whose token expires are disconnected.
    pub fn disconnects(&self) -> bool {
        self.on_expiry == OnExpiry::Disconnect
    }

    /// Whether tokens are verified, so that there are claims.
    pub fn verifies(&self) -> bool {
        self.verifier.is_some()
    }

    /// Whether [`Credentials::judge`] has anything to do.
    pub fn concerns_requests(&self) -> bool {
        self.require == Require::All || !self.claim_headers.is_empty()
    }

    /// Whether sockets are asked for a token before their rules are.
    pub fn concerns_sockets(&self) -> bool {
        self.require != Require::None || self.verifier.is_some()
    }

    /// Whether a header of that name is for `claims_to_headers` alone, in any disguise.
    pub fn owns(&self, header: &str) -> bool {
        self.claim_headers.owns(header)
    }

    /// Removes headers that only we may set, in any disguise.
    pub fn strip(&self, headers: &mut Fields) {
        self.claim_headers.strip(headers);
    }

    /// Judges a request for the upstream: removes headers that only we may set, and answers those that
    /// its token's claims say. They are to be set last, after `Connection` has had its say.
    pub async fn judge(&self, parts: &mut RequestHead) -> Result<Vec<(HeaderName, HeaderValue)>, Fault> {
        self.strip(&mut parts.headers);
        let required = self.require == Require::All
            && match self.public.judge(&parts.method, parts.uri.path()) {
                public::Path::Public => false,
                public::Path::Closed => true,
                public::Path::Climbing => {
                    let message = "the path may not climb with `..`";
                    return Err(Fault::new(StatusCode::BAD_REQUEST, "bad_path", message));
                }
            };
        if !required && self.claim_headers.is_empty() {
            return Ok(Vec::new());
        }
        let found = {
            let query = |name: &str| query(parts.uri.query().unwrap_or_default(), name);
            source::find(&self.sources, &Luggage { headers: &parts.headers, query: &query, auth: None })
        };
        match self.verified(found).await {
            Ok(Some((_, claims))) => Ok(self.claim_headers.told(&claims).to_vec()),
            Err(refusal) if required => Err(refusal.into()),
            Ok(None) | Err(_) => Ok(Vec::new()),
        }
    }

    /// What a socket holds, by its handshake's headers, decoded query and `auth` object. Where no token is
    /// required, a bad one is carried on for the upstream to judge, and there are no claims.
    pub async fn admit(
        &self,
        headers: &Fields,
        query: &[(String, String)],
        auth: &Json,
    ) -> Result<Grant, Refusal> {
        let found = self.of_handshake(headers, query, auth);
        let carried = || match &found {
            Found::Token(token) => Some(token.clone()),
            Found::Nothing | Found::Several => None,
        };
        let carried = Grant::carried(carried());
        match self.verified(found).await {
            Ok(Some((token, claims))) => Ok(self.grant(token, claims)),
            Err(refusal) if self.require != Require::None => Err(refusal),
            Ok(None) | Err(_) => Ok(carried),
        }
    }

    /// What a socket holds whose token is only carried.
    pub fn carry(&self, headers: &Fields, query: &[(String, String)], auth: &Json) -> Grant {
        match self.of_handshake(headers, query, auth) {
            Found::Token(token) => Grant::carried(Some(token)),
            Found::Nothing | Found::Several => Grant::default(),
        }
    }

    /// What a socket holds after it has renewed its token (`Bearer` before it is taken off). A bad token
    /// changes nothing, and neither does one of another user.
    pub async fn renew(&self, held: &Grant, token: &str) -> Result<Grant, Refusal> {
        let Some(token) = source::bare(token, false) else { return Err(Refusal::Invalid) };
        let Some((token, claims)) = self.verified(Found::Token(token.clone())).await? else {
            return Ok(Grant::carried(Some(token)));
        };
        let grant = self.grant(token, claims);
        if held.subject().is_some() && held.subject() != grant.subject() {
            return Err(Refusal::OtherUser);
        }
        Ok(grant)
    }

    fn of_handshake(&self, headers: &Fields, query: &[(String, String)], auth: &Json) -> Found {
        let query = |name: &str| Some(query.iter().find(|(key, _)| key == name)?.1.clone());
        source::find(&self.sources, &Luggage { headers, query: &query, auth: Some(auth) })
    }

    fn grant(&self, token: String, claims: Claims) -> Grant {
        let end = self.verifier.as_ref().and_then(|verifier| verifier.demands.end(&claims));
        let headers = self.claim_headers.told(&claims);
        Grant::verified(token, claims, end, headers)
    }

    /// A token with its claims; `None` for one that is carried, as there is nobody to judge it.
    async fn verified(&self, found: Found) -> Result<Option<(String, Claims)>, Refusal> {
        let token = match found {
            Found::Token(token) => token,
            Found::Nothing => return Err(Refusal::Missing),
            Found::Several => return Err(Refusal::Invalid),
        };
        let Some(verifier) = &self.verifier else { return Ok(None) };
        let claims = verifier.verify(&token).await?;
        Ok(Some((token, claims)))
    }
}

/// The first value of a name in a raw query, decoded.
fn query(raw: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(raw.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
