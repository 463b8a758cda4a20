//! The batches of the streams that a scan of a reader finds in it, with the columns that are not stored.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use floe_frame::{IpcStreamReader, StreamBatches};
use polars_core::prelude::*;

use super::read::row_numbers;
use crate::size;

/// A reader, whose bytes are counted.
pub(super) struct Counted {
    pub(super) reader: Box<dyn Read + Send>,
    pub(super) counter: Option<Arc<AtomicU64>>,
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buf)?;
        if let Some(counter) = &self.counter {
            counter.fetch_add(read as u64, Ordering::Relaxed);
        }
        Ok(read)
    }
}

/// Where a column comes from.
pub(super) enum Origin {
    Stored,
    RowIndex(IdxSize),
    Path,
    Hidden,
}

/// The columns of a scan.
#[derive(Default)]
pub(super) struct Columns {
    schema: SchemaRef,
    origins: Vec<Origin>,
}

/// A source that has not been read, but for its schema.
pub(super) struct Source {
    pub(super) reader: IpcStreamReader<Counted>,
    pub(super) n_rows: usize,
}

/// How much is read at once, in batches and in bytes: whichever comes first.
#[derive(Clone, Copy)]
pub(super) struct Worth {
    pub(super) batches: usize,
    pub(super) bytes: usize,
}

/// A source that is being read.
pub(super) struct Reading {
    reader: IpcStreamReader<Counted>,
    /// Nothing at the end.
    batches: Option<StreamBatches<Counted>>,
    schema: Schema,
    names: Vec<PlSmallStr>,
    rows: usize,
    limit: usize,
}

impl Columns {
    pub(super) fn push(&mut self, name: PlSmallStr, dtype: DataType, origin: Origin) -> PolarsResult<()> {
        polars_ensure!(
            !self.schema.contains(&name),
            Duplicate: "the scan would have two columns \"{name}\"; rename the row index or the path's, \
            or leave one out with `with_columns`"
        );
        Arc::make_mut(&mut self.schema).with_column(name, dtype);
        self.origins.push(origin);
        Ok(())
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// No rows of some columns.
    pub(super) fn empty(&self, names: &[PlSmallStr]) -> PolarsResult<DataFrame> {
        let column = |name: &PlSmallStr| {
            let dtype = self.schema.try_get(name)?;
            Ok(Column::new_scalar(name.clone(), Scalar::null(dtype.clone()), 0))
        };
        DataFrame::new(0, names.iter().map(column).collect::<PolarsResult<_>>()?)
    }

    /// Begins to read these columns, and not more rows than the limit.
    pub(super) fn begin(&self, source: Source, names: &[PlSmallStr], limit: usize) -> PolarsResult<Reading> {
        let Source { mut reader, n_rows } = source;
        let schema = reader.schema()?;
        let mut stored = Vec::new();
        for name in names {
            if let Origin::Stored = self.origin(name)? {
                stored.push(name.to_string());
            }
        }
        let reader = reader.with_columns(Some(stored));
        let batches = Some(reader.batches()?);
        Ok(Reading { reader, batches, schema, names: names.to_vec(), rows: 0, limit: limit.min(n_rows) })
    }

    /// The next batches, in one frame.
    pub(super) fn gather(&self, reading: &mut Reading, worth: Worth) -> PolarsResult<DataFrame> {
        let mut all: Option<DataFrame> = None;
        let (mut batches, mut bytes) = (0usize, 0usize);
        while batches < worth.batches && bytes < worth.bytes {
            let before = reading.rows;
            let Some(batch) = reading.next_batch()? else { break };
            let df = self.frame(batch, before, &reading.names)?;
            batches += 1;
            bytes = bytes.saturating_add(size::bytes(&df));
            match &mut all {
                None => all = Some(df),
                Some(all) => {
                    all.vstack_mut_owned(df)?;
                },
            }
        }
        all.map_or_else(|| self.empty(&reading.names), Ok)
    }

    fn origin(&self, name: &str) -> PolarsResult<&Origin> {
        let (at, _, _) = self.schema.try_get_full(name)?;
        self.origins.get(at).ok_or_else(|| polars_err!(ComputeError: "the scan has no column \"{name}\""))
    }

    /// A batch with the columns that are not stored.
    fn frame(&self, batch: DataFrame, before: usize, names: &[PlSmallStr]) -> PolarsResult<DataFrame> {
        let height = batch.height();
        let mut stored = batch.into_columns().into_iter();
        let mut columns = Vec::with_capacity(names.len());
        for name in names {
            columns.push(match self.origin(name)? {
                Origin::Stored => {
                    let column = stored.next();
                    column.ok_or_else(|| polars_err!(ComputeError: "the column \"{name}\" was not read"))?
                },
                Origin::RowIndex(offset) => row_numbers(name, *offset, before, height)?,
                Origin::Path => {
                    let path = AnyValue::StringOwned("reader".into());
                    Column::new_scalar(name.clone(), Scalar::new(DataType::String, path), height)
                },
                Origin::Hidden => Column::new_scalar(name.clone(), Scalar::null(DataType::Null), height),
            });
        }
        DataFrame::new(height, columns)
    }
}

impl Reading {
    /// Whether no more rows come, or are wanted. It is known when the last ones have been read: a peer that keeps its
    /// connection open behind them is not waited for twice.
    pub(super) fn has_ended(&self) -> bool {
        self.batches.is_none() || self.rows >= self.limit
    }

    /// The next batch that has rows, of this stream or of one behind it.
    fn next_batch(&mut self) -> PolarsResult<Option<DataFrame>> {
        loop {
            let left = self.limit.saturating_sub(self.rows);
            let Some(batches) = self.batches.as_mut().filter(|_| left > 0) else { return Ok(None) };
            match batches.next().transpose()? {
                Some(df) if df.height() == 0 => {},
                Some(df) => {
                    let df = if df.height() > left { df.head(Some(left)) } else { df };
                    self.rows += df.height();
                    return Ok(Some(df));
                },
                None if self.reader.advance()? => self.go_on()?,
                None => self.batches = None,
            }
        }
    }

    /// Goes on to the stream behind the one that has ended.
    fn go_on(&mut self) -> PolarsResult<()> {
        let schema = self.reader.schema()?;
        polars_ensure!(
            schema == self.schema,
            SchemaMismatch: "the streams in the reader have different columns: {:?}, then {:?}", self.schema, schema
        );
        self.batches = Some(self.reader.batches()?);
        Ok(())
    }
}
