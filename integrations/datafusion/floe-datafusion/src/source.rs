//! The scan of files and streams: what DataFusion pushes down into it, and how it is split.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::physical_plan::{FileOpener, FileScanConfig, FileSource};
use datafusion::datasource::projection::{ProjectionOpener, SplitProjection};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{PhysicalExpr, conjunction};
use datafusion::physical_plan::DisplayFormatType;
use datafusion::physical_plan::filter_pushdown::{FilterPushdownPropagation, PushedDown};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use object_store::ObjectStore;

use crate::open::Indexes;
use crate::opener::FloeOpener;
use crate::options::FloeOptions;

/// The [`FileSource`] of Arrow IPC files and streams.
///
/// Projections are read as such: only the buffers of wanted columns are asked for. Filters leave out batches whose
/// statistics say that no row passes; DataFusion filters the rows of the others.
#[derive(Clone)]
pub struct FloeSource {
    pub(crate) options: FloeOptions,
    pub(crate) predicate: Option<Arc<dyn PhysicalExpr>>,
    indexes: Arc<Indexes>,
    table_schema: TableSchema,
    projection: SplitProjection,
    metrics: ExecutionPlanMetricsSet,
}

impl FloeSource {
    pub(crate) fn new(table_schema: TableSchema, options: FloeOptions, indexes: Arc<Indexes>) -> Self {
        let projection = SplitProjection::unprojected(&table_schema);
        let metrics = ExecutionPlanMetricsSet::new();
        Self { options, predicate: None, indexes, table_schema, projection, metrics }
    }

    pub(crate) fn with_predicate(mut self, predicate: Option<Arc<dyn PhysicalExpr>>) -> Self {
        self.predicate = predicate;
        self
    }
}

impl fmt::Debug for FloeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FloeSource")
            .field("options", &self.options)
            .field("predicate", &self.predicate)
            .finish()
    }
}

impl FileSource for FloeSource {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        base_config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        let file_schema = self.table_schema.file_schema();
        let wanted = Arc::new(file_schema.project(&self.projection.file_indices)?);
        let opener = FloeOpener {
            store,
            options: self.options.clone(),
            indexes: Arc::clone(&self.indexes),
            wanted,
            table: Arc::clone(self.table_schema.table_schema()),
            predicate: self.predicate.clone(),
            limit: base_config.limit,
            metrics: crate::opener::Metrics::new(&self.metrics, partition),
        };
        ProjectionOpener::try_new(self.projection.clone(), Arc::new(opener), file_schema)
    }

    fn table_schema(&self) -> &TableSchema {
        &self.table_schema
    }

    fn with_batch_size(&self, _: usize) -> Arc<dyn FileSource> {
        // Batches are as large as they were written.
        Arc::new(self.clone())
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.predicate.clone()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection.source)
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &str {
        "floe"
    }

    fn fmt_extra(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.predicate, format) {
            (Some(predicate), DisplayFormatType::Default | DisplayFormatType::Verbose) => {
                write!(f, ", predicate={predicate}")
            },
            _ => Ok(()),
        }
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        // Batches are left out here, not rows: DataFusion's filter has to stay.
        let answer =
            FilterPushdownPropagation::with_parent_pushdown_result(vec![PushedDown::No; filters.len()]);
        if filters.is_empty() || !self.options.statistics {
            return Ok(answer);
        }
        let all = self.predicate.iter().cloned().chain(filters);
        let source = self.clone().with_predicate(Some(conjunction(all)));
        Ok(answer.with_updated_node(Arc::new(source)))
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        let mut source = self.clone();
        let merged = source.projection.source.try_merge(projection)?;
        source.projection = SplitProjection::new(self.table_schema.file_schema(), &merged);
        Ok(Some(Arc::new(source)))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let predicate = self.predicate.iter();
        let projection = self.projection.source.iter().map(|projected| &projected.expr);
        for expr in predicate.chain(projection) {
            if f(expr)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }
}
