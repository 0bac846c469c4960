//! One TCP connection of a client: bytes read and not yet understood, bytes not yet taken by the kernel.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::wire::Speech;

/// One TCP connection of a client.
pub(super) struct Connection {
    stream: TcpStream,
    pub(super) speech: Speech,
    /// The client it belongs to, and which of its connections it is.
    pub(super) owner: (usize, usize),
    pub(super) partial: Vec<u8>,
    unsent: Vec<u8>,
}

impl Connection {
    pub(super) fn open(address: SocketAddr, owner: (usize, usize)) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        Ok(Connection { stream, speech: Speech::Http, owner, partial: Vec::new(), unsent: Vec::new() })
    }

    pub(super) fn register(&mut self, registry: &Registry, token: usize) -> io::Result<()> {
        registry.register(&mut self.stream, Token(token), Interest::READABLE | Interest::WRITABLE)
    }

    /// Reads once; `None` when nothing is there.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self.stream.read(buffer) {
            Ok(count) => Ok(Some(count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Adds to what is written by [`flush`](Self::flush); whether nothing waited before.
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        let first = self.unsent.is_empty();
        self.unsent.extend_from_slice(bytes);
        first
    }

    /// Writes what waits, as far as the kernel takes it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(count) if count == self.unsent.len() => self.unsent = Vec::new(),
                Ok(count) => drop(self.unsent.drain(..count)),
                // Not connected yet: the kernel tells when it is.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
