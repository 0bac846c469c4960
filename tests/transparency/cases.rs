//! The table: methods, targets, header shapes, bodies and answers, each with each where it may matter,
//! and a seeded mix of all.

use std::fmt::Write as _;

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use crate::support::targets::TARGETS;

pub(crate) const METHODS: &[&str] =
    &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "M-SEARCH", "BREW"];

/// Lines of a request's head.
const HEADERS: &[(&str, &[u8])] = &[
    ("plain", b""),
    ("same name thrice", b"X-A: 1\r\nAccept: x\r\nX-A: 2, 3\r\nX-A: 1\r\n"),
    ("empty values", b"X-A:\r\nX-B: \r\nX-C:\t\r\n"),
    ("white space around", b"X-A:   b  \r\nX-B:\tc\t \r\nX-C: a \t b\r\n"),
    ("Latin 1 and UTF-8", b"X-A: \xe4\xf6\xfc\r\nX-B: \xc3\xa4\xff\r\n"),
    ("odd names", b"X-!#$%&'*+.^_`|~: 1\r\n0: 2\r\nx_custom: 3\r\n-: 4\r\n"),
    ("cookies in lines", b"Cookie: a=1; b=2\r\nCookie: c=3\r\n"),
    ("one cookie", b"Cookie: a=\"1 2\"; b==; ;c\r\n"),
    ("credentials", b"Authorization: Basic YTpi\r\nX-Api-Key: secret\r\n"),
    ("ranges", b"Range: bytes=0-1, 3-\r\nIf-Range: \"x\"\r\n"),
    ("conditions", b"If-None-Match: \"a\", W/\"b\"\r\nIf-Modified-Since: then\r\nIf-Match: *\r\n"),
    ("negotiation", b"Accept: */*;q=0.1, text/html\r\nAccept-Encoding: gzip, br;q=0, *\r\nAccept-Language: de\r\n"),
    ("caches", b"Cache-Control: no-cache\r\nPragma: no-cache\r\n"),
    ("a browser", b"Origin: http://page.test\r\nReferer: http://page.test/x?y\r\nSec-Fetch-Mode: cors\r\nDNT: 1\r\n"),
    ("no agent", b"User-Agent: \r\nFrom: a@b\r\n"),
    ("a chain", b"Via: 1.0 a, 1.1 b (c, d)\r\nVia: 2 e\r\n"),
    ("forged", b"X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\n"),
    ("nominated", b"Connection: X-Hop, close\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nX-Stays: 1\r\n"),
    ("nominated in lines", b"Connection: X-Hop\r\nX-Hop: 1\r\nX-Hop2: 2\r\nConnection: x-hop2, Cookie\r\nCookie: a=b\r\n"),
    ("another protocol", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
    ("a proxy's", b"Proxy-Connection: keep-alive\r\nProxy-Authorization: x\r\nProxy: http://x\r\n"),
    ("traced", b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: a=b\r\n"),
    ("content", b"Content-Type: multipart/form-data; boundary=\"a b\"\r\nContent-Encoding: br\r\nContent-Language: de\r\n"),
    ("deadlines", b"Max-Forwards: 3\r\nDate: then\r\nWarning: 199 - x\r\nPriority: u=1\r\n"),
    ("hints", b"Sec-CH-UA: \"a\";v=\"1\"\r\nUpgrade-Insecure-Requests: 1\r\nSec-GPC: 1\r\n"),
    ("frontroom's own", b"X-Request-Id: theirs\r\nX-Socket-Id: abc\r\nIdempotency-Key: 1\r\n"),
];

/// How a request's body is written.
const BODIES: &[(&str, &str, &str)] = &[
    ("none", "", ""),
    ("length 0", "Content-Length: 0\r\n", ""),
    ("length", "Content-Length: 5\r\n", "hello"),
    ("length twice", "Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
    ("leading zeros", "Content-Length: 0005\r\n", "hello"),
    ("line ends", "Content-Length: 8\r\n", "\r\n\r\n\n\r\r\n"),
    ("chunks", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    ("many chunks", "Transfer-Encoding: Chunked\r\n", "1\r\nh\r\n2\r\nel\r\n0002\r\nlo\r\n0\r\n\r\n"),
    ("extended chunks", "Transfer-Encoding: chunked\r\n", "A;a=b;c=\"d\"\r\n0123456789\r\n0;e\r\n\r\n"),
    ("no chunks", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ("trailers", "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"),
    ("a request", "Content-Length: 33\r\n", "GET /evil HTTP/1.1\r\nHost: evil\r\n\r\n"),
];

/// What the backend says.
pub(crate) struct Answer {
    pub(crate) name: &'static str,
    pub(crate) head: Vec<u8>,
    pub(crate) body: Vec<u8>,
    /// Whether the connection ends with it.
    pub(crate) closes: bool,
}

const ANSWERS: &[(&str, &[u8], &[u8])] = &[
    ("ok", b"200 OK\r\nContent-Length: 2\r\n", b"ok"),
    ("empty", b"200 OK\r\nContent-Length: 0\r\n", b""),
    ("chunked", b"200 OK\r\nTransfer-Encoding: chunked\r\n", b"2\r\nok\r\n3\r\nay!\r\n0\r\n\r\n"),
    ("chunked empty", b"200 OK\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    ("chunked extended", b"200 OK\r\nTransfer-Encoding: chunked\r\n", b"2;a=b\r\nok\r\n0;c\r\n\r\n"),
    ("unannounced trailers", b"200 OK\r\nTransfer-Encoding: chunked\r\n", b"2\r\nok\r\n0\r\nX-T: 1\r\n\r\n"),
    ("to the end", b"200 OK\r\nConnection: close\r\n", b"until it closes"),
    ("to the end, nothing", b"200 OK\r\nConnection: close\r\n", b""),
    ("created", b"201 Created\r\nLocation: /a//b%2f?c\r\nContent-Length: 2\r\n", b"{}"),
    ("accepted", b"202 Accepted\r\nContent-Length: 0\r\n", b""),
    ("no content", b"204 No Content\r\n", b""),
    ("reset content", b"205 Reset Content\r\nContent-Length: 0\r\n", b""),
    ("partial", b"206 Partial Content\r\nContent-Range: bytes 0-1/5\r\nContent-Length: 2\r\n", b"he"),
    ("moved", b"301 Moved Permanently\r\nLocation: http://other.test:81/x\r\nContent-Length: 0\r\n", b""),
    ("not modified", b"304 Not Modified\r\nETag: \"x\"\r\nVary: a\r\n", b""),
    ("not modified with a length", b"304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 1234\r\n", b""),
    ("unauthorized", b"401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"a, b\"\r\nWWW-Authenticate: Bearer\r\nContent-Length: 2\r\n", b"no"),
    ("not found", b"404 Not Found\r\nContent-Length: 4\r\n", b"gone"),
    ("teapot", b"418 Short and stout\r\nContent-Length: 3\r\n", b"tea"),
    ("unknown", b"299 Nearly\r\nContent-Length: 2\r\n", b"ok"),
    ("very unknown", b"599 Whatever\r\nContent-Length: 2\r\n", b"no"),
    ("error", b"500 Internal Server Error\r\nContent-Type: text/html\r\nContent-Length: 2\r\n", b"oh"),
    ("unavailable", b"503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n", b""),
    ("cookies", b"200 OK\r\nSet-Cookie: a=1; Path=/\r\nX: y\r\nSet-Cookie: b=2, c\r\nSet-Cookie: a=1; Path=/\r\nContent-Length: 0\r\n", b""),
    ("same name thrice", b"200 OK\r\nVary: a\r\nLink: <a>\r\nVary: b, c\r\nLink: <b>\r\nVary: a\r\nContent-Length: 0\r\n", b""),
    ("Latin 1", b"200 OK\r\nX-A: \xe4\xff\r\nX-B:\r\nX-C:  d \t\r\nContent-Length: 0\r\n", b""),
    ("compressed", b"200 OK\r\nContent-Encoding: gzip\r\nContent-Type: application/json\r\nContent-Length: 4\r\n", b"\x1f\x8b\x08\x00"),
    ("cached", b"200 OK\r\nCache-Control: max-age=60\r\nAge: 3\r\nETag: W/\"x\"\r\nExpires: 0\r\nLast-Modified: then\r\nContent-Length: 0\r\n", b""),
    ("signed", b"200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: theirs/1\r\nX-Powered-By: x\r\nVia: 1.1 inner\r\nContent-Length: 0\r\n", b""),
    ("its own CORS", b"200 OK\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: X\r\nContent-Length: 0\r\n", b""),
    ("strict", b"200 OK\r\nStrict-Transport-Security: max-age=1\r\nContent-Security-Policy: default-src 'self'\r\nX-Frame-Options: DENY\r\nContent-Length: 0\r\n", b""),
    ("hop by hop", b"200 OK\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nX-Stays: 1\r\nContent-Length: 0\r\n", b""),
    ("line ends", b"200 OK\r\nContent-Length: 8\r\n", b"\r\n\r\n\n\r\r\n"),
];

const LARGE: usize = 300_000;

/// Every answer, and those that cannot be written down.
pub(crate) fn answers() -> Vec<Answer> {
    let version = b"HTTP/1.1 ";
    let written = ANSWERS.iter().map(|(name, head, body)| Answer {
        name,
        head: [version, *head, b"\r\n"].concat(),
        body: body.to_vec(),
        closes: name.starts_with("to the end"),
    });
    let mut answers: Vec<Answer> = written.collect();
    let large: Vec<u8> = (0..LARGE).map(|index| (index * 7 / 3) as u8).collect();
    let mut add = |name, head: String, body| {
        let closes = head.starts_with("HTTP/1.0");
        answers.push(Answer { name, head: head.into_bytes(), body, closes });
    };
    add("large", format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n"), large);
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    add("interim", format!("{interim}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"), b"ok".to_vec());
    add("old", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n".to_owned(), b"ok".to_vec());
    add("old to the end", "HTTP/1.0 200 OK\r\nX-A: 1\r\n\r\n".to_owned(), b"until it closes".to_vec());
    answers
}

/// A request, and which answer it gets.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) method: &'static str,
    pub(crate) request: Vec<u8>,
}

fn case(
    method: &'static str,
    target: &str,
    (shape, lines): (&str, &[u8]),
    (kind, framing, body): (&str, &str, &str),
    answer: &str,
) -> Case {
    let mut name = String::new();
    write!(name, "{method} {} | {shape} | {kind} | {answer}", target.escape_default()).unwrap();
    let mut request =
        format!("{method} {target} HTTP/1.1\r\nHost: api.test:81\r\nX-Case: {name}\r\n").into_bytes();
    request.extend_from_slice(lines);
    request.extend_from_slice(format!("X-Answer: {answer}\r\n{framing}\r\n{body}").as_bytes());
    Case { name, method, request }
}

/// Cases that the seeded mix adds.
const MIXED: usize = 300;

pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for target in TARGETS {
        cases.push(case("GET", target, HEADERS[0], BODIES[0], "ok"));
    }
    for method in METHODS {
        for body in BODIES {
            cases.push(case(method, "/x?y", HEADERS[0], *body, "ok"));
        }
    }
    for headers in HEADERS {
        cases.push(case("GET", "/x?y", *headers, BODIES[0], "ok"));
        cases.push(case("POST", "/x?y", *headers, BODIES[6], "chunked"));
    }
    for answer in answers() {
        for method in ["GET", "HEAD", "POST"] {
            cases.push(case(method, "/x?y", HEADERS[0], BODIES[0], answer.name));
        }
    }
    let (mut random, answers) = (StdRng::seed_from_u64(0xF007), answers());
    for _ in 0..MIXED {
        let (method, target) = (METHODS.choose(&mut random).unwrap(), TARGETS.choose(&mut random).unwrap());
        let (headers, body) = (HEADERS.choose(&mut random).unwrap(), BODIES.choose(&mut random).unwrap());
        let answer = answers[random.random_range(..answers.len())].name;
        cases.push(case(method, target, *headers, *body, answer));
    }
    let mut names = std::collections::HashSet::new();
    cases.retain(|case| names.insert(case.name.clone()));
    cases
}
