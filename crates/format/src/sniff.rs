//! Which format some bytes are of, by how they begin.
//!
//! ```text
//!   magic bytes of a format ------------> that format
//!   FF FF FF FF | length | flatbuffer --> an Arrow IPC stream
//!                 length | flatbuffer --> an Arrow IPC stream, from before Arrow 0.15
//!   text -------------------------------> HTML, XML, JSON, CSV
//! ```
//!
//! Every reader asks here before it believes a length, so that a Parquet file is told by its name rather than as a
//! stream with a message of 800 MB.

use std::fmt;

use crate::constants::{CONTINUATION, FILE_MAGIC};
use crate::{Error, ErrorKind, Result};

/// The formats that [`sniff`] tells apart. `Display` is the name, with its article: "a Parquet file".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SourceFormat {
    /// Arrow IPC messages between magics, with a footer. Also called Feather V2.
    IpcFile,
    /// Arrow IPC messages one after another, with or without the marker that Arrow 0.15 introduced.
    IpcStream,
    /// Parquet, also with an encrypted footer.
    Parquet,
    /// Feather as it was before it became the Arrow IPC file.
    FeatherV1,
    /// ORC.
    Orc,
    /// An Avro object container.
    Avro,
    /// HDF5.
    Hdf5,
    /// Compressed with gzip.
    Gzip,
    /// Compressed with Zstandard.
    Zstd,
    /// An LZ4 frame.
    Lz4,
    /// Compressed with bzip2.
    Bzip2,
    /// Compressed with xz.
    Xz,
    /// A ZIP archive, which spreadsheets are as well.
    Zip,
    /// HTML, such as the error page of a server.
    Html,
    /// XML, such as the error of an object store.
    Xml,
    /// One JSON value.
    Json,
    /// JSON objects, one a line.
    NdJson,
    /// Text whose first line has separators.
    Csv,
    /// Other text.
    Text,
    /// No bytes at all.
    Empty,
    /// None of these.
    Unknown,
}

use SourceFormat as Is;

/// Formats that begin with bytes of their own.
const MAGICS: &[(&[u8], SourceFormat)] = &[
    (&FILE_MAGIC, Is::IpcFile),
    (b"PAR1", Is::Parquet),
    (b"PARE", Is::Parquet),
    (b"FEA1", Is::FeatherV1),
    (b"Obj\x01", Is::Avro),
    (b"\x89HDF\r\n\x1a\n", Is::Hdf5),
    (b"\x1f\x8b\x08", Is::Gzip),
    (b"\x28\xb5\x2f\xfd", Is::Zstd),
    (b"\x04\x22\x4d\x18", Is::Lz4),
    // The frame before it had a specification.
    (b"\x02\x21\x4c\x18", Is::Lz4),
    (b"\xfd7zXZ\0", Is::Xz),
    (b"PK\x03\x04", Is::Zip),
    (b"PK\x05\x06", Is::Zip),
    (b"PK\x07\x08", Is::Zip),
];

/// The most bytes that are checked for text.
const MAX_TEXT_BYTES: usize = 4 << 10;

/// Names the format of bytes by how they begin. The first hundred are enough for all formats but text, which takes 4
/// KiB. More than the beginning is never needed.
///
/// ```
/// use floe_format::{SourceFormat, sniff};
///
/// assert_eq!(sniff(b"ARROW1\0\0\xff\xff\xff\xff"), SourceFormat::IpcFile);
/// assert_eq!(sniff(b"PAR1\x15\x04"), SourceFormat::Parquet);
/// assert_eq!(sniff(b"a,b\n1,2\n"), SourceFormat::Csv);
/// assert_eq!(sniff(b"PAR1").to_string(), "a Parquet file");
/// ```
#[must_use]
pub fn sniff(bytes: &[u8]) -> SourceFormat {
    if bytes.is_empty() {
        return Is::Empty;
    }
    if let Some((_, format)) = MAGICS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return *format;
    }
    if is_bzip2(bytes) {
        return Is::Bzip2;
    }
    match as_text(bytes) {
        None if bytes.starts_with(b"ORC") => Is::Orc,
        None if is_stream(bytes) => Is::IpcStream,
        None => Is::Unknown,
        Some(text) => text_format(text),
    }
}

/// A level from 1 to 9, and the digits of pi that every block begins with.
fn is_bzip2(bytes: &[u8]) -> bool {
    let Some([b'1'..=b'9', block @ ..]) = bytes.strip_prefix(b"BZh") else { return false };
    block.starts_with(b"1AY&SY") || b"1AY&SY".starts_with(block)
}

