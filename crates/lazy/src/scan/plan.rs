//! The plan of a scan: nodes that every engine of Polars runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use polars_core::prelude::*;
use polars_core::runtime::THREAD_POOL;
use polars_lazy::prelude::{IntoLazy, LazyFrame, UnionArgs, col};
use polars_plan::dsl::DslPlan;
use polars_plan::plans::{DslFunction, FunctionIR, HintIR, Sorted};
use rayon::prelude::*;

use super::layout::{Layout, Origin};
use super::parts::{Part, groups};

/// Numbers scans, so that common subplans are those of the same scan, and no others.
static SCANS: AtomicU64 = AtomicU64::new(0);

/// A scan, before it is cut.
pub(super) struct Scan {
    pub(super) layout: Arc<Layout>,
    pub(super) read_counter: Option<Arc<AtomicU64>>,
}

impl Scan {
    /// The LazyFrame over some parts.
    pub(super) fn lazy_frame(&self, parts: &[Part]) -> PolarsResult<LazyFrame> {
        let layout = &self.layout;
        let visible = self.visible();
        let groups = groups(layout, parts.to_vec());
        if visible.is_empty() {
            // Without columns there is nothing to read, and no column to count.
            let rows = parts.iter().map(|part| part.rows).sum();
            return Ok(DataFrame::new(rows, Vec::new())?.lazy());
        }
        if groups.is_empty() {
            return Ok(self.empty()?.lazy());
        }
        let scan = SCANS.fetch_add(1, Ordering::Relaxed);
        let count = groups.len();
        let mut inputs = Vec::with_capacity(count);
        for (number, parts) in groups.into_iter().enumerate() {
            let name = format!("IPC SCAN {scan} [{} of {count}]", number + 1);
            inputs.push(self.group(parts, name.into())?);
        }
        let plan = match inputs.len() {
            1 => inputs.remove(0),
            _ => counted(DslPlan::Union { inputs, args: UnionArgs::default() }, layout.hidden()),
        };
        Ok(LazyFrame::from(plan).select(visible.into_iter().map(col).collect::<Vec<_>>()))
    }

    /// No rows, all columns. Not `DataFrame::empty_with_schema`: see `floe_frame`'s `assemble`.
    pub(super) fn empty(&self) -> PolarsResult<DataFrame> {
        let part = Part { member: 0, batches: 0..0, before: 0, rows: 0 };
        let group = Group { layout: Arc::clone(&self.layout), parts: Vec::new(), read_counter: None };
        group.part(&part, &self.visible(), false)
    }

    /// The columns that the scan is seen to have.
    fn visible(&self) -> Vec<PlSmallStr> {
        let layout = &self.layout;
        layout.schema.iter_names().filter(|name| *name != layout.hidden()).cloned().collect()
    }

    fn group(&self, parts: Vec<Part>, name: PlSmallStr) -> PolarsResult<DslPlan> {
        let numbers = (0u32..).take(parts.len()).collect::<Vec<u32>>();
        let numbers = UInt32Chunked::from_vec(PlSmallStr::EMPTY, numbers).into_series();
        let names = self.layout.schema.iter_names();
        let columns = names.map(|name| numbers.clone().with_name(name.clone()).into_column()).collect();
        let df = DataFrame::new(parts.len(), columns)?;
        let schema = Arc::clone(df.schema());
        let layout = Arc::clone(&self.layout);
        let output = move |input: &Schema| {
            let dtype =
                |name: &PlSmallStr| Ok(Field::new(name.clone(), layout.schema.try_get(name)?.clone()));
            Ok(Arc::new(input.iter_names().map(dtype).collect::<PolarsResult<Schema>>()?))
        };
        let group =
            Group { layout: Arc::clone(&self.layout), parts, read_counter: self.read_counter.clone() };
        Ok(DslPlan::MapFunction {
            input: Arc::new(DslPlan::DataFrameScan { df: Arc::new(df), schema }),
            function: DslFunction::FunctionIR(FunctionIR::Opaque {
                function: Arc::new(move |numbers: DataFrame| group.read(&numbers)),
                schema: Some(Arc::new(output)),
                predicate_pd: false,
                projection_pd: true,
                streamable: true,
                fmt_str: name,
            }),
        })
    }
}

/// Counting the rows of a union, Polars 0.55.2 replaces its inputs by their lengths, also where a slice
/// has been pushed into the union, which then slices the lengths: `concat(..).limit(5).select(len())`
/// is wrong. A hint about the hidden column keeps it from that: nothing but counting asks for the
/// column, in all other queries Polars drops the hint.
fn counted(union: DslPlan, hidden: &PlSmallStr) -> DslPlan {
    let hint = Sorted { column: hidden.clone(), descending: None, nulls_last: None };
    let function = DslFunction::FunctionIR(FunctionIR::Hint(HintIR::Sorted(Arc::new([hint]))));
    DslPlan::MapFunction { input: Arc::new(union), function }
}

