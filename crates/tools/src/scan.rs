//! The messages of a source, found by their heads: bodies are not read.
//!
//! ```text
//!   ARROW1, footer whole -----> File        messages by the footer: dictionaries, then batches
//!   ARROW1, no footer --------> Unfinished  messages one after another from byte 8, as far as they are whole
//!   a message ----------------> Streams     messages one after another; behind an end marker the next stream
//! ```

use floe_format::constants::{FILE_MAGIC, FILE_PREFIX, FILE_SUFFIX_LEN};
use floe_format::sniff::check_stream;
use floe_format::{
    Block, Codec, Decoder, Error, ErrorKind, Footer, Header, IpcLimits, Message, Schema, Step, Version,
    decode_footer, footer_len,
};

use crate::fault::{AtByte, Fault, MessageId, Result};
use crate::source::{ReadAt, Window};

/// The format of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An IPC file with its footer.
    File,
    /// The beginning of an IPC file: its footer is missing or broken.
    Unfinished,
    /// One IPC stream, or several one behind another.
    Streams,
}

/// The place and the kind of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageInfo {
    /// Which one it is. Batches and dictionaries are numbered over the whole source.
    pub id: MessageId,
    /// The stream that it is of: 0 in a file.
    pub stream: usize,
    /// Where its head begins.
    pub offset: u64,
    /// Bytes of its head, padding included.
    pub head_len: u64,
    /// Bytes of its body.
    pub body_len: u64,
    /// Rows, of a batch or dictionary.
    pub rows: usize,
    /// The codec of its buffers.
    pub codec: Option<Codec>,
    /// A dictionary's id, and whether it is a delta.
    pub dictionary: Option<(i64, bool)>,
    /// The metadata version.
    pub version: Version,
}

impl MessageInfo {
    /// Where its body begins.
    #[must_use]
    pub fn body(&self) -> u64 {
        self.offset.saturating_add(self.head_len)
    }

    /// Where it ends.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.body().saturating_add(self.body_len)
    }
}

/// A stream of a source, or the one inside a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// The schema: of the footer, where there is one.
    pub schema: Schema,
    /// The schema message, if it could be read and says the same.
    pub schema_message: Option<MessageInfo>,
    /// Whether the end marker was seen. Of a file it is not looked for.
    pub ended: bool,
}

/// The messages of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The format of the source.
    pub kind: Kind,
    /// Bytes of the source.
    pub len: u64,
    /// Its streams: one, in a file.
    pub streams: Vec<StreamInfo>,
    /// Dictionary batches, in the order in which they apply.
    pub dictionaries: Vec<MessageInfo>,
    /// Record batches, in order.
    pub batches: Vec<MessageInfo>,
    /// The footer of a file.
    pub footer: Option<Footer>,
    /// Where the footer begins, or the last whole message ends.
    pub end: u64,
    /// The fault that stopped the walk before the end of the source.
    pub fault: Option<Fault>,
}

impl Contents {
    /// Rows of all batches.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.batches.iter().fold(0, |rows, batch| rows.saturating_add(batch.rows as u64))
    }

    /// The format of the source, for people.
    #[must_use]
    pub fn kind_name(&self) -> String {
        match self.kind {
            Kind::File => "Arrow IPC file".into(),
            Kind::Unfinished => "Arrow IPC file without a footer".into(),
            Kind::Streams if self.streams.len() > 1 => format!("{} Arrow IPC streams", self.streams.len()),
            Kind::Streams => "Arrow IPC stream".into(),
        }
    }

    /// Whether nothing is missing: no fault, and a footer or an end.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.fault.is_none() && self.kind != Kind::Unfinished
    }

    /// The dictionaries and batches in the order of their bytes.
    #[must_use]
    pub fn in_order(&self) -> Vec<MessageInfo> {
        let mut all: Vec<MessageInfo> = self.dictionaries.iter().chain(&self.batches).copied().collect();
        all.sort_by_key(|message| message.offset);
        all
    }

    /// The schema of a message's stream.
    #[must_use]
    pub fn schema_of(&self, message: &MessageInfo) -> Option<&Schema> {
        self.streams.get(message.stream).map(|stream| &stream.schema)
    }
}

/// Is told of every dictionary and batch as it is found.
pub type Visit<'a> = &'a mut dyn FnMut(&MessageInfo, &Message) -> Result<()>;

