//! The statistics of batches, as far as they are bound to their values.

use std::ops::Range;
use std::sync::{Arc, PoisonError};

use floe_array::Body;
use polars_core::prelude::*;

use super::index::{Index, IpcIndex};
use super::request::{Recorder, Request};
use crate::error::format_error;
use crate::pool;
use crate::read::heads::{body_start, head_range};
use crate::read::options::ColumnCounts;
use crate::read::pending::BatchHead;
use crate::read::ranged::{RangedSource, ReadCost, SourceBody};
use crate::schema::ReadSchema;
use crate::statistics::bounds::parse;
use crate::statistics::{BatchStatistics, ColumnStatistics, KEY, fingerprint, schema_fingerprint};

/// The statistics of one batch's columns.
type KnownStatistics = Vec<Option<ColumnStatistics>>;

impl IpcIndex {
    /// Statistics of some columns: a row for each batch of the range. It has the columns `len` (its rows) and, for each
    /// column, `<name>_min`, `<name>_max` and `<name>_nc` (nulls). Values are null where nothing is known. This is the
    /// frame that Polars' predicates for skipping batches look at.
    ///
    /// Reads each batch's header, and samples of the columns asked for, which the statistics must match. Statistics of
    /// another batch, edited ones, and ones left by a tool that rewrote the values count as unknown.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).with_statistics(true).finish(&mut df)?;
    /// let index = IpcIndex::from_bytes(bytes, IpcLimits::default())?;
    /// let statistics = index.statistics(0..2, &[0])?;
    /// assert_eq!(statistics.get_column_names(), ["len", "a_min", "a_max", "a_nc"]);
    /// assert_eq!(statistics.column("a_max")?.i64()?.to_vec(), [Some(2), Some(3)]);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When a column or batch is not there, or a header cannot be read. Statistics that cannot be
    /// understood are no error.
    pub fn statistics(&self, batches: Range<usize>, columns: &[usize]) -> PolarsResult<DataFrame> {
        self.statistics_counted(batches, columns).map(|(df, _)| df)
    }

    /// As [`statistics`](Self::statistics), and how many bytes had to be read.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).with_statistics(true).finish(&mut df)?;
    /// let index = IpcIndex::from_bytes(bytes, IpcLimits::default())?;
    /// let (statistics, bytes) = index.statistics_counted(0..1, &[0])?;
    /// assert!(statistics.height() == 1 && bytes > 0);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`statistics`](Self::statistics).
    pub fn statistics_counted(
        &self,
        batches: Range<usize>,
        columns: &[usize],
    ) -> PolarsResult<(DataFrame, u64)> {
        let schema = self.schema(Some(columns))?;
        let known = self.0.known_statistics(batches.clone(), columns);
        let (known, bytes) = known.map_err(|e| self.0.place(e))?;
        let rows = batches.clone().map(|batch| {
            // `known_statistics` has checked the range.
            let rows = self.batch_size(batch).map_or(0, |(rows, _)| rows);
            IdxSize::try_from(rows).ok()
        });
        let rows: IdxCa = rows.collect_ca("len".into());
        let mut frame = vec![rows.into_column()];
        for (i, (name, dtype)) in schema.iter().enumerate() {
            let of = |batch: &KnownStatistics| batch.get(i).cloned().flatten();
            let of: Vec<Option<ColumnStatistics>> = known.iter().map(of).collect();
            let bound = |pick: fn(&ColumnStatistics) -> Option<&String>, suffix: &str| {
                let value = |known: &Option<ColumnStatistics>| {
                    known
                        .as_ref()
                        .and_then(pick)
                        .and_then(|text| parse(text, dtype))
                        // Null stands for a bound that is not known.
                        .unwrap_or(AnyValue::Null)
                };
                let values: Vec<AnyValue<'_>> = of.iter().map(value).collect();
                let name = format!("{name}_{suffix}").into();
                Series::from_any_values_and_dtype(name, &values, dtype, true).map(IntoColumn::into_column)
            };
            frame.push(bound(|known| known.min.as_ref(), "min")?);
            frame.push(bound(|known| known.max.as_ref(), "max")?);
            let nulls = of.iter().map(|known| IdxSize::try_from(known.as_ref()?.nulls).ok());
            let nulls: IdxCa = nulls.collect_ca(format!("{name}_nc").into());
            frame.push(nulls.into_column());
        }
        Ok((DataFrame::new(batches.len(), frame)?, bytes))
    }
}

impl Index {
    fn known_statistics(
        &self,
        batches: Range<usize>,
        columns: &[usize],
    ) -> PolarsResult<(Vec<KnownStatistics>, u64)> {
        let n = batches.len();
        if !self.has_statistics {
            return Ok((vec![KnownStatistics::new(); n], 0));
        }
        if let Some(trusted) = &self.trusted {
            return Ok((self.trusted_of(trusted, batches, columns), 0));
        }
        // Of all streams that lie one behind another, which mostly have one schema.
        let own = schema_fingerprint(&self.schema.written);
        let known_in = |source: &dyn RangedSource| {
            let known =
                pool::executor(true).map(n, |i| self.known_of(source, batches.start + i, columns, own));
            known.into_iter().collect::<PolarsResult<Vec<KnownStatistics>>>()
        };
        self.reading(|source| {
            if source.read_cost() == ReadCost::Request {
                return known_in(&self.fetch_for_statistics(source, batches.clone(), columns)?.given);
            }
            known_in(source)
        })
    }

