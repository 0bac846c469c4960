//! The REST API asked without anyone in between: what of a time is its own and the generator's.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::Failure;
use super::echo::data;
use super::paced::Line;

/// Keep-alive connections to the API.
pub(super) struct Direct {
    poll: Poll,
    events: Events,
    connections: Vec<(TcpStream, Vec<u8>)>,
    /// Bytes of an answer: all are alike.
    answer: usize,
}

impl Direct {
    pub(super) fn connect(address: SocketAddr, count: usize, answer: usize) -> io::Result<Direct> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(count);
        for id in 0..count {
            let stream = std::net::TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(id), Interest::READABLE)?;
            connections.push((stream, Vec::new()));
        }
        Ok(Direct { poll, events: Events::with_capacity(64), connections, answer })
    }
}

impl Line for Direct {
    fn clients(&self) -> usize {
        self.connections.len()
    }

    fn send(&mut self, client: usize) -> Result<(), Failure> {
        let body = data(0);
        let request = format!(
            "POST /rooms/7/messages HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let (stream, _) = self.connections.get_mut(client).ok_or("no such client")?;
        // So little fits into every send buffer.
        Ok(stream.write_all(request.as_bytes())?)
    }

    fn turn(&mut self, heard: &mut Vec<usize>) -> Result<(), Failure> {
        heard.clear();
        self.poll.poll(&mut self.events, Some(Duration::ZERO))?;
        let mut buffer = [0; 4096];
        for event in &self.events {
            let client = event.token().0;
            let (stream, unread) = self.connections.get_mut(client).ok_or("no such client")?;
            loop {
                match stream.read(&mut buffer) {
                    Ok(0) => return Err("LOSS: a connection".into()),
                    Ok(count) => unread.extend_from_slice(buffer.get(..count).unwrap_or_default()),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
            while unread.len() >= self.answer {
                unread.drain(..self.answer);
                heard.push(client);
            }
        }
        Ok(())
    }
}
