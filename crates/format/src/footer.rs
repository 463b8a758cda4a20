//! The footer of a file: where every batch is. (Arrow `format/File.fbs`; `Columnar.rst`, "IPC File
//! Format".)
//!
//! ```text
//! ... messages | end marker | footer flatbuffer | i32 its length | "ARROW1"
//!                             ^ Footer            ^-- the 10 bytes of footer_len --^
//! ```
//!
//! A [`Block`] is one message: `offset` is where its marker is, `metadata_len` counts marker,
//! length, flatbuffer and padding, and `body_len` bytes of body follow at once.

use arrow_format::ipc as fb;
use planus::{ReadAsRoot, Vector};

use crate::constants::{FILE_MAGIC, FILE_PREFIX, FILE_SUFFIX_LEN};
use crate::error::malformed;
use crate::message::{decode_version, to_u64};
use crate::schema::{Budget, Raw, decode_schema, key_values};
use crate::{Error, ErrorKind, IpcLimits, KeyValues, NotUtf8, Place, Result, ResultExt, Schema, Version};

/// Slots of `File.fbs`.
const SCHEMA: usize = 1;
const METADATA: usize = 4;

/// A decoded footer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Footer {
    /// The schema; the one of the first message MUST be equal.
    pub schema: Schema,
    /// The dictionary batches, in the order in which deltas apply.
    pub dictionaries: Vec<Block>,
    /// The record batches, in order.
    pub batches: Vec<Block>,
    /// Custom metadata of the footer.
    pub metadata: KeyValues,
    /// Entries of the metadata that are not UTF-8. Read, and not written.
    pub not_utf8: Vec<NotUtf8>,
    /// The metadata version of the file; V4 if the footer says none, as before 1.0.
    pub version: Version,
}

impl Footer {
    /// Checks how much the blocks claim together of a file of `len` bytes. They may lie on one another, which makes much
    /// of a small file: each counts.
    ///
    /// # Errors
    /// [`ErrorKind::Amplified`] when that is more than the file has and the limits allow.
    ///
    /// ```
    /// use floe_format::{Block, Footer, IpcLimits};
    ///
    /// let block = Block { offset: 8, metadata_len: 64, body_len: 1 << 40 };
    /// let footer = Footer { batches: vec![block; 2], ..Footer::default() };
    /// assert!(footer.check_overlap(1 << 20, &IpcLimits::default()).is_err());
    /// assert!(footer.check_overlap((1 << 41) + 128, &IpcLimits::default()).is_ok());
    /// ```
    pub fn check_overlap(&self, len: u64, limits: &IpcLimits) -> Result<()> {
        let blocks = self.dictionaries.iter().chain(&self.batches);
        let size = |block: &Block| u64::from(block.metadata_len).saturating_add(block.body_len);
        let claimed = blocks.map(size).fold(0, u64::saturating_add);
        let allowed = limits.max_bytes_of(len, 0).max(len);
        if claimed > allowed {
            let error = Error::new(ErrorKind::Amplified { input: len, claimed, allowed });
            return Err(error.at("blocks that overlap"));
        }
        Ok(())
    }
}

/// Where one message of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Block {
    /// Where the message starts, from the start of the file.
    pub offset: u64,
    /// Bytes from there to the body.
    pub metadata_len: u32,
    /// Bytes of body.
    pub body_len: u64,
}

/// Reads a footer; the dictionaries of its schema get their slots. Blocks are not checked against
/// the file yet, see [`Block::check`].
///
/// ```
/// use floe_format::{Footer, IpcLimits, MessageEncoder, decode_footer};
///
/// let footer = Footer::default();
/// let mut encoder = MessageEncoder::new();
/// assert_eq!(decode_footer(encoder.footer(&footer)?, &IpcLimits::default())?, footer);
/// # Ok::<(), floe_format::Error>(())
/// ```
///
/// # Errors
/// As [`decode_message`](crate::decode_message); a footer without a schema is
/// [`ErrorKind::Invalid`].
pub fn decode_footer(flatbuffer: &[u8], limits: &IpcLimits) -> Result<Footer> {
    decode(flatbuffer, limits).at(|| Place::Footer)
}