    /// The footer's statistics, of batches that have as many rows as stated, and columns of these names and types.
    fn trusted_of(
        &self,
        trusted: &[Option<BatchStatistics>],
        batches: Range<usize>,
        columns: &[usize],
    ) -> Vec<KnownStatistics> {
        let schema = schema_fingerprint(&self.schema.written);
        let width = self.schema.written.fields.len();
        let of = |batch: usize| {
            let said = trusted.get(batch)?.as_ref()?;
            let rows = self.batches.get(batch)?.rows;
            let is_about_this = said.batch == batch && said.rows == rows && said.schema == schema;
            (is_about_this && said.columns.len() == width).then_some((said, rows))
        };
        let known = |batch: usize| match of(batch) {
            Some((said, rows)) => {
                let column = |column: &usize| said.columns.get(*column).filter(|c| c.nulls <= rows).cloned();
                columns.iter().map(column).collect()
            },
            None => KnownStatistics::new(),
        };
        batches.map(known).collect()
    }

    /// Reads the bytes to check statistics against by two requests: heads, unless they are known, and samples.
    fn fetch_for_statistics(
        &self,
        source: &dyn RangedSource,
        batches: Range<usize>,
        columns: &[usize],
    ) -> PolarsResult<Request> {
        let gap = self.profile.gap_bytes;
        let blocks = self.blocks(&batches);
        let mut request = Request::new(self.len);
        self.heads.fill(&blocks, &mut request.given);
        request.ask(&blocks.iter().map(|block| head_range(*block)).collect::<Vec<_>>());
        request.read_from(source, gap)?;
        self.heads.keep(&blocks, &request.given);
        let mut ranges = Vec::new();
        for (entry, number) in self.batches.iter().zip(0..).skip(batches.start).take(batches.len()) {
            let head = self.head(&request.given, entry, number)?;
            let recorder = Recorder::default();
            // Text that cannot be parsed counts as unknown later on.
            if prints(&self.stream_of(number)?.schema, &head, &recorder, columns).is_ok() {
                let body = body_start(entry.block);
                let sampled = recorder.0.into_inner().unwrap_or_else(PoisonError::into_inner);
                ranges.extend(sampled.into_iter().map(|range| body + range.start..body + range.end));
            }
        }
        request.ask(&ranges);
        request.read_from(source, gap)?;
        Ok(request)
    }

    fn known_of(
        &self,
        source: &dyn RangedSource,
        batch: usize,
        columns: &[usize],
        schema: u64,
    ) -> PolarsResult<KnownStatistics> {
        let Some(entry) = self.batches.get(batch) else { return Ok(KnownStatistics::new()) };
        let stream = self.stream_of(batch)?;
        let schema = if Arc::ptr_eq(&stream.schema, &self.schema) {
            schema
        } else {
            schema_fingerprint(&stream.schema.written)
        };
        let head = self.head(source, entry, batch)?;
        let text = head.metadata.iter().find(|(key, _)| key == KEY);
        let Some(said) = text.and_then(|(_, text)| BatchStatistics::from_text(text)) else {
            return Ok(KnownStatistics::new());
        };
        let width = stream.schema.written.fields.len();
        let about_this =
            said.batch == batch - stream.first_batch && said.rows == entry.rows && said.schema == schema;
        if !about_this || said.columns.len() != width {
            return Ok(KnownStatistics::new());
        }
        let body = SourceBody { source, start: body_start(entry.block) };
        // A batch that cannot be understood is an error when it is read, which it will be then.
        let Ok(prints) = prints(&stream.schema, &head, &body, columns) else {
            return Ok(KnownStatistics::new());
        };
        let known = columns.iter().zip(prints).map(|(column, print)| {
            let said = said.columns.get(*column)?;
            (said.fingerprint == print && said.nulls <= entry.rows).then(|| said.clone())
        });
        Ok(known.collect())
    }
}

/// The fingerprints of some columns as they are stored.
fn prints(
    schema: &ReadSchema,
    batch: &BatchHead,
    body: &dyn Body,
    columns: &[usize],
) -> PolarsResult<Vec<u64>> {
    let header = &batch.header;
    let starts = ColumnCounts::default().starts(schema, header, batch.version).map_err(format_error)?;
    let mut prints = Vec::with_capacity(columns.len());
    for column in columns {
        let [from, to] = match starts.get(*column..column + 2) {
            Some([from, to]) => [from, to],
            _ => polars_bail!(OutOfBounds: "column {column} is out of range"),
        };
        let nodes = header.nodes.get(from.node..to.node);
        let buffers = header.buffers.get(from.buffer..to.buffer);
        let (Some(nodes), Some(buffers)) = (nodes, buffers) else {
            polars_bail!(ComputeError: "a batch has fewer nodes or buffers than column {column} needs");
        };
        let lens: Vec<u64> = buffers.iter().map(|buffer| buffer.len).collect();
        let print = fingerprint(nodes, &lens, |i, range, out| match buffers.get(i) {
            Some(spec) => body.read_into(spec.offset + range.start..spec.offset + range.end, out),
            None => Ok(()),
        });
        prints.push(print.map_err(format_error)?);
    }
    Ok(prints)
}
