//! Plans in bytes, for engines that run them in other processes: Ballista's scheduler and executors.
//!
//! Two codecs: of tables, which a client sends to the scheduler, and of scans, which the scheduler sends to executors. Each
//! takes what is floe's, and hands the rest to another codec. Floe's messages begin with a mark, which no message of
//! protobuf begins with.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::{DataFusionError, Result, TableReference};
use datafusion::datasource::file_format::FileFormatFactory;
use datafusion::datasource::listing::{ListingOptions, ListingTableUrl};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{AggregateUDF, Extension, HigherOrderUDF, LogicalPlan, ScalarUDF, WindowUDF};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr_common::physical_expr::proto_decode::PhysicalExprDecodeCtx;
use datafusion::physical_expr_common::physical_expr::proto_encode::PhysicalExprEncodeCtx;
use datafusion::physical_expr_common::physical_expr::snapshot_physical_expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::logical_plan::{DefaultLogicalExtensionCodec, LogicalExtensionCodec};
use datafusion_proto::physical_plan::from_proto::{
    parse_protobuf_file_scan_config, parse_table_schema_from_proto,
};
use datafusion_proto::physical_plan::to_proto::serialize_file_scan_config;
use datafusion_proto::physical_plan::{
    DefaultPhysicalExtensionCodec, PhysicalExtensionCodec, PhysicalPlanDecodeContext,
    PhysicalProtoConverterExtension,
};
use prost::Message;

use crate::error::failed;
use crate::format::FloeFormat;
use crate::messages::{KIND, OptionsNode, PathNode, ScanNode, TableNode};
use crate::open::Indexes;
use crate::source::FloeSource;
use crate::table::FloeTable;

/// The codec of tables: what a client of Ballista sends to the scheduler.
///
/// ```
/// use std::sync::Arc;
/// use floe_datafusion::FloeLogicalCodec;
/// use datafusion_proto::logical_plan::DefaultLogicalExtensionCodec;
///
/// // Around Ballista's own, `BallistaLogicalExtensionCodec::default()`, or any other.
/// let codec = FloeLogicalCodec::new(Arc::new(DefaultLogicalExtensionCodec {}));
/// # let _ = codec;
/// ```
#[derive(Debug)]
pub struct FloeLogicalCodec {
    inner: Arc<dyn LogicalExtensionCodec>,
}

impl FloeLogicalCodec {
    /// A codec that hands what is not floe's to another one.
    #[must_use]
    pub fn new(inner: Arc<dyn LogicalExtensionCodec>) -> Self {
        Self { inner }
    }
}

impl Default for FloeLogicalCodec {
    fn default() -> Self {
        Self::new(Arc::new(DefaultLogicalExtensionCodec {}))
    }
}

/// The codec of scans: what Ballista's scheduler sends to executors.
///
/// ```
/// use std::sync::Arc;
/// use floe_datafusion::FloePhysicalCodec;
/// use datafusion_proto::physical_plan::DefaultPhysicalExtensionCodec;
///
/// // Around Ballista's own, `BallistaPhysicalExtensionCodec::default()`, or any other.
/// let codec = FloePhysicalCodec::new(Arc::new(DefaultPhysicalExtensionCodec {}));
/// # let _ = codec;
/// ```
#[derive(Debug)]
pub struct FloePhysicalCodec {
    inner: Arc<dyn PhysicalExtensionCodec>,
}

impl FloePhysicalCodec {
    /// A codec that hands what is not floe's to another one.
    #[must_use]
    pub fn new(inner: Arc<dyn PhysicalExtensionCodec>) -> Self {
        Self { inner }
    }
}

impl Default for FloePhysicalCodec {
    fn default() -> Self {
        Self::new(Arc::new(DefaultPhysicalExtensionCodec {}))
    }
}

fn malformed(error: prost::DecodeError) -> DataFusionError {
    failed(format!("a plan's scan of Arrow IPC files is malformed: {error}"))
}

