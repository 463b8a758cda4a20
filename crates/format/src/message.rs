//! The flatbuffer `Message` and its headers. (Arrow `format/Message.fbs`.)
//!
//! ```text
//! Message { version, header: Schema | DictionaryBatch { id, data, isDelta } | RecordBatch, bodyLength, metadata }
//! RecordBatch { length, nodes: [(length, nullCount)], buffers: [(offset, length)], compression, variadicBufferCounts }
//! ```
//!
//! Neighbours: `schema` reads the header of the first message, [`encode`](crate::encode) writes what
//! is read here, [`decoder`](crate::decoder) finds where the metadata of a message is.

use arrow_format::ipc as fb;
use floe_codec::Codec;
use planus::ReadAsRoot;
use planus::errors::ErrorKind as PlanusKind;

use crate::error::malformed;
use crate::schema::{Budget, Raw, decode_schema, key_values};
use crate::{Error, ErrorKind, IpcLimits, KeyValues, NotUtf8, Place, Result, ResultExt, Schema, Text};

/// A decoded message: its header, the length of the body that follows and custom metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The header of the message, by its kind.
    pub header: Header,
    /// Bytes of body that follow the metadata.
    pub body_len: u64,
    /// Custom metadata of this message.
    pub metadata: KeyValues,
    /// Entries of the metadata that are not UTF-8.
    pub not_utf8: Vec<NotUtf8>,
    /// V4 (before 1.0) unions carry a validity buffer; V5 ones do not.
    pub version: Version,
}

/// Metadata versions that can be read. (V1-V3 predate the stable format.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the names are those of Schema.fbs")]
pub enum Version {
    V4,
    #[default]
    V5,
}

/// The kinds of message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// The first message of a stream.
    Schema(Schema),
    /// A dictionary, or an addition to one.
    Dictionary(DictionaryHeader),
    /// A record batch.
    Batch(BatchHeader),
}

/// The header of a dictionary batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DictionaryHeader {
    /// The dictionary's id, as in [`crate::DictionaryEncoding::id`].
    pub id: i64,
    /// Whether the values are appended to those known, instead of replacing them.
    pub is_delta: bool,
    /// A batch of exactly one column: the values.
    pub batch: BatchHeader,
}

/// The header of a record batch: where each buffer of the body is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BatchHeader {
    /// Number of rows.
    pub rows: usize,
    /// One node an array, depth-first.
    pub nodes: Vec<FieldNode>,
    /// The buffers, in the order of the nodes.
    pub buffers: Vec<BufferSpec>,
    /// How many variadic buffers each view array has, in the order of the nodes.
    pub variadic: Vec<usize>,
    /// The codec of the buffers, if any.
    pub compression: Option<Codec>,
}

/// Length and null count of one array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FieldNode {
    /// Rows.
    pub len: usize,
    /// Rows that are null. Untrusted: a reader counts.
    pub null_count: usize,
}

/// A byte range of a body. Checked against the body's length when decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BufferSpec {
    /// Where it starts.
    pub offset: u64,
    /// Its length without padding; the *compressed* length, prefix included, if compressed.
    pub len: u64,
}

/// Slots of `Message.fbs`.
const HEADER: usize = 2;
const METADATA: usize = 4;

/// Metadata key by which Arrow 0.17 announced compressed buffers, before `BodyCompression`.
const EXPERIMENTAL_COMPRESSION: &str = "ARROW:experimental_compression";