/// Whether a stream begins with these bytes, as far as they go. Input that begins with the marker counts as a message:
/// decoding says better what is wrong with it.
///
/// # Errors
/// [`ErrorKind::WrongFormat`], with the name of the format that it is instead.
pub fn check_stream(start: &[u8]) -> Result<()> {
    // Never past the end, so the default is not taken.
    let marked = start.get(..CONTINUATION.len().min(start.len())).unwrap_or_default();
    if (!marked.is_empty() && CONTINUATION.starts_with(marked)) || sniff(start) == Is::IpcStream {
        return Ok(());
    }
    Err(Error::wrong_format(Is::IpcStream, start))
}

/// Whether a file begins with these bytes.
///
/// # Errors
/// [`ErrorKind::WrongFormat`], with the name of the format that it is instead.
pub fn check_file(start: &[u8]) -> Result<()> {
    match start.starts_with(&FILE_MAGIC) {
        true => Ok(()),
        false => Err(Error::wrong_format(Is::IpcFile, start)),
    }
}

/// Whether a message begins here, as far as these bytes tell.
fn is_stream(bytes: &[u8]) -> bool {
    let (metadata, marked) = match bytes.strip_prefix(&CONTINUATION) {
        Some(rest) => (rest, true),
        None => (bytes, false),
    };
    if metadata.is_empty() {
        return marked;
    }
    let Some((length, metadata)) = metadata.split_first_chunk::<4>() else {
        // Cut within the marker or the length.
        return marked || CONTINUATION.starts_with(bytes);
    };
    match usize::try_from(i32::from_le_bytes(*length)) {
        Err(_) => false,
        // The end marker. Without the other half it is as good as any zeros.
        Ok(0) => marked || metadata.is_empty(),
        Ok(length) => marked || (length <= MAX_UNMARKED_BYTES && is_flatbuffer(metadata, length)),
    }
}

/// Metadata without a marker was never longer than this: more is something else.
pub(crate) const MAX_UNMARKED_BYTES: usize = 256 << 20;

/// Whether a flatbuffer of that length can begin with these bytes: the root table is within it, and so is its layout.
fn is_flatbuffer(bytes: &[u8], len: usize) -> bool {
    let word = |at: usize| bytes.get(at..)?.first_chunk::<4>().copied();
    let Some(root) = word(0) else { return true };
    let Ok(root) = usize::try_from(u32::from_le_bytes(root)) else { return false };
    if root < 4 || root % 2 != 0 || root.saturating_add(4) > len {
        return false;
    }
    let Some(back) = word(root) else { return true };
    let layout = i64::try_from(root).map(|root| root - i64::from(i32::from_le_bytes(back)));
    layout.is_ok_and(|layout| layout >= 4 && usize::try_from(layout).is_ok_and(|layout| layout + 4 <= len))
}

/// The bytes as text, if they are: UTF-8 without control characters, perhaps cut.
fn as_text(bytes: &[u8]) -> Option<&str> {
    // A byte order mark is optional.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let start = bytes.get(..MAX_TEXT_BYTES.min(bytes.len()))?;
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(start.get(..error.valid_up_to())?).ok()?
        },
        Err(_) => return None,
    };
    let is_printed = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{c}');
    (!text.is_empty() && text.chars().all(is_printed)).then_some(text)
}

fn text_format(text: &str) -> SourceFormat {
    let text = text.trim_start();
    let begins = |with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    if ["<!doctype html", "<html", "<head", "<body", "<title"].iter().any(|tag| begins(tag)) {
        return Is::Html;
    }
    if begins("<?xml") || begins("<Error>") {
        return Is::Xml;
    }
    let mut lines = text.lines().map(str::trim_end);
    // Empty text has no line.
    let first = lines.next().unwrap_or_default();
    if text.starts_with('{') {
        let next_is_object = lines.find(|line| !line.is_empty()).is_some_and(|line| line.starts_with('{'));
        return if first.ends_with('}') && next_is_object { Is::NdJson } else { Is::Json };
    }
    if text.starts_with('[') {
        return Is::Json;
    }
    if first.contains([',', ';', '\t', '|']) { Is::Csv } else { Is::Text }
}

