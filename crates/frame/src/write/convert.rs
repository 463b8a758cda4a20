//! Columns to physical arrays: any row range of any chunking.

use polars_core::prelude::*;

use crate::error::format_error;
use crate::row_size::{bits, estimate};

/// A frame's columns as chunks of physical arrays, for slicing at will.
pub(crate) struct Columns {
    columns: Vec<Chunks>,
    height: usize,
}

/// One column.
enum Chunks {
    /// Chunks and, for each, the row it starts at.
    Arrays { arrays: Vec<ArrayRef>, starts: Vec<usize> },
    /// One value for all rows: made into rows batch by batch.
    Scalar(Column),
}

impl Columns {
    pub(crate) fn new(df: &DataFrame) -> Self {
        let columns = df.columns().iter().map(|column| match column {
            Column::Scalar(_) => Chunks::Scalar(column.clone()),
            column => Chunks::of(column.as_materialized_series()),
        });
        Self { columns: columns.collect(), height: df.height() }
    }

    pub(crate) fn height(&self) -> usize {
        self.height
    }

    pub(crate) fn width(&self) -> usize {
        self.columns.len()
    }

    /// The chunk lengths, if all columns share them.
    pub(crate) fn shared_starts(&self) -> Option<&[usize]> {
        let mut shared: Option<&[usize]> = None;
        for column in &self.columns {
            if let Chunks::Arrays { starts, .. } = column {
                match shared {
                    None => shared = Some(starts),
                    Some(known) if known == starts.as_slice() => {},
                    Some(_) => return None,
                }
            }
        }
        shared
    }

    /// All arrays of a column. A scalar is one row.
    pub(crate) fn whole(&self, column: usize) -> Vec<ArrayRef> {
        match self.columns.get(column) {
            Some(Chunks::Arrays { arrays, .. }) => arrays.clone(),
            Some(Chunks::Scalar(column)) => {
                column.slice(0, column.len().min(1)).as_materialized_series().chunks().clone()
            },
            None => Vec::new(),
        }
    }

    /// Bytes that a row takes, roughly; nested and string columns by their buffers.
    pub(crate) fn bytes_per_row(&self) -> f64 {
        let bytes: usize = self.columns.iter().map(Chunks::estimated_bytes).sum();
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let per_row = bytes as f64 / self.height.max(1) as f64;
        per_row
    }

    /// The rows `start..start + len` of a column, in pieces.
    pub(crate) fn slice(&self, column: usize, start: usize, len: usize) -> Pieces {
        match self.columns.get(column) {
            Some(Chunks::Arrays { arrays, starts }) => slice_chunks(arrays, starts, start, len),
            Some(Chunks::Scalar(column)) => Pieces::Scalar(column.slice(0, len)),
            None => Pieces::Arrays(Vec::new()),
        }
    }
}

impl Chunks {
    fn of(series: &Series) -> Self {
        let arrays = series.chunks().clone();
        let mut at = 0;
        let starts = arrays.iter().map(|array| {
            let start = at;
            at += array.len();
            start
        });
        let starts = starts.collect();
        Self::Arrays { arrays, starts }
    }

    fn estimated_bytes(&self) -> usize {
        match self {
            Self::Arrays { arrays, .. } => arrays.iter().map(|array| estimate(array.as_ref())).sum(),
            // An estimate of one value many times: saturation is enough.
            Self::Scalar(column) => usize::try_from(bits(column).div_ceil(8)).unwrap_or(usize::MAX),
        }
    }
}

/// Rows of one column, taken but not yet joined: cheap to make on the calling thread, joined by
/// the task that encodes them.
pub(crate) enum Pieces {
    Arrays(Vec<ArrayRef>),
    Scalar(Column),
}

impl Pieces {
    /// The arrays; the rows of a scalar are made.
    pub(crate) fn into_arrays(self) -> Vec<ArrayRef> {
        match self {
            Self::Arrays(arrays) => arrays,
            Self::Scalar(column) => column.as_materialized_series().chunks().clone(),
        }
    }

    /// One array. Copies only if the rows span chunks.
    pub(crate) fn join(self) -> PolarsResult<ArrayRef> {
        let arrays = self.into_arrays();
        polars_ensure!(!arrays.is_empty(), ComputeError: "a column without chunks cannot be written");
        floe_array::join(&arrays).map_err(format_error)
    }

    /// Bytes, roughly.
    pub(crate) fn estimated_bytes(&self) -> usize {
        match self {
            Self::Arrays(arrays) => arrays.iter().map(|array| estimate(array.as_ref())).sum(),
            // An estimate of one value many times: saturation is enough.
            Self::Scalar(column) => usize::try_from(bits(column).div_ceil(8)).unwrap_or(usize::MAX),
        }
    }
}

fn slice_chunks(arrays: &[ArrayRef], starts: &[usize], start: usize, len: usize) -> Pieces {
    let first = starts.partition_point(|at| *at <= start).saturating_sub(1);
    let end = start + len;
    let mut pieces = Vec::new();
    for (array, at) in arrays.iter().zip(starts).skip(first) {
        if *at >= end && !pieces.is_empty() {
            break;
        }
        let from = start.saturating_sub(*at).min(array.len());
        let to = end.saturating_sub(*at).min(array.len());
        if from == 0 && to == array.len() && !array.is_empty() {
            pieces.push(array.clone());
        } else if to > from || (len == 0 && pieces.is_empty()) {
            pieces.push(array.sliced(from, to.max(from) - from));
        }
    }
    if pieces.is_empty()
        && let Some(array) = arrays.first()
    {
        pieces.push(array.sliced(0, 0));
    }
    Pieces::Arrays(pieces)
}
