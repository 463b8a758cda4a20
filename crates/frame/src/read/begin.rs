//! Where a stream begins in its source: behind a file's magic, behind the stream before it, or not at all.
//!
//! ```text
//!   | stream | end marker | zeros, more end markers | stream | end marker |
//!   | ARROW1 00 00 | stream | end marker | footer | ARROW1 |
//! ```
//!
//! The next bytes are peeked at before any is taken. As long as they are a stream, no byte of a reader behind it is
//! asked for.

use floe_format::constants::{CONTINUATION, END_OF_STREAM, FILE_MAGIC, FILE_PREFIX};
use floe_format::sniff::check_stream;
use floe_format::{SourceFormat, sniff};
use polars_buffer::Buffer;
use polars_core::prelude::*;

use super::footer::SNIFFED_BYTES;
use super::message_source::{MessageSource, SourceKind};
use crate::error::format_error;

/// The item found where a stream could begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// A stream.
    Stream,
    /// The magic of a file. It has been taken: a stream follows.
    File,
    /// The end of the source.
    End,
}

/// Bytes behind the length that distinguish a message without a marker from other data.
const LENGTH_TELLS_BYTES: usize = 64;
/// Zeros and end markers behind a stream that are passed over, of a reader whose end is not known.
const MAX_PADDING_BYTES: u64 = 64 << 20;

/// Finds out what begins here, and takes the magic of a file.
///
/// # Errors
/// When it is another format, which is named.
pub(super) fn begin(source: &mut dyn MessageSource) -> PolarsResult<Begin> {
    let start = source.peek(CONTINUATION.len())?;
    if start.is_empty() {
        return Ok(Begin::End);
    }
    if start.as_slice() == CONTINUATION {
        return Ok(Begin::Stream);
    }
    if FILE_MAGIC.starts_with(&start) && source.peek(FILE_PREFIX.len())?.starts_with(&FILE_MAGIC) {
        let prefix = source.peek(FILE_PREFIX.len())?.len();
        source.consume(prefix);
        return Ok(Begin::File);
    }
    let start = if let (SourceFormat::IpcStream, Some(length)) = (sniff(&start), start.first_chunk()) {
        // If the length is that of a message's metadata, the metadata has at least these bytes.
        let metadata = usize::try_from(i32::from_le_bytes(*length)).unwrap_or(0);
        source.peek(CONTINUATION.len() + metadata.min(LENGTH_TELLS_BYTES))?
    } else {
        source.peek_some(SNIFFED_BYTES)?
    };
    check_stream(&start).map_err(format_error)?;
    Ok(Begin::Stream)
}

/// Takes zeros and end markers, which writers leave behind a stream: their buffer was larger than their output, or both
/// ends of a connection closed it.
pub(super) fn skip_padding(source: &mut dyn MessageSource) -> PolarsResult<()> {
    let start = source.position();
    loop {
        let word = source.peek(CONTINUATION.len())?;
        let len = word.len();
        if len > 0 && word.iter().all(|byte| *byte == 0) {
            source.consume(len);
        } else if word.as_slice() == CONTINUATION
            && source.peek(END_OF_STREAM.len())?.as_slice() == END_OF_STREAM
        {
            source.consume(END_OF_STREAM.len());
        } else {
            return Ok(());
        }
        if source.kind() == SourceKind::Reader && source.position() - start > MAX_PADDING_BYTES {
            polars_bail!(ComputeError: "more than {MAX_PADDING_BYTES} zero bytes follow the stream that ends at byte {start}");
        }
    }
}

/// All that is left, which is taken: at most `most` bytes.
pub(super) fn rest(source: &mut dyn MessageSource, most: usize) -> PolarsResult<Buffer<u8>> {
    let rest = source.peek(most.saturating_add(1))?;
    polars_ensure!(
        rest.len() <= most,
        ComputeError: "more than {most} bytes follow at byte {}", source.position()
    );
    source.consume(rest.len());
    Ok(rest)
}
