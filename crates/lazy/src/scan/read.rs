//! The work of a scan's nodes when an engine runs them: decode parts, add columns.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use polars_core::prelude::*;
use polars_core::runtime::THREAD_POOL;
use polars_plan::plans::DataFrameUdf;
use rayon::prelude::*;

use super::columns;
use super::layout::Origin;
use super::parts::Part;
use super::scan::Scan;
use crate::size;

/// The parts of one node of the plan.
pub(super) struct Group {
    pub(super) scan: Arc<Scan>,
    pub(super) parts: Vec<Part>,
    pub(super) name: PlSmallStr,
}

impl DataFrameUdf for Group {
    fn call_udf(&self, numbers: DataFrame) -> PolarsResult<DataFrame> {
        self.read(&numbers)
    }

    fn display_str(&self) -> PlSmallStr {
        self.name.clone()
    }
}

impl Group {
    /// Reads the parts whose numbers a frame has, of its columns.
    fn read(&self, numbers: &DataFrame) -> PolarsResult<DataFrame> {
        let names: Vec<PlSmallStr> = numbers.get_column_names_owned();
        let part = |number: usize| {
            let part = self.parts.get(number);
            part.ok_or_else(|| polars_err!(ComputeError: "the scan has no part {number}"))
        };
        let ranges = columns::ranges(numbers)?;
        let parts = ranges.into_iter().flatten().map(part).collect::<PolarsResult<Vec<&Part>>>()?;
        // If the engine asks for all parts at once, none of its threads decodes others at the same time.
        let alone = parts.len() == self.parts.len();
        self.scan.read(&parts, &names, alone)
    }
}

impl Scan {
    /// Reads parts. Alone, on all threads of the pool. Else the engine's threads do, and where they have
    /// nothing left, those of the pool help with the columns of a part.
    pub(super) fn read(&self, parts: &[&Part], names: &[PlSmallStr], alone: bool) -> PolarsResult<DataFrame> {
        let mut frames = match parts {
            [] => vec![self.part(&Part::empty(), names, false)?],
            [one] => vec![self.part(one, names, true)?],
            many if alone => {
                let read = || many.par_iter().map(|part| self.part(part, names, false)).collect();
                THREAD_POOL.install::<_, PolarsResult<Vec<DataFrame>>>(read)?
            },
            many => many.iter().map(|part| self.part(part, names, true)).collect::<PolarsResult<_>>()?,
        }
        .into_iter();
        let Some(mut out) = frames.next() else {
            polars_bail!(ComputeError: "a scan has read no frame, not even an empty one");
        };
        for df in frames {
            out.vstack_mut_owned(df)?;
        }
        Ok(out)
    }

    /// Reads one part.
    pub(super) fn part(&self, part: &Part, names: &[PlSmallStr], parallel: bool) -> PolarsResult<DataFrame> {
        let layout = &*self.layout;
        let Some(source) = layout.sources.get(part.source) else {
            polars_bail!(ComputeError: "the scan has no source {}", part.source);
        };
        let origins = names.iter().map(|name| layout.origin(name)).collect::<PolarsResult<Vec<Origin>>>()?;
        let positions = origins.iter().filter_map(|origin| match origin {
            Origin::Stored(at) => source.position(*at),
            Origin::RowIndex | Origin::Hive(_) | Origin::Path | Origin::Hidden => None,
        });
        let positions: Vec<usize> = positions.collect();
        let read = source.index.read_counted(part.batches.clone(), &positions, parallel);
        let (df, bytes) = read.map_err(|e| source.place(e))?;
        if let Some(counter) = &self.read_counter {
            counter.fetch_add(bytes, Ordering::Relaxed);
        }
        let whole = part.skip == 0 && df.height() == part.rows;
        let skip = size::row(part.skip);
        let mut stored = df.into_columns().into_iter();
        let mut columns = Vec::with_capacity(names.len());
        for (name, origin) in names.iter().zip(origins) {
            let column = match origin {
                Origin::Stored(at) if source.position(at).is_none() => {
                    let null = Scalar::null(layout.schema.try_get(name)?.clone());
                    Column::new_scalar(name.clone(), null, part.rows)
                },
                Origin::Stored(_) => {
                    let column =
                        stored.next().ok_or_else(|| polars_err!(ComputeError: "a column was not read"))?;
                    let column = if whole { column } else { column.slice(skip, part.rows) };
                    source.adapted(column, layout.schema.try_get(name)?)?
                },
                Origin::RowIndex => row_numbers(name, layout.row_offset, part.before, part.rows)?,
                Origin::Hive(at) => {
                    let value = layout.hive.as_ref().and_then(|hive| hive.columns().get(at));
                    let value =
                        value.ok_or_else(|| polars_err!(ComputeError: "a folder's value is missing"))?;
                    let scalar = Scalar::new(value.dtype().clone(), value.get(part.source)?.into_static());
                    Column::new_scalar(name.clone(), scalar, part.rows)
                },
                Origin::Path => {
                    let path = Scalar::new(DataType::String, AnyValue::StringOwned(source.name.clone()));
                    Column::new_scalar(name.clone(), path, part.rows)
                },
                Origin::Hidden => Column::new_scalar(name.clone(), Scalar::null(DataType::Null), part.rows),
            };
            columns.push(column);
        }
        DataFrame::new(part.rows, columns)
    }
}

/// The numbers of rows that come behind others.
pub(super) fn row_numbers(
    name: &PlSmallStr,
    offset: IdxSize,
    before: usize,
    rows: usize,
) -> PolarsResult<Column> {
    let row = |rows: usize| IdxSize::try_from(rows).ok()?.checked_add(offset);
    match (row(before), before.checked_add(rows).and_then(row)) {
        (Some(start), Some(end)) => {
            let mut index = IdxCa::from_vec(name.clone(), (start..end).collect());
            index.set_sorted_flag(polars_core::series::IsSorted::Ascending);
            Ok(index.into_column())
        },
        _ => polars_bail!(ComputeError: "the row index \"{name}\" overflows"),
    }
}
