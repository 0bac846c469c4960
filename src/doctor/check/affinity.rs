//! Twenty polls, each on a connection of its own: do a session's requests reach the server that knows it?

use super::Polling;
use crate::doctor::advice::Problem;
use crate::doctor::client::{Client, Trouble};
use crate::doctor::report::Finding;

const CHECK: &str = "session affinity";

/// Sessions, with two polls each after their handshake.
const SESSIONS: usize = 10;

/// Asks twenty times.
pub(in crate::doctor) async fn check(client: &Client) -> Finding {
    let (mut unknown, mut other) = (Vec::new(), Vec::new());
    for _ in 0..SESSIONS {
        let answers = match two_polls(client).await {
            Ok(answers) => answers,
            Err(trouble) => {
                other.push(trouble.to_string());
                continue;
            }
        };
        for answer in answers {
            match (answer.status.is_success(), answer.engine_code()) {
                (true, _) => {}
                (false, Some(1)) => unknown.push(answer),
                (false, _) => other.push(answer.shown()),
            }
        }
    }
    let polls = SESSIONS * 2;
    match (unknown.as_slice(), other.as_slice()) {
        ([], []) => {
            Finding::ok(CHECK, format!("{polls} polls on connections of their own, every session known"))
        }
        ([first, ..], _) => {
            let seen = format!("{} of {polls} polls: {}", unknown.len(), first.shown());
            Finding::fail(CHECK, seen).because(Problem::NoAffinity).by(first)
        }
        ([], [first, ..]) => {
            let seen = format!("{} of {polls} polls failed: {first}", other.len());
            Finding::fail(CHECK, seen).because(Problem::BadGateway)
        }
    }
}

/// A POST that enters the namespace, and the GET that fetches the answer.
async fn two_polls(client: &Client) -> Result<Vec<crate::doctor::answer::Answer>, Trouble> {
    let Some(mut session) = Polling::open(client).await? else {
        return Err(Trouble::Broken("no open packet".to_owned()));
    };
    let connect = client.site.connect_packet();
    let posted = session.post(&connect).await?;
    let got = session.get(|ask| ask).await?;
    session.close().await;
    Ok(vec![posted, got])
}
