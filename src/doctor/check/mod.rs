//! The checks, one file each, in the order in which a page would meet what they look at.

pub(super) mod affinity;
pub(super) mod connect;
pub(super) mod cors;
pub(super) mod handshake;
pub(super) mod heartbeat;
pub(super) mod reach;
pub(super) mod upgrade;

use super::answer::{Answer, Opening};
use super::client::{Ask, Client, Jar, Trouble};

/// The query of a polling request.
const POLLING: &str = "EIO=4&transport=polling";

/// A polling session.
struct Polling<'a> {
    client: &'a Client,
    jar: Jar,
    target: String,
}

impl<'a> Polling<'a> {
    /// Opens one; `None` when the answer was no open packet.
    async fn open(client: &'a Client) -> Result<Option<Polling<'a>>, Trouble> {
        let mut jar = Jar::default();
        let answer = client.ask(Ask::get(client.site.engine(POLLING)), &mut jar).await?;
        let Some(Opening { sid, .. }) = Opening::read(&answer.text()) else { return Ok(None) };
        let target = client.site.engine(&format!("{POLLING}&sid={sid}"));
        Ok(Some(Polling { client, jar, target }))
    }

    async fn post(&mut self, packets: &str) -> Result<Answer, Trouble> {
        self.client.ask(Ask::post(self.target.clone(), packets.to_owned()), &mut self.jar).await
    }

    async fn get(&mut self, ask: impl Fn(Ask) -> Ask) -> Result<Answer, Trouble> {
        self.client.ask(ask(Ask::get(self.target.clone())), &mut self.jar).await
    }

    /// Ends it, so that the server need not wait for its next ping.
    async fn close(mut self) {
        let _ = self.post("1").await;
    }
}
