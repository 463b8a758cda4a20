//! One record batch or dictionary batch, ready to be written: encoded, compressed, laid out.

use floe_array::decode::is_plain;
use floe_array::encode::{EncodedBuffer, Promise, Remap, encode_joined};
use floe_array::{EncodeCtx, Encoded, Executor, Serial, encode_column};
use floe_codec::{Compression, CompressionPlan, UncompressedFrame};
use floe_format::{BatchHeader, BodyLayout, Error, Field, FieldNode, Result};
use polars_buffer::Buffer;
use polars_core::prelude::ArrayRef;

use super::choices::{Known, Role};
use super::convert::estimate;
use super::emit::GATHER;
use crate::pool::{Queue, Task, Turn};
use crate::statistics::ColumnStatistics;
use crate::trace;

/// A buffer as it goes out.
pub(crate) enum Stored {
    /// As it is.
    Plain(EncodedBuffer),
    /// Prefix and frame.
    Frame(Vec<u8>),
    /// Prefix and a frame whose blocks are parts of the buffer as they are: compression would not shrink it.
    Blocks { prefix: [u8; 8], frame: UncompressedFrame, bytes: Buffer<u8> },
}

impl Stored {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Plain(bytes) => bytes.len(),
            Self::Frame(bytes) => bytes.len(),
            Self::Blocks { prefix, frame, .. } => prefix.len() + frame.len(),
        }
    }

    /// The pieces that make it up, from 0 until there is none.
    pub(crate) fn piece(&self, i: usize) -> Option<&[u8]> {
        match self {
            Self::Plain(bytes) => bytes.piece(i),
            Self::Frame(bytes) => (i == 0).then_some(bytes.as_slice()),
            Self::Blocks { prefix, frame, bytes } => match i.checked_sub(1) {
                None => Some(prefix),
                Some(i) => frame.piece(bytes, i),
            },
        }
    }
}

/// Consecutive buffers that a task makes.
pub(crate) struct Later {
    /// Where the first of them belongs.
    pub(crate) first: usize,
    task: Task<Result<Vec<Stored>>>,
}

impl Later {
    /// Whether they are there.
    pub(crate) fn is_done(&self) -> bool {
        self.task.is_done()
    }

    /// Waits for them, and puts them where they belong among all buffers.
    pub(crate) fn place(self, buffers: &mut [Stored]) -> Result<()> {
        let places = buffers.iter_mut().skip(self.first);
        places.zip(self.task.wait()?).for_each(|(place, stored)| *place = stored);
        Ok(())
    }
}

/// Buffers of a column from this size on are compressed apart from each other.
pub(super) const APART_BYTES: usize = if cfg!(fuzzing) { 256 } else { 256 << 10 };

/// Some columns of a batch.
#[derive(Default)]
pub(crate) struct EncodedColumns {
    pub(crate) nodes: Vec<FieldNode>,
    pub(crate) variadic: Vec<usize>,
    pub(crate) buffers: Vec<Stored>,
    /// Which of the buffers are still being made or compressed.
    later: Vec<Later>,
    pub(crate) raw_bytes: u64,
    /// Of each column, if statistics are written.
    pub(crate) statistics: Vec<ColumnStatistics>,
}

impl EncodedColumns {
    /// Adds the columns that follow.
    pub(crate) fn append(&mut self, other: Self) {
        let Self { nodes, variadic, buffers, later, raw_bytes, statistics } = other;
        self.raw_bytes += raw_bytes;
        self.statistics.extend(statistics);
        let before = self.buffers.len();
        self.later.extend(later.into_iter().map(|later| Later { first: before + later.first, ..later }));
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

/// Where a part of the work on a column is left: in the queue, for the batch of this number.
#[derive(Clone, Copy)]
pub(crate) struct Apart<'a> {
    pub(crate) queue: &'a Queue,
    pub(crate) batch: u64,
    pub(crate) column: usize,
}

impl Apart<'_> {
    /// Has buffers made that are promised.
    fn keep(&self, promise: Promise) -> Later {
        let first = promise.first();
        let task = self.queue.push(self.batch, Turn::InOrder { column: self.column }, move || {
            let _span = trace::span("encode");
            Ok(promise.keep()?.into_iter().map(Stored::Plain).collect())
        });
        Later { first, task }
    }
}

/// How the columns of a batch are encoded.
#[derive(Clone, Copy)]
pub(crate) struct Encoding<'a> {
    pub(crate) remaps: &'a [Option<Remap>],
    pub(crate) compression: Option<Compression>,
    pub(crate) canonical_views: bool,
    pub(crate) unreferenced_data: bool,
    pub(crate) executor: &'static dyn Executor,
}