/// Reads the metadata of one message: the flatbuffer; padding may follow it.
///
/// Buffers are checked against the body's length; the dictionaries of a schema get their slots.
///
/// ```
/// use floe_format::{Header, IpcLimits, MessageEncoder, Schema, decode_message};
///
/// let mut encoder = MessageEncoder::new();
/// let message = decode_message(encoder.schema(&Schema::default()), &IpcLimits::default())?;
/// assert_eq!(message.header, Header::Schema(Schema::default()));
/// # Ok::<(), floe_format::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Flatbuffer`] if it is malformed. [`ErrorKind::LimitExceeded`] if it claims more than `limits` allow.
/// [`ErrorKind::BufferOutOfBounds`] and [`ErrorKind::Invalid`] if it contradicts the specification.
/// [`ErrorKind::UnsupportedType`] for tensors, metadata before V4 and types from the future.
pub fn decode_message(metadata: &[u8], limits: &IpcLimits) -> Result<Message> {
    if metadata.len() > limits.max_metadata_bytes {
        return Err(Error::limit("max_metadata_bytes", metadata.len(), limits.max_metadata_bytes));
    }
    let message = fb::MessageRef::read_as_root(metadata).map_err(malformed)?;
    let version = decode_version(message.version())?;
    let body_len = to_u64(message.body_length().map_err(malformed)?, "the body's length")?;
    let mut budget = Budget::new(limits, metadata.len());
    let raw = Raw::root(metadata);
    let custom = key_values(message.custom_metadata().map_err(malformed)?, (raw, METADATA), &mut budget)?;
    let not_utf8 = budget.take_not_utf8();
    let header = match message.header() {
        Ok(Some(fb::MessageHeaderRef::Schema(schema))) => {
            Header::Schema(decode_schema(schema, raw.table(HEADER), &mut budget).at(|| Place::Schema)?)
        },
        Ok(Some(fb::MessageHeaderRef::RecordBatch(batch))) => {
            let context = BatchContext { body_len, version, custom: &custom, limits };
            let header = context.decode(batch, &mut budget);
            Header::Batch(header.at(|| "record batch")?)
        },
        Ok(Some(fb::MessageHeaderRef::DictionaryBatch(dictionary))) => {
            let context = BatchContext { body_len, version, custom: &custom, limits };
            Header::Dictionary(
                decode_dictionary(dictionary, &context, &mut budget).at(|| "dictionary batch")?,
            )
        },
        Ok(Some(fb::MessageHeaderRef::Tensor(_) | fb::MessageHeaderRef::SparseTensor(_))) => {
            return Err(Error::unsupported("the message carries a tensor, which is not tabular data"));
        },
        Ok(None) => return Err(Error::invalid("the message has no header")),
        Err(planus::Error { error_kind: PlanusKind::UnknownUnionTag { tag }, .. }) => {
            return Err(Error::unsupported(format!(
                "unknown kind of message (tag {tag} of `MessageHeader`)"
            )));
        },
        Err(error) => return Err(malformed(error)),
    };
    Ok(Message { header, body_len, metadata: custom, not_utf8, version })
}

/// The length of the body that belongs to a message, without reading the rest of its metadata.
///
/// ```
/// use floe_format::{MessageEncoder, Schema, message_body_len};
///
/// assert_eq!(message_body_len(MessageEncoder::new().schema(&Schema::default()))?, 0);
/// # Ok::<(), floe_format::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Flatbuffer`] if the metadata is malformed, [`ErrorKind::Invalid`] for a negative length.
pub fn message_body_len(metadata: &[u8]) -> Result<u64> {
    let message = fb::MessageRef::read_as_root(metadata).map_err(malformed)?;
    to_u64(message.body_length().map_err(malformed)?, "the body's length")
}

pub(crate) fn decode_version(version: planus::Result<fb::MetadataVersion>) -> Result<Version> {
    match version {
        Ok(fb::MetadataVersion::V4) => Ok(Version::V4),
        Ok(fb::MetadataVersion::V5) => Ok(Version::V5),
        Ok(old) => Err(Error::unsupported(format!(
            "metadata version {old:?}, from before Arrow 0.8; rewrite the data with Arrow 0.8 to 0.17 first"
        ))),
        Err(planus::Error { error_kind: PlanusKind::UnknownEnumTag { source }, .. }) => {
            Err(Error::unsupported(format!("unknown metadata version (tag {})", source.tag)))
        },
        Err(error) => Err(malformed(error)),
    }
}

fn decode_dictionary(
    dictionary: fb::DictionaryBatchRef<'_>,
    context: &BatchContext<'_>,
    budget: &mut Budget<'_>,
) -> Result<DictionaryHeader> {
    let Some(batch) = dictionary.data().map_err(malformed)? else {
        return Err(Error::invalid("the dictionary has no values"));
    };
    Ok(DictionaryHeader {
        id: dictionary.id().map_err(malformed)?,
        is_delta: dictionary.is_delta().map_err(malformed)?,
        batch: context.decode(batch, budget)?,
    })
}

/// The parts of a message that its record batch is checked against.
struct BatchContext<'a> {
    body_len: u64,
    version: Version,
    custom: &'a [(Text, Text)],
    limits: &'a IpcLimits,
}

