//! The backend as its clients see it.

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use super::reply::Reply;
use super::shop::{MAX_CONTENT, MAX_MESSAGES, MAX_SESSIONS, MAX_USERS, Shop};
use super::{CURL_TOKEN, route};

/// A shop that opened at a moment long ago.
fn shop() -> Mutex<Shop> {
    Mutex::new(Shop::seeded(UNIX_EPOCH + Duration::from_secs(1_763_700_000)))
}

async fn ask(shop: &Mutex<Shop>, token: &str, call: &str, body: &str) -> Reply {
    let (method, path) = call.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    if !token.is_empty() {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    route::answer(shop, request.body(Full::new(Bytes::from(body.to_owned()))).unwrap()).await
}

async fn read(reply: Reply) -> (u16, Value) {
    let status = reply.status().as_u16();
    let text = reply.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&text).unwrap_or(Value::Null))
}

async fn json_of(shop: &Mutex<Shop>, token: &str, call: &str, body: &str) -> (u16, Value) {
    read(ask(shop, token, call, body).await).await
}

async fn login(shop: &Mutex<Shop>, name: &str) -> String {
    let (status, body) = json_of(shop, "", "POST /auth/login", &json!({"name": name}).to_string()).await;
    assert_eq!(status, 200, "{body}");
    body["token"].as_str().unwrap().to_owned()
}

fn refusal(status: u16, message: &str, error: &str) -> (u16, Value) {
    (status, json!({"statusCode": status, "message": message, "error": error}))
}