/// Finds the messages of a source, and shows each head to `visit`.
///
/// A source that is cut off, or broken behind its schema, is no error: [`Contents::fault`] says where it stops.
///
/// ```
/// use floe_format::{IpcLimits, MessageEncoder, Schema, constants, write_head};
///
/// let mut stream = Vec::new();
/// write_head(&mut stream, MessageEncoder::new().schema(&Schema::default()), 0)?;
/// stream.extend_from_slice(&constants::END_OF_STREAM);
/// let contents = floe_tools::scan(&stream, &IpcLimits::default(), &mut |_, _| Ok(())).unwrap();
/// assert!(contents.is_whole() && contents.batches.is_empty());
/// # Ok::<(), floe_format::Error>(())
/// ```
///
/// # Errors
/// When it is of another format, has no readable schema, or `visit` fails.
pub fn scan(source: &dyn ReadAt, limits: &IpcLimits, visit: Visit<'_>) -> Result<Contents> {
    let mut scanner = Scanner { window: Window::new(source), limits, len: source.len() };
    let start = scanner.window.get(0, 4 << 10).at_byte(0)?.to_vec();
    if !start.starts_with(&FILE_MAGIC) {
        check_stream(&start).at_byte(0)?;
        return scanner.streams(Kind::Streams, 0, visit);
    }
    match scanner.footer() {
        Ok((footer, at)) => scanner.file(footer, at, visit),
        Err(why) => {
            let mut contents = scanner.streams(Kind::Unfinished, FILE_PREFIX.len() as u64, visit)?;
            // Bytes behind the end marker are a broken footer.
            contents.fault.get_or_insert(why);
            Ok(contents)
        },
    }
}

pub(crate) struct Scanner<'a> {
    window: Window<'a>,
    limits: &'a IpcLimits,
    len: u64,
}

/// The item at a place.
pub(crate) enum Found {
    Message(Box<Message>, u64),
    EndMarker(u64),
    EndOfInput,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(source: &'a dyn ReadAt, limits: &'a IpcLimits) -> Self {
        Self { window: Window::new(source), limits, len: source.len() }
    }

    /// The footer, and where it begins.
    pub(crate) fn footer(&mut self) -> Result<(Footer, u64)> {
        let suffix_at = self.len.saturating_sub(FILE_SUFFIX_LEN as u64);
        let suffix = self.window.get(suffix_at, FILE_SUFFIX_LEN).at_byte(suffix_at)?;
        let Some(suffix) = suffix.first_chunk::<FILE_SUFFIX_LEN>() else {
            let error = Error::new(ErrorKind::BadMagic { expected: "a file of more than its magics" });
            return Err(Fault::of(suffix_at, &error));
        };
        let len = footer_len(suffix, self.limits).at_byte(suffix_at)?;
        let Some(at) = suffix_at.checked_sub(len as u64) else {
            let what = format!("the footer has {len} bytes, more than the file");
            return Err(Fault::new(suffix_at, what).within(MessageId::Footer));
        };
        let bytes = self.window.get(at, len).at_byte(at)?;
        let in_footer = |fault: Fault| fault.within(MessageId::Footer);
        let footer = decode_footer(bytes, self.limits).at_byte(at).map_err(in_footer)?;
        footer.check_overlap(self.len, self.limits).at_byte(at).map_err(in_footer)?;
        Ok((footer, at))
    }

    /// The message whose head begins at a byte.
    pub(crate) fn message(&mut self, offset: u64) -> Result<Found> {
        if offset >= self.len {
            return Ok(Found::EndOfInput);
        }
        let mut decoder = Decoder::new(*self.limits);
        let mut position = offset;
        loop {
            let needed = decoder.needed();
            let bytes = self.window.get(position, needed).at_byte(position)?;
            position = position.saturating_add(bytes.len() as u64);
            match decoder.feed(bytes).at_byte(offset)? {
                Step::Need(_) => {},
                Step::End => return Ok(Found::EndMarker(position)),
                Step::Message(message) => return Ok(Found::Message(Box::new(message), position - offset)),
            }
        }
    }

    fn file(&mut self, footer: Footer, at: u64, visit: Visit<'_>) -> Result<Contents> {
        let schema_message = match self.message(FILE_PREFIX.len() as u64) {
            Ok(Found::Message(message, head)) => match &message.header {
                Header::Schema(schema) if *schema == footer.schema => {
                    Some(info(MessageId::Schema, 0, FILE_PREFIX.len() as u64, head, &message))
                },
                _ => None,
            },
            _ => None,
        };
        let stream = StreamInfo { schema: footer.schema.clone(), schema_message, ended: true };
        let mut contents = Contents {
            kind: Kind::File,
            len: self.len,
            streams: vec![stream],
            dictionaries: Vec::new(),
            batches: Vec::new(),
            footer: None,
            end: at,
            fault: None,
        };
        for (number, block) in footer.dictionaries.iter().enumerate() {
            let found = self.block(MessageId::Dictionary(number), block, at);
            // Behind values that are lost, those of a delta would get the numbers of others.
            let is_lost = |info: &MessageInfo| {
                contents.fault.is_some() && info.dictionary.is_some_and(|(_, is_delta)| is_delta)
            };
            match found {
                Ok((info, _)) if is_lost(&info) => {},
                Ok((info, message)) => {
                    visit(&info, &message)?;
                    contents.dictionaries.push(info);
                },
                Err(fault) => drop(contents.fault.get_or_insert(fault)),
            }
        }
        for (number, block) in footer.batches.iter().enumerate() {
            match self.block(MessageId::Batch(number), block, at) {
                Ok((info, message)) => {
                    visit(&info, &message)?;
                    contents.batches.push(info);
                },
                Err(fault) => drop(contents.fault.get_or_insert(fault)),
            }
        }
        contents.footer = Some(footer);
        Ok(contents)
    }

