//! The state of decoding a column: which batches, where in them, under which limits.
//!
//! `fetch` gets the bytes of a buffer, `values` makes values of the buffers of all parts.

use std::fmt;

use arrow::array::Array;
use arrow::bitmap::{Bitmap, MutableBitmap};
use floe_format::{BatchHeader, BufferSpec, Error, Field, FieldNode, Result};
use floe_runtime::Executor;
use polars_utils::IdxSize;

use super::layout_counts::ColumnOffsets;
use super::options::DecodeOptions;
use crate::body::Body;
use crate::budget::Budget;
use crate::charge::{Charge, check_unbacked_rows};
use crate::gather::gather;
use crate::join::join_charged;
use crate::lookup::Dictionaries;
use crate::selection::Selection;

/// One record batch (or dictionary batch) and the position in its lists.
#[derive(Clone)]
pub struct ColumnPart<'a> {
    pub(super) header: &'a BatchHeader,
    pub(super) body: &'a dyn Body,
    dictionaries: &'a Dictionaries,
    at: ColumnOffsets,
}

impl<'a> ColumnPart<'a> {
    /// The batch with this header and body, from the column that begins at `at`.
    #[must_use]
    pub fn new(
        header: &'a BatchHeader,
        body: &'a dyn Body,
        dictionaries: &'a Dictionaries,
        at: ColumnOffsets,
    ) -> Self {
        Self { header, body, dictionaries, at }
    }

    pub(super) fn dictionaries(&self) -> &'a Dictionaries {
        self.dictionaries
    }

    pub(super) fn node(&mut self) -> Result<FieldNode> {
        let node = self.header.nodes.get(self.at.node).copied();
        self.at.node += 1;
        node.ok_or_else(|| Error::invalid("the batch has fewer field nodes than the schema needs"))
    }

    pub(super) fn buffer(&mut self) -> Result<BufferSpec> {
        let spec = self.header.buffers.get(self.at.buffer).copied();
        self.at.buffer += 1;
        spec.ok_or_else(|| Error::invalid("the batch has fewer buffers than the schema needs"))
    }

    fn variadic(&mut self) -> Result<usize> {
        let count = self.header.variadic.get(self.at.variadic).copied();
        self.at.variadic += 1;
        count
            .ok_or_else(|| Error::invalid("the batch has fewer variadic buffer counts than the schema needs"))
    }
}

/// Decoding state of one column over one or more batches.
pub struct DecodeCtx<'a> {
    pub(super) parts: Vec<ColumnPart<'a>>,
    pub(super) options: &'a DecodeOptions,
    pub(super) budget: &'a Budget,
    pub(super) executor: &'a dyn Executor,
    /// The dispatcher, which layouts call for their children.
    pub(super) decode_child: DecodeField,
}

/// Decodes the next field of a context.
pub(super) type DecodeField = fn(&mut DecodeCtx<'_>, &Field) -> Result<Box<dyn Array>>;

impl fmt::Debug for ColumnPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { header, body: _, dictionaries: _, at } = self;
        f.debug_struct("ColumnPart").field("rows", &header.rows).field("at", at).finish_non_exhaustive()
    }
}

impl fmt::Debug for DecodeCtx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parts, options, budget, executor: _, decode_child: _ } = self;
        let mut out = f.debug_struct("DecodeCtx");
        out.field("parts", parts).field("options", options).field("budget", budget).finish_non_exhaustive()
    }
}

/// A buffer of one part: still to be fetched, decompressed and checked.
#[derive(Clone, Copy)]
pub(super) struct BufferRef {
    pub(super) part: usize,
    pub(super) spec: BufferSpec,
}

impl<'a> DecodeCtx<'a> {
    /// The same context over other parts.
    fn over(&self, parts: Vec<ColumnPart<'a>>) -> Self {
        let Self { parts: _, options, budget, executor, decode_child } = *self;
        Self { parts, options, budget, executor, decode_child }
    }

    /// Decodes the next field, a child of what is being decoded.
    pub(super) fn decode(&mut self, child: &Field) -> Result<Box<dyn Array>> {
        (self.decode_child)(self, child)
    }