/// Encodes and compresses one column; with `apart` in several tasks. Those that compress are waited for by
/// [`assemble`]; where nothing is compressed, those that make what is promised by whoever writes it.
pub(crate) fn column(
    field: &Field,
    array: &ArrayRef,
    encoding: Encoding<'_>,
    apart: Option<Apart<'_>>,
    role: Role,
) -> Result<EncodedColumns> {
    let Encoding { remaps, compression, canonical_views, unreferenced_data, executor } = encoding;
    let promises = compression.is_none() && apart.is_some();
    let mut ctx = EncodeCtx::new(remaps)
        .with_canonical_views(canonical_views)
        .with_unreferenced_data(unreferenced_data)
        .with_promises(promises);
    {
        let _span = trace::span("encode");
        encode_column(&mut ctx, field, array.as_ref())?;
    }
    compress(ctx.finish(), compression, executor, apart, role)
}

/// Pieces shorter than this are joined, if that is done by the pool: the writing thread takes longer for a vectored write
/// of many than of one, and has to be waited for.
const JOIN: usize = 16 << 10;

/// Whether the buffers of numbers are what is written, if they are not to be compressed: of one array, or of several
/// without nulls that are not so short that they are better joined, in `parallel` to writing. Their values take `bytes`.
pub(crate) fn are_as_written(field: &Field, arrays: &[ArrayRef], bytes: usize, parallel: bool) -> bool {
    let least = if parallel { JOIN } else { GATHER };
    let has_nulls = || arrays.iter().any(|array| array.null_count() > 0);
    is_plain(field) && (arrays.len() == 1 || (bytes / arrays.len().max(1) >= least && !has_nulls()))
}

/// Encodes numbers that are not to be compressed as the several pieces they are in; `None` for all else.
pub(crate) fn pieces(field: &Field, arrays: &[ArrayRef], parallel: bool) -> Result<Option<EncodedColumns>> {
    let bytes = || arrays.iter().map(|array| estimate(array.as_ref())).sum();
    if arrays.len() < 2 || !are_as_written(field, arrays, bytes(), parallel) {
        return Ok(None);
    }
    let mut node = FieldNode { len: 0, null_count: 0 };
    let mut values = Vec::with_capacity(arrays.len());
    let mut len = 0;
    for array in arrays {
        let mut ctx = EncodeCtx::new(&[]);
        encode_column(&mut ctx, field, array.as_ref())?;
        // A node, no validity, values.
        let Encoded { nodes, mut buffers, .. } = ctx.finish();
        let (Some(piece), Some(bytes)) = (nodes.first(), buffers.pop()) else { return Ok(None) };
        node.len += piece.len;
        len += bytes.len();
        values.push(bytes.join()?);
    }
    let buffers = vec![Stored::Plain(Buffer::default().into()), Stored::Plain(EncodedBuffer::Pieces(values))];
    Ok(Some(EncodedColumns {
        nodes: vec![node],
        buffers,
        raw_bytes: len as u64,
        ..EncodedColumns::default()
    }))
}

/// Encodes numbers that are not to be compressed, and that [`pieces`] leaves to be joined, `apart`; `None` for all else.
pub(crate) fn joined(
    field: &Field,
    arrays: &[ArrayRef],
    unreferenced_data: bool,
    apart: Apart<'_>,
) -> Option<Result<EncodedColumns>> {
    if arrays.len() < 2 || !is_plain(field) {
        return None;
    }
    let mut ctx = EncodeCtx::new(&[]).with_unreferenced_data(unreferenced_data).with_promises(true);
    let encoded = encode_joined(&mut ctx, field, arrays);
    Some(encoded.and_then(|()| compress(ctx.finish(), None, &Serial, Some(apart), Role::Alone)))
}

/// Encodes and compresses all columns of a small batch in one go.
pub(crate) fn columns(
    fields: &[Field],
    arrays: &[&ArrayRef],
    compression: Option<Compression>,
    unreferenced_data: bool,
) -> Result<EncodedColumns> {
    let mut ctx = EncodeCtx::new(&[]).with_unreferenced_data(unreferenced_data);
    ctx.reserve(fields.len());
    for (field, array) in fields.iter().zip(arrays) {
        encode_column(&mut ctx, field, array.as_ref())?;
    }
    compress(ctx.finish(), compression, &Serial, None, Role::Alone)
}

fn compress(
    encoded: Encoded,
    compression: Option<Compression>,
    executor: &'static dyn Executor,
    apart: Option<Apart<'_>>,
    role: Role,
) -> Result<EncodedColumns> {
    let Encoded { nodes, buffers, variadic, promises } = encoded;
    let raw_bytes = buffers.iter().map(|buffer| buffer.len() as u64).sum();
    let (buffers, later) = match compression {
        None => {
            let keep = |apart: Apart<'_>| promises.into_iter().map(|promise| apart.keep(promise)).collect();
            (buffers.into_iter().map(Stored::Plain).collect(), apart.map(keep).unwrap_or_default())
        },
        Some(compression) => {
            let _span = trace::span("compress");
            store_all(buffers, compression, executor, apart, role)?
        },
    };
    Ok(EncodedColumns { nodes, variadic, buffers, later, raw_bytes, statistics: Vec::new() })
}