impl SourceFormat {
    /// The reader to use instead, as the second half of a sentence about a source that a reader refuses.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::IpcFile => "read it with `IpcReader`, or with `read_ipc`, which reads both formats",
            Self::IpcStream => "read it with `IpcStreamReader`, or with `read_ipc`, which reads both formats",
            Self::Parquet => "read it with Polars' `ParquetReader` or `scan_parquet`",
            Self::FeatherV1 => {
                "only version 2 is Arrow IPC; pyarrow's `feather.read_table` reads version 1, and \
                `feather.write_feather` writes version 2"
            },
            Self::Orc => "pyarrow's `orc.read_table` reads it",
            Self::Avro => "read it with Polars' `AvroReader`",
            Self::Hdf5 => "pandas' `read_hdf` or h5py read it",
            Self::Gzip | Self::Zstd | Self::Lz4 | Self::Bzip2 | Self::Xz => {
                "decompress it first; to compress Arrow IPC, use `with_compression` of its writers, which compresses \
                the buffers inside"
            },
            Self::Zip => "take the file wanted out of the archive first",
            Self::Html | Self::Xml => {
                "it may be the error page of a server instead of the data: look at the text"
            },
            Self::Json => "read it with Polars' `JsonReader`",
            Self::NdJson => "read it with Polars' `JsonLineReader` or `LazyJsonLineReader`",
            Self::Csv => "read it with Polars' `CsvReader` or `LazyCsvReader`",
            Self::Text => "look at the text: it may be the message of an error",
            Self::Empty => "the writer may not have begun, or failed at once",
            Self::Unknown => {
                "check where the bytes come from; if they were encrypted or encoded, undo that first"
            },
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::IpcFile => "an Arrow IPC file",
            Self::IpcStream => "an Arrow IPC stream",
            Self::Parquet => "a Parquet file",
            Self::FeatherV1 => "a Feather V1 file",
            Self::Orc => "an ORC file",
            Self::Avro => "an Avro file",
            Self::Hdf5 => "an HDF5 file",
            Self::Gzip => "gzip-compressed data",
            Self::Zstd => "Zstandard-compressed (zstd) data",
            Self::Lz4 => "LZ4-compressed data",
            Self::Bzip2 => "bzip2-compressed data",
            Self::Xz => "xz-compressed data",
            Self::Zip => "a ZIP archive",
            Self::Html => "an HTML page",
            Self::Xml => "an XML document",
            Self::Json => "JSON",
            Self::NdJson => "newline-delimited JSON (NDJSON)",
            Self::Csv => "text, perhaps CSV",
            Self::Text => "text",
            Self::Empty => "empty",
            Self::Unknown => "of an unknown format",
        }
    }
}

impl fmt::Display for SourceFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Bytes of the beginning that an error shows.
const SHOWN_BYTES: usize = 24;

impl Error {
    /// [`ErrorKind::WrongFormat`] of a source that begins with `start`, which should be `expected`, such as "an Arrow
    /// IPC file".
    pub fn wrong_format(expected: SourceFormat, start: &[u8]) -> Self {
        // Never past the end, so the default is not taken.
        let shown = start.get(..SHOWN_BYTES.min(start.len())).unwrap_or_default();
        Self::new(ErrorKind::WrongFormat { expected, found: sniff(start), start: shown.to_vec() })
    }
}

/// The message of [`ErrorKind::WrongFormat`].
pub(crate) fn fmt_wrong_format(
    f: &mut fmt::Formatter<'_>,
    expected: SourceFormat,
    found: SourceFormat,
    start: &[u8],
) -> fmt::Result {
    let expected = expected.name().trim_start_matches("an ");
    match found {
        SourceFormat::Empty => write!(f, "the {expected} is empty: it has no schema message; ")?,
        SourceFormat::Unknown => {
            write!(f, "not an {expected}, but of an unknown format that begins with the bytes")?;
            start.iter().take(16).try_for_each(|byte| write!(f, " {byte:02x}"))?;
            write!(f, "; ")?;
        },
        found if found.is_text() => {
            let shown = String::from_utf8_lossy(start);
            write!(f, "not an {expected}, but {found}, which begins {shown:?}; ")?;
        },
        found => write!(f, "not an {expected}, but {found}; ")?,
    }
    f.write_str(found.advice())
}

impl SourceFormat {
    fn is_text(self) -> bool {
        matches!(self, Self::Html | Self::Xml | Self::Json | Self::NdJson | Self::Csv | Self::Text)
    }
}

#[cfg(test)]
mod tests;
