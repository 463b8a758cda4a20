//! A read by an index without I/O: the ranges it takes, and the frame they become.
//!
//! ```text
//!   plan --> heads of batches, unless they are known --> buffers of the columns, dictionaries --> decode
//! ```

use std::ops::Range;
use std::sync::Arc;

use floe_format::{BatchHeader, Block};
use polars_buffer::Buffer;
use polars_core::prelude::*;

use super::index::Index;
use super::request::Request;
use crate::error::format_error;
use crate::read::heads::{body_start, head_range};
use crate::read::options::{ColumnCounts, Projection};
use crate::read::ranged::RangedSource;
use crate::read::segments::exact_ranges;

/// A read of some columns of some batches without any I/O of its own: it says which ranges of the source it needs, is
/// given them, and decodes them. [`IpcIndex::plan`](crate::IpcIndex::plan) makes one, and
/// [`IpcIndexBuilder`](crate::IpcIndexBuilder) has an example.
///
/// First come the heads of the batches, unless the index knows them from the footer or an earlier read. Then come the
/// buffers of the columns and the dictionaries that those need: exactly their bytes, and the padding between neighbours.
///
/// See [`IpcIndexBuilder`](crate::IpcIndexBuilder) for an example.
#[must_use]
pub struct ReadPlan {
    index: Arc<Index>,
    batches: Range<usize>,
    columns: Vec<usize>,
    parallel: bool,
    /// Rows of the batches that are wanted: the first one, and how many.
    rows: Option<(usize, usize)>,
    request: Request,
    /// Whether all has been asked for, and not the heads only.
    asked_bodies: bool,
}

impl ReadPlan {
    pub(super) fn new(index: Arc<Index>, batches: Range<usize>, columns: &[usize]) -> PolarsResult<Self> {
        index.entries(&batches)?;
        let request = Request::new(index.len);
        let columns = columns.to_vec();
        let mut plan =
            Self { index, batches, columns, parallel: true, rows: None, request, asked_bodies: false };
        plan.ask_heads()?;
        plan.go_on()?;
        Ok(plan)
    }

    #[doc(hidden)]
    pub fn with_rows(mut self, first: usize, rows: usize) -> Self {
        self.rows = Some((first, rows));
        self
    }

    /// Decode on Polars' thread pool. Defaults to true.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let index = IpcIndex::from_bytes(bytes.clone(), IpcLimits::default())?;
    /// let mut plan = index.plan(0..2, &[0, 1])?.with_parallel(false);
    /// while let Some(range) = plan.needed().first().cloned() {
    ///     plan.give(range.clone(), bytes[range.start as usize..range.end as usize].to_vec())?;
    /// }
    /// assert_eq!(plan.decode()?, df);
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_parallel(mut self, parallel: bool) -> Self {
        self.parallel = parallel;
        self
    }

    /// The ranges that are needed next, ascending and apart; none when [`decode`](Self::decode) can be called. They may
    /// be read at once. [`join_ranges`](crate::join_ranges) makes fewer of them.
    ///
    /// See [`IpcIndexBuilder`](crate::IpcIndexBuilder) for an example.
    #[must_use]
    pub fn needed(&self) -> Vec<Range<u64>> {
        self.request.needed().to_vec()
    }

