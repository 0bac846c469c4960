//! `frontroom demo`: a REST chat backend, the gateway's config in front of it, and a chat page.
//!
//! The backend ([`serve`]) is what a user of frontroom already has: a plain REST API with a login,
//! rooms and messages, on a port of its own. It has no line about sockets and could be written in
//! anything. [`config`] is all that makes it live: the chat rules of the manual, word for word. The
//! page uses the stock `socket.io-client` and is served by the backend like any other path, so that
//! it reaches REST and Socket.IO on one origin.
//!
//! | call | answers |
//! | --- | --- |
//! | `POST /auth/login {name}` | `{token, user}` and a cookie `access_token`; there are no passwords |
//! | `GET /auth/me`, `POST /auth/logout` | the user; 204 |
//! | `GET /users/{id}` | `{id, name, staff, lastSeen}` |
//! | `GET /chat/rooms`, `GET /chat/rooms/{id}` | rooms; one room, or 403 for who may not see it |
//! | `GET /chat/rooms/{id}/messages?limit=` | history, oldest first |
//! | `POST /chat/rooms/{id}/messages {content}` | 201 and the message |
//! | `POST /presence/left {user, reason}` | 204 |
//!
//! Everything is in memory and bounded. Errors are `{statusCode, message, error}`, as NestJS has them.

mod backend;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub use backend::serve;

/// The rules of contract and manual, and what else a demo wants.
const CHAT: &str = include_str!("chat.yaml");

/// The gateway's config file for a demo that listens on `listen` (`HOST:PORT`) before `backend`.
pub fn config(listen: &str, backend: SocketAddr) -> String {
    // A JSON string is a YAML string; `$${` keeps the text from being read as a variable.
    let listen = serde_json::Value::from(listen).to_string().replace("${", "$${");
    format!("listen: {listen}\nupstream: http://{backend}\n{CHAT}")
}

/// What a demo prints once the gateway listens on `gateway`: the page's URL and one `curl` that
/// posts into the first room.
pub fn banner(gateway: SocketAddr, backend: SocketAddr) -> String {
    let url = url(gateway);
    let token = backend::CURL_TOKEN;
    format!(
        r#"
  A chat over a REST API that knows nothing of sockets.

  Open     {url}   in two tabs, under two names, and choose the first room

  Post     curl -s {url}/chat/rooms/1/messages -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' -d '{{"content":"Hello from curl"}}'
           A plain REST call; it appears in the open page at once

  The REST API alone is at http://{backend}. Ctrl-C ends both.
"#
    )
}

/// A URL that a browser on this machine can open.
fn url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_is_one_that_the_gateway_reads() {
        let text = config("[::1]:4000", "127.0.0.1:3001".parse().unwrap());
        let file: crate::config::file::File = serde_yaml::from_str(&text).unwrap();
        assert_eq!(file.listen.unwrap().0[0].address, "[::1]:4000");
        assert_eq!(file.upstream.as_deref(), Some("http://127.0.0.1:3001"));
        assert_eq!(file.socketio.events.len(), 4);
        assert_eq!(file.taps.len(), 1);
    }

    #[test]
    fn a_listen_address_cannot_add_keys_or_read_variables() {
        let text = config("a\"\nadmin: ${HOME}", "127.0.0.1:3001".parse().unwrap());
        assert!(text.starts_with(r#"listen: "a\"\nadmin: $${HOME}""#), "{text}");
    }

    #[test]
    fn the_banner_names_an_address_that_can_be_opened() {
        let text = banner("0.0.0.0:4000".parse().unwrap(), "127.0.0.1:3001".parse().unwrap());
        assert!(text.contains("curl -s http://127.0.0.1:4000/chat/rooms/1/messages"), "{text}");
        assert_eq!(url("[::]:80".parse().unwrap()), "http://[::1]:80");
    }
}
