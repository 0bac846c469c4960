//! Header fields as a list, in the order in which they came.

use std::fmt;
use std::iter::Map;
use std::{slice, vec};

use http::{HeaderMap, HeaderName, HeaderValue};

/// The fields of a head (RFC 9110 5). A message has a dozen or two and is asked for three times as many that it does not
/// have: a list that knows which names it cannot hold answers that without hashing, and is made and dropped for less.
///
/// Names are asked for by [`HeaderName`], or in lower case.
#[derive(Clone, Default)]
pub struct Fields {
    lines: Vec<Line>,
    /// A [`bit`] for every tag among the lines, and maybe some of lines that are gone.
    seen: u64,
}

/// One of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    tag: u32,
    name: HeaderName,
    value: HeaderValue,
}

impl Line {
    fn is(&self, tag: u32, name: &str) -> bool {
        self.tag == tag && self.name.as_str() == name
    }
}

/// What names a field that is added.
pub trait IntoName {
    /// The name.
    fn into_name(self) -> HeaderName;
}

impl IntoName for HeaderName {
    fn into_name(self) -> HeaderName {
        self
    }
}

impl IntoName for &HeaderName {
    fn into_name(self) -> HeaderName {
        self.clone()
    }
}

impl IntoName for &'static str {
    fn into_name(self) -> HeaderName {
        HeaderName::from_static(self)
    }
}

/// Tells most names apart: their length and their ends. What is equal has an equal tag.
#[inline]
fn tag(name: &str) -> u32 {
    let bytes = name.as_bytes();
    let end = |byte: Option<&u8>| byte.copied().map_or(0, u32::from);
    end(bytes.first()) | end(bytes.last()) << 8 | (bytes.len() as u32) << 16
}

/// The bit of a tag in [`Fields::seen`].
#[inline]
fn bit(tag: u32) -> u64 {
    1 << ((tag ^ tag >> 5 ^ tag >> 13) & 63)
}

impl Fields {
    /// None.
    pub const fn new() -> Fields {
        Fields { lines: Vec::new(), seen: 0 }
    }

    /// None, with memory for so many.
    pub fn with_capacity(lines: usize) -> Fields {
        Fields { lines: Vec::with_capacity(lines), seen: 0 }
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Makes room for so many more lines.
    pub fn reserve(&mut self, additional: usize) {
        self.lines.reserve(additional);
    }

    /// For how many lines there is memory.
    pub fn capacity(&self) -> usize {
        self.lines.capacity()
    }

    /// Removes all lines and keeps the memory.
    pub fn clear(&mut self) {
        self.lines.clear();
        self.seen = 0;
    }

    /// Where the first line of a name is.
    fn find(&self, name: &str) -> Option<usize> {
        let tag = tag(name);
        if self.seen & bit(tag) == 0 {
            return None;
        }
        self.lines.iter().position(|line| line.is(tag, name))
    }

    /// Whether there is a line of that name.
    pub fn contains_key(&self, name: impl AsRef<str>) -> bool {
        self.find(name.as_ref()).is_some()
    }

    /// The first value of that name.
    pub fn get(&self, name: impl AsRef<str>) -> Option<&HeaderValue> {
        self.find(name.as_ref()).and_then(|index| self.lines.get(index)).map(|line| &line.value)
    }

    /// The value of that name, if it has one line and no more.
    pub fn get_only(&self, name: impl AsRef<str>) -> Option<&HeaderValue> {
        let mut values = self.get_all(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// All values of that name, line by line.
    pub fn get_all(&self, name: impl AsRef<str>) -> Values<'_> {
        let lines = self.find(name.as_ref()).and_then(|first| self.lines.get(first..)).unwrap_or_default();
        Values { first: lines.first(), lines: lines.iter() }
    }

    /// Adds a line behind the others.
    pub fn append(&mut self, name: impl IntoName, value: HeaderValue) {
        let name = name.into_name();
        let tag = tag(name.as_str());
        self.seen |= bit(tag);
        self.lines.push(Line { tag, name, value });
    }

    /// Makes this the only line of that name, in the place of the first if there was one.
    pub fn insert(&mut self, name: impl IntoName, value: HeaderValue) {
        let name = name.into_name();
        if !self.contains_key(&name) {
            return self.append(name, value);
        }
        let mut value = Some(value);
        self.lines
            .retain_mut(|line| line.name != name || value.take().map(|value| line.value = value).is_some());
    }

    /// Removes all lines of that name; the value of the first.
    pub fn remove(&mut self, name: impl AsRef<str>) -> Option<HeaderValue> {
        let (name, first) = (name.as_ref(), self.find(name.as_ref())?);
        let removed = self.lines.remove(first);
        self.lines.retain(|line| !line.is(removed.tag, name));
        Some(removed.value)
    }

    /// Keeps the lines for whose names `keeps` is true.
    pub fn retain(&mut self, mut keeps: impl FnMut(&HeaderName) -> bool) {
        self.lines.retain(|line| keeps(&line.name));
    }

    /// The lines.
    pub fn iter(&self) -> Lines<'_> {
        self.lines.iter().map(|line| (&line.name, &line.value))
    }

    /// The names, each once.
    pub fn keys(&self) -> impl Iterator<Item = &HeaderName> {
        let first = |(index, line): (usize, &'_ Line)| self.find(line.name.as_str()) == Some(index);
        self.lines.iter().enumerate().filter(move |at| first(*at)).map(|(_, line)| &line.name)
    }
}

/// The values of one name.
pub struct Values<'a> {
    first: Option<&'a Line>,
    lines: slice::Iter<'a, Line>,
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a HeaderValue;

    fn next(&mut self) -> Option<&'a HeaderValue> {
        let first = self.first?;
        self.lines.find(|line| line.tag == first.tag && line.name == first.name).map(|line| &line.value)
    }
}