fn decode(flatbuffer: &[u8], limits: &IpcLimits) -> Result<Footer> {
    if flatbuffer.len() > limits.max_metadata_bytes {
        return Err(Error::limit("max_metadata_bytes", flatbuffer.len(), limits.max_metadata_bytes));
    }
    let footer = fb::FooterRef::read_as_root(flatbuffer).map_err(malformed)?;
    let version = match footer.version() {
        // Writers before 1.0 (the golden files of 0.14.1) left this unset, which reads as V1. Each
        // message says its own version, and that is checked.
        Ok(fb::MetadataVersion::V1) => Version::V4,
        version => decode_version(version)?,
    };
    let mut budget = Budget::new(limits, flatbuffer.len());
    let Some(schema) = footer.schema().map_err(malformed)? else {
        return Err(Error::invalid("there is no schema"));
    };
    let raw = Raw::root(flatbuffer);
    let schema = decode_schema(schema, raw.table(SCHEMA), &mut budget).at(|| Place::Schema)?;
    let metadata = key_values(footer.custom_metadata().map_err(malformed)?, (raw, METADATA), &mut budget)?;
    Ok(Footer {
        schema,
        dictionaries: decode_blocks(footer.dictionaries().map_err(malformed)?, &mut budget)
            .at(|| "dictionary blocks")?,
        batches: decode_blocks(footer.record_batches().map_err(malformed)?, &mut budget)
            .at(|| "record batch blocks")?,
        metadata,
        not_utf8: budget.take_not_utf8(),
        version,
    })
}

fn decode_blocks(
    blocks: Option<Vector<'_, fb::BlockRef<'_>>>,
    budget: &mut Budget<'_>,
) -> Result<Vec<Block>> {
    let Some(blocks) = blocks else { return Ok(Vec::new()) };
    budget.take::<Block>(blocks.len())?;
    // planus has compared the vector's length with the bytes, and a block is as large here as there.
    let mut out = Vec::with_capacity(blocks.len());
    for (index, block) in blocks.iter().enumerate() {
        out.push(decode_block(&block).at(|| format!("block {index}"))?);
    }
    Ok(out)
}

fn decode_block(block: &fb::BlockRef<'_>) -> Result<Block> {
    let metadata_len = block.meta_data_length();
    Ok(Block {
        offset: to_u64(block.offset(), "the offset")?,
        metadata_len: u32::try_from(metadata_len)
            .map_err(|_| Error::invalid(format!("the metadata's length is negative: {metadata_len}")))?,
        body_len: to_u64(block.body_length(), "the body's length")?,
    })
}

/// The length of the footer that stands in front of `suffix`, the last 10 bytes of a file.
///
/// ```
/// use floe_format::{IpcLimits, footer_len};
///
/// assert_eq!(footer_len(b"\x20\0\0\0ARROW1", &IpcLimits::default())?, 32);
/// # Ok::<(), floe_format::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::BadMagic`] if this is not the end of a file, [`ErrorKind::Invalid`] for lengths of
/// zero and less, [`ErrorKind::LimitExceeded`] beyond `max_metadata_bytes`.
pub fn footer_len(suffix: &[u8; FILE_SUFFIX_LEN], limits: &IpcLimits) -> Result<usize> {
    let [a, b, c, d, magic @ ..] = *suffix;
    if magic != FILE_MAGIC {
        let expected = "\"ARROW1\" as the last six bytes of the file; it may be incomplete, or a stream";
        return Err(Error::new(ErrorKind::BadMagic { expected }));
    }
    match usize::try_from(i32::from_le_bytes([a, b, c, d])) {
        Ok(len) if len > limits.max_metadata_bytes => {
            Err(Error::limit("max_metadata_bytes", len, limits.max_metadata_bytes))
        },
        Ok(len) if len > 0 => Ok(len),
        _ => Err(Error::invalid("the footer's length is not positive")),
    }
    .at(|| Place::Footer)
}

impl Block {
    /// Checks that the message lies between the file's magic and its footer.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`].
    pub fn check(&self, footer_start: u64) -> Result<()> {
        let end = self.end()?;
        let first = FILE_PREFIX.len();
        if self.metadata_len == 0 {
            return Err(Error::invalid("a block without metadata"));
        }
        match u64::try_from(first).is_ok_and(|first| self.offset >= first) && end <= footer_start {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "a block at bytes {} to {end} is not between the magic and the footer (bytes {first} to {footer_start})",
                self.offset
            ))),
        }
    }

    /// Where the body starts.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if that overflows.
    pub fn body_start(&self) -> Result<u64> {
        self.offset.checked_add(u64::from(self.metadata_len)).ok_or_else(|| self.overflow())
    }

    /// Where the message ends.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if that overflows.
    pub fn end(&self) -> Result<u64> {
        self.body_start()?.checked_add(self.body_len).ok_or_else(|| self.overflow())
    }

    fn overflow(&self) -> Error {
        Error::invalid(format!("a block at byte {} is longer than a file can be", self.offset))
    }
}

#[cfg(test)]
mod tests;
