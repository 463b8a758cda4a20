//! Which rows of an array are gathered, in which order.

use std::ops::Range;

use arrow::bitmap::Bitmap;
use floe_format::{Error, Result};
use polars_utils::IdxSize;

/// A run: rows that follow one another, or a number of nulls.
///
/// Two numbers, not an enum: there may be one run per row, and an enum would be half as large again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowRun {
    pub(crate) start: usize,
    pub(crate) len: usize,
}

/// The start of a run of nulls.
const NULLS: usize = usize::MAX;

impl RowRun {
    /// `len` rows from `start` on.
    pub(crate) fn new(start: usize, len: usize) -> Self {
        Self { start, len }
    }

    pub(crate) fn nulls(len: usize) -> Self {
        Self { start: NULLS, len }
    }

    /// Adds a run to others, as a part of the last one if it goes on where that ends.
    pub(crate) fn push(self, all: &mut Vec<Self>) {
        match all.last_mut() {
            _ if self.len == 0 => {},
            Some(last) if self.start == NULLS && last.start == NULLS => last.len += self.len,
            Some(last) if last.start != NULLS && last.start + last.len == self.start => {
                last.len += self.len;
            },
            _ => all.push(self),
        }
    }
}

/// Which rows.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// One by one; where `validity` says so, a null.
    Each {
        indices: &'a [IdxSize],
        validity: Option<&'a Bitmap>,
    },
    Runs(&'a [RowRun]),
}

/// Which rows are selected, in which order.
#[derive(Clone, Copy)]
pub(crate) struct Selection<'a> {
    pub(crate) rows: Rows<'a>,
    pub(crate) len: usize,
    pub(crate) has_nulls: bool,
}

impl<'a> Selection<'a> {
    /// Rows one by one; where `validity` says so, a null, whatever the index.
    pub(crate) fn each(indices: &'a [IdxSize], validity: Option<&'a Bitmap>) -> Self {
        let has_nulls = validity.is_some_and(|validity| validity.unset_bits() > 0);
        let validity = validity.filter(|_| has_nulls);
        Self { rows: Rows::Each { indices, validity }, len: indices.len(), has_nulls }
    }

    /// Runs of rows.
    ///
    /// # Errors
    /// When they are more rows than can be counted.
    pub(crate) fn runs(runs: &'a [RowRun]) -> Result<Self> {
        let len = runs.iter().try_fold(0usize, |sum, run| sum.checked_add(run.len));
        let len = len.filter(|len| isize::try_from(*len).is_ok()).ok_or_else(too_many)?;
        let has_nulls = runs.iter().any(|run| run.start == NULLS);
        Ok(Self { rows: Rows::Runs(runs), len, has_nulls })
    }

    /// Calls `visit` with each run of rows, or how many nulls there are.
    #[inline]
    pub(crate) fn visit(&self, mut visit: impl FnMut(std::result::Result<Range<usize>, usize>)) {
        match self.rows {
            Rows::Each { indices, validity: None } => indices.iter().for_each(|index| visit(Ok(row(*index)))),
            Rows::Each { indices, validity: Some(validity) } => {
                let rows = indices.iter().zip(validity);
                rows.for_each(|(index, valid)| visit(if valid { Ok(row(*index)) } else { Err(1) }));
            },
            Rows::Runs(runs) => runs.iter().for_each(|run| {
                visit(match run.start {
                    NULLS => Err(run.len),
                    start => Ok(start..start + run.len),
                });
            }),
        }
    }

    /// The only run, if there is one and it is of rows.
    pub(crate) fn single_run(&self) -> Option<RowRun> {
        match self.rows {
            Rows::Runs([one]) if one.start != NULLS => Some(*one),
            _ => None,
        }
    }
}

fn row(index: IdxSize) -> Range<usize> {
    index as usize..index as usize + 1
}

pub(crate) fn too_many() -> Error {
    Error::invalid("values that are referred to several times are more than memory has addresses")
}
