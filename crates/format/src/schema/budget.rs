//! The limits on what one message may claim, counted down while it is decoded.

use super::raw::Raw;
use crate::limits::wide;
use crate::{Error, ErrorKind, Field, IpcLimits, NotUtf8, Result, Text};

/// Slots of `KeyValue` in `Schema.fbs`.
const KEY: usize = 0;
const VALUE: usize = 1;

/// The remainder of the limits while one message is decoded.
///
/// Tables, strings and vectors of a flatbuffer may be shared, so that a few bytes can stand for any number of them. So
/// everything is counted each time that it is parsed, before it is allocated.
///
/// The budget goes wherever the walk goes. So it also knows where the walk is, and keeps metadata that is not UTF-8.
pub(crate) struct Budget<'a> {
    pub(super) limits: &'a IpcLimits,
    /// The field that is being read, from child to child.
    pub(super) field: Vec<u32>,
    not_utf8: Vec<NotUtf8>,
    /// Bytes of the flatbuffer.
    input: usize,
    nodes: usize,
    /// Bytes of strings.
    texts: usize,
    /// Bytes of everything.
    parsed: u64,
}

impl<'a> Budget<'a> {
    /// For a flatbuffer of `input` bytes.
    pub(crate) fn new(limits: &'a IpcLimits, input: usize) -> Self {
        Self {
            limits,
            field: Vec::new(),
            not_utf8: Vec::new(),
            input,
            nodes: limits.max_schema_nodes,
            texts: limits.max_metadata_bytes,
            parsed: 0,
        }
    }

    /// Metadata that is not UTF-8, found since this was called last.
    pub(crate) fn take_not_utf8(&mut self) -> Vec<NotUtf8> {
        std::mem::take(&mut self.not_utf8)
    }

    /// Takes `count` values of `T`, which are about to be allocated.
    pub(crate) fn take<T>(&mut self, count: usize) -> Result<()> {
        self.take_bytes(count.saturating_mul(size_of::<T>()))
    }

    fn take_bytes(&mut self, bytes: usize) -> Result<()> {
        self.parsed = self.parsed.saturating_add(wide(bytes));
        let allowed = self.limits.max_parsed_bytes(self.input);
        if self.parsed > allowed {
            let (input, claimed) = (wide(self.input), self.parsed);
            return Err(Error::new(ErrorKind::Amplified { input, claimed, allowed }));
        }
        Ok(())
    }

    /// Takes `count` fields.
    pub(super) fn take_nodes(&mut self, count: usize) -> Result<()> {
        let allowed = self.limits.max_schema_nodes;
        self.nodes = self.nodes.checked_sub(count).ok_or_else(|| {
            let claimed = (allowed - self.nodes).saturating_add(count);
            Error::limit("max_schema_nodes", claimed, allowed)
        })?;
        self.take::<Field>(count)
    }

    /// Copies a string. Many offsets may point at one long string, so it is copies that count.
    pub(super) fn text(&mut self, text: Option<&str>) -> Result<Text> {
        // An absent string is an empty one, as in the specification.
        let text = text.unwrap_or_default();
        self.take_text(text.len())?;
        Ok(Text::from(text))
    }

    fn take_text(&mut self, len: usize) -> Result<()> {
        let allowed = self.limits.max_metadata_bytes;
        self.texts = self.texts.checked_sub(len).ok_or_else(|| {
            let claimed = (allowed - self.texts).saturating_add(len);
            Error::limit("max_metadata_bytes", claimed, allowed)
        })?;
        self.take_bytes(len)
    }

    /// Keeps an entry of metadata that is not UTF-8.
    pub(super) fn keep(&mut self, entry: usize, pair: Raw<'_>) -> Result<()> {
        // As in `text`: an absent string is an empty one.
        let (key, value) = (pair.string(KEY).unwrap_or_default(), pair.string(VALUE).unwrap_or_default());
        self.take::<NotUtf8>(1)?;
        self.take::<u32>(self.field.len())?;
        self.take_text(key.len().saturating_add(value.len()))?;
        let (key, value) = (key.to_vec(), value.to_vec());
        self.not_utf8.push(NotUtf8 { field: self.field.clone(), entry, key, value });
        Ok(())
    }

    pub(super) fn timezone(&mut self, text: Option<&str>) -> Result<Option<Text>> {
        text.map(|text| self.text(Some(text))).transpose()
    }
}
