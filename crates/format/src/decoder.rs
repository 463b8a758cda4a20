//! From bytes to messages, as a state machine that is fed. (Arrow `Columnar.rst`, "Encapsulated
//! message format" and "IPC Streaming Format".)
//!
//! ```text
//!            FF FF FF FF         n > 0            n bytes
//!  Prefix ---------------> Length -----> Metadata(n) -----> Message, then Prefix
//!    |                       | 0                               (the caller takes the body)
//!    | n > 0: Metadata(n)    +-----> Ended
//!    | 0: Ended                 (without the marker: before Arrow 0.15)
//! ```
//!
//! The decoder never asks for a byte that does not belong to the stream, so a caller can read on
//! behind the end of one. [`next_message`] is the same thing over a slice.

use std::ops::Range;

use crate::constants::CONTINUATION;
use crate::limits::wide;
use crate::{Error, ErrorKind, IpcLimits, Message, Result, ResultExt, decode_message, sniff};

/// Finds the messages in a stream of bytes.
///
/// ```
/// use floe_format::{Decoder, IpcLimits, MessageEncoder, Schema, Step, constants, write_head};
///
/// let mut stream = Vec::new();
/// write_head(&mut stream, MessageEncoder::new().schema(&Schema::default()), 0)?;
/// stream.extend_from_slice(&constants::END_OF_STREAM);
///
/// let mut decoder = Decoder::new(IpcLimits::default());
/// let mut rest = &stream[..];
/// loop {
///     let (bytes, tail) = rest.split_at(decoder.needed());
///     rest = tail;
///     match decoder.feed(bytes)? {
///         Step::Need(_) => {},
///         Step::Message(message) => assert_eq!(message.body_len, 0), // else: take the body from `rest`
///         Step::End => break,
///     }
/// }
/// assert!(rest.is_empty());
/// # Ok::<(), floe_format::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Decoder {
    limits: IpcLimits,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the start of a message: the marker, or (before 0.15) the length.
    Prefix,
    /// Behind the marker.
    Length,
    /// This many bytes of metadata come next.
    Metadata(usize),
    /// Behind the end marker, or behind an error.
    Ended,
}

/// The answer of a [`Decoder`].
#[derive(Debug)]
pub enum Step {
    /// Feed exactly this many bytes next.
    Need(usize),
    /// A message; its body follows, and is the caller's to take.
    Message(Message),
    /// The end marker: the stream is complete.
    End,
}

impl Decoder {
    /// A decoder at the start of a stream.
    #[must_use]
    pub fn new(limits: IpcLimits) -> Self {
        Self { limits, state: State::Prefix }
    }

    /// Bytes to feed next, exactly: 4 at the start of a message, 0 behind the end.
    #[must_use]
    pub fn needed(&self) -> usize {
        match self.state {
            State::Prefix | State::Length => CONTINUATION.len(),
            State::Metadata(len) => len,
            State::Ended => 0,
        }
    }

    /// Whether nothing of a message has been fed since the last one ended. A stream may stop here
    /// without an end marker; anywhere else it is truncated.
    #[must_use]
    pub fn is_at_boundary(&self) -> bool {
        matches!(self.state, State::Prefix | State::Ended)
    }

    /// Takes exactly [`needed`](Self::needed) bytes and says what is next.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] for another number of bytes (which changes nothing: feed again).
    /// [`ErrorKind::LimitExceeded`] for a length beyond `max_metadata_bytes`. [`ErrorKind::Invalid`] for a negative
    /// length, for one that no message without a marker has, and behind the end. The errors of [`decode_message`].
    /// Behind all but the first the place of the next message is unknown, so the decoder stays at its end.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Step> {
        if bytes.len() != self.needed() && self.state != State::Ended {
            return Err(truncated(self.needed(), bytes.len()));
        }
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Prefix if bytes == CONTINUATION => {
                self.state = State::Length;
                Ok(Step::Need(self.needed()))
            },
            State::Prefix if !may_be_length(bytes, &self.limits) => Err(Error::invalid(format!(
                "no message begins here: {} is neither the marker nor a length",
                bytes.escape_ascii()
            ))),
            State::Prefix | State::Length => self.length(bytes),
            State::Metadata(_) => {
                let message = decode_message(bytes, &self.limits)?;
                self.state = State::Prefix;
                Ok(Step::Message(message))
            },
            State::Ended => Err(Error::invalid("there is nothing to decode behind the end of a stream")),
        }
    }

    fn length(&mut self, bytes: &[u8]) -> Result<Step> {
        let length = bytes.try_into().map(i32::from_le_bytes);
        let length = length.map_err(|_| truncated(CONTINUATION.len(), bytes.len()))?;
        match usize::try_from(length) {
            Ok(0) => Ok(Step::End),
            Ok(length) if length > self.limits.max_metadata_bytes => {
                Err(Error::limit("max_metadata_bytes", length, self.limits.max_metadata_bytes))
            },
            Ok(length) => {
                self.state = State::Metadata(length);
                Ok(Step::Need(length))
            },
            Err(_) => Err(Error::invalid(format!("the metadata's length is negative: {length}"))),
        }
    }
}

