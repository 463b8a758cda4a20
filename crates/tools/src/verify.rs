//! Whether a file or stream is what the specification says, byte by byte; values as far as their buffers tell.
//!
//! ```text
//!   footer      against the messages one after another, and against the schema message
//!   heads       nodes and buffers against the schema, lengths against rows
//!   bodies      every buffer decompressed; bits of validity against null counts, offsets against what they point into,
//!               text against UTF-8; overlaps, alignment, padding
//! ```
//!
//! Faults that only values show (keys beyond a dictionary, views, type ids of unions) take a decoder, as `floe-frame`
//! is one.

use floe_format::constants::{FILE_MAGIC, FILE_PREFIX};
use floe_format::sniff::check_stream;
use floe_format::{Header, IpcLimits, Message, Schema};

use crate::batch_check::BatchCheck;
use crate::fault::{AtByte, Fault, MessageId, Result};
use crate::scan::{Contents, Found, Kind, MessageInfo, Scanner, info, scan};
use crate::source::ReadAt;

/// How thoroughly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Heads and the footer only: no body is read.
    pub quick: bool,
    /// Go on behind the first fault.
    pub all: bool,
}

/// The results of the check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// The faults, in the order of the check. Without [`VerifyOptions::all`] the first; of a file without a footer also
    /// what ends its messages.
    pub faults: Vec<Fault>,
    /// Deviations from recommendations of the specification, and things that readers may stumble over.
    pub remarks: Vec<Fault>,
    /// Record batches without a fault, and their rows.
    pub whole_batches: usize,
    /// Rows of those.
    pub whole_rows: u64,
    /// Record batches that are there, whole or not.
    pub batches: usize,
    /// Dictionary batches that are there.
    pub dictionaries: usize,
    /// The format of the source, if it can be recognised.
    pub kind: Option<Kind>,
}

/// Checks a source. `each` is told of every message before it is checked.
///
/// ```
/// use floe_format::{IpcLimits, MessageEncoder, Schema, constants, write_head};
/// use floe_tools::{VerifyOptions, verify};
///
/// let mut stream = Vec::new();
/// write_head(&mut stream, MessageEncoder::new().schema(&Schema::default()), 0)?;
/// stream.extend_from_slice(&constants::END_OF_STREAM);
/// let options = VerifyOptions { quick: false, all: true };
/// assert!(verify(&stream, &IpcLimits::default(), options, &mut |_| ()).faults.is_empty());
///
/// stream.truncate(20);
/// let fault = verify(&stream, &IpcLimits::default(), options, &mut |_| ()).faults.remove(0);
/// assert!(fault.to_string().contains("truncated"), "{fault}");
/// # Ok::<(), floe_format::Error>(())
/// ```
pub fn verify(
    source: &dyn ReadAt,
    limits: &IpcLimits,
    options: VerifyOptions,
    each: &mut dyn FnMut(&MessageInfo),
) -> Verified {
    let mut verify = Verify { source, limits, options, found: Verified::default(), each };
    if let Err(Stop) = verify.run() {
        debug_assert!(!verify.found.faults.is_empty(), "checks stop at faults only");
    }
    verify.found
}

/// The first fault was enough.
struct Stop;

struct Verify<'a> {
    source: &'a dyn ReadAt,
    limits: &'a IpcLimits,
    options: VerifyOptions,
    found: Verified,
    each: &'a mut dyn FnMut(&MessageInfo),
}

type Go = std::result::Result<(), Stop>;

