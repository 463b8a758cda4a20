//! Messages from files and streams into a file or a stream, without decoding arrays.
//!
//! ```text
//!   schema message    as it is, or from the footer's schema if a file has none that says the same
//!   dictionaries      first, in the order of the footer: what follows the batches in a file would be too late in a stream
//!   batches           as they are; heads are written anew only where bodies are compressed anew, or padded to 8 bytes
//!   end marker, and the footer of a file
//! ```
//!
//! Adjoining messages are copied as one piece. [`recompress`](crate::recompress) changes bodies.

use std::io::{self, Write};
use std::ops::Range;

use floe_format::constants::{END_OF_STREAM, FILE_MAGIC, FILE_PREFIX, LAYOUT_KEY};
use floe_format::{Block, IpcLimits, KeyValues, MessageEncoder, Schema, Version, write_head};

use crate::agree::differs;
use crate::copy_error::CopyError;
use crate::fault::{AtByte, Fault, MessageId};
use crate::recompress::{Bodies, Recompression};
use crate::scan::{Contents, Found, MessageInfo, Scanner};
use crate::source::ReadAt;

/// The format to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A file, with a footer.
    File,
    /// A stream.
    Stream,
}

/// Where copies go.
pub trait Sink: Write {
    /// Writes a range of a source. The default goes through memory, a mebibyte at a time.
    ///
    /// # Errors
    /// When reading or writing fails.
    fn copy(&mut self, source: &dyn ReadAt, range: Range<u64>) -> io::Result<()> {
        let mut at = range.start;
        let mut piece = vec![0; usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(1 << 20)];
        while at < range.end {
            let len = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(piece.len());
            let bytes = piece.get_mut(..len).unwrap_or_default();
            source.read_exact_at(bytes, at)?;
            self.write_all(bytes)?;
            at += len as u64;
        }
        Ok(())
    }
}

impl Sink for Vec<u8> {}

/// Writes a file or a stream out of messages of others.
pub struct Copier<S: Sink> {
    out: S,
    target: Target,
    position: u64,
    bodies: Bodies,
    /// Whether buffers change; otherwise heads are written anew only where bodies have to be padded.
    recompresses: bool,
    encoder: MessageEncoder,
    limits: IpcLimits,
    schema: Option<Schema>,
    version: Version,
    dictionaries: Vec<Block>,
    batches: Vec<Block>,
    /// The dictionaries that have been written into a file.
    known: Vec<Known>,
    rows: u64,
}

/// A dictionary of a file. It may be given values once, and more by deltas: inputs that bring others have to be decoded.
struct Known {
    id: i64,
    /// Its messages, head and body: the values, and the deltas behind them.
    messages: Vec<Vec<u8>>,
    /// How many of them the current stream has had. Deltas come behind values.
    had: usize,
}

/// The counters of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Record batches.
    pub batches: usize,
    /// Rows of them.
    pub rows: u64,
    /// Bytes in all.
    pub bytes: u64,
}

impl<S: Sink> Copier<S> {
    /// A copier that has written nothing yet. `recompression` says what becomes of the buffers; without, they stay.
    pub fn new(out: S, target: Target, recompression: Option<Recompression>, limits: IpcLimits) -> Self {
        Self {
            out,
            target,
            position: 0,
            recompresses: recompression.is_some(),
            bodies: recompression.map_or_else(|| Bodies::as_they_are(limits), |to| Bodies::new(to, limits)),
            encoder: MessageEncoder::new(),
            limits,
            schema: None,
            version: Version::V5,
            dictionaries: Vec::new(),
            batches: Vec::new(),
            known: Vec::new(),
            rows: 0,
        }
    }

    /// Copies all of a source: its whole messages, if it is cut off. `each` is told the rows and bytes so far.
    ///
    /// # Errors
    /// [`CopyError`]; the output up to then is not complete.
    pub fn copy_all(
        &mut self,
        source: &dyn ReadAt,
        contents: &Contents,
        each: &mut dyn FnMut(u64, u64),
    ) -> std::result::Result<(), CopyError> {
        for number in 0..contents.streams.len() {
            self.begin(source, contents, number)?;
            // A file has its dictionaries first; in a stream they may be replaced between batches.
            let messages = match contents.footer {
                Some(_) => contents.dictionaries.iter().chain(&contents.batches).copied().collect(),
                None => contents.in_order(),
            };
            let mut piece: Option<Range<u64>> = None;
            for message in messages.iter().filter(|message| message.stream == number) {
                self.message(source, message, &mut piece)?;
                each(self.rows, message.end());
            }
            self.flush(source, &mut piece)?;
        }
        Ok(())
    }

