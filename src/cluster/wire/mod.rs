//! What nodes say to one another: our own binary format, version 2 of it would have another first byte.
//!
//! `version (1) sender (8) number (8) seal (16) body`, integers big-endian. The seal is the first half of an
//! HMAC-SHA256 over the channel and all the rest, with a key made of `cluster.node.secret`: whoever reaches Redis and
//! does not know the secret says nothing. A body is one byte for its kind and its fields; numbers in it are LEB128,
//! texts and binary have their length before them. Payloads are neither escaped nor encoded.

mod command;
mod field;
mod message;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use super::key::Keys;
use super::registry::NodeId;
pub(super) use field::{Reader, Writer};
pub(super) use message::{
    Action, Asked, Given, Numbers, Said, act, answer, bye, find, heed, here, list, perform, question, recall,
    rooms,
};

/// First byte of every message.
const VERSION: u8 = 1;

/// Bytes before the body.
const HEAD: usize = 1 + 8 + 8 + SEAL;

/// Bytes of a seal.
const SEAL: usize = 16;

/// Largest message. Redis closes subscribers for whom more than this waits (`client-output-buffer-limit`).
pub(super) const MAX_MESSAGE: usize = 32_000_000;

/// What is no message of another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Seals messages.
#[derive(Clone)]
pub(super) struct Seal(Keys);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

/// A message with its head.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) sender: NodeId,
    /// Counts the messages of its sender to all; 0 for one to a single node.
    pub(super) number: u64,
    body: Bytes,
}

impl Seal {
    /// Of what all nodes know, the newest first.
    pub(super) fn new(secrets: &[String]) -> Seal {
        Seal(Keys::derive(secrets, "frontroom cluster bus"))
    }

    /// A whole message.
    pub(super) fn seal(&self, channel: &str, sender: NodeId, number: u64, body: &[u8]) -> Bytes {
        let mut message = Vec::with_capacity(HEAD + body.len());
        message.push(VERSION);
        message.extend(sender.number().to_be_bytes());
        message.extend(number.to_be_bytes());
        let seal = self.0.code(&[channel.as_bytes(), &[0], &message, body]);
        message.extend(seal.into_iter().take(SEAL));
        message.extend_from_slice(body);
        message.into()
    }

    /// Opens a message that came over a channel.
    pub(super) fn open(&self, channel: &str, message: &Bytes) -> Result<Message, Unreadable> {
        if message.len() > MAX_MESSAGE {
            return Err(Unreadable);
        }
        let (head, rest) = message.split_at_checked(HEAD - SEAL).ok_or(Unreadable)?;
        let (seal, body) = rest.split_at_checked(SEAL).ok_or(Unreadable)?;
        let (version, numbers) = head.split_first().ok_or(Unreadable)?;
        let number = |from: usize| {
            let bytes = numbers.get(from..from + 8).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u64::from_be_bytes).ok_or(Unreadable)
        };
        let (sender, number) = (number(0)?, number(8)?);
        if *version != VERSION || !self.0.knows(&[channel.as_bytes(), &[0], head, body], seal) {
            return Err(Unreadable);
        }
        let sender = NodeId::from_number(sender).ok_or(Unreadable)?;
        Ok(Message { sender, number, body: message.slice_ref(body) })
    }
}

impl Message {
    /// What it says.
    pub(super) fn said(self) -> Result<Said, Unreadable> {
        let mut reader = Reader::new(self.body);
        let said = Said::read(&mut reader)?;
        reader.end()?;
        Ok(said)
    }
}