/// Names and values, in order.
pub type Lines<'a> = Map<slice::Iter<'a, Line>, fn(&'a Line) -> (&'a HeaderName, &'a HeaderValue)>;

impl PartialEq for Fields {
    fn eq(&self, other: &Fields) -> bool {
        self.lines == other.lines
    }
}

impl Eq for Fields {}

impl fmt::Debug for Fields {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

/// The value of a field that is there.
#[cfg(test)]
impl std::ops::Index<&str> for Fields {
    type Output = HeaderValue;

    fn index(&self, name: &str) -> &HeaderValue {
        self.get(name).unwrap_or_else(|| panic!("there is no {name}"))
    }
}

impl<'a> IntoIterator for &'a Fields {
    type Item = (&'a HeaderName, &'a HeaderValue);
    type IntoIter = Lines<'a>;

    fn into_iter(self) -> Lines<'a> {
        self.iter()
    }
}

impl IntoIterator for Fields {
    type Item = (HeaderName, HeaderValue);
    type IntoIter = Map<vec::IntoIter<Line>, fn(Line) -> (HeaderName, HeaderValue)>;

    fn into_iter(self) -> Self::IntoIter {
        self.lines.into_iter().map(|line| (line.name, line.value))
    }
}

impl Extend<(HeaderName, HeaderValue)> for Fields {
    fn extend<T: IntoIterator<Item = (HeaderName, HeaderValue)>>(&mut self, lines: T) {
        lines.into_iter().for_each(|(name, value)| self.append(name, value));
    }
}

impl From<HeaderMap> for Fields {
    fn from(map: HeaderMap) -> Fields {
        let mut fields = Fields::with_capacity(map.len());
        let mut last = None;
        for (name, value) in map {
            // A map says a name once for all its values.
            last = name.or(last);
            if let Some(name) = &last {
                fields.append(name.clone(), value);
            }
        }
        fields
    }
}

impl From<Fields> for HeaderMap {
    fn from(fields: Fields) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(fields.len());
        for Line { name, value, .. } in fields.lines {
            map.append(name, value);
        }
        map
    }
}
