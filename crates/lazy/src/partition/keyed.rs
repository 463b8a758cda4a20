//! Files by keys: thousands of them, in bounded memory.
//!
//! A frame's rows are brought into the order of their keys, and each run is copied to its key's builder. They are
//! copied so that a few rows never keep a large frame alive. Builders are written as batches when they are large
//! enough. When all of them together exceed [`BUDGET`], the largest are written, however small.

use std::collections::HashMap;
use std::ops::Range;

use arrow::array::builder::ShareStrategy;
use polars_core::frame::builder::DataFrameBuilder;
use polars_core::prelude::*;

use super::folder::Folder;
use super::keys::{self, Keys};
use super::part::{Part, Parts, ProgressTotal};
use super::summary::PartitionSummary;
use crate::batch_sizing::BatchSizing;
use crate::hive::types;
use crate::options::Encoding;
use crate::query::Consumer;
use crate::size;
use crate::writer::Writer;

/// Rows are sorted by key this many at a time, or bytes: the more, the longer the runs.
const SORTED_ROWS: usize = 1_000_000;
/// Bytes of rows that are sorted by key at a time.
const SORTED_BYTES: u64 = 24 << 20;
/// Bytes that wait in all builders together. These grow by doubling, so as much again may be allocated.
const BUDGET: usize = 64 << 20;
/// Rows of a key that make a batch.
const FULL_ROWS: usize = 64 << 10;
/// Bytes of a key that make a batch.
const FULL_BYTES: usize = 8 << 20;
/// Bytes of a column's builder beside the values.
const BUILDER_BYTES: usize = 512;
/// More of those for strings and what may have them: their builder allocates in blocks.
const VARYING_BUILDER_BYTES: usize = 4 << 10;

/// Rows to sort by key at a time. The rows alone say how many, and so what is written when.
pub(super) fn sizing(schema: &Schema) -> BatchSizing {
    BatchSizing::about(SORTED_ROWS, SORTED_BYTES, schema)
}

/// Writes a file for each key.
pub(super) struct Keyed {
    keys: Vec<PlSmallStr>,
    include_keys: bool,
    partitions: Vec<Partition>,
    /// By folder, so that two keys whose folders have the same name share a file.
    by_folder: HashMap<String, usize>,
    /// Bytes in all builders.
    buffered: usize,
    /// Bytes of a builder without rows.
    builder_bytes: usize,
    /// Bytes of a row, if that is the same for all.
    row_bytes: Option<usize>,
    /// The partition with batches on their way.
    under_way: Option<usize>,
    /// Last, so that it goes last: when its folders are removed, the files must be gone.
    parts: Parts,
}

/// A key.
struct Partition {
    folder: String,
    values: Vec<(String, Option<String>)>,
    builder: Option<DataFrameBuilder>,
    bytes: usize,
    part: Option<Part>,
}

impl Partition {
    fn rows(&self) -> usize {
        self.builder.as_ref().map_or(0, DataFrameBuilder::len)
    }
}

impl Keyed {
    pub(super) fn new(
        folder: Folder,
        mut encoding: Encoding,
        schema: &Schema,
        keys: Vec<PlSmallStr>,
        include_keys: bool,
        progress: ProgressTotal,
    ) -> PolarsResult<Self> {
        encoding.add_metadata(types::SCHEMA_KEY, &types::to_metadata(&keys::schema(&keys, schema)?)?);
        let kept = schema.iter().filter(|(name, _)| include_keys || !keys.contains(name));
        let schema: Schema = kept.map(|(name, dtype)| (name.clone(), dtype.clone())).collect();
        // A dtype that cannot be written is found before anything is.
        encoding.start(crate::writer::Format::File, std::io::sink(), &schema)?;
        let fixed: Vec<_> = schema.iter_values().map(|dtype| size::row_bits(dtype).ok()).collect();
        let row_bits = fixed.iter().copied().sum::<Option<u64>>();
        let row_bytes = row_bits.map(|bits| usize::try_from(bits.div_ceil(8)).unwrap_or(usize::MAX));
        let varying = fixed.iter().filter(|bits| bits.is_none()).count();
        Ok(Self {
            builder_bytes: schema.len() * BUILDER_BYTES + varying * VARYING_BUILDER_BYTES,
            row_bytes,
            parts: Parts::new(folder, encoding, schema.into(), progress),
            keys,
            include_keys,
            partitions: Vec::new(),
            by_folder: HashMap::new(),
            buffered: 0,
            under_way: None,
        })
    }

    /// The partition of a row of `keys`.
    fn partition(&mut self, keys: &Keys, row: usize) -> usize {
        let folder = keys.folder(row);
        if let Some(index) = self.by_folder.get(&folder) {
            return *index;
        }
        let index = self.partitions.len();
        let values = keys.values(row);
        self.by_folder.insert(folder.clone(), index);
        self.partitions.push(Partition { folder, values, builder: None, bytes: 0, part: None });
        index
    }

    /// Copies rows to a key's builder.
    fn append(&mut self, index: usize, df: &DataFrame, rows: Range<usize>) {
        let partition = &mut self.partitions[index];
        let mut bytes = match self.row_bytes {
            Some(row_bytes) => row_bytes.saturating_mul(rows.len()),
            None => {
                let rows = df.slice(size::row(rows.start), rows.len());
                usize::try_from(size::content(&rows)).unwrap_or(usize::MAX)
            },
        };
        let builder = partition.builder.get_or_insert_with(|| {
            bytes += self.builder_bytes;
            DataFrameBuilder::new(self.parts.schema.clone())
        });
        builder.subslice_extend(df, rows.start, rows.len(), ShareStrategy::Never);
        partition.bytes += bytes;
        self.buffered += bytes;
    }