impl BatchContext<'_> {
    fn decode(&self, batch: fb::RecordBatchRef<'_>, budget: &mut Budget<'_>) -> Result<BatchHeader> {
        let rows = to_usize(batch.length().map_err(malformed)?, "the number of rows")?;
        let mut nodes = Vec::new();
        if let Some(wire) = batch.nodes().map_err(malformed)? {
            // A vector is as long as it claims: planus has compared it with the bytes.
            budget.take::<FieldNode>(wire.len())?;
            nodes.reserve_exact(wire.len());
            for (index, node) in wire.iter().enumerate() {
                nodes.push(decode_node(&node).at(|| format!("field node {index}"))?);
            }
        }
        let buffers = self.decode_buffers(&batch, budget)?;
        let mut variadic = Vec::new();
        if let Some(wire) = batch.variadic_buffer_counts().map_err(malformed)? {
            budget.take::<usize>(wire.len())?;
            variadic.reserve_exact(wire.len());
            let mut total = 0usize;
            for count in wire {
                let count = to_usize(count, "a count of variadic buffers")?;
                total = total.saturating_add(count);
                variadic.push(count);
            }
            if total > buffers.len() {
                let message = format!("{total} variadic buffers among {} buffers", buffers.len());
                return Err(Error::invalid(message));
            }
        }
        let compression = self.decode_compression(&batch)?;
        Ok(BatchHeader { rows, nodes, buffers, variadic, compression })
    }

    fn decode_buffers(
        &self,
        batch: &fb::RecordBatchRef<'_>,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<BufferSpec>> {
        let Some(wire) = batch.buffers().map_err(malformed)? else { return Ok(Vec::new()) };
        if wire.len() > self.limits.max_buffers {
            return Err(Error::limit("max_buffers", wire.len(), self.limits.max_buffers));
        }
        budget.take::<BufferSpec>(wire.len())?;
        let mut buffers = Vec::with_capacity(wire.len());
        for (index, buffer) in wire.iter().enumerate() {
            let spec = decode_buffer(&buffer).at(|| Place::Buffer(index))?;
            buffers.push(spec.checked(index, self.body_len)?);
        }
        Ok(buffers)
    }

    fn decode_compression(&self, batch: &fb::RecordBatchRef<'_>) -> Result<Option<Codec>> {
        let Some(compression) = batch.compression().map_err(malformed)? else {
            return self.experimental_compression();
        };
        if compression.method().is_err() {
            return Err(Error::unsupported("a body that is not compressed buffer by buffer"));
        }
        match compression.codec() {
            Ok(fb::CompressionType::Lz4Frame) => Ok(Some(Codec::Lz4)),
            Ok(fb::CompressionType::Zstd) => Ok(Some(Codec::Zstd)),
            Err(error) => Err(Error::unsupported(format!("unknown codec: {error}"))),
        }
    }

    /// Arrow 0.17 named its codec in the metadata of V4 messages; C++ still reads that.
    fn experimental_compression(&self) -> Result<Option<Codec>> {
        if self.version != Version::V4 {
            return Ok(None);
        }
        match self.custom.iter().find(|(key, _)| key == EXPERIMENTAL_COMPRESSION) {
            None => Ok(None),
            Some((_, name)) if name.eq_ignore_ascii_case("lz4") => Ok(Some(Codec::Lz4)),
            Some((_, name)) if name.eq_ignore_ascii_case("zstd") => Ok(Some(Codec::Zstd)),
            Some((_, name)) if name.eq_ignore_ascii_case("uncompressed") => Ok(None),
            Some((_, name)) => {
                Err(Error::unsupported(format!("unknown codec \"{name}\" in `{EXPERIMENTAL_COMPRESSION}`")))
            },
        }
    }
}

impl BufferSpec {
    /// Checks the range against the body. An empty buffer may claim any offset (writers do); it is
    /// moved inside, so that slicing with it is safe.
    fn checked(self, buffer: usize, body: u64) -> Result<Self> {
        if self.len == 0 {
            return Ok(Self { offset: self.offset.min(body), len: 0 });
        }
        match self.offset.checked_add(self.len) {
            Some(end) if end <= body => Ok(self),
            end => {
                // An end that overflows is told as the largest number.
                Err(Error::new(ErrorKind::BufferOutOfBounds { buffer, end: end.unwrap_or(u64::MAX), body }))
            },
        }
    }
}

fn decode_node(node: &fb::FieldNodeRef<'_>) -> Result<FieldNode> {
    let len = to_usize(node.length(), "the length")?;
    let null_count = to_usize(node.null_count(), "the null count")?;
    match null_count <= len {
        true => Ok(FieldNode { len, null_count }),
        false => Err(Error::invalid(format!("{null_count} nulls in {len} rows"))),
    }
}

fn decode_buffer(buffer: &fb::BufferRef<'_>) -> Result<BufferSpec> {
    Ok(BufferSpec {
        offset: to_u64(buffer.offset(), "the offset")?,
        len: to_u64(buffer.length(), "the length")?,
    })
}

pub(crate) fn to_u64(value: i64, what: &str) -> Result<u64> {
    u64::try_from(value).map_err(|_| Error::invalid(format!("{what} is negative: {value}")))
}

fn to_usize(value: i64, what: &str) -> Result<usize> {
    usize::try_from(value).map_err(|_| match value < 0 {
        true => Error::invalid(format!("{what} is negative: {value}")),
        false => Error::unsupported(format!("{what} is {value}, more than this platform can address")),
    })
}

#[cfg(test)]
mod tests;