    pub(crate) fn begin(
        &mut self,
        source: &dyn ReadAt,
        contents: &Contents,
        stream: usize,
    ) -> std::result::Result<(), CopyError> {
        let messages =
            contents.dictionaries.iter().chain(&contents.batches).filter(|message| message.stream == stream);
        let Some(stream) = contents.streams.get(stream) else { return Ok(()) };
        for message in messages.clone().filter(|message| !self.stays(message)) {
            self.bodies.check(&stream.schema, message.version).map_err(CopyError::Impossible)?;
        }
        for known in &mut self.known {
            known.had = 0;
        }
        if let Some(first) = &self.schema {
            return match differs(first, &stream.schema) {
                None => Ok(()),
                Some(how) => Err(CopyError::Impossible(how)),
            };
        }
        let version = messages.map(|message| message.version);
        let version =
            version.chain(stream.schema_message.map(|message| message.version)).next().unwrap_or_default();
        self.version = if self.recompresses { Version::V5 } else { version };
        if self.target == Target::File {
            self.write(&FILE_PREFIX)?;
        }
        match stream.schema_message {
            Some(message)
                if !self.recompresses && message.head_len.is_multiple_of(8) && message.body_len == 0 =>
            {
                let range = message.offset..message.end();
                self.copy_range(source, &range)?;
            },
            _ => {
                stream.schema.check_encodable().map_err(|error| Fault::of(0, &error))?;
                let mut head = Vec::new();
                write_head(&mut head, self.encoder.schema(&stream.schema), self.position)
                    .map_err(|error| Fault::of(0, &error))?;
                self.write(&head)?;
            },
        }
        self.schema = Some(stream.schema.clone());
        Ok(())
    }

    /// Copies a message, or notes that it adjoins the piece to be copied.
    fn message(
        &mut self,
        source: &dyn ReadAt,
        message: &MessageInfo,
        piece: &mut Option<Range<u64>>,
    ) -> std::result::Result<(), CopyError> {
        if self.is_known(source, message)? {
            return Ok(());
        }
        let (head_len, body_len) = if self.stays(message) {
            if piece.as_ref().is_none_or(|piece| piece.end != message.offset) {
                self.flush(source, piece)?;
                *piece = Some(message.offset..message.offset);
            }
            if let Some(piece) = piece {
                piece.end = message.end();
            }
            (message.head_len, message.body_len)
        } else {
            self.flush(source, piece)?;
            self.rewrite(source, message)?
        };
        let pending = piece.as_ref().map_or(0, |piece| piece.end - piece.start);
        let offset = self.position + pending - head_len - body_len;
        let metadata_len = u32::try_from(head_len)
            .map_err(|_| Fault::new(message.offset, "a head of more than 4 GiB").within(message.id))?;
        let block = Block { offset, metadata_len, body_len };
        match message.id {
            MessageId::Dictionary(_) => self.dictionaries.push(block),
            _ => {
                self.batches.push(block);
                self.rows = self.rows.saturating_add(message.rows as u64);
            },
        }
        Ok(())
    }

    /// Whether a message is copied byte for byte.
    fn stays(&self, message: &MessageInfo) -> bool {
        !self.recompresses && message.head_len.is_multiple_of(8) && message.body_len.is_multiple_of(8)
    }