/// Whether four bytes that are not the marker can be a length, as they were before Arrow 0.15. Beyond the limit they
/// are more likely something else, such as text: to raise the limit would help nobody then. Writers padded a message's
/// head to 8 bytes, the length among them.
fn may_be_length(bytes: &[u8], limits: &IpcLimits) -> bool {
    let length = bytes.try_into().map(i32::from_le_bytes);
    let length = length.ok().and_then(|length| usize::try_from(length).ok());
    length.is_none_or(|length| {
        length <= limits.max_metadata_bytes || (length < sniff::MAX_UNMARKED_BYTES && length % 8 == 4)
    })
}

/// The result of [`next_message`].
#[derive(Debug)]
pub enum Next {
    /// A message.
    Message {
        /// The message.
        message: Message,
        /// Where its marker, length, metadata and padding are.
        head: Range<usize>,
        /// Where its body is; the next message starts at its end.
        body: Range<usize>,
    },
    /// The end marker.
    EndMarker {
        /// Behind it.
        next: usize,
    },
    /// There are no bytes left, and no end marker either.
    EndOfInput,
}

/// Reads the message at `offset` of `bytes`.
///
/// ```
/// use floe_format::{IpcLimits, MessageEncoder, Next, Schema, next_message, write_head};
///
/// let mut stream = Vec::new();
/// let head_len = write_head(&mut stream, MessageEncoder::new().schema(&Schema::default()), 0)?;
/// let Next::Message { head, body, .. } = next_message(&stream, 0, &IpcLimits::default())? else { panic!() };
/// assert_eq!((head, body), (0..head_len, head_len..head_len));
/// assert!(matches!(next_message(&stream, head_len, &IpcLimits::default())?, Next::EndOfInput));
/// # Ok::<(), floe_format::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Truncated`] if the head or the body passes the end of `bytes`, and for one to three
/// stray bytes; otherwise those of [`Decoder::feed`]. The place names `offset`.
pub fn next_message(bytes: &[u8], offset: usize, limits: &IpcLimits) -> Result<Next> {
    next(bytes, offset, limits).at(|| format!("message at byte {offset}"))
}

fn next(bytes: &[u8], offset: usize, limits: &IpcLimits) -> Result<Next> {
    if offset == bytes.len() {
        return Ok(Next::EndOfInput);
    }
    let mut decoder = Decoder::new(*limits);
    let mut position = offset;
    loop {
        let fed = take(bytes, position, decoder.needed())?;
        position += fed.len();
        match decoder.feed(fed)? {
            Step::Need(_) => {},
            Step::End => return Ok(Next::EndMarker { next: position }),
            Step::Message(message) => {
                // More bytes than there are addresses are not there: `take` says so.
                let body = usize::try_from(message.body_len).unwrap_or(usize::MAX);
                let body = take(bytes, position, body).at(|| "body")?.len();
                return Ok(Next::Message {
                    message,
                    head: offset..position,
                    body: position..position + body,
                });
            },
        }
    }
}

fn take(bytes: &[u8], position: usize, len: usize) -> Result<&[u8]> {
    // Behind the end there are no bytes.
    let rest = bytes.get(position..).unwrap_or_default();
    rest.get(..len).ok_or_else(|| truncated(len, rest.len()))
}

fn truncated(need: usize, have: usize) -> Error {
    Error::new(ErrorKind::Truncated { need: wide(need), have: wide(have) })
}

#[cfg(test)]
mod tests;
