//! Leaving out batches that a predicate cannot match.
//!
//! Polars knows how to turn a predicate into one over statistics, which holds for batches that have no matching row.
//! Batches that are left in are filtered all the same. Pruning may leave too much, never too little: nothing is left
//! out on account of a statistic that is missing or not understood. (Nor is by `>` on floats: Polars allows for NaN
//! there.)

use std::sync::atomic::{AtomicU64, Ordering};

use polars_core::prelude::*;
use polars_lazy::prelude::{Expr, IntoLazy};
use polars_plan::plans::predicates::{aexpr_to_skip_batch_predicate, null_count_dtype};
use polars_plan::plans::{
    AExpr, IR, IRPlan, MintermIter, is_elementwise_rec, is_inherently_nondeterministic, node_to_expr,
};
use polars_plan::utils::aexpr_to_leaf_names_iter;
use polars_utils::arena::{Arena, Node};

use super::layout::{Layout, Origin, ScanSource};
use super::parts::Part;

/// The parts in which a row may match. `parts` has one batch each, `empty` the scan's columns.
pub(super) fn keep(
    layout: &Layout,
    mut parts: Vec<Part>,
    predicate: &Expr,
    empty: DataFrame,
    read_counter: Option<&AtomicU64>,
) -> PolarsResult<Vec<Part>> {
    let Some(skip) = Skip::new(predicate, empty) else { return Ok(parts) };
    // Folders' names first: then other sources' statistics need not be read.
    for read in [false, true] {
        let mut statistics = Statistics { layout, read, read_counter, frame: Vec::new() };
        let frame = statistics.frame(&skip.columns, &parts)?;
        let skipped = skip.batches(frame);
        let mut at = 0;
        parts.retain(|_| {
            at += 1;
            !skipped.get(at - 1).copied().unwrap_or(false)
        });
    }
    Ok(parts)
}

/// A predicate over statistics that holds for batches without a match.
struct Skip {
    predicate: Expr,
    /// Columns whose statistics it looks at.
    columns: Vec<PlSmallStr>,
}

impl Skip {
    fn new(predicate: &Expr, empty: DataFrame) -> Option<Self> {
        let schema = Arc::clone(empty.schema());
        // Polars expands and checks the predicate; if it finds fault with it, it says so in the query.
        let plan = empty.lazy().filter(predicate.clone()).logical_plan.to_alp().ok()?;
        let IRPlan { lp_top, lp_arena, mut expr_arena } = plan;
        let mut terms = Vec::new();
        let mut node = lp_top;
        while let IR::Filter { input, predicate } = lp_arena.get(node) {
            terms.extend(MintermIter::new(predicate.node(), &expr_arena));
            node = *input;
        }
        let mut columns = PlIndexSet::new();
        let mut skips: Option<Expr> = None;
        for term in terms {
            let names: Vec<PlSmallStr> = aexpr_to_leaf_names_iter(term, &expr_arena).cloned().collect();
            if let Some(skip) = skip_term(term, &mut expr_arena, &schema) {
                columns.extend(names);
                skips = Some(match skips {
                    None => skip,
                    Some(known) => known.or(skip),
                });
            }
        }
        Some(Self { predicate: skips?, columns: columns.into_iter().collect() })
    }

    /// For each batch whether it can be skipped; a predicate that cannot be evaluated skips none.
    fn batches(&self, statistics: DataFrame) -> Vec<bool> {
        let height = statistics.height();
        let skip = statistics.lazy().select([self.predicate.clone().alias("skip")]).collect();
        let skip = skip.and_then(|df| Ok(df.column("skip")?.bool()?.clone()));
        match skip {
            Ok(skip) if skip.len() == height => skip.iter().map(|skip| skip == Some(true)).collect(),
            Ok(skip) if skip.len() == 1 => vec![skip.get(0) == Some(true); height],
            _ => Vec::new(),
        }
    }
}

/// The term over statistics. Only for terms that look at each row by itself and always say the same.
fn skip_term(term: Node, arena: &mut Arena<AExpr>, schema: &Schema) -> Option<Expr> {
    if !is_elementwise_rec(term, arena) || is_inherently_nondeterministic(term, arena) {
        return None;
    }
    let node = aexpr_to_skip_batch_predicate(term, arena, schema)?;
    Some(node_to_expr(node, arena))
}

/// Statistics of all parts, a row each.
struct Statistics<'a> {
    layout: &'a Layout,
    /// Whether those that are stored with batches are read as well.
    read: bool,
    read_counter: Option<&'a AtomicU64>,
    frame: Vec<Column>,
}

