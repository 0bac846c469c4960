//! How a link begins: by a request for it, signed as others are, and a proof that nobody can have overheard.
//!
//! ```text
//! GET /frontroom-link?to=NODE, Upgrade: frontroom-link, Frontroom-Pass ──>
//!                                      <── 101, Frontroom-Challenge: 32 random bytes
//! 32 bytes: the challenge's code, then frames ──>
//! ```

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::BytesMut;
use http::header::{CONNECTION, HeaderName, HeaderValue, UPGRADE};
use http::{Method, StatusCode, Uri};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::pass::{PASS, Passes, Signed};
use super::wire::Wire;
use crate::body::Body;
use crate::cluster::NodeId;
use crate::cluster::key::WHOLE;
use crate::message::{Fields, Response};

const PATH: &str = "/frontroom-link";
const PROTOCOL: &str = "frontroom-link";
const CHALLENGE: HeaderName = HeaderName::from_static("frontroom-challenge");

/// The head of an answer is shorter.
const MAX_HEAD: usize = 4096;

/// What is to be proved.
pub(super) type Challenge = [u8; WHOLE];

/// Opens a link to the node `to`; or why not, as metrics name it.
pub(super) async fn open(address: &Uri, passes: &Passes, to: NodeId) -> Result<Wire, &'static str> {
    let host = address.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let connect = TcpStream::connect((host, address.port_u16().unwrap_or(80)));
    let mut tcp = connect.await.map_err(|_| "unreachable")?;
    tcp.set_nodelay(true).map_err(|_| "unreachable")?;
    let target = format!("{PATH}?to={to}");
    let pass = passes.make(&Signed { method: &Method::GET, target: &target, fields: [b""; 4] });
    let (host, pass) =
        (address.authority().map_or("", |host| host.as_str()), pass.to_str().unwrap_or_default());
    let head = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: {PROTOCOL}\r\n{}: {pass}\r\n\r\n",
        PASS.as_str()
    );
    tcp.write_all(head.as_bytes()).await.map_err(|_| "broken")?;
    let challenge = answered(&mut tcp).await?;
    tcp.write_all(&passes.prove(&challenge)).await.map_err(|_| "broken")?;
    Ok(Wire::new(tcp, &[]))
}

/// The challenge that the other node answers with. It says nothing more before it is asked.
async fn answered(tcp: &mut TcpStream) -> Result<Challenge, &'static str> {
    let mut head = BytesMut::with_capacity(MAX_HEAD);
    loop {
        let count = tcp.read_buf(&mut head).await.map_err(|_| "broken")?;
        if count == 0 || head.len() >= MAX_HEAD {
            return Err("broken");
        }
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut answer = httparse::Response::new(&mut fields);
        if answer.parse(&head).map_err(|_| "broken")?.is_partial() {
            continue;
        }
        return match answer.code {
            Some(101) => {
                let named =
                    |field: &&httparse::Header<'_>| field.name.eq_ignore_ascii_case(CHALLENGE.as_str());
                let text = answer.headers.iter().find(named).map_or(&b""[..], |field| field.value);
                let mut challenge = [0; WHOLE];
                let length = URL_SAFE_NO_PAD.decode_slice(text, &mut challenge);
                if length == Ok(WHOLE) { Ok(challenge) } else { Err("broken") }
            }
            // At its address is another node.
            Some(421) => Err("gone"),
            Some(401) => Err("refused"),
            _ => Err("broken"),
        };
    }
}

/// Whether a request asks for a link; to which node, as far as it says so.
pub(super) fn asked_for(uri: &Uri, headers: &Fields) -> Option<Option<NodeId>> {
    let upgrade = headers.get(UPGRADE).is_some_and(|protocol| protocol == PROTOCOL);
    let to = uri.query().and_then(|query| query.strip_prefix("to="));
    (upgrade && uri.path() == PATH).then(|| to.and_then(|to| to.parse().ok()))
}

/// Agrees to a link, and what is to be proved by whoever asked for it.
pub(super) fn agree() -> (Response<Body>, Challenge) {
    let challenge: Challenge = rand::random();
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(PROTOCOL));
    if let Ok(text) = HeaderValue::try_from(URL_SAFE_NO_PAD.encode(challenge)) {
        headers.insert(CHALLENGE, text);
    }
    (response, challenge)
}

/// Reads the proof; what came behind it belongs to the link.
pub(super) async fn prove(
    tcp: &mut TcpStream,
    read: &[u8],
    passes: &Passes,
    challenge: &Challenge,
) -> io::Result<BytesMut> {
    let mut said = BytesMut::from(read);
    while said.len() < WHOLE {
        if tcp.read_buf(&mut said).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    if passes.is_proof(challenge, &said.split_to(WHOLE)) {
        Ok(said)
    } else {
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "the challenge was not met"))
    }
}
