//! Tickets for what a reader has: see [`reader`](super::reader).

use std::sync::{Arc, LazyLock};

use arrow::bitmap::Bitmap;
use polars_core::prelude::*;
use polars_plan::plans::DataFrameUdf;

use super::once::Once;
use super::row_numbers::RowNumbers;
use super::rows::MORSEL_ROWS;

/// Rows of a node in the plan: one ticket for as many of them as the streaming engine hands out at a time.
pub(super) const ROWS: usize = 1 << 31;
/// The same, for the slice.
pub(super) const ALL_ROWS: IdxSize = 1 << 31;
/// Tickets of a node.
pub(super) const TICKETS: u64 = ROWS.div_ceil(MORSEL_ROWS) as u64;
/// In place of a ticket: all has been read.
const NOTHING: u64 = u64::MAX;
/// In place of a ticket: the first rows, up to this number.
const FIRST_ROWS: u64 = u64::MAX - 1;

/// Memory that nobody writes to.
pub(super) static NUMBERS: LazyLock<RowNumbers> = LazyLock::new(|| RowNumbers {
    zeros: Bitmap::from_u8_vec(vec![0; ROWS.div_ceil(8)], ROWS),
    starts: Vec::new(),
});

/// Makes tickets of the rows in the plan.
pub(super) struct Tickets {
    pub(super) once: Arc<Once>,
    pub(super) node: u64,
    pub(super) name: PlSmallStr,
}

impl DataFrameUdf for Tickets {
    fn call_udf(&self, rows: DataFrame) -> PolarsResult<DataFrame> {
        let Some(column) = rows.columns().first() else {
            polars_bail!(ComputeError: "a scan was asked for no column at all");
        };
        let all = |what: u64| {
            let what = Scalar::new(DataType::UInt64, AnyValue::UInt64(what));
            DataFrame::new(ROWS, vec![Column::new_scalar(PlSmallStr::EMPTY, what, ROWS)])
        };
        let range = NUMBERS.range(column)?;
        if range.len() == ROWS {
            return all(FIRST_ROWS);
        }
        let first = self.node * TICKETS;
        let tickets = range.start.div_ceil(MORSEL_ROWS) as u64..range.end.div_ceil(MORSEL_ROWS) as u64;
        let tickets = first + tickets.start..first + tickets.end;
        // The very first one is for finding out whether this is the first time.
        if !tickets.is_empty() && tickets.start > 0 && self.once.has_ended() {
            return all(NOTHING);
        }
        let tickets = UInt64Chunked::from_vec(PlSmallStr::EMPTY, tickets.collect());
        DataFrame::new(tickets.len(), vec![tickets.into_column()])
    }

    fn display_str(&self) -> PlSmallStr {
        self.name.clone()
    }
}

/// Reads what tickets are worth.
pub(super) struct Redeem {
    pub(super) once: Arc<Once>,
    pub(super) node: u64,
    /// The last ticket of all.
    pub(super) last: u64,
    pub(super) name: PlSmallStr,
}

impl DataFrameUdf for Redeem {
    fn call_udf(&self, tickets: DataFrame) -> PolarsResult<DataFrame> {
        let names = tickets.get_column_names_owned();
        let Some(first) = tickets.columns().first() else {
            polars_bail!(ComputeError: "a scan was asked for no column at all");
        };
        let height = tickets.height();
        if height == 0 {
            return self.once.empty(&names);
        }
        match first.get(0)? {
            AnyValue::UInt64(NOTHING) => return self.once.empty(&names),
            AnyValue::UInt64(FIRST_ROWS) if self.node > 0 => return self.once.empty(&names),
            AnyValue::UInt64(FIRST_ROWS) => {
                let limit = if height == ROWS { usize::MAX } else { height };
                return self.once.first(limit, &names);
            },
            _ => {},
        }
        let mut all = self.once.empty(&names)?;
        for ticket in first.u64()?.iter().flatten() {
            let df = self.once.rows(ticket, &names, ticket == self.last)?;
            if all.height() == 0 {
                all = df;
            } else {
                all.vstack_mut_owned(df)?;
            }
        }
        Ok(all)
    }

    fn display_str(&self) -> PlSmallStr {
        self.name.clone()
    }
}
