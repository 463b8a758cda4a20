//! The state of decoding a column: which batches, where in them, under which limits.
//!
//! How the bytes of a buffer are got is in `fetch`, how buffers become values of all parts in `values`.

use arrow::array::Array;
use arrow::bitmap::{Bitmap, MutableBitmap};
use floe_format::{BatchHeader, BufferSpec, Error, ErrorKind, Field, FieldNode, IpcLimits, Result};
use polars_utils::IdxSize;

use super::values::Validity;
use super::{Budget, ColumnOffsets, DecodeOptions};
use crate::aligned;
use crate::body::{Body, Executor};
use crate::charge::Charge;
use crate::gather::{Selection, gather};
use crate::join::join_charged;
use crate::lookup::Dictionaries;

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
}

/// A buffer of one part: still to be fetched, decompressed and checked.
#[derive(Clone, Copy)]
pub(super) struct BufferRef {
    pub(super) part: usize,
    pub(super) spec: BufferSpec,
}

impl<'a> DecodeCtx<'a> {
    /// A context over these parts: at least one.
    #[must_use]
    pub fn new(
        parts: Vec<ColumnPart<'a>>,
        options: &'a DecodeOptions,
        budget: &'a Budget,
        executor: &'a dyn Executor,
    ) -> Self {
        Self { parts, options, budget, executor }
    }

    pub(super) fn options(&self) -> &'a DecodeOptions {
        self.options
    }

    pub(super) fn parts(&self) -> &[ColumnPart<'a>] {
        &self.parts
    }

    /// Whether any part is.
    pub(super) fn is_compressed(&self) -> bool {
        self.parts.iter().any(|part| part.header.compression.is_some())
    }

    /// Counts bytes that are about to be allocated, or looked at once more than there are: buffers may overlap, and
    /// a column may be short in the input and long in memory.
    pub(super) fn charge(&self, bytes: usize) -> Result<()> {
        self.budget.charge(bytes as u64)
    }

    /// An empty vector with room for so many elements, which are charged.
    pub(super) fn vec<T>(&self, len: usize) -> Result<Vec<T>> {
        (self as &dyn Charge).vec(len)
    }

    /// An empty bitmap with room for so many bits, which are charged.
    pub(super) fn bits_for(&self, len: usize) -> Result<MutableBitmap> {
        (self as &dyn Charge).bits(len)
    }

    /// What the parts have become, as one array.
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

    /// Checks rows that no byte of the input stands behind, and that take no memory either: null arrays, empty
    /// structs, lists of width zero. The limit holds for each batch: however many there are of them, whatever
    /// reads them by itself or together, says the same.
    pub(super) fn free_rows(&self, nodes: &[FieldNode]) -> Result<()> {
        nodes.iter().try_for_each(|node| self.unbacked_rows(node.len))
    }

    /// Checks rows that no byte of the input stands behind, all that are decoded at once.
    pub(super) fn unbacked_rows(&self, rows: usize) -> Result<()> {
        check_unbacked_rows(&self.options.limits, rows)
    }

    /// Decodes part by part and concatenates: for layouts whose parts do not simply follow one
    /// another in memory. Afterwards `self` stands where the parts stand.
    pub(super) fn each_part<T>(&mut self, mut decode: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let parts = std::mem::take(&mut self.parts);
        let mut out = Vec::with_capacity(parts.len());
        let mut done = Vec::with_capacity(parts.len());
        for part in parts {
            let mut one = DecodeCtx::new(vec![part], self.options, self.budget, self.executor);
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
            out.push(Self::new(self.parts.clone(), self.options, self.budget, self.executor));
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

    /// The next buffer of every part, a validity bitmap, to be read once the array's length has
    /// been checked against its values: a part without nulls has no bitmap that would back it.
    pub(super) fn validity(&mut self) -> Result<Validity> {
        Ok(Validity(self.next_buffers()?))
    }

    /// Runs `work(0..n)` on the executor: all that is returned, or the first error in order.
    pub(super) fn map<T: Send>(&self, n: usize, work: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
        self.executor.map(n, work).into_iter().collect()
    }

    /// As [`Self::map`], for work that returns nothing.
    pub(super) fn run(&self, n: usize, work: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
        self.map(n, work).map(drop)
    }
}

fn check_unbacked_rows(limits: &IpcLimits, rows: usize) -> Result<()> {
    let allowed = limits.max_unbacked_rows;
    if rows > allowed {
        return Err(Error::new(ErrorKind::LimitExceeded {
            limit: "max_unbacked_rows",
            claimed: rows as u64,
            allowed: allowed as u64,
        }));
    }
    aligned::probe(rows / 8)
}

impl Charge for Budget {
    fn charge(&self, bytes: usize) -> Result<()> {
        self.charge(bytes as u64)
    }

    fn unbacked_rows(&self, rows: usize) -> Result<()> {
        check_unbacked_rows(self.limits(), rows)
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