    fn block(&mut self, id: MessageId, block: &Block, footer: u64) -> Result<(MessageInfo, Box<Message>)> {
        let at = block.offset;
        let place = |fault: Fault| fault.within(id);
        block.check(footer).at_byte(at).map_err(place)?;
        let Found::Message(message, head) = self.message(at).map_err(place)? else {
            return Err(
                Fault::new(at, "the footer says that a message is here, but there is none").within(id)
            );
        };
        let info = info(id, 0, at, head, &message);
        let fits = matches!(
            (&message.header, id),
            (Header::Batch(_), MessageId::Batch(_)) | (Header::Dictionary(_), MessageId::Dictionary(_))
        );
        if !fits {
            return Err(Fault::new(at, "the message is of another kind than the footer says").within(id));
        }
        if info.end() > footer {
            return Err(Fault::new(at, "the message's body reaches into the footer").within(id));
        }
        Ok((info, message))
    }

    fn streams(&mut self, kind: Kind, start: u64, visit: Visit<'_>) -> Result<Contents> {
        let mut contents = Contents {
            kind,
            len: self.len,
            streams: Vec::new(),
            dictionaries: Vec::new(),
            batches: Vec::new(),
            footer: None,
            end: start,
            fault: None,
        };
        loop {
            match self.step(&mut contents, visit) {
                Ok(true) => {},
                Ok(false) => break,
                // Without a schema there is nothing to tell.
                Err(fault) if contents.streams.is_empty() => return Err(fault),
                Err(fault) => {
                    contents.fault = Some(fault);
                    break;
                },
            }
        }
        if contents.streams.is_empty() {
            return Err(Fault::new(start, "it ends before its schema: nothing can be read of it"));
        }
        Ok(contents)
    }

    /// Takes one message or end marker; whether to go on.
    fn step(&mut self, contents: &mut Contents, visit: Visit<'_>) -> Result<bool> {
        let at = contents.end;
        let (message, head) = match self.message(at) {
            Ok(Found::Message(message, head)) => (message, head),
            Ok(Found::EndOfInput) => return Ok(false),
            Ok(Found::EndMarker(next)) => {
                if let Some(stream) = contents.streams.last_mut() {
                    stream.ended = true;
                }
                contents.end = next;
                // Behind the end marker of a file comes its footer.
                return Ok(contents.kind == Kind::Streams && !contents.streams.is_empty());
            },
            Err(fault) => return Err(fault.within(next_id(contents))),
        };
        let is_new = contents.streams.last().is_none_or(|stream| stream.ended);
        let stream = contents.streams.len().saturating_sub(1);
        let id = match &message.header {
            Header::Schema(_) => MessageId::Schema,
            Header::Dictionary(_) => MessageId::Dictionary(contents.dictionaries.len()),
            Header::Batch(_) => MessageId::Batch(contents.batches.len()),
        };
        let info = info(id, stream, at, head, &message);
        let have = self.len.saturating_sub(info.body());
        if have < info.body_len {
            let kind = ErrorKind::Truncated { need: info.body_len, have };
            return Err(Fault::of(at, &Error::new(kind)).within(id));
        }
        match &message.header {
            Header::Schema(schema) if is_new => contents.streams.push(StreamInfo {
                schema: schema.clone(),
                schema_message: Some(MessageInfo { stream: contents.streams.len(), ..info }),
                ended: false,
            }),
            Header::Schema(_) => return Err(Fault::new(at, "a second schema in one stream").within(id)),
            _ if is_new => {
                return Err(Fault::new(at, "a stream begins with its schema, but this is another message"));
            },
            Header::Dictionary(_) => {
                visit(&info, &message)?;
                contents.dictionaries.push(info);
            },
            Header::Batch(_) => {
                visit(&info, &message)?;
                contents.batches.push(info);
            },
        }
        contents.end = info.end();
        Ok(true)
    }
}

fn next_id(contents: &Contents) -> MessageId {
    match contents.streams.last() {
        Some(stream) if !stream.ended => MessageId::Batch(contents.batches.len()),
        _ => MessageId::Schema,
    }
}

pub(crate) fn info(
    id: MessageId,
    stream: usize,
    offset: u64,
    head_len: u64,
    message: &Message,
) -> MessageInfo {
    let (rows, codec, dictionary) = match &message.header {
        Header::Schema(_) => (0, None, None),
        Header::Dictionary(header) => {
            (header.batch.rows, header.batch.compression, Some((header.id, header.is_delta)))
        },
        Header::Batch(batch) => (batch.rows, batch.compression, None),
    };
    let body_len = message.body_len;
    MessageInfo { id, stream, offset, head_len, body_len, rows, codec, dictionary, version: message.version }
}
