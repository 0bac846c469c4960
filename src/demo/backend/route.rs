//! Which request does what, and what may be asked.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use http::request::Parts;
use http::{Method, Request, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::page;
use super::reply::{Refused, Reply, json_reply, no_content};
use super::shop::{MAX_CONTENT, MAX_MESSAGES, MAX_NAME, Shop, User};

/// Bytes of a request's body.
const MAX_BODY: usize = 64 * 1024;
/// Time for a request's body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Messages that history gives where no `limit` is asked.
const DEFAULT_HISTORY: usize = 50;
/// The cookie that carries the token.
const COOKIE_NAME: &str = "access_token";

#[derive(Deserialize)]
struct Login {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Post {
    chat_room_id: Option<u64>,
    content: String,
}

#[derive(Deserialize)]
struct Left {
    user: u64,
}

/// Answers one request.
pub(super) async fn answer<B>(shop: &Mutex<Shop>, request: Request<B>) -> Reply
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    let body = match read(body).await {
        Ok(body) => body,
        Err(refused) => return refused.into_reply(),
    };
    // The lock is taken after everything that waits.
    let shop = shop.lock().unwrap_or_else(PoisonError::into_inner);
    route(shop, &head, &body).unwrap_or_else(Refused::into_reply)
}

/// The table of calls. Like NestJS, a path with another method is a path that does not exist.
fn route(mut shop: MutexGuard<'_, Shop>, head: &Parts, body: &Bytes) -> Result<Reply, Refused> {
    let shop = &mut *shop;
    let path = head.uri.path();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match (method(head), segments.as_slice()) {
        ("GET", [""]) => Ok(page::index()),
        ("GET", ["assets", name]) => page::asset(name).ok_or_else(|| missing(head)),
        ("POST", ["auth", "login"]) => login(shop, body),
        ("GET", ["auth", "me"]) => Ok(json_reply(StatusCode::OK, &who(shop, head)?)),
        ("POST", ["auth", "logout"]) => logout(shop, head),
        ("GET", ["users", id]) => user(shop, head, id),
        ("GET", ["chat", "rooms"]) => {
            let user = who(shop, head)?;
            Ok(json_reply(StatusCode::OK, &shop.rooms(&user)))
        }
        ("GET", ["chat", "rooms", id]) => {
            let user = who(shop, head)?;
            Ok(json_reply(StatusCode::OK, &shop.room(&user, number(id)?)?.profile))
        }
        ("GET", ["chat", "rooms", id, "messages"]) => history(shop, head, id),
        ("POST", ["chat", "rooms", id, "messages"]) => post(shop, head, id, body),
        ("POST", ["presence", "left"]) => left(shop, head, body),
        _ => Err(missing(head)),
    }
}

/// HEAD is GET whose body hyper leaves out.
fn method(head: &Parts) -> &str {
    if head.method == Method::HEAD { "GET" } else { head.method.as_str() }
}

fn login(shop: &mut Shop, body: &Bytes) -> Result<Reply, Refused> {
    let Login { name } = parse(body, "name must be a string")?;
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Refused::bad(format!("name must have 1 to {MAX_NAME} characters")));
    }
    let token = token()?;
    let user = shop.user_named(name)?;
    shop.begin(token.clone(), &user);
    let mut reply = json_reply(StatusCode::OK, &json!({"token": token, "user": user}));
    set_cookie(&mut reply, &format!("{COOKIE_NAME}={token}; HttpOnly; SameSite=Lax; Path=/"));
    Ok(reply)
}

fn logout(shop: &mut Shop, head: &Parts) -> Result<Reply, Refused> {
    who(shop, head)?;
    let token = presented(&head.headers);
    shop.end(token.unwrap_or_default());
    let mut reply = no_content();
    // The browser's cookie may be that of another tab's user, who stays.
    if cookie(&head.headers) == token {
        set_cookie(&mut reply, &format!("{COOKIE_NAME}=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0"));
    }
    Ok(reply)
}

fn user(shop: &mut Shop, head: &Parts, id: &str) -> Result<Reply, Refused> {
    who(shop, head)?;
    let id = number(id)?;
    let user = shop.user(id);
    let user = user.ok_or_else(|| Refused::new(StatusCode::NOT_FOUND, format!("There is no user {id}")))?;
    Ok(json_reply(StatusCode::OK, user))
}

