//! Messages and footers as flatbuffers. (Arrow `format/Message.fbs`, `format/File.fbs`.)
//!
//! The counterpart of [`message`](crate::message) and [`footer`](crate::footer). The result is the bare flatbuffer;
//! [`framing`](crate::framing) puts the marker and the length in front.

use arrow_format::ipc as fb;
use planus::{Builder, Offset, UnionOffset};

use crate::schema::{encode_key_values, encode_schema, key_values_size};
use crate::{
    BatchHeader, Block, BufferSpec, Codec, DictionaryHeader, Error, FieldNode, Footer, Place, Result,
    ResultExt, Schema, Text, Version,
};

/// Writes flatbuffers, one after another, into the same memory.
///
/// ```
/// use floe_format::{BatchHeader, Header, IpcLimits, MessageEncoder, decode_message};
///
/// let mut encoder = MessageEncoder::new();
/// let batch = BatchHeader { rows: 3, ..BatchHeader::default() };
/// let metadata = encoder.batch(&batch, 0, &[])?;
/// assert_eq!(decode_message(metadata, &IpcLimits::default())?.header, Header::Batch(batch));
/// # Ok::<(), floe_format::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct MessageEncoder {
    builder: Builder,
    // planus writes vectors from slices of its own structs; these are kept for their memory.
    nodes: Vec<fb::FieldNode>,
    buffers: Vec<fb::Buffer>,
    variadic: Vec<i64>,
}

impl MessageEncoder {
    /// An encoder without memory yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A schema message (V5, no body).
    ///
    /// Call [`Schema::check_encodable`] first if the schema comes from elsewhere: widths beyond i32
    /// are written as `i32::MAX`, and more than 4 GiB of text may panic.
    pub fn schema(&mut self, schema: &Schema) -> &[u8] {
        self.builder.clear();
        let schema = encode_schema(&mut self.builder, schema);
        let header = fb::MessageHeader::create_schema(&mut self.builder, schema);
        self.finish(header, 0, &[])
    }

    /// A record batch message (V5) whose body has `body_len` bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for numbers beyond the i64 of the format,
    /// and for headers that do not fit the 2 GiB of a message's metadata.
    pub fn batch(&mut self, batch: &BatchHeader, body_len: u64, metadata: &[(Text, Text)]) -> Result<&[u8]> {
        let body_len = to_i64(body_len, "body")?;
        self.builder.clear();
        let batch = self.record_batch(batch, metadata).at(|| "record batch")?;
        let header = fb::MessageHeader::create_record_batch(&mut self.builder, batch);
        Ok(self.finish(header, body_len, metadata))
    }

    /// A dictionary batch message (V5) whose body has `body_len` bytes.
    ///
    /// # Errors
    /// As [`batch`](Self::batch).
    pub fn dictionary(
        &mut self,
        header: &DictionaryHeader,
        body_len: u64,
        metadata: &[(Text, Text)],
    ) -> Result<&[u8]> {
        let DictionaryHeader { id, is_delta, batch } = header;
        let body_len = to_i64(body_len, "body")?;
        self.builder.clear();
        let batch = self.record_batch(batch, metadata).at(|| format!("dictionary batch {id}"))?;
        let dictionary = fb::DictionaryBatch::create(&mut self.builder, *id, batch, *is_delta);
        let header = fb::MessageHeader::create_dictionary_batch(&mut self.builder, dictionary);
        Ok(self.finish(header, body_len, metadata))
    }

    /// The footer of a file.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for numbers beyond the format's integers,
    /// and for footers beyond 2 GiB.
    pub fn footer(&mut self, footer: &Footer) -> Result<&[u8]> {
        let Footer { schema, dictionaries, batches, metadata, not_utf8: _, version } = footer;
        self.footer_of(schema, dictionaries, batches, metadata, *version)
    }