#[tokio::test]
async fn a_login_sets_a_cookie_and_gives_a_token_that_both_tell_who_asks() {
    let shop = shop();
    let reply = ask(&shop, "", "POST /auth/login", r#"{"name":" Anna "}"#).await;
    let set = reply.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    let (_, body) = read(reply).await;
    let token = body["token"].as_str().unwrap();
    assert_eq!(set, format!("access_token={token}; HttpOnly; SameSite=Lax; Path=/"));
    assert_eq!(body["user"]["name"], "Anna");
    let (status, me) = json_of(&shop, token, "GET /auth/me", "").await;
    assert_eq!((status, &me), (200, &body["user"]));

    let cookies = format!("theme=dark; access_token={token}");
    let request = Request::get("/auth/me").header(COOKIE, cookies).body(Full::<Bytes>::default()).unwrap();
    assert_eq!(read(route::answer(&shop, request).await).await, (200, me));
}

#[tokio::test]
async fn the_bearer_token_comes_before_the_cookie() {
    let shop = shop();
    let (anna, bruno) = (login(&shop, "Anna").await, login(&shop, "Bruno").await);
    let with = |bearer: &str| {
        let request = Request::get("/auth/me").header(COOKIE, format!("access_token={bruno}"));
        request.header(AUTHORIZATION, format!("bearer {bearer}")).body(Full::<Bytes>::default()).unwrap()
    };
    assert_eq!(read(route::answer(&shop, with(&anna)).await).await.1["name"], "Anna");
    assert_eq!(route::answer(&shop, with("other")).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_same_name_is_the_same_user() {
    let shop = shop();
    let (one, two) = (login(&shop, "Anna").await, login(&shop, "anna").await);
    assert_ne!(one, two);
    let who = async |token: &str| json_of(&shop, token, "GET /auth/me", "").await;
    assert_eq!(who(&one).await, who(&two).await);
}

#[tokio::test]
async fn names_have_bounds() {
    let shop = shop();
    for body in [r#"{"name":"  "}"#, r#"{"name":"a\nb"}"#, &json!({"name": "a".repeat(33)}).to_string()] {
        let wanted = refusal(400, "name must have 1 to 32 characters", "Bad Request");
        assert_eq!(json_of(&shop, "", "POST /auth/login", body).await, wanted, "{body}");
    }
    let wanted = refusal(400, "name must be a string", "Bad Request");
    assert_eq!(json_of(&shop, "", "POST /auth/login", r#"{"name":1}"#).await, wanted);
    let wanted = refusal(400, "The body must be JSON", "Bad Request");
    assert_eq!(json_of(&shop, "", "POST /auth/login", "name=Anna").await, wanted);
}

#[tokio::test]
async fn a_logout_ends_the_session_and_only_its_own_cookie() {
    let shop = shop();
    let (anna, bruno) = (login(&shop, "Anna").await, login(&shop, "Bruno").await);
    let out = |bearer: &str| {
        let request = Request::post("/auth/logout").header(COOKIE, format!("access_token={bruno}"));
        request.header(AUTHORIZATION, format!("Bearer {bearer}")).body(Full::<Bytes>::default()).unwrap()
    };
    let reply = route::answer(&shop, out(&anna)).await;
    assert_eq!((reply.status(), reply.headers().get(SET_COOKIE)), (StatusCode::NO_CONTENT, None));
    let reply = route::answer(&shop, out(&bruno)).await;
    assert!(reply.headers()[SET_COOKIE].to_str().unwrap().ends_with("Max-Age=0"));
    let wanted = refusal(401, "This session has ended, log in again", "Unauthorized");
    assert_eq!(json_of(&shop, &anna, "GET /auth/me", "").await, wanted);
}

#[tokio::test]
async fn nothing_but_login_and_page_is_for_strangers() {
    let shop = shop();
    let calls = ["GET /auth/me", "POST /auth/logout", "GET /users/1", "GET /chat/rooms", "GET /chat/rooms/1"];
    let more = ["GET /chat/rooms/1/messages", "POST /chat/rooms/1/messages", "POST /presence/left"];
    for call in calls.iter().chain(&more) {
        let wanted = refusal(401, "Log in first", "Unauthorized");
        assert_eq!(json_of(&shop, "", call, r#"{"content":"hi"}"#).await, wanted, "{call}");
    }
}

#[tokio::test]
async fn rooms_are_listed_with_what_the_user_may_read() {
    let shop = shop();
    let (anna, staff) = (login(&shop, "Anna").await, login(&shop, "Staff Clara").await);
    let (_, rooms) = json_of(&shop, &anna, "GET /chat/rooms", "").await;
    let rooms = rooms.as_array().unwrap();
    let ids: Vec<u64> = rooms.iter().map(|room| room["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
    assert_eq!(rooms[0]["name"], "The Dispossessed, first edition");
    assert_eq!(rooms[0]["lastMessage"]["userName"], "Theo");
    assert_eq!(rooms[2]["lastMessage"], Value::Null);
    let (_, rooms) = json_of(&shop, &staff, "GET /chat/rooms", "").await;
    assert_eq!(rooms[2]["lastMessage"]["userName"], "staff Ruth");
}

#[tokio::test]
async fn membership_decides_about_room_history_and_posting() {
    let shop = shop();
    let (anna, staff) = (login(&shop, "Anna").await, login(&shop, "staff Clara").await);
    let shut = refusal(403, "Back office is open to staff only", "Forbidden");
    for call in ["GET /chat/rooms/3", "GET /chat/rooms/3/messages", "POST /chat/rooms/3/messages"] {
        assert_eq!(json_of(&shop, &anna, call, r#"{"content":"hi"}"#).await, shut, "{call}");
    }
    assert_eq!(json_of(&shop, &staff, "GET /chat/rooms/3", "").await.1["staffOnly"], true);
    let (_, history) = json_of(&shop, &staff, "GET /chat/rooms/3/messages", "").await;
    assert_eq!(history.as_array().unwrap().len(), 3);
    let missing = refusal(404, "There is no room 99", "Not Found");
    assert_eq!(json_of(&shop, &anna, "GET /chat/rooms/99", "").await, missing);
    let bad = refusal(400, "Validation failed (numeric string is expected)", "Bad Request");
    assert_eq!(json_of(&shop, &anna, "GET /chat/rooms/one", "").await, bad);
}

#[tokio::test]
async fn a_posted_message_is_answered_and_ends_the_history() {
    let shop = shop();
    let anna = login(&shop, "Anna").await;
    let body = r#"{"chatRoomId":1,"content":" Is it still there? <b>😀</b> "}"#;
    let (status, message) = json_of(&shop, &anna, "POST /chat/rooms/1/messages", body).await;
    assert_eq!(status, 201);
    assert_eq!(message["content"], "Is it still there? <b>😀</b>");
    assert_eq!((&message["chatRoomId"], &message["userName"]), (&json!(1), &json!("Anna")));
    let keys: Vec<&String> = message.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "chatRoomId", "userId", "userName", "content", "createdAt"]);
    let (_, history) = json_of(&shop, &anna, "GET /chat/rooms/1/messages?limit=2", "").await;
    assert_eq!(history.as_array().unwrap().len(), 2);
    assert_eq!(history[1], message);
    let times: Vec<&str> =
        history.as_array().unwrap().iter().map(|m| m["createdAt"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[tokio::test]
async fn a_bad_message_is_refused_with_what_would_be_right() {
    let shop = shop();
    let anna = login(&shop, "Anna").await;
    let long = json!({"content": "é".repeat(MAX_CONTENT + 1)}).to_string();
    for (body, message) in [
        (r#"{"content":"  "}"#, "content must have 1 to 2000 characters"),
        (long.as_str(), "content must have 1 to 2000 characters"),
        (r#"{"chatRoomId":2,"content":"hi"}"#, "chatRoomId must be the room of the path"),
        (r#"{"chatRoomId":1}"#, "content must be a string"),
        ("{", "The body must be JSON"),
    ] {
        let wanted = refusal(400, message, "Bad Request");
        assert_eq!(json_of(&shop, &anna, "POST /chat/rooms/1/messages", body).await, wanted);
    }
    let longest = json!({"content": "é".repeat(MAX_CONTENT)}).to_string();
    assert_eq!(json_of(&shop, &anna, "POST /chat/rooms/1/messages", &longest).await.0, 201);
    let (status, _) = json_of(&shop, &anna, "POST /chat/rooms/1/messages", &" ".repeat(70_000)).await;
    assert_eq!(status, 413);
    for limit in ["0", "201", "x", ""] {
        let call = format!("GET /chat/rooms/1/messages?limit={limit}");
        assert_eq!(json_of(&shop, &anna, &call, "").await.0, 400, "{limit}");
    }
}

#[tokio::test]
async fn a_user_who_left_was_seen() {
    let shop = shop();
    let anna = login(&shop, "Anna").await;
    let (_, me) = json_of(&shop, &anna, "GET /auth/me", "").await;
    let left = json!({"user": me["id"], "reason": "transport close"}).to_string();
    assert_eq!(ask(&shop, &anna, "POST /presence/left", &left).await.status(), StatusCode::NO_CONTENT);
    let (_, seen) = json_of(&shop, &anna, &format!("GET /users/{}", me["id"]), "").await;
    assert!(seen["lastSeen"].is_string(), "{seen}");
    assert_eq!(json_of(&shop, &anna, "POST /presence/left", r#"{"user":1}"#).await.0, 403);
    assert_eq!(json_of(&shop, &anna, "GET /users/999", "").await.0, 404);
}

#[tokio::test]
async fn the_page_and_its_assets_are_served_and_reach_nothing_outside() {
    let shop = shop();
    let page = ask(&shop, "", "GET /", "").await;
    assert_eq!(page.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
    assert!(page.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    let html = page.into_body().collect().await.unwrap().to_bytes();
    let html = std::str::from_utf8(&html).unwrap();
    let assets: Vec<&str> = html.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert!(assets.contains(&"/assets/socket.io.min.js") && assets.len() >= 4, "{assets:?}");
    assert!(!html.contains("http"), "the page works offline");
    for asset in assets {
        assert_eq!(ask(&shop, "", &format!("GET {asset}"), "").await.status(), StatusCode::OK, "{asset}");
    }
    let wanted = refusal(404, "Cannot GET /assets/../mod.rs", "Not Found");
    assert_eq!(json_of(&shop, "", "GET /assets/../mod.rs", "").await, wanted);
    let wanted = refusal(404, "Cannot DELETE /chat/rooms", "Not Found");
    assert_eq!(json_of(&shop, "", "DELETE /chat/rooms", "").await, wanted);
}

#[tokio::test]
async fn every_script_that_a_script_imports_is_served() {
    let shop = shop();
    let (mut seen, mut asked) = (vec!["app.js".to_owned()], 0);
    while let Some(name) = seen.get(asked).cloned() {
        asked += 1;
        let reply = ask(&shop, "", &format!("GET /assets/{name}"), "").await;
        assert_eq!(reply.status(), StatusCode::OK, "{name}");
        let text = reply.into_body().collect().await.unwrap().to_bytes();
        for import in std::str::from_utf8(&text).unwrap().split("from './").skip(1) {
            let import = import.split('\'').next().unwrap().to_owned();
            if !seen.contains(&import) {
                seen.push(import);
            }
        }
    }
    assert!(asked > 3, "{seen:?}");
}

#[tokio::test]
async fn the_line_for_curl_posts_into_the_first_room() {
    let shop = shop();
    let said = json_of(&shop, CURL_TOKEN, "POST /chat/rooms/1/messages", r#"{"content":"Hello"}"#).await;
    assert_eq!((said.0, &said.1["userName"]), (201, &json!("curl")));
}

#[test]
fn memory_is_bounded() {
    let mut shop = Shop::seeded(SystemTime::now());
    let anna = shop.user_named("Anna").unwrap();
    for _ in 0..MAX_MESSAGES + 5 {
        shop.post(&anna, 1, "again".to_owned(), SystemTime::now()).unwrap();
    }
    let messages = &shop.room(&anna, 1).unwrap().messages;
    assert_eq!(messages.len(), MAX_MESSAGES);
    assert!(messages.iter().all(|message| message.content == "again"), "the oldest goes first");

    for n in 0..MAX_SESSIONS {
        shop.begin(n.to_string(), &anna);
    }
    assert!(shop.session(CURL_TOKEN).is_none(), "the oldest session ends");
    assert!(shop.session("0").is_some());

    let full = (0..MAX_USERS).find_map(|n| shop.user_named(&format!("user {n}")).err());
    assert_eq!(full.unwrap().into_reply().status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(shop.user_named("Anna").is_ok(), "who is known may come back");
}

#[tokio::test]
async fn serves_over_tcp_with_keep_alive() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(super::serve(listener));
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = "HEAD / HTTP/1.1\r\nHost: shop\r\n\r\n";
    let last = "GET /auth/me HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n";
    stream.write_all(format!("{head}{last}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("HTTP/1.1 401 Unauthorized\r\n"), "{answer}");
    assert!(!answer.contains("<!doctype"), "HEAD has no body");
    server.abort();
}
