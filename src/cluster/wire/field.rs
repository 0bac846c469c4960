//! The fields that bodies are made of.

use std::sync::Arc;

use bytes::Bytes;

use super::Unreadable;
use crate::json::Json;

/// Entries that a list may have.
const MAX_LIST: usize = 100_000;

/// Writes fields, one after another.
#[derive(Debug, Default)]
pub(in crate::cluster) struct Writer(Vec<u8>);

/// Reads them in the same order. What is read are slices of the message.
#[derive(Debug)]
pub(in crate::cluster) struct Reader(Bytes);

impl Writer {
    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// LEB128.
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(super) fn optional_text(&mut self, text: Option<&str>) {
        self.byte(u8::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
    }

    pub(super) fn list<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Writer, &T)) {
        self.number(items.len() as u64);
        items.iter().for_each(|it| item(self, it));
    }

    pub(super) fn texts(&mut self, texts: &[Arc<str>]) {
        self.list(texts, |writer, text| writer.text(text));
    }

    pub(super) fn jsons(&mut self, jsons: &[Json]) {
        self.list(jsons, |writer, json| writer.bytes(json.bytes()));
    }

    /// What was written.
    pub(in crate::cluster) fn finish(self) -> Vec<u8> {
        self.0
    }
}

impl Reader {
    pub(super) fn new(bytes: Bytes) -> Reader {
        Reader(bytes)
    }

    fn take(&mut self, count: usize) -> Result<Bytes, Unreadable> {
        if count > self.0.len() { Err(Unreadable) } else { Ok(self.0.split_to(count)) }
    }

    pub(super) fn byte(&mut self) -> Result<u8, Unreadable> {
        self.take(1)?.first().copied().ok_or(Unreadable)
    }

    pub(super) fn flag(&mut self) -> Result<bool, Unreadable> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Unreadable),
        }
    }

    pub(super) fn number(&mut self) -> Result<u64, Unreadable> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Unreadable);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Unreadable)
    }

    pub(super) fn size(&mut self) -> Result<usize, Unreadable> {
        usize::try_from(self.number()?).map_err(|_| Unreadable)
    }

    pub(super) fn bytes(&mut self) -> Result<Bytes, Unreadable> {
        let count = self.size()?;
        self.take(count)
    }

    pub(super) fn text(&mut self) -> Result<Arc<str>, Unreadable> {
        std::str::from_utf8(&self.bytes()?).map(Into::into).map_err(|_| Unreadable)
    }

    pub(super) fn optional_text(&mut self) -> Result<Option<Arc<str>>, Unreadable> {
        if self.flag()? { self.text().map(Some) } else { Ok(None) }
    }

    /// A JSON value, checked: what is not JSON would break every client's packets.
    pub(super) fn json(&mut self) -> Result<Json, Unreadable> {
        Json::parse(self.bytes()?).map_err(|_| Unreadable)
    }

    pub(super) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Reader) -> Result<T, Unreadable>,
    ) -> Result<Vec<T>, Unreadable> {
        let count = self.size()?;
        // Each takes a byte at least.
        if count > MAX_LIST || count > self.0.len() {
            return Err(Unreadable);
        }
        (0..count).map(|_| item(self)).collect()
    }

    pub(super) fn texts(&mut self) -> Result<Vec<Arc<str>>, Unreadable> {
        self.list(Reader::text)
    }

    pub(super) fn jsons(&mut self) -> Result<Vec<Json>, Unreadable> {
        self.list(Reader::json)
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), Unreadable> {
        if self.0.is_empty() { Ok(()) } else { Err(Unreadable) }
    }
}