    pub(super) fn options(&self) -> &'a DecodeOptions {
        self.options
    }

    pub(super) fn parts(&self) -> &[ColumnPart<'a>] {
        &self.parts
    }

    /// Whether any part is compressed.
    pub(super) fn is_compressed(&self) -> bool {
        self.parts.iter().any(|part| part.header.compression.is_some())
    }

    /// Charges bytes that are about to be allocated. Views into the source are charged like copies: any number of
    /// buffers may share bytes, and each is validated.
    pub(super) fn charge(&self, bytes: usize) -> Result<()> {
        self.budget.charge(bytes as u64)
    }

    /// An empty vector with room for `len` elements, which are charged.
    pub(super) fn vec<T>(&self, len: usize) -> Result<Vec<T>> {
        (self as &dyn Charge).vec(len)
    }

    /// An empty bitmap with room for `len` bits, which are charged.
    pub(super) fn bits_for(&self, len: usize) -> Result<MutableBitmap> {
        (self as &dyn Charge).bits(len)
    }

    /// The arrays of the parts as one array.
    pub(super) fn join(&self, arrays: &[Box<dyn Array>]) -> Result<Box<dyn Array>> {
        join_charged(arrays, self)
    }

    /// The rows of `values` that `indices` say, null where `validity` says so.
    pub(super) fn gather(
        &self,
        values: &dyn Array,
        indices: &[IdxSize],
        validity: Option<&Bitmap>,
    ) -> Result<Box<dyn Array>> {
        gather(values, Selection::each(indices, validity), self)
    }

    /// Checks rows that no byte of the input backs and that take no memory: null arrays, empty structs, lists of width
    /// zero. The limit holds for each batch, so that reading batches singly or together gives the same result.
    pub(super) fn free_rows(&self, nodes: &[FieldNode]) -> Result<()> {
        nodes.iter().try_for_each(|node| self.unbacked_rows(node.len))
    }

    /// Checks rows that no byte of the input backs, for all parts together.
    pub(super) fn unbacked_rows(&self, rows: usize) -> Result<()> {
        check_unbacked_rows(self.budget.limits(), rows)
    }

    /// Decodes part by part and concatenates: for layouts whose parts do not simply follow one
    /// another in memory. Afterwards `self` stands where the parts stand.
    pub(super) fn each_part<T>(&mut self, mut decode: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let parts = std::mem::take(&mut self.parts);
        let mut out = Vec::with_capacity(parts.len());
        let mut done = Vec::with_capacity(parts.len());
        for part in parts {
            let mut one = self.over(vec![part]);
            out.push(decode(&mut one)?);
            done.append(&mut one.parts);
        }
        self.parts = done;
        Ok(out)
    }

    /// A context for each of these fields, which follow one another, so that they can be decoded at once.
    /// Afterwards `self` stands behind them.
    pub(super) fn split(&mut self, fields: &[Field]) -> Result<Vec<Self>> {
        let mut out = Vec::with_capacity(fields.len());
        for field in fields {
            out.push(self.over(self.parts.clone()));
            let counts = self.options.counts(field);
            for part in &mut self.parts {
                part.at = part.at.behind(part.header, counts)?;
            }
        }
        Ok(out)
    }

    /// The context's parts, to come back to with [`Self::rewind`].
    pub(super) fn mark(&self) -> Vec<ColumnPart<'a>> {
        self.parts.clone()
    }

    pub(super) fn rewind(&mut self, mark: Vec<ColumnPart<'a>>) {
        self.parts = mark;
    }

    /// The next node of every part.
    pub(super) fn nodes(&mut self) -> Result<Vec<FieldNode>> {
        self.parts.iter_mut().map(ColumnPart::node).collect()
    }

    /// The next buffer of every part.
    pub(super) fn next_buffers(&mut self) -> Result<Vec<BufferRef>> {
        let parts = self.parts.iter_mut().enumerate();
        parts.map(|(part, p)| Ok(BufferRef { part, spec: p.buffer()? })).collect()
    }

    /// The next `n` buffers of every part, `n` being its next variadic count.
    pub(super) fn next_variadic_buffers(&mut self) -> Result<Vec<Vec<BufferRef>>> {
        let mut all = Vec::with_capacity(self.parts.len());
        for (part, p) in self.parts.iter_mut().enumerate() {
            let count = p.variadic()?;
            all.push(
                (0..count).map(|_| Ok(BufferRef { part, spec: p.buffer()? })).collect::<Result<Vec<_>>>()?,
            );
        }
        Ok(all)
    }

    /// Hands each job to `work` on the executor. All results, or the first error, in the order of the jobs.
    pub(super) fn map_jobs<J: Send, T: Send>(
        &self,
        jobs: Vec<J>,
        work: impl Fn(J) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        self.executor.map_jobs(jobs, work).into_iter().collect()
    }

    /// As [`Self::map_jobs`], for work that returns nothing.
    pub(super) fn run_jobs<J: Send>(
        &self,
        jobs: Vec<J>,
        work: impl Fn(J) -> Result<()> + Sync,
    ) -> Result<()> {
        self.map_jobs(jobs, work).map(drop)
    }
}

impl Charge for DecodeCtx<'_> {
    fn charge(&self, bytes: usize) -> Result<()> {
        self.charge(bytes)
    }

    fn unbacked_rows(&self, rows: usize) -> Result<()> {
        self.unbacked_rows(rows)
    }
}

/// A count of rows as an index, which Polars has as 32 bits.
pub(super) fn index(row: usize) -> Result<IdxSize> {
    IdxSize::try_from(row)
        .map_err(|_| Error::unsupported(format!("row {row} is beyond what Polars can index")))
}

/// Rows of all parts.
pub(super) fn total_len(nodes: &[FieldNode]) -> Result<usize> {
    nodes
        .iter()
        .try_fold(0usize, |sum, node| sum.checked_add(node.len))
        .filter(|n| isize::try_from(*n).is_ok())
        .ok_or_else(|| Error::invalid("the lengths of the batches overflow"))
}

/// Rows of each part.
pub(super) fn lens(nodes: &[FieldNode]) -> Vec<usize> {
    nodes.iter().map(|node| node.len).collect()
}