    /// Takes the bytes of one of the ranges that are needed, or of a longer one that holds it: `Vec<u8>`, `Bytes`,
    /// `Buffer<u8>`. They are not copied: buffers that are not compressed become views into them.
    ///
    /// See [`IpcIndexBuilder`](crate::IpcIndexBuilder) for an example.
    ///
    /// # Errors
    /// When they are not as many as the range has, or were not asked for: nothing has happened then. When the head of a
    /// batch is not valid.
    pub fn give<B: AsRef<[u8]> + Send + Sync + 'static>(
        &mut self,
        range: Range<u64>,
        bytes: B,
    ) -> PolarsResult<()> {
        self.request.give(range, Buffer::from_owner(bytes))?;
        self.go_on()
    }

    /// The columns, in the order in which they were asked for.
    ///
    /// See [`IpcIndexBuilder`](crate::IpcIndexBuilder) for an example.
    ///
    /// # Errors
    /// When bytes are still needed, or a batch is not valid.
    pub fn decode(self) -> PolarsResult<DataFrame> {
        if let Some(needed) = self.request.needed().first() {
            polars_bail!(
                ComputeError: "not all has been given: bytes {} to {} are needed next", needed.start, needed.end
            );
        }
        let Self { index, batches, columns, parallel, rows, request, .. } = self;
        let df = if columns.is_empty() {
            let rows = index.entries(&batches)?.iter().map(|entry| entry.rows).sum();
            DataFrame::new(rows, Vec::new())?
        } else {
            index.read(&request.given, batches, &columns, parallel).map_err(|e| index.place(e))?
        };
        match rows {
            Some((first, rows)) => slice(&df, first, rows),
            None => Ok(df),
        }
    }

    /// Reads from a source until nothing more is needed.
    pub(super) fn read_from(&mut self, source: &dyn RangedSource) -> PolarsResult<()> {
        while !self.request.needed().is_empty() {
            self.request.read_from(source, self.index.profile.gap_bytes)?;
            self.go_on()?;
        }
        Ok(())
    }

    fn go_on(&mut self) -> PolarsResult<()> {
        if self.request.needed().is_empty() && !self.asked_bodies {
            self.ask_bodies().map_err(|e| self.index.place(e))?;
            self.asked_bodies = true;
        }
        Ok(())
    }

    /// Heads of batches, and those of dictionaries of which nothing is known.
    fn ask_heads(&mut self) -> PolarsResult<()> {
        let index = Arc::clone(&self.index);
        if self.columns.is_empty() {
            self.asked_bodies = true;
            return Ok(());
        }
        let options = index.options(&self.columns, self.parallel);
        let mut blocks = index.blocks_to_read(&self.batches);
        for run in index.by_schema(self.batches.clone())? {
            if !Projection::new(&run.schema, &options)?.slots.is_empty() {
                blocks.extend_from_slice(index.dictionaries.blocks_without_ids());
            }
        }
        self.ask_blocks(&blocks);
        Ok(())
    }

    fn ask_blocks(&mut self, blocks: &[Block]) {
        self.index.heads.fill(blocks, &mut self.request.given);
        let ranges: Vec<Range<u64>> = blocks.iter().map(|block| head_range(*block)).collect();
        self.request.ask(&ranges);
    }

    /// Buffers of the columns, and dictionaries.
    fn ask_bodies(&mut self) -> PolarsResult<()> {
        let index = Arc::clone(&self.index);
        if index.profile.keeps_heads {
            let mut blocks = index.blocks_to_read(&self.batches);
            blocks.extend_from_slice(index.dictionaries.blocks_without_ids());
            index.heads.keep(&blocks, &self.request.given);
        }
        let options = index.options(&self.columns, self.parallel);
        let mut ranges = Vec::new();
        let mut dictionaries = Vec::new();
        for run in index.by_schema(self.batches.clone())? {
            let projection = Projection::new(&run.schema, &options)?;
            let mut counts = ColumnCounts::default();
            for (entry, number) in index.entries(&run.batches)?.iter().zip(run.batches.clone()) {
                let head = index.known_head(&self.request.given, entry, number)?;
                let starts = counts.starts(&run.schema, &head.header, head.version);
                let starts = starts.map_err(format_error)?;
                let header: &BatchHeader = &head.header;
                let body = body_start(entry.block);
                let of_body = exact_ranges(header, &starts, &projection.indices);
                ranges.extend(of_body.into_iter().map(|range| body + range.start..body + range.end));
                let messages = index.stream_of(number)?.first_dictionary..entry.dictionaries;
                let needed =
                    index.dictionaries.needed(&self.request.given, messages, &run.schema, &projection)?;
                dictionaries.extend(needed);
            }
        }
        // Their heads are mostly known, and lie in front of their bodies.
        index.heads.fill(&dictionaries, &mut self.request.given);
        ranges.extend(dictionaries.iter().map(|block| head_range(*block)));
        let body = |block: &Block| body_start(*block)..body_start(*block).saturating_add(block.body_len);
        ranges.extend(dictionaries.iter().map(body));
        self.request.ask(&ranges);
        Ok(())
    }
}

/// Some rows of a frame.
pub(super) fn slice(df: &DataFrame, first: usize, rows: usize) -> PolarsResult<DataFrame> {
    let first = i64::try_from(first).map_err(|_| polars_err!(OutOfBounds: "row {first} is out of range"))?;
    let columns = df.columns().iter().map(|column| column.slice(first, rows)).collect();
    DataFrame::new(rows, columns)
}

impl std::fmt::Debug for ReadPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadPlan")
            .field("batches", &self.batches)
            .field("columns", &self.columns)
            .field("needed", &self.request.needed())
            .finish_non_exhaustive()
    }
}
