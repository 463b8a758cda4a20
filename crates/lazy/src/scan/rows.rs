//! A scan whose input has as many rows as it.
//!
//! ```text
//!   Select [each column as it is]      slices pass, filters do not
//!     Map: reads the pieces it is given
//!       Map, of all its input at once: the rows that are left -> pieces
//!         DataFrameScan: a bit for each row, all of them zero
//! ```
//!
//! Polars pushes slices, of either sign, through these nodes into a frame, and slices it when it plans the query. So no
//! engine meets the slice, and the rows that it leaves out are not read. The frame's bits are memory that nobody writes
//! to; where in it a column begins says which rows are left.
//!
//! Filters must not get there, as there is nothing to filter: they stop at columns that are the result
//! of a function. This keeps all columns of a scan in memory, under the in-memory engine, before they are
//! filtered. So only scans of a moderate size are made like this: see [`RowNumbers::new`].

use std::ops::Range;
use std::sync::Arc;

use arrow::array::BooleanArray;
use polars_core::prelude::*;
use polars_core::runtime::THREAD_POOL;
use polars_lazy::prelude::Expr;
use polars_plan::dsl::DslPlan;
use polars_plan::plans::{DataFrameUdf, DslFunction, FunctionIR};

use super::node_name;
use super::parts::{PART_BYTES, PART_ROWS, Part};
use super::row_numbers::{RowNumbers, part_bytes};
use super::scan::Scan;

/// Rows in a frame that the streaming engine hands out at a time.
pub(super) const MORSEL_ROWS: usize = 100_000;
/// How often the streaming engine should be handed something, at the price of more at a time.
const MAX_MORSELS: usize = 256;
/// Pieces that are read together, and for each thread how many are read by themselves before.
const MAX_PIECES: usize = 64;
const EARLY_BLOCKS: usize = 8;
/// The rows that an early piece may have, before pieces grow: queries may stop early.
const FIRST_ROWS: usize = 1 << 12;
const FIRST_BYTES: u64 = 64 << 10;
/// The name of the function that columns are a result of.
const COLUMN: &str = "IPC COLUMN";

impl Scan {
    /// The nodes of a scan of rows.
    pub(super) fn plan_of_rows(self: &Arc<Self>, rows: &RowNumbers) -> PolarsResult<DslPlan> {
        let zeros = BooleanArray::from_data_default(rows.zeros.clone(), None);
        let zeros = BooleanChunked::with_chunk(PlSmallStr::EMPTY, zeros).into_series();
        let names = self.layout.schema.iter_names();
        let columns = names.map(|name| zeros.clone().with_name(name.clone()).into_column()).collect();
        let df = DataFrame::new(zeros.len(), columns)?;
        let schema = Arc::clone(df.schema());
        let pieces = |input: &Schema| {
            let fields = input.iter_names().map(|name| Field::new(name.clone(), DataType::UInt64));
            Ok(Arc::new(fields.collect::<Schema>()))
        };
        let name: PlSmallStr = format!("ROWS OF IPC SCAN {}", self.id).into();
        let chosen = DslPlan::MapFunction {
            input: Arc::new(DslPlan::DataFrameScan { df: Arc::new(df), schema }),
            function: DslFunction::FunctionIR(FunctionIR::Opaque {
                fmt_str: name.clone(),
                function: Arc::new(SliceToPieces { scan: Arc::clone(self), name }),
                schema: Some(Arc::new(pieces)),
                predicate_pd: true,
                projection_pd: true,
                streamable: false,
            }),
        };
        let name = node_name::name(self.id, 0, 1);
        Ok(DslPlan::MapFunction {
            input: Arc::new(chosen),
            function: DslFunction::FunctionIR(FunctionIR::Opaque {
                fmt_str: name.clone(),
                function: Arc::new(ReadPieces { scan: Arc::clone(self), name }),
                schema: Some(self.output(None)),
                predicate_pd: true,
                projection_pd: true,
                streamable: true,
            }),
        })
    }

    /// The rows of a range, in parts of consecutive batches. With `grow` the first parts are small, and later ones of a
    /// sensible size; else each part is as large as it can be.
    fn pieces(&self, rows: &RowNumbers, range: Range<usize>, grow: bool) -> Vec<Part> {
        let mut pieces: Vec<(Part, u64)> = Vec::new();
        let first = rows.starts.partition_point(|start| *start <= range.start).saturating_sub(1);
        let spans = rows.starts.windows(2).zip(&self.parts).skip(first);
        for (span, part) in spans {
            let &[start, end] = span else { break };
            if start >= range.end {
                break;
            }
            let (from, to) = (range.start.max(start) - start, range.end.min(end) - start);
            if from >= to {
                continue;
            }
            let mut part = part.clone();
            part.skip += from;
            part.before += from;
            part.rows = to - from;
            let bytes = part_bytes(&self.layout, &part);
            let shift = pieces.len().saturating_sub(2).saturating_mul(2).min(20);
            let (max_rows, max_bytes) = match (grow, pieces.len()) {
                (false, _) => (usize::MAX, u64::MAX),
                (true, 0 | 1) => (0, 0),
                (true, _) => (PART_ROWS.min(FIRST_ROWS << shift), PART_BYTES.min(FIRST_BYTES << shift)),
            };
            match pieces.last_mut() {
                Some((last, before))
                    if last.is_followed_by(&part)
                        && last.rows + part.rows <= max_rows
                        && before.saturating_add(bytes) <= max_bytes =>
                {
                    last.batches.end = part.batches.end;
                    last.rows += part.rows;
                    *before = before.saturating_add(bytes);
                },
                _ => pieces.push((part, bytes)),
            }
        }
        pieces.into_iter().map(|(part, _)| part).collect()
    }