fn history(shop: &mut Shop, head: &Parts, id: &str) -> Result<Reply, Refused> {
    let user = who(shop, head)?;
    let messages = &shop.room(&user, number(id)?)?.messages;
    let limit = limit(head.uri.query().unwrap_or_default())?;
    let latest: Vec<_> = messages.iter().skip(messages.len().saturating_sub(limit)).collect();
    Ok(json_reply(StatusCode::OK, &latest))
}

fn post(shop: &mut Shop, head: &Parts, id: &str, body: &Bytes) -> Result<Reply, Refused> {
    let user = who(shop, head)?;
    let id = number(id)?;
    shop.room(&user, id)?;
    let Post { chat_room_id, content } = parse(body, "content must be a string")?;
    if chat_room_id.is_some_and(|other| other != id) {
        return Err(Refused::bad("chatRoomId must be the room of the path"));
    }
    let content = content.trim();
    if content.is_empty() || content.chars().count() > MAX_CONTENT {
        return Err(Refused::bad(format!("content must have 1 to {MAX_CONTENT} characters")));
    }
    let message = shop.post(&user, id, content.to_owned(), SystemTime::now())?;
    Ok(json_reply(StatusCode::CREATED, &message))
}

fn left(shop: &mut Shop, head: &Parts, body: &Bytes) -> Result<Reply, Refused> {
    let user = who(shop, head)?;
    let Left { user: id } = parse(body, "user must be a number")?;
    if id != user.id {
        return Err(Refused::new(StatusCode::FORBIDDEN, "Nobody leaves for another"));
    }
    shop.left(id, SystemTime::now());
    Ok(no_content())
}

/// Who asks, by the token of the request.
fn who(shop: &Shop, head: &Parts) -> Result<User, Refused> {
    let unauthorized = |message| Refused::new(StatusCode::UNAUTHORIZED, message);
    let token = presented(&head.headers).ok_or_else(|| unauthorized("Log in first"))?;
    let user = shop.session(token).ok_or_else(|| unauthorized("This session has ended, log in again"))?;
    Ok(user.clone())
}

/// The bearer token, else the cookie. Two tabs share a cookie and may be two users, so the token that a
/// page shows itself comes first.
fn presented(headers: &HeaderMap) -> Option<&str> {
    let Some(value) = headers.get(AUTHORIZATION) else { return cookie(headers) };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(name, value)| (name == COOKIE_NAME && !value.is_empty()).then_some(value))
}

fn set_cookie(reply: &mut Reply, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        reply.headers_mut().insert(SET_COOKIE, value);
    }
}

/// 128 random bits, which nobody guesses.
fn token() -> Result<String, Refused> {
    let mut bytes = [0; 16];
    let unavailable = |_| Refused::new(StatusCode::SERVICE_UNAVAILABLE, "No randomness to make a token from");
    getrandom::fill(&mut bytes).map_err(unavailable)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

fn limit(query: &str) -> Result<usize, Refused> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let Some((_, value)) = pairs.find(|(name, _)| name == "limit") else { return Ok(DEFAULT_HISTORY) };
    let limit = value.parse().ok().filter(|limit| (1..=MAX_MESSAGES).contains(limit));
    limit.ok_or_else(|| Refused::bad(format!("limit must be a number from 1 to {MAX_MESSAGES}")))
}

fn number(text: &str) -> Result<u64, Refused> {
    text.parse().map_err(|_| Refused::bad("Validation failed (numeric string is expected)"))
}

fn missing(head: &Parts) -> Refused {
    Refused::new(StatusCode::NOT_FOUND, format!("Cannot {} {}", head.method, head.uri.path()))
}

fn parse<T: DeserializeOwned>(body: &Bytes, wanted: &str) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Refused::bad(wanted),
        _ => Refused::bad("The body must be JSON"),
    })
}

/// Reads a request's body within its bounds.
async fn read<B>(body: B) -> Result<Bytes, Refused>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let whole = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect()).await;
    let late = |_| Refused::new(StatusCode::REQUEST_TIMEOUT, "The body did not come in time");
    match whole.map_err(late)? {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, format!("A body may have {MAX_BODY} bytes")))
        }
        Err(_) => Err(Refused::bad("The body broke off")),
    }
}