impl Verify<'_> {
    fn fault(&mut self, fault: Fault) -> Go {
        self.found.faults.push(fault);
        if self.options.all { Ok(()) } else { Err(Stop) }
    }

    fn run(&mut self) -> Go {
        let len = usize::try_from(self.source.len()).unwrap_or(usize::MAX).min(4 << 10);
        let mut start = vec![0; len];
        if let Err(fault) = self.source.read_exact_at(&mut start, 0).at_byte(0) {
            return self.fault(fault);
        }
        if start.starts_with(&FILE_MAGIC) {
            return self.file();
        }
        if let Err(fault) = check_stream(&start).at_byte(0) {
            return self.fault(fault);
        }
        self.messages_in_order(Kind::Streams)
    }

    fn file(&mut self) -> Go {
        let (footer, at) = match Scanner::new(self.source, self.limits).footer() {
            Ok(found) => found,
            Err(fault) => {
                self.found.kind = Some(Kind::Unfinished);
                // How much is whole is worth knowing, also where the first fault is enough.
                self.found.faults.push(fault);
                return self.messages_in_order(Kind::Unfinished);
            },
        };
        self.found.kind = Some(Kind::File);
        let mut blocks: Vec<_> = Vec::new();
        let dictionaries = footer.dictionaries.iter().enumerate();
        blocks.extend(dictionaries.map(|(i, block)| (MessageId::Dictionary(i), *block)));
        blocks.extend(footer.batches.iter().enumerate().map(|(i, block)| (MessageId::Batch(i), *block)));
        self.walk_against(&footer.schema, &blocks, at)?;
        let mut by_place = blocks.clone();
        by_place.sort_by_key(|(_, block)| block.offset);
        for pair in by_place.windows(2) {
            if let [(_, a), (id, b)] = pair
                && a.end().is_ok_and(|end| end > b.offset)
            {
                self.fault(Fault::new(b.offset, "it overlaps the message before it").within(*id))?;
            }
        }
        let mut scanner = Scanner::new(self.source, self.limits);
        for (id, block) in blocks {
            let message = self.block(&mut scanner, id, &block, at);
            match message {
                Ok((info, message)) => self.message(&info, &message, &footer.schema)?,
                Err(fault) => {
                    self.count(id);
                    self.fault(fault)?;
                },
            }
        }
        Ok(())
    }

    /// The message that a block of the footer says.
    fn block(
        &self,
        scanner: &mut Scanner<'_>,
        id: MessageId,
        block: &floe_format::Block,
        footer: u64,
    ) -> Result<(MessageInfo, Box<Message>)> {
        let at = block.offset;
        let fault = |what: &str| Err(Fault::new(at, what).within(id));
        block.check(footer).at_byte(at).map_err(|fault| fault.within(id))?;
        let found = scanner.message(at).map_err(|fault| fault.within(id))?;
        let Found::Message(message, head) = found else {
            return fault("there is no message where the footer says");
        };
        let info = info(id, 0, at, head, &message);
        match (&message.header, id) {
            (Header::Batch(_), MessageId::Batch(_)) | (Header::Dictionary(_), MessageId::Dictionary(_)) => {},
            _ => return fault("the message is of another kind than the footer says"),
        }
        if head != u64::from(block.metadata_len) {
            let what = format!("the head has {head} bytes, the footer says {}", block.metadata_len);
            return fault(&what);
        }
        if info.body_len != block.body_len {
            let what = format!("the body has {} bytes, the footer says {}", info.body_len, block.body_len);
            return fault(&what);
        }
        Ok((info, message))
    }

    /// The messages one after another against the blocks of the footer.
    fn walk_against(
        &mut self,
        schema: &Schema,
        blocks: &[(MessageId, floe_format::Block)],
        footer: u64,
    ) -> Go {
        let mut scanner = Scanner::new(self.source, self.limits);
        let mut offsets: Vec<u64> = blocks.iter().map(|(_, block)| block.offset).collect();
        offsets.sort_unstable();
        let mut at = FILE_PREFIX.len() as u64;
        match scanner.message(at) {
            Ok(Found::Message(message, head)) => match &message.header {
                Header::Schema(first) => {
                    if first != schema {
                        let what = "the schema message says something else than the footer's schema";
                        let only_metadata = crate::agree::differs(first, schema).is_none();
                        let fault = Fault::new(at, what).within(MessageId::Schema);
                        if only_metadata {
                            self.found
                                .remarks
                                .push(Fault { what: format!("{what}: metadata differs"), ..fault });
                        } else {
                            self.fault(fault)?;
                        }
                    }
                    at += head;
                },
                _ => {
                    return self.fault(
                        Fault::new(at, "the first message is not a schema").within(MessageId::Schema),
                    );
                },
            },
            _ => {
                let what = "no schema message begins here: readers of streams cannot read what is inside";
                self.found.remarks.push(Fault::new(at, what).within(MessageId::Schema));
                return Ok(());
            },
        }
        let mut seen = 0;
        while at < footer {
            match scanner.message(at) {
                Ok(Found::Message(message, head)) => {
                    if offsets.binary_search(&at).is_err() {
                        self.fault(Fault::new(at, "a message that the footer does not list"))?;
                    }
                    seen += 1;
                    at = at.saturating_add(head).saturating_add(message.body_len);
                },
                Ok(Found::EndMarker(_) | Found::EndOfInput) => break,
                // Told with the block that it is of; padding between messages is allowed.
                Err(_) => return Ok(()),
            }
        }
        if seen < blocks.len() {
            let what = format!("{seen} messages before the end marker, the footer lists {}", blocks.len());
            self.fault(Fault::new(at, what).within(MessageId::Footer))?;
        }
        Ok(())
    }

    /// Checks messages one after another, as far as they go.
    fn messages_in_order(&mut self, kind: Kind) -> Go {
        self.found.kind = Some(kind);
        let mut messages: Vec<(MessageInfo, Message)> = Vec::new();
        let found = scan(self.source, self.limits, &mut |info, message| {
            // Heads are needed again with the schema, which the walk has at the end.
            messages.push((*info, message.clone()));
            Ok(())
        });
        let contents: Contents = match found {
            Ok(contents) => contents,
            Err(fault) => return self.fault(fault),
        };
        for (info, message) in &messages {
            if let Some(schema) = contents.schema_of(info) {
                self.message(info, message, schema)?;
            }
        }
        // An unfinished file was told as one already.
        let is_known = kind == Kind::Unfinished && contents.fault.as_ref() == self.found.faults.first();
        if let Some(fault) = contents.fault.clone()
            && !is_known
        {
            self.fault(fault)?;
        }
        if kind == Kind::Streams
            && contents.fault.is_none()
            && contents.streams.last().is_some_and(|last| !last.ended)
        {
            let what = "the stream ends without an end marker: it may be cut off between two messages";
            self.found.remarks.push(Fault::new(contents.end, what));
        }
        Ok(())
    }

    fn count(&mut self, id: MessageId) {
        match id {
            MessageId::Batch(_) => self.found.batches += 1,
            MessageId::Dictionary(_) => self.found.dictionaries += 1,
            MessageId::Schema | MessageId::Footer => {},
        }
    }

    fn message(&mut self, info: &MessageInfo, message: &Message, schema: &Schema) -> Go {
        (self.each)(info);
        self.count(info.id);
        let mut check = BatchCheck::new(self.source, self.limits, info, schema, self.options);
        check.run(message);
        let BatchCheck { faults, remarks, .. } = check;
        self.found.remarks.extend(remarks);
        if faults.is_empty() {
            if matches!(info.id, MessageId::Batch(_)) {
                self.found.whole_batches += 1;
                self.found.whole_rows = self.found.whole_rows.saturating_add(info.rows as u64);
            }
            return Ok(());
        }
        faults.into_iter().try_for_each(|fault| self.fault(fault))
    }
}
