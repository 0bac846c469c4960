//! Whether anybody answers, over TLS where the URL says so.

use crate::doctor::advice::Problem;
use crate::doctor::client::{Ask, Client, Jar};
use crate::doctor::report::Finding;

const CHECK: &str = "reach";

/// Asks for the site's own path. Any answer will do: whether it is a good one is the site's business.
pub(in crate::doctor) async fn check(client: &Client) -> Finding {
    let mut ask = Ask::get(client.site.base.clone());
    if let Some((name, value)) = client.authorization() {
        ask = ask.header(name, value);
    }
    match client.ask(ask, &mut Jar::default()).await {
        Ok(answer) => {
            let server =
                answer.value("server").map(|server| format!(", Server: {server}")).unwrap_or_default();
            let seen = format!("{} answers {}{server}", client.site.base, answer.status.as_u16());
            Finding::ok(CHECK, seen)
        }
        Err(trouble) => Finding::fail(CHECK, trouble.to_string()).because(Problem::Unreachable),
    }
}