/// Compresses the buffers of a column. With `apart` all large ones but the last become tasks of their own: else a
/// column of lists or strings, whose buffers are several, would keep one thread when the others have nothing left.
fn store_all(
    buffers: Vec<EncodedBuffer>,
    compression: Compression,
    executor: &'static dyn Executor,
    apart: Option<Apart<'_>>,
    role: Role,
) -> Result<(Vec<Stored>, Vec<Later>)> {
    let known = role.known(&buffers, compression)?;
    let last = buffers.iter().rposition(|buffer| buffer.len() >= APART_BYTES);
    let mut later = Vec::new();
    let mut now = Vec::with_capacity(buffers.len());
    for (i, (buffer, known)) in buffers.into_iter().zip(known).enumerate() {
        if let Some(Apart { queue, batch, .. }) = apart
            && buffer.len() >= APART_BYTES
            && last.is_some_and(|last| i < last)
        {
            let task = queue.push(batch, Turn::of_bytes(buffer.len()), move || {
                let _span = trace::span("compress");
                Ok(vec![store(buffer, compression, known, executor)?])
            });
            later.push(Later { first: i, task });
            now.push(Stored::Plain(Buffer::default().into()));
        } else {
            now.push(store(buffer, compression, known, executor)?);
        }
    }
    Ok((now, later))
}

fn store(
    buffer: EncodedBuffer,
    compression: Compression,
    known: Known,
    executor: &dyn Executor,
) -> Result<Stored> {
    if buffer.is_empty() {
        // A buffer of no bytes needs no prefix (and most readers want none).
        return Ok(Stored::Plain(buffer));
    }
    let buffer = buffer.join()?;
    let len = i64::try_from(buffer.len()).map_err(|_| Error::invalid("a buffer of more than 2^63 bytes"))?;
    let prefix = len.to_le_bytes();
    let mut out = prefix.to_vec();
    let run: floe_codec::Run<'_> = &|n, work| executor.for_each(n, work);
    let (plan, is_reused) = match known {
        Known::Nothing => (CompressionPlan::for_one(compression, &buffer), false),
        Known::Choice(plan) => (Ok(plan), false),
        Known::Before(found, i) => match found.wait(i) {
            Some(leader) => {
                let plan = leader.reuse_or_replan(&buffer);
                let is_reused = plan.as_ref() == Ok(&leader);
                (plan, is_reused)
            },
            None => (CompressionPlan::for_one(compression, &buffer), false),
        },
    };
    let plan = plan.map_err(codec_error)?;
    let is_compressed = plan.compress(&buffer, &mut out, run).map_err(codec_error)?;
    trace::buffer(&plan, is_reused, buffer.len(), out.len() - prefix.len());
    if !is_compressed {
        let frame = UncompressedFrame::new(compression.codec(), buffer.len());
        return Ok(Stored::Blocks { prefix, frame, bytes: buffer });
    }
    if out.capacity() - out.len() > out.len() {
        out.shrink_to_fit();
    }
    Ok(Stored::Frame(out))
}

pub(super) fn codec_error(error: floe_codec::Error) -> Error {
    Error::invalid(format!("compression failed: {error}"))
}

/// A batch with its header, waiting for its turn.
pub(crate) struct EncodedBatch {
    pub(crate) header: BatchHeader,
    pub(crate) body_len: u64,
    pub(crate) buffers: Vec<Stored>,
    /// Which of them are still being made, in their order.
    pub(crate) later: Vec<Later>,
    pub(crate) raw_bytes: u64,
}

/// Lays out the columns of a batch one after another. What is still being compressed is waited for: who knows how long
/// it will be.
pub(crate) fn assemble(
    rows: usize,
    columns: Vec<EncodedColumns>,
    compression: Option<Compression>,
) -> Result<EncodedBatch> {
    let mut all = EncodedColumns::default();
    for columns in columns {
        all.append(columns);
    }
    let EncodedColumns { nodes, variadic, mut buffers, mut later, raw_bytes, statistics: _ } = all;
    if compression.is_some() {
        later.drain(..).try_for_each(|later| later.place(&mut buffers))?;
    }
    let mut layout = BodyLayout::default();
    let specs = buffers.iter().map(|buffer| layout.push(buffer.len())).collect();
    let header = BatchHeader {
        rows,
        nodes,
        buffers: specs,
        variadic,
        compression: compression.map(Compression::codec),
    };
    Ok(EncodedBatch { header, body_len: layout.body_len(), buffers, later, raw_bytes })
}