    /// Whether a message is of a dictionary of a file, and has been written already. One that says something else than
    /// the message in its place did cannot be copied: keys would mean other values.
    pub(crate) fn is_known(
        &mut self,
        source: &dyn ReadAt,
        message: &MessageInfo,
    ) -> std::result::Result<bool, CopyError> {
        let (Some((id, is_delta)), Target::File) = (message.dictionary, self.target) else {
            return Ok(false);
        };
        let mut bytes = Vec::new();
        crate::body::read_whole(source, message, &mut bytes)?;
        let at = match self.known.iter().position(|known| known.id == id) {
            Some(at) => at,
            None => {
                self.known.push(Known { id, messages: Vec::new(), had: 0 });
                self.known.len() - 1
            },
        };
        let Some(known) = self.known.get_mut(at) else { return Ok(false) };
        let number = if is_delta { known.had } else { 0 };
        if is_delta && number == 0 {
            return Err(CopyError::Impossible(format!(
                "dictionary {id} has a delta and no values before it"
            )));
        }
        known.had = number + 1;
        match known.messages.get(number) {
            None => {
                known.messages.push(bytes);
                Ok(false)
            },
            Some(written) if *written == bytes => Ok(true),
            Some(_) => Err(CopyError::Impossible(format!(
                "dictionary {id} has other values here than before, which a file has no place for"
            ))),
        }
    }

    /// Writes a message with a new head; its lengths.
    fn rewrite(
        &mut self,
        source: &dyn ReadAt,
        info: &MessageInfo,
    ) -> std::result::Result<(u64, u64), CopyError> {
        let found = Scanner::new(source, &self.limits).message(info.offset)?;
        let Found::Message(message, _) = found else {
            return Err(Fault::new(info.offset, "the source has changed").within(info.id).into());
        };
        let body = self.bodies.make(source, info, &message)?;
        let metadata = match (&message.header, body.header) {
            (floe_format::Header::Dictionary(old), batch) => {
                let new = floe_format::DictionaryHeader { id: old.id, is_delta: old.is_delta, batch };
                self.encoder.dictionary(&new, body.len, &message.metadata)
            },
            (_, batch) => self.encoder.batch(&batch, body.len, &message.metadata),
        };
        let metadata = metadata.at_byte(info.offset)?;
        let mut head = Vec::new();
        write_head(&mut head, metadata, self.position).at_byte(info.offset)?;
        self.write(&head)?;
        let mut at = 0;
        for (spec, bytes) in body.buffers {
            self.pad(spec.offset.saturating_sub(at))?;
            self.write(&bytes)?;
            at = spec.offset + bytes.len() as u64;
        }
        self.pad(body.len.saturating_sub(at))?;
        Ok((head.len() as u64, body.len))
    }

    fn pad(&mut self, len: u64) -> io::Result<()> {
        let zeros = [0; 64];
        let len = usize::try_from(len).unwrap_or(zeros.len()).min(zeros.len());
        self.write(zeros.get(..len).unwrap_or_default())
    }

    fn flush(&mut self, source: &dyn ReadAt, piece: &mut Option<Range<u64>>) -> io::Result<()> {
        match piece.take() {
            Some(range) => self.copy_range(source, &range),
            None => Ok(()),
        }
    }

    fn copy_range(&mut self, source: &dyn ReadAt, range: &Range<u64>) -> io::Result<()> {
        self.out.copy(source, range.clone())?;
        self.position += range.end - range.start;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// Writes the end, and of a file the footer with this metadata of its own.
    ///
    /// # Errors
    /// [`CopyError`].
    pub fn finish(mut self, metadata: &KeyValues) -> std::result::Result<(S, Copied), CopyError> {
        let Some(schema) = self.schema.take() else {
            return Err(CopyError::Impossible("there is no input".into()));
        };
        self.write(&END_OF_STREAM)?;
        if self.target == Target::File {
            let blocks = (&self.dictionaries, &self.batches);
            let is_true = |key: &str| !self.recompresses || key != LAYOUT_KEY;
            let metadata: KeyValues = metadata.iter().filter(|(key, _)| is_true(key)).cloned().collect();
            let footer = self.encoder.footer_of(&schema, blocks.0, blocks.1, &metadata, self.version);
            let footer = footer.at_byte(0)?.to_vec();
            let len =
                i32::try_from(footer.len()).map_err(|_| Fault::new(0, "a footer of more than 2 GiB"))?;
            self.write(&footer)?;
            self.write(&len.to_le_bytes())?;
            self.write(&FILE_MAGIC)?;
        }
        self.out.flush()?;
        let copied = Copied { batches: self.batches.len(), rows: self.rows, bytes: self.position };
        Ok((self.out, copied))
    }
}
