//! One record batch or dictionary batch, ready to be written: encoded, compressed, laid out.

use floe_array::encode::Remap;
use floe_array::{EncodeCtx, Encoded, Executor, Serial, encode_column};
use floe_codec::Compression;
use floe_format::{BatchHeader, BodyLayout, Codec, Error, Field, FieldNode, Result};
use polars_buffer::Buffer;
use polars_core::prelude::ArrayRef;

use crate::statistics::ColumnStatistics;
use crate::trace;

/// A buffer as it goes out.
pub(crate) enum Stored {
    /// As it is.
    Plain(Buffer<u8>),
    /// Behind the prefix that says "not compressed".
    Raw(Buffer<u8>),
    /// Prefix and frame.
    Frame(Vec<u8>),
}

/// The prefix of a buffer that compression did not shrink.
const NOT_COMPRESSED: [u8; 8] = (-1i64).to_le_bytes();

impl Stored {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Plain(bytes) => bytes.len(),
            Self::Raw(bytes) => NOT_COMPRESSED.len() + bytes.len(),
            Self::Frame(bytes) => bytes.len(),
        }
    }

    /// The pieces that make it up.
    pub(crate) fn pieces(&self) -> [&[u8]; 2] {
        match self {
            Self::Plain(bytes) => [bytes.as_slice(), &[]],
            Self::Raw(bytes) => [&NOT_COMPRESSED, bytes.as_slice()],
            Self::Frame(bytes) => [bytes.as_slice(), &[]],
        }
    }
}

/// Some columns of a batch.
#[derive(Default)]
pub(crate) struct EncodedColumns {
    pub(crate) nodes: Vec<FieldNode>,
    pub(crate) variadic: Vec<usize>,
    pub(crate) buffers: Vec<Stored>,
    pub(crate) raw_bytes: u64,
    /// Of each column, if statistics are written.
    pub(crate) statistics: Vec<ColumnStatistics>,
}

impl EncodedColumns {
    /// Adds the columns that follow.
    pub(crate) fn append(&mut self, other: Self) {
        let Self { nodes, variadic, buffers, raw_bytes, statistics } = other;
        self.raw_bytes += raw_bytes;
        self.statistics.extend(statistics);
        if self.nodes.is_empty() {
            // The common case of one group: taken over as it is.
            (self.nodes, self.variadic, self.buffers) = (nodes, variadic, buffers);
            return;
        }
        self.nodes.extend(nodes);
        self.variadic.extend(variadic);
        self.buffers.extend(buffers);
    }
}

/// Encodes and compresses one column.
pub(crate) fn column(
    field: &Field,
    array: &ArrayRef,
    remaps: &[Option<Remap>],
    compression: Option<Compression>,
    executor: &dyn Executor,
) -> Result<EncodedColumns> {
    let mut ctx = EncodeCtx::new(remaps);
    {
        let _span = trace::span("encode");
        encode_column(&mut ctx, field, array.as_ref())?;
    }
    compress(ctx.finish(), compression, executor)
}

/// Encodes and compresses all columns of a small batch in one go.
pub(crate) fn columns(
    fields: &[Field],
    arrays: &[&ArrayRef],
    compression: Option<Compression>,
) -> Result<EncodedColumns> {
    let mut ctx = EncodeCtx::new(&[]);
    ctx.reserve(fields.len());
    for (field, array) in fields.iter().zip(arrays) {
        encode_column(&mut ctx, field, array.as_ref())?;
    }
    compress(ctx.finish(), compression, &Serial)
}

fn compress(
    encoded: Encoded,
    compression: Option<Compression>,
    executor: &dyn Executor,
) -> Result<EncodedColumns> {
    let Encoded { nodes, buffers, variadic, wide } = encoded;
    let raw_bytes = buffers.iter().map(|buffer| buffer.len() as u64).sum();
    let buffers = match compression {
        None => buffers.into_iter().map(Stored::Plain).collect(),
        Some(compression) => {
            let _span = trace::span("compress");
            let store = |(i, buffer)| store(buffer, compression, wide.contains(&i), executor);
            buffers.into_iter().enumerate().map(store).collect::<Result<_>>()?
        },
    };
    Ok(EncodedColumns { nodes, variadic, buffers, raw_bytes, statistics: Vec::new() })
}

fn store(
    buffer: Buffer<u8>,
    compression: Compression,
    always: bool,
    executor: &dyn Executor,
) -> Result<Stored> {
    if buffer.is_empty() {
        // A buffer of no bytes needs no prefix (and most readers want none).
        return Ok(Stored::Plain(buffer));
    }
    let codec_error = |e: floe_codec::Error| Error::invalid(format!("compression failed: {e}"));
    let len = i64::try_from(buffer.len()).map_err(|_| Error::invalid("a buffer of more than 2^63 bytes"))?;
    let mut out = len.to_le_bytes().to_vec();
    let run: floe_codec::Run<'_> = &|n, work| executor.for_each(n, work);
    let shrunk = if always {
        floe_codec::compress_always_with(compression, &buffer, &mut out, run).map(|()| true)
    } else {
        floe_codec::compress_with(compression, &buffer, &mut out, run)
    };
    if shrunk.map_err(codec_error)? {
        if out.capacity() - out.len() > out.len() {
            out.shrink_to_fit();
        }
        return Ok(Stored::Frame(out));
    }
    Ok(Stored::Raw(buffer))
}

/// A batch with its header, waiting for its turn.
pub(crate) struct EncodedBatch {
    pub(crate) header: BatchHeader,
    pub(crate) body_len: u64,
    pub(crate) buffers: Vec<Stored>,
    pub(crate) raw_bytes: u64,
}

/// Lays out the columns of a batch one after another.
pub(crate) fn assemble(
    rows: usize,
    columns: Vec<EncodedColumns>,
    compression: Option<Compression>,
) -> EncodedBatch {
    let mut all = EncodedColumns::default();
    for columns in columns {
        all.append(columns);
    }
    let EncodedColumns { nodes, variadic, buffers, raw_bytes, statistics: _ } = all;
    let mut layout = BodyLayout::default();
    let specs = buffers.iter().map(|buffer| layout.push(buffer.len())).collect();
    let header =
        BatchHeader { rows, nodes, buffers: specs, variadic, compression: compression.map(wire_codec) };
    EncodedBatch { header, body_len: layout.body_len(), buffers, raw_bytes }
}

fn wire_codec(compression: Compression) -> Codec {
    match compression.codec() {
        floe_codec::Codec::Lz4 => Codec::Lz4,
        floe_codec::Codec::Zstd => Codec::Zstd,
    }
}