    /// As [`Self::footer`], of parts that belong to others.
    ///
    /// # Errors
    /// As there.
    pub fn footer_of(
        &mut self,
        schema: &Schema,
        dictionaries: &[Block],
        batches: &[Block],
        metadata: &[(Text, Text)],
        version: Version,
    ) -> Result<&[u8]> {
        schema.check_encodable().at(|| Place::Footer)?;
        let blocks = dictionaries.len().saturating_add(batches.len());
        check_size(blocks.saturating_mul(24).saturating_add(key_values_size(metadata)))
            .at(|| Place::Footer)?;
        let dictionaries = encode_blocks(dictionaries).at(|| "footer, dictionary blocks")?;
        let batches = encode_blocks(batches).at(|| "footer, record batch blocks")?;
        let version = match version {
            Version::V4 => fb::MetadataVersion::V4,
            Version::V5 => fb::MetadataVersion::V5,
        };
        let builder = &mut self.builder;
        builder.clear();
        let schema = encode_schema(builder, schema);
        let metadata = encode_key_values(builder, metadata);
        let root = fb::Footer::create(
            builder,
            version,
            schema,
            dictionaries.as_slice(),
            batches.as_slice(),
            metadata,
        );
        Ok(builder.finish(root, None))
    }

    /// Writes the table `RecordBatch`. `metadata` is only weighed here.
    fn record_batch(
        &mut self,
        batch: &BatchHeader,
        metadata: &[(Text, Text)],
    ) -> Result<Offset<fb::RecordBatch>> {
        let BatchHeader { rows, nodes, buffers, variadic, compression } = batch;
        let elements = nodes.len().saturating_add(buffers.len()).saturating_add(variadic.len());
        check_size(elements.saturating_mul(16).saturating_add(key_values_size(metadata)))?;
        let rows = to_i64(*rows, "rows")?;
        fill(&mut self.nodes, nodes, |&FieldNode { len, null_count }| {
            let (length, null_count) = (to_i64(len, "rows")?, to_i64(null_count, "nulls")?);
            Ok(fb::FieldNode { length, null_count })
        })?;
        fill(&mut self.buffers, buffers, |&BufferSpec { offset, len }| {
            Ok(fb::Buffer { offset: to_i64(offset, "offset")?, length: to_i64(len, "buffer")? })
        })?;
        fill(&mut self.variadic, variadic, |&count| to_i64(count, "variadic buffers"))?;
        let compression = compression.map(|codec| fb::BodyCompression {
            codec: match codec {
                Codec::Lz4 => fb::CompressionType::Lz4Frame,
                Codec::Zstd => fb::CompressionType::Zstd,
            },
            method: fb::BodyCompressionMethod::Buffer,
        });
        // Nodes and buffers are written even if empty (C++ refuses null), the counts only if there are any.
        let variadic = (!self.variadic.is_empty()).then_some(self.variadic.as_slice());
        let (nodes, buffers) = (self.nodes.as_slice(), self.buffers.as_slice());
        Ok(fb::RecordBatch::create(&mut self.builder, rows, nodes, buffers, compression, variadic))
    }

    fn finish(
        &mut self,
        header: UnionOffset<fb::MessageHeader>,
        body_len: i64,
        metadata: &[(Text, Text)],
    ) -> &[u8] {
        let builder = &mut self.builder;
        let metadata = encode_key_values(builder, metadata);
        let root = fb::Message::create(builder, fb::MetadataVersion::V5, header, body_len, metadata);
        builder.finish(root, None)
    }
}

/// Refills `out` with the converted `values`.
fn fill<T, U>(out: &mut Vec<U>, values: &[T], convert: impl Fn(&T) -> Result<U>) -> Result<()> {
    out.clear();
    out.reserve(values.len());
    for value in values {
        out.push(convert(value)?);
    }
    Ok(())
}

fn encode_blocks(blocks: &[Block]) -> Result<Vec<fb::Block>> {
    let encode = |block: &Block| {
        let Block { offset, metadata_len, body_len } = *block;
        Ok(fb::Block {
            offset: to_i64(offset, "offset")?,
            meta_data_length: i32::try_from(metadata_len).map_err(|_| {
                Error::invalid(format!("metadata of {metadata_len} bytes; the format allows 2 GiB"))
            })?,
            body_length: to_i64(body_len, "body")?,
        })
    };
    blocks.iter().map(encode).collect()
}

/// Flatbuffers address with 32 bits, and a message says its length as an i32.
fn check_size(size: usize) -> Result<()> {
    match i32::try_from(size) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::invalid(format!("metadata of about {size} bytes; the format allows 2 GiB"))),
    }
}

fn to_i64<T: TryInto<i64> + Copy + std::fmt::Display>(value: T, what: &str) -> Result<i64> {
    value.try_into().map_err(|_| Error::invalid(format!("{what}: {value} does not fit the format's i64")))
}