fn missing(what: &str) -> DataFusionError {
    failed(format!("a plan's scan of Arrow IPC files has no {what}"))
}

fn write(node: &impl Message, buf: &mut Vec<u8>) {
    buf.extend_from_slice(KIND);
    buf.extend_from_slice(&node.encode_to_vec());
}

impl PhysicalExtensionCodec for FloePhysicalCodec {
    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        ctx: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(buf) = buf.strip_prefix(KIND) else {
            return self.inner.try_decode(buf, inputs, ctx, converter);
        };
        let ScanNode { conf, predicate, options } = ScanNode::decode(buf).map_err(malformed)?;
        let conf = conf.ok_or_else(|| missing("files"))?;
        let options = options.ok_or_else(|| missing("options"))?.options()?;
        let table = parse_table_schema_from_proto(&conf)?;
        let context = PhysicalPlanDecodeContext::new(ctx, self);
        let predicate = predicate
            .map(|predicate| converter.proto_to_physical_expr(&predicate, table.table_schema(), &context))
            .transpose()?;
        let source = FloeSource::new(table, options, Arc::new(Indexes::default())).with_predicate(predicate);
        let scan = parse_protobuf_file_scan_config(&conf, &context, converter, Arc::new(source))?;
        Ok(DataSourceExec::from_data_source(scan))
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buf: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let scan = node.downcast_ref::<DataSourceExec>();
        let Some((conf, source)) = scan.and_then(|scan| scan.downcast_to_file_source::<FloeSource>()) else {
            return self.inner.try_encode(node, buf, converter);
        };
        // A filter that changes while the query runs does not reach another process: it is sent as it is now.
        let predicate = source.predicate.clone().map(snapshot_physical_expr).transpose()?;
        let node = ScanNode {
            conf: Some(serialize_file_scan_config(conf, self, converter)?),
            predicate: predicate
                .map(|predicate| converter.physical_expr_to_proto(&predicate, self))
                .transpose()?,
            options: Some(OptionsNode::of(&source.options)),
        };
        write(&node, buf);
        Ok(())
    }

    fn try_decode_udf(&self, name: &str, buf: &[u8]) -> Result<Arc<ScalarUDF>> {
        self.inner.try_decode_udf(name, buf)
    }

    fn try_encode_udf(&self, node: &ScalarUDF, buf: &mut Vec<u8>) -> Result<()> {
        self.inner.try_encode_udf(node, buf)
    }

    fn try_decode_higher_order_function(&self, name: &str, buf: &[u8]) -> Result<Arc<HigherOrderUDF>> {
        self.inner.try_decode_higher_order_function(name, buf)
    }

    fn try_encode_higher_order_function(&self, node: &HigherOrderUDF, buf: &mut Vec<u8>) -> Result<()> {
        self.inner.try_encode_higher_order_function(node, buf)
    }

    fn try_decode_expr(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn PhysicalExpr>],
        ctx: &PhysicalExprDecodeCtx<'_>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        self.inner.try_decode_expr(buf, inputs, ctx)
    }

    fn try_encode_expr(
        &self,
        node: &Arc<dyn PhysicalExpr>,
        buf: &mut Vec<u8>,
        ctx: &PhysicalExprEncodeCtx<'_>,
    ) -> Result<()> {
        self.inner.try_encode_expr(node, buf, ctx)
    }

    fn try_decode_udaf(&self, name: &str, buf: &[u8]) -> Result<Arc<AggregateUDF>> {
        self.inner.try_decode_udaf(name, buf)
    }

    fn try_encode_udaf(&self, node: &AggregateUDF, buf: &mut Vec<u8>) -> Result<()> {
        self.inner.try_encode_udaf(node, buf)
    }

    fn try_decode_udwf(&self, name: &str, buf: &[u8]) -> Result<Arc<WindowUDF>> {
        self.inner.try_decode_udwf(name, buf)
    }

    fn try_encode_udwf(&self, node: &WindowUDF, buf: &mut Vec<u8>) -> Result<()> {
        self.inner.try_encode_udwf(node, buf)
    }
}