    /// Whether a key has enough for a batch.
    fn is_full(&self, index: usize) -> bool {
        let min_rows = self.parts.encoding.record_batch_size.unwrap_or(1);
        self.partitions.get(index).is_some_and(|partition| {
            let rows = partition.rows();
            rows >= min_rows && (rows >= FULL_ROWS || partition.bytes >= FULL_BYTES)
        })
    }

    /// Writes a key's rows: whole batches if a number of rows was asked for, or `all`.
    fn write(&mut self, index: usize, all: bool) -> PolarsResult<()> {
        let partition = &mut self.partitions[index];
        self.buffered -= std::mem::take(&mut partition.bytes);
        // A key without a builder has no rows that wait.
        let Some(builder) = partition.builder.take() else { return Ok(()) };
        let mut df = builder.freeze();
        if let Some(size) = self.parts.encoding.record_batch_size
            && !all
        {
            let whole = df.height() / size * size;
            let (batches, rest) = df.split_at(size::row(whole));
            df = batches;
            if rest.height() > 0 {
                self.append(index, &rest, 0..rest.height());
            }
        }
        let partition = &mut self.partitions[index];
        let mut part = match partition.part.take() {
            Some(part) => part,
            None => self.parts.start(&partition.folder, 0)?,
        };
        let submitted = self.parts.on(&mut part, |writer| writer.submit(&df));
        partition.part = Some(part);
        submitted?;
        // The batch before this one has been encoded meanwhile.
        if self.under_way.is_some_and(|other| other != index) {
            self.drain()?;
        }
        self.under_way = Some(index);
        Ok(())
    }

    /// Writes the batches on their way, and parks its file.
    fn drain(&mut self) -> PolarsResult<()> {
        if let Some(index) = self.under_way.take()
            && let Some(Partition { part: Some(part), .. }) = self.partitions.get_mut(index)
        {
            while self.parts.on(part, Writer::write_submitted)? {}
            part.park();
        }
        Ok(())
    }

    /// Writes the largest until half of the budget is free. Whole batches first: if a number of rows was
    /// asked for, a batch with less of them is the last resort.
    fn shed(&mut self) -> PolarsResult<()> {
        let least = self.parts.encoding.record_batch_size.unwrap_or(1);
        for (least, all) in [(least, false), (1, true)] {
            let rich = self.partitions.iter().enumerate().filter(|(_, partition)| partition.rows() >= least);
            let mut rich: Vec<_> = rich.map(|(index, partition)| (partition.bytes, index)).collect();
            rich.sort_unstable_by(|a, b| b.cmp(a));
            for (_, index) in rich {
                if self.buffered <= BUDGET / 2 {
                    return Ok(());
                }
                self.write(index, all)?;
            }
        }
        Ok(())
    }
}

impl Consumer for Keyed {
    type Output = Vec<PartitionSummary>;

    fn take(&mut self, df: DataFrame) -> PolarsResult<()> {
        let Runs { rows, lengths, keys } = Runs::of(df, &self.keys)?;
        let keys = Keys::new(&keys)?;
        let rows = if self.include_keys { rows } else { rows.drop_many(self.keys.iter().cloned()) };
        let mut start = 0;
        for (run, len) in lengths.into_iter().enumerate() {
            let index = self.partition(&keys, run);
            self.append(index, &rows, start..start + len);
            start += len;
            if self.is_full(index) {
                self.write(index, false)?;
            }
            if self.buffered > BUDGET {
                self.shed()?;
            }
        }
        Ok(())
    }

    fn work(&mut self) -> PolarsResult<bool> {
        let Some(index) = self.under_way else { return Ok(false) };
        match self.partitions.get_mut(index) {
            Some(Partition { part: Some(part), .. }) => self.parts.on(part, Writer::write_submitted),
            _ => Ok(false),
        }
    }

    fn finish(mut self) -> PolarsResult<Self::Output> {
        for index in 0..self.partitions.len() {
            self.write(index, true)?;
        }
        self.drain()?;
        let Self { mut parts, partitions, .. } = self;
        let mut finished = Vec::with_capacity(partitions.len());
        for Partition { values, part, .. } in partitions {
            // A partition has a row, and so a file.
            if let Some(part) = part {
                finished.push(parts.finish(part, values)?);
            }
        }
        parts.folder.commit(finished)
    }
}

/// A frame's rows by key: those of one key together, in their order.
struct Runs {
    rows: DataFrame,
    lengths: Vec<usize>,
    /// The key columns, with a row for each run.
    keys: Vec<Column>,
}

impl Runs {
    fn of(mut df: DataFrame, keys: &[PlSmallStr]) -> PolarsResult<Self> {
        // Rows are found at once in one chunk, not by searching many.
        df.rechunk_mut_par();
        let grouped = keys::distinguished(&df, keys)?;
        let grouped = grouped.group_by_stable(keys.iter().cloned())?;
        let mut order: Vec<IdxSize> = Vec::with_capacity(df.height());
        let (mut firsts, mut lengths) = (Vec::new(), Vec::new());
        for group in grouped.get_groups().iter() {
            firsts.push(group.first());
            lengths.push(group.len());
            match group {
                GroupsIndicator::Idx((_, rows)) => order.extend_from_slice(rows),
                GroupsIndicator::Slice([first, len]) => order.extend(first..first + len),
            }
        }
        let firsts = IdxCa::from_vec(PlSmallStr::EMPTY, firsts);
        let keys = df.select(keys.iter().cloned())?.take(&firsts)?.into_columns();
        let sorted = order.is_sorted();
        let order = IdxCa::from_vec(PlSmallStr::EMPTY, order);
        let rows = if sorted { df.clone() } else { df.take(&order)? };
        Ok(Self { rows, lengths, keys })
    }
}
