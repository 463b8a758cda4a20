//! Which batches of a file a predicate leaves out, by the statistics in the file's footer.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use floe::IpcIndex;

use crate::batches::keeps_order;
use crate::statistics::{Known, known};
use crate::types::data_type;

/// For each batch whether it may have rows for the predicate. Where nothing is known, it may.
pub(crate) fn candidates(
    index: &IpcIndex,
    predicate: Option<&Arc<dyn PhysicalExpr>>,
    table: &SchemaRef,
) -> Vec<bool> {
    let all = vec![true; index.num_record_batches()];
    let Some(predicate) = predicate.filter(|_| index.has_statistics()) else { return all };
    // A filter that changes while the query runs is taken as it is now.
    let builder = PruningPredicateBuilder::new().with_file_schema(Arc::clone(table));
    let Ok(pruning) = builder.try_build(Arc::clone(predicate)) else { return all };
    if pruning.always_true() {
        return all;
    }
    let kept = pruning.prune(&Batches::new(index, predicate, table));
    kept.ok().filter(|kept| kept.len() == all.len()).unwrap_or(all)
}

/// The batches of a file, as DataFusion asks about them.
struct Batches {
    columns: HashMap<String, Known>,
    rows: UInt64Array,
}

impl Batches {
    fn new(index: &IpcIndex, predicate: &Arc<dyn PhysicalExpr>, table: &SchemaRef) -> Self {
        let file = index.schema(None).unwrap_or_default();
        let mut columns = HashMap::new();
        for column in collect_columns(predicate) {
            let Some((place, _, dtype)) = file.get_full(column.name()) else { continue };
            let in_table: Option<&DataType> =
                table.field_with_name(column.name()).ok().map(|field| field.data_type());
            let is_alike =
                data_type(dtype).is_ok_and(|file| in_table.is_some_and(|table| keeps_order(&file, table)));
            if is_alike && let Some(known) = known(index, place) {
                columns.insert(column.name().to_owned(), known);
            }
        }
        let rows = |batch| index.batch_size(batch).map(|(rows, _)| rows as u64);
        Self { columns, rows: (0..index.num_record_batches()).map(rows).collect() }
    }
}

impl PruningStatistics for Batches {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        Some(Arc::clone(&self.columns.get(column.name())?.min))
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        Some(Arc::clone(&self.columns.get(column.name())?.max))
    }

    fn num_containers(&self) -> usize {
        datafusion::arrow::array::Array::len(&self.rows)
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        Some(Arc::new(self.columns.get(column.name())?.nulls.clone()))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(self.rows.clone()))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