impl Statistics<'_> {
    fn frame(&mut self, columns: &[PlSmallStr], parts: &[Part]) -> PolarsResult<DataFrame> {
        let stored = self.stored(columns, parts)?;
        // Of whole batches, also where the scan ends within one: so are the counts of nulls.
        let len = |part: &Part| {
            let rows = self.layout.sources.get(part.source)?.index.batch_size(part.batches.start)?.0;
            IdxSize::try_from(rows).ok()
        };
        let len: IdxCa = parts.iter().map(len).collect_ca("len".into());
        let len = len.into_column();
        for name in columns {
            match self.layout.origin(name)? {
                Origin::Stored(_) => self.take_stored(name, stored.as_ref(), parts.len())?,
                Origin::Hive(at) => {
                    let hive = self.layout.hive.as_ref().and_then(|hive| hive.columns().get(at));
                    let hive =
                        hive.ok_or_else(|| polars_err!(ComputeError: "a folder's value is missing"))?;
                    let rows: IdxCa =
                        parts.iter().map(|part| IdxSize::try_from(part.source).ok()).collect_ca("".into());
                    let values = hive.take(&rows)?;
                    let none = IdxCa::full("".into(), 0, parts.len()).into_column();
                    let nulls = len.zip_with(&values.is_null(), &none)?;
                    self.push(name, values.clone(), values, nulls);
                },
                Origin::Path => {
                    let path = |part: &Part| self.layout.sources.get(part.source).map(|m| m.name.as_str());
                    let values: StringChunked = parts.iter().map(path).collect_ca("".into());
                    let values = values.into_column();
                    let none = IdxCa::full("".into(), 0, parts.len()).into_column();
                    self.push(name, values.clone(), values, none);
                },
                Origin::RowIndex => {
                    let offset = self.layout.row_offset;
                    let row = |rows: usize| IdxSize::try_from(rows).ok()?.checked_add(offset);
                    let first: IdxCa = parts.iter().map(|part| row(part.before)).collect_ca("".into());
                    let last = parts.iter().map(|part| row(part.before + part.rows - 1));
                    let last: IdxCa = last.collect_ca("".into());
                    let none = IdxCa::full("".into(), 0, parts.len()).into_column();
                    self.push(name, first.into_column(), last.into_column(), none);
                },
                Origin::Hidden => {},
            }
        }
        self.frame.push(len);
        DataFrame::new(parts.len(), std::mem::take(&mut self.frame))
    }

    fn push(&mut self, name: &str, min: Column, max: Column, nulls: Column) {
        for (column, suffix) in [(min, "min"), (max, "max"), (nulls, "nc")] {
            self.frame.push(column.with_name(format!("{name}_{suffix}").into()));
        }
    }

    /// The statistics of a stored column; nothing known where there are none.
    fn take_stored(
        &mut self,
        name: &PlSmallStr,
        stored: Option<&DataFrame>,
        height: usize,
    ) -> PolarsResult<()> {
        let dtype = self.layout.schema.try_get(name)?.clone();
        let unknown = |dtype: &DataType| Series::full_null(PlSmallStr::EMPTY, height, dtype).into_column();
        let of = |suffix: &str| stored.and_then(|df| df.column(&format!("{name}_{suffix}")).ok()).cloned();
        let min = of("min").unwrap_or_else(|| unknown(&dtype));
        let max = of("max").unwrap_or_else(|| unknown(&dtype));
        let counts = null_count_dtype(&dtype);
        let nulls = of("nc").filter(|nulls| *nulls.dtype() == counts).unwrap_or_else(|| unknown(&counts));
        self.push(name, min, max, nulls);
        Ok(())
    }

    /// Statistics of columns that are of other types in the scan, or missing in the source, as those of the scan.
    fn adapted(
        &self,
        source: &ScanSource,
        df: DataFrame,
        wanted: &[(&PlSmallStr, usize)],
    ) -> PolarsResult<DataFrame> {
        if !source.differs && source.positions.iter().all(Option::is_some) {
            return Ok(df);
        }
        let height = df.height();
        let mut own = df.into_columns().into_iter();
        // Behind the rows three of each: the smallest value, the largest, and how many nulls.
        let mut columns: Vec<Column> = own.by_ref().take(1).collect();
        for (name, at) in wanted {
            let dtype = self.layout.stored_type(*at)?;
            for suffix in ["min", "max", "nc"] {
                let dtype = if suffix == "nc" { &IDX_DTYPE } else { dtype };
                let found = source.position(*at).and_then(|_| own.next());
                columns.push(match found {
                    // Ordered otherwise than their text.
                    Some(found) if found.dtype() == dtype || !found.dtype().is_categorical() => {
                        source.adapted(found, dtype)?
                    },
                    _ => {
                        let name = format!("{name}_{suffix}").into();
                        Column::new_scalar(name, Scalar::null(dtype.clone()), height)
                    },
                });
            }
        }
        DataFrame::new(height, columns)
    }

    /// The statistics of the columns that come from the sources.
    fn stored(&self, columns: &[PlSmallStr], parts: &[Part]) -> PolarsResult<Option<DataFrame>> {
        if !self.read {
            return Ok(None);
        }
        let mut wanted = Vec::new();
        for name in columns {
            if let Origin::Stored(at) = self.layout.origin(name)? {
                wanted.push((name, at));
            }
        }
        let mut all: Option<DataFrame> = None;
        for parts in parts.chunk_by(|a, b| a.source == b.source) {
            // No chunk is empty.
            let (Some(first), Some(last)) = (parts.first(), parts.last()) else { continue };
            let Some(source) = self.layout.sources.get(first.source) else {
                polars_bail!(ComputeError: "the scan has no source {}", first.source);
            };
            let positions: Vec<usize> = wanted.iter().filter_map(|(_, at)| source.position(*at)).collect();
            let range = first.batches.start..last.batches.end;
            let (df, bytes) = source.index.statistics_counted(range.clone(), &positions)?;
            if let Some(counter) = self.read_counter {
                counter.fetch_add(bytes, Ordering::Relaxed);
            }
            let rows = parts.iter().map(|part| IdxSize::try_from(part.batches.start - range.start).ok());
            let df = self.adapted(source, df.take(&rows.collect_ca("".into()))?, &wanted)?;
            match &mut all {
                None => all = Some(df),
                Some(all) => {
                    all.vstack_mut_owned(df)?;
                },
            }
        }
        Ok(all)
    }
}
