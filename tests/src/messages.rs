//! Where the messages of a stream lie, as arrow-rs' flatbuffers say: not floe's own opinion.

use std::io::Read as _;

use arrow_ipc::{CompressionType, MessageHeader, root_as_message};

/// The contents of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The schema.
    Schema,
    /// A dictionary, or a delta to one.
    Dictionary {
        /// Its id.
        id: i64,
        /// Added to what is known of it.
        delta: bool,
    },
    /// A record batch of this many rows.
    Batch(i64),
}

/// One message.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// Its contents.
    pub kind: Kind,
    /// Where its marker starts.
    pub start: usize,
    /// Where its body starts.
    pub body: usize,
    /// Where its body ends.
    pub end: usize,
}

/// The messages of a stream, and where the end marker ends. A file is a stream from its byte 8.
///
/// # Panics
/// When the stream is not whole.
#[must_use]
pub fn messages(bytes: &[u8]) -> (Vec<Message>, usize) {
    let int = |at: usize| i32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
    let mut messages = Vec::new();
    let mut start = 0;
    loop {
        assert_eq!(int(start), -1, "no continuation marker at {start}");
        let len = usize::try_from(int(start + 4)).expect("a length");
        let body = start + 8 + len;
        if len == 0 {
            return (messages, body);
        }
        assert_eq!(body % 8, 0, "a body at {body}");
        let message = root_as_message(&bytes[start + 8..body]).expect("a valid flatbuffer");
        let end = body + usize::try_from(message.bodyLength()).expect("a length");
        let kind = match message.header_type() {
            MessageHeader::Schema => Kind::Schema,
            MessageHeader::DictionaryBatch => {
                let header = message.header_as_dictionary_batch().expect("a dictionary");
                Kind::Dictionary { id: header.id(), delta: header.isDelta() }
            },
            MessageHeader::RecordBatch => {
                Kind::Batch(message.header_as_record_batch().expect("a batch").length())
            },
            other => panic!("a message of type {other:?}"),
        };
        messages.push(Message { kind, start, body, end });
        start = end;
    }
}

/// The buffers of all record and dictionary batches of a stream, decompressed.
///
/// # Panics
/// When the stream is not whole.
#[must_use]
pub fn buffers(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for Message { start, body, end, .. } in messages(bytes).0 {
        let message = root_as_message(&bytes[start + 8..body]).expect("a valid flatbuffer");
        let dictionary = message.header_as_dictionary_batch().and_then(|header| header.data());
        let Some(batch) = message.header_as_record_batch().or(dictionary) else { continue };
        let codec = batch.compression().map(|compression| compression.codec());
        for buffer in batch.buffers().expect("buffers") {
            let int = |n: i64| usize::try_from(n).expect("a length");
            let stored = &bytes[body..end][int(buffer.offset())..][..int(buffer.length())];
            all.push(codec.map_or_else(|| stored.to_vec(), |codec| decompressed(codec, stored)));
        }
    }
    all
}

fn decompressed(codec: CompressionType, stored: &[u8]) -> Vec<u8> {
    let Some((prefix, frame)) = stored.split_first_chunk() else { return Vec::new() };
    let mut out = Vec::new();
    match i64::from_le_bytes(*prefix) {
        -1 => out.extend_from_slice(frame),
        len => {
            let read = match codec {
                CompressionType::ZSTD => {
                    zstd::stream::Decoder::new(frame).expect("a frame").read_to_end(&mut out)
                },
                _ => lz4_flex::frame::FrameDecoder::new(frame).read_to_end(&mut out),
            };
            assert_eq!(i64::try_from(read.expect("a frame")), Ok(len), "a wrong length");
        },
    }
    out
}

/// The footer of a file: where its flatbuffer lies.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn footer(bytes: &[u8]) -> std::ops::Range<usize> {
    let end = bytes.len() - 10;
    assert_eq!(&bytes[end + 4..], b"ARROW1");
    let len = i32::from_le_bytes(bytes[end..end + 4].try_into().expect("4 bytes"));
    end - usize::try_from(len).expect("a length")..end
}