    /// The pieces of a range, packed into numbers. Those of one block are read together.
    fn blocks(&self, rows: &RowNumbers, range: Range<usize>) -> PolarsResult<Vec<Vec<u64>>> {
        let mut at = range.start;
        let mut blocks: Vec<Vec<u64>> = Vec::new();
        let (mut block_rows, mut block_bytes) = (0usize, 0u64);
        for piece in self.pieces(rows, range, true) {
            let bytes = part_bytes(&self.layout, &piece);
            block_rows += piece.rows;
            block_bytes = block_bytes.saturating_add(bytes);
            let number = pack(at, piece.rows)?;
            at += piece.rows;
            let early = blocks.len() < THREAD_POOL.current_num_threads() * EARLY_BLOCKS;
            match blocks.last_mut() {
                Some(block)
                    if !early
                        && block.len() < MAX_PIECES
                        && block_rows <= PART_ROWS
                        && block_bytes <= PART_BYTES =>
                {
                    block.push(number);
                },
                _ => {
                    blocks.push(vec![number]);
                    (block_rows, block_bytes) = (piece.rows, bytes);
                },
            }
        }
        Ok(blocks)
    }
}

/// Finds out which rows are left, and deals them out in pieces.
struct SliceToPieces {
    scan: Arc<Scan>,
    name: PlSmallStr,
}

impl DataFrameUdf for SliceToPieces {
    /// A piece is a number. Some pieces, with zeros behind them, are as many rows as the streaming engine
    /// hands out at a time.
    fn call_udf(&self, zeros: DataFrame) -> PolarsResult<DataFrame> {
        let (Some(rows), Some(first)) = (&self.scan.rows, zeros.columns().first()) else {
            polars_bail!(ComputeError: "a scan was asked for no column at all");
        };
        let blocks = self.scan.blocks(rows, rows.range(first)?)?;
        let threads = THREAD_POOL.current_num_threads().max(1);
        // No blocks have no pieces.
        let longest = blocks.iter().map(Vec::len).max().unwrap_or(0);
        let (count, every) = match blocks.len() {
            few if few <= threads => (few, longest),
            many => (many.next_multiple_of(threads), (MORSEL_ROWS / many.div_ceil(MAX_MORSELS)).max(longest)),
        };
        let mut numbers = vec![0u64; count.saturating_mul(every)];
        for (block, numbers) in blocks.iter().zip(numbers.chunks_mut(every.max(1))) {
            for (piece, number) in block.iter().zip(numbers) {
                *number = *piece;
            }
        }
        let numbers = UInt64Chunked::from_vec(PlSmallStr::EMPTY, numbers).into_series();
        let names = zeros.get_column_names_owned().into_iter();
        DataFrame::new(
            numbers.len(),
            names.map(|name| numbers.clone().with_name(name).into_column()).collect(),
        )
    }

    fn display_str(&self) -> PlSmallStr {
        self.name.clone()
    }
}

/// Reads pieces.
struct ReadPieces {
    scan: Arc<Scan>,
    name: PlSmallStr,
}

impl DataFrameUdf for ReadPieces {
    fn call_udf(&self, numbers: DataFrame) -> PolarsResult<DataFrame> {
        let (Some(rows), Some(first)) = (&self.scan.rows, numbers.columns().first()) else {
            polars_bail!(ComputeError: "a scan was asked for no column at all");
        };
        let mut parts = Vec::new();
        for array in first.u64()?.downcast_iter() {
            for number in array.values().iter().filter(|number| **number > 0) {
                parts.extend(self.scan.pieces(rows, unpack(*number)?, false));
            }
        }
        let names = numbers.get_column_names_owned();
        let parts: Vec<&Part> = parts.iter().collect();
        self.scan.read(&parts, &names, parts.len() > 1)
    }

    fn display_str(&self) -> PlSmallStr {
        self.name.clone()
    }
}

/// The first row and the number of rows of a piece, which has rows.
pub(super) fn pack(start: usize, rows: usize) -> PolarsResult<u64> {
    match (u32::try_from(start), u32::try_from(rows)) {
        (Ok(start), Ok(rows)) => Ok(u64::from(start) << 32 | u64::from(rows)),
        _ => polars_bail!(ComputeError: "the scan has too many rows: {start} and {rows}"),
    }
}

pub(super) fn unpack(number: u64) -> PolarsResult<Range<usize>> {
    let of =
        |bits: u64| usize::try_from(bits).map_err(|_| polars_err!(ComputeError: "{bits} rows are too many"));
    let start = of(number >> 32)?;
    Ok(start..start + of(number & u64::from(u32::MAX))?)
}

/// A column as it is, and yet the result of a function: where filters stop.
pub(super) fn column(name: PlSmallStr) -> Expr {
    Expr::Column(name).map_with_fmt_str(Ok, |_, field| Ok(field.clone()), COLUMN)
}

/// Whether an expression is such a column.
pub(crate) fn is_column(expr: &Expr) -> bool {
    match expr {
        Expr::AnonymousFunction { input, fmt_str, .. } => {
            fmt_str.as_str() == COLUMN && matches!(input.as_slice(), [Expr::Column(_)])
        },
        _ => false,
    }
}