/// The parts of one node of the plan.
struct Group {
    layout: Arc<Layout>,
    parts: Vec<Part>,
    read_counter: Option<Arc<AtomicU64>>,
}

impl Group {
    /// Reads the parts whose numbers are the rows of a frame, of the columns that it has.
    fn read(&self, numbers: &DataFrame) -> PolarsResult<DataFrame> {
        let names: Vec<PlSmallStr> = numbers.get_column_names_owned();
        let Some(first) = numbers.columns().first() else {
            polars_bail!(ComputeError: "a scan was asked for no column at all");
        };
        let part = |number: u32| {
            let part = usize::try_from(number).ok().and_then(|number| self.parts.get(number));
            part.ok_or_else(|| polars_err!(ComputeError: "the scan has no part {number}"))
        };
        let parts = first.u32()?.iter().flatten().map(part).collect::<PolarsResult<Vec<&Part>>>()?;
        // All at once means: nobody else decodes at the same time.
        let alone = parts.len() == self.parts.len();
        let mut frames = match parts.as_slice() {
            [] => vec![self.part(&Part { member: 0, batches: 0..0, before: 0, rows: 0 }, &names, false)?],
            [one] => vec![self.part(one, &names, alone)?],
            many if alone => {
                let read = || many.par_iter().map(|part| self.part(part, &names, false)).collect();
                THREAD_POOL.install::<_, PolarsResult<Vec<DataFrame>>>(read)?
            },
            many => many.iter().map(|part| self.part(part, &names, false)).collect::<PolarsResult<_>>()?,
        }
        .into_iter();
        let mut out = frames.next().unwrap_or_default();
        for df in frames {
            out.vstack_mut_owned(df)?;
        }
        Ok(out)
    }

    /// Reads one part.
    fn part(&self, part: &Part, names: &[PlSmallStr], parallel: bool) -> PolarsResult<DataFrame> {
        let layout = &*self.layout;
        let Some(member) = layout.members.get(part.member) else {
            polars_bail!(ComputeError: "the scan has no source {}", part.member);
        };
        let origins = names.iter().map(|name| layout.origin(name)).collect::<PolarsResult<Vec<Origin>>>()?;
        let positions = origins.iter().filter_map(|origin| match origin {
            Origin::Stored(at) => member.positions.get(*at).copied(),
            Origin::RowIndex | Origin::Hive(_) | Origin::Path | Origin::Hidden => None,
        });
        let positions: Vec<usize> = positions.collect();
        let (df, bytes) = member.index.read_counted(part.batches.clone(), &positions, parallel)?;
        if let Some(counter) = &self.read_counter {
            counter.fetch_add(bytes, Ordering::Relaxed);
        }
        let whole = df.height() == part.rows;
        let mut stored = df.into_columns().into_iter();
        let mut columns = Vec::with_capacity(names.len());
        for (name, origin) in names.iter().zip(origins) {
            let column = match origin {
                Origin::Stored(_) => {
                    let column =
                        stored.next().ok_or_else(|| polars_err!(ComputeError: "a column was not read"))?;
                    if whole { column } else { column.slice(0, part.rows) }
                },
                Origin::RowIndex => row_index(name, layout.row_offset, part)?,
                Origin::Hive(at) => {
                    let value = layout.hive.as_ref().and_then(|hive| hive.columns().get(at));
                    let value =
                        value.ok_or_else(|| polars_err!(ComputeError: "a folder's value is missing"))?;
                    let scalar = Scalar::new(value.dtype().clone(), value.get(part.member)?.into_static());
                    Column::new_scalar(name.clone(), scalar, part.rows)
                },
                Origin::Path => {
                    let path = Scalar::new(DataType::String, AnyValue::StringOwned(member.name.clone()));
                    Column::new_scalar(name.clone(), path, part.rows)
                },
                Origin::Hidden => Column::new_scalar(name.clone(), Scalar::null(DataType::Null), part.rows),
            };
            columns.push(column);
        }
        DataFrame::new(part.rows, columns)
    }
}

fn row_index(name: &PlSmallStr, offset: IdxSize, part: &Part) -> PolarsResult<Column> {
    let row = |rows: usize| IdxSize::try_from(rows).ok()?.checked_add(offset);
    let end = part.before.checked_add(part.rows);
    match (row(part.before), end.and_then(row)) {
        (Some(start), Some(end)) => {
            let mut index = IdxCa::from_vec(name.clone(), (start..end).collect());
            index.set_sorted_flag(polars_core::series::IsSorted::Ascending);
            Ok(index.into_column())
        },
        _ => polars_bail!(ComputeError: "the row index \"{name}\" overflows"),
    }
}