impl LogicalExtensionCodec for FloeLogicalCodec {
    fn try_decode(&self, buf: &[u8], inputs: &[LogicalPlan], ctx: &TaskContext) -> Result<Extension> {
        self.inner.try_decode(buf, inputs, ctx)
    }

    fn try_encode(&self, node: &Extension, buf: &mut Vec<u8>) -> Result<()> {
        self.inner.try_encode(node, buf)
    }

    fn try_decode_table_provider(
        &self,
        buf: &[u8],
        table_ref: &TableReference,
        schema: SchemaRef,
        ctx: &TaskContext,
    ) -> Result<Arc<dyn TableProvider>> {
        let Some(buf) = buf.strip_prefix(KIND) else {
            return self.inner.try_decode_table_provider(buf, table_ref, schema, ctx);
        };
        let TableNode { paths, extension, keys, files, options } =
            TableNode::decode(buf).map_err(malformed)?;
        let options = options.ok_or_else(|| missing("options"))?.options()?;
        let keys: Schema = (&keys.ok_or_else(|| missing("keys"))?).try_into()?;
        let files: Schema = (&files.ok_or_else(|| missing("schema"))?).try_into()?;
        let keys =
            keys.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect();
        let listing = ListingOptions::new(Arc::new(FloeFormat::new(options.clone())))
            .with_file_extension(extension)
            .with_table_partition_cols(keys);
        let paths = paths.into_iter().map(PathNode::path).collect::<Result<Vec<ListingTableUrl>>>()?;
        Ok(Arc::new(FloeTable::of(paths, listing, Arc::new(files), options)?))
    }

    fn try_encode_table_provider(
        &self,
        table_ref: &TableReference,
        node: Arc<dyn TableProvider>,
        buf: &mut Vec<u8>,
    ) -> Result<()> {
        let Some(table) = node.downcast_ref::<FloeTable>() else {
            return self.inner.try_encode_table_provider(table_ref, node, buf);
        };
        write(&TableNode::of(table)?, buf);
        Ok(())
    }

    fn try_decode_file_format(&self, buf: &[u8], ctx: &TaskContext) -> Result<Arc<dyn FileFormatFactory>> {
        self.inner.try_decode_file_format(buf, ctx)
    }

    fn try_encode_file_format(&self, buf: &mut Vec<u8>, node: Arc<dyn FileFormatFactory>) -> Result<()> {
        self.inner.try_encode_file_format(buf, node)
    }

    fn try_decode_udf(&self, name: &str, buf: &[u8]) -> Result<Arc<ScalarUDF>> {
        self.inner.try_decode_udf(name, buf)
    }

    fn try_encode_udf(&self, node: &ScalarUDF, buf: &mut Vec<u8>) -> Result<()> {
        self.inner.try_encode_udf(node, buf)
    }

    fn try_decode_higher_order_function(&self, name: &str, buf: &[u8]) -> Result<Arc<HigherOrderUDF>> {
        self.inner.try_decode_higher_order_function(name, buf)
    }

    fn try_encode_higher_order_function(&self, node: &HigherOrderUDF, buf: &mut Vec<u8>) -> Result<()> {
        self.inner.try_encode_higher_order_function(node, buf)
    }

    fn try_decode_udaf(&self, name: &str, buf: &[u8]) -> Result<Arc<AggregateUDF>> {
        self.inner.try_decode_udaf(name, buf)
    }

    fn try_encode_udaf(&self, node: &AggregateUDF, buf: &mut Vec<u8>) -> Result<()> {
        self.inner.try_encode_udaf(node, buf)
    }

    fn try_decode_udwf(&self, name: &str, buf: &[u8]) -> Result<Arc<WindowUDF>> {
        self.inner.try_decode_udwf(name, buf)
    }

    fn try_encode_udwf(&self, node: &WindowUDF, buf: &mut Vec<u8>) -> Result<()> {
        self.inner.try_encode_udwf(node, buf)
    }
}
