//! Tables of Arrow IPC files and streams.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{ScanArgs, ScanResult, Session, TableProvider, TableProviderFactory};
use datafusion::common::{Constraints, Result, plan_err};
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::logical_expr::{CreateExternalTable, Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use futures::TryStreamExt;

use crate::error::failed;
use crate::fetch::Object;
use crate::format::FloeFormat;
use crate::hive;
use crate::options::FloeOptions;

/// A table of the Arrow IPC files and streams at a URL: one of them, or a folder, whose `key=value` subfolders become columns.
///
/// It is a [`ListingTable`] of [`FloeFormat`] that Ballista can send to other processes, by
/// [`FloeLogicalCodec`](crate::FloeLogicalCodec).
///
/// ```
/// use std::sync::Arc;
/// use datafusion::prelude::SessionContext;
/// use floe_datafusion::{FloeOptions, FloeTable};
///
/// # async fn query() -> datafusion::common::Result<()> {
/// let ctx = SessionContext::new();
/// let table = FloeTable::open(&ctx.state(), "flights/", FloeOptions::default()).await?;
/// ctx.register_table("flights", Arc::new(table))?;
/// let frame = ctx.sql("select carrier, avg(dep_delay) from flights group by carrier").await?;
/// frame.show().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Keys of folders
///
/// Files of floe's partitioned sinks say the types of their folders' keys. Other folders' keys are text. DataFusion has no null
/// there: a folder `key=__HIVE_DEFAULT_PARTITION__` is that text, and an error if the key is no text.
#[derive(Debug, Clone)]
pub struct FloeTable {
    listing: Arc<ListingTable>,
    pub(crate) options: FloeOptions,
    /// The columns of the files, without the keys of folders.
    pub(crate) file_schema: SchemaRef,
}

impl FloeTable {
    /// Lists what is at a URL (or path), and reads its schema.
    ///
    /// # Errors
    /// When there is nothing, a file or stream is not valid, or their schemas contradict each other.
    pub async fn open(state: &dyn Session, url: &str, options: FloeOptions) -> Result<Self> {
        Self::open_all(state, &[url], options).await
    }

    /// As [`open`](Self::open), of several URLs of one store, which make one table.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_all(state: &dyn Session, urls: &[&str], options: FloeOptions) -> Result<Self> {
        let paths = urls.iter().map(ListingTableUrl::parse).collect::<Result<Vec<_>>>()?;
        let Some(first) = paths.first() else { return plan_err!("a table needs a URL") };
        if let Some(other) = paths.iter().find(|path| path.object_store() != first.object_store()) {
            return plan_err!("{first} and {other} are in two stores: a table is in one");
        }
        let format = FloeFormat::new(options.clone());
        let listing = ListingOptions::new(Arc::new(format.clone()));
        let listing = listing.with_file_extension(extension(&paths, &options));
        let keys = keys(state, first, &listing, &format).await?;
        let schema = schema(state, &paths, &listing).await?;
        // A sink may have kept the keys in the files as well: folders and files agree then.
        let is_key = |field: &Arc<Field>| keys.iter().any(|(name, _)| name == field.name());
        let fields: Vec<_> = schema.fields().iter().filter(|field| !is_key(field)).cloned().collect();
        Self::of(paths, listing.with_table_partition_cols(keys), Arc::new(Schema::new(fields)), options)
    }

    pub(crate) fn of(
        paths: Vec<ListingTableUrl>,
        listing: ListingOptions,
        file_schema: SchemaRef,
        options: FloeOptions,
    ) -> Result<Self> {
        let config = ListingTableConfig::new_with_multi_paths(paths)
            .with_listing_options(listing)
            .with_schema(Arc::clone(&file_schema));
        Ok(Self { listing: Arc::new(ListingTable::try_new(config)?), options, file_schema })
    }

    /// The URLs.
    pub(crate) fn paths(&self) -> &[ListingTableUrl] {
        self.listing.table_paths()
    }

    /// How the URLs are listed.
    pub(crate) fn listing_options(&self) -> &ListingOptions {
        self.listing.options()
    }
}

/// The extension that files of a folder have to have. A URL of one file says it itself.
fn extension<'a>(paths: &[ListingTableUrl], options: &'a FloeOptions) -> &'a str {
    let is_folder = |path: &ListingTableUrl| path.is_collection() && path.get_glob().is_none();
    if paths.iter().all(is_folder) { &options.extension } else { "" }
}

/// The keys of the folders and their types.
async fn keys(
    state: &dyn Session,
    path: &ListingTableUrl,
    listing: &ListingOptions,
    format: &FloeFormat,
) -> Result<Vec<(String, DataType)>> {
    let names = if path.is_collection() { listing.infer_partitions(state, path).await? } else { Vec::new() };
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let store = state.runtime_env().object_store(path)?;
    let mut files = path.list_all_files(state, store.as_ref(), &listing.file_extension).await?;
    let first = loop {
        match files.try_next().await? {
            Some(meta) if meta.size == 0 => {},
            first => break first,
        }
    };
    let Some(meta) = first else { return Ok(Vec::new()) };
    let object = Object { store: Arc::clone(&store), meta };
    let typed = hive::types(&object, format.indexes(), format.options()).await?;
    let of = |name: String| {
        let data_type = typed.iter().find(|(key, _)| *key == name).map_or(DataType::Utf8, |(_, t)| t.clone());
        (name, data_type)
    };
    Ok(names.into_iter().map(of).collect())
}

/// The schema of all files.
async fn schema(state: &dyn Session, paths: &[ListingTableUrl], listing: &ListingOptions) -> Result<Schema> {
    let mut schemas = Vec::with_capacity(paths.len());
    for path in paths {
        schemas.push(Arc::unwrap_or_clone(listing.infer_schema(state, path).await?));
    }
    Ok(Schema::try_merge(schemas)?)
}

#[async_trait]
impl TableProvider for FloeTable {
    fn schema(&self) -> SchemaRef {
        self.listing.schema()
    }

    fn constraints(&self) -> Option<&Constraints> {
        self.listing.constraints()
    }

    fn table_type(&self) -> TableType {
        self.listing.table_type()
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.listing.scan(state, projection, filters, limit).await
    }

    async fn scan_with_args<'a>(&self, state: &dyn Session, args: ScanArgs<'a>) -> Result<ScanResult> {
        self.listing.scan_with_args(state, args).await
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        self.listing.supports_filters_pushdown(filters)
    }
}

/// Makes tables for `CREATE EXTERNAL TABLE .. STORED AS FLOE LOCATION ..`.
///
/// ```
/// use std::sync::Arc;
/// use datafusion::execution::SessionStateBuilder;
/// use datafusion::prelude::SessionContext;
/// use floe_datafusion::FloeTableFactory;
///
/// # async fn query() -> datafusion::common::Result<()> {
/// let state = SessionStateBuilder::new()
///     .with_default_features()
///     .with_table_factory("FLOE".into(), Arc::new(FloeTableFactory))
///     .build();
/// let ctx = SessionContext::new_with_state(state);
/// ctx.sql("create external table flights stored as floe location 'flights/'").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct FloeTableFactory;

#[async_trait]
impl TableProviderFactory for FloeTableFactory {
    async fn create(&self, state: &dyn Session, cmd: &CreateExternalTable) -> Result<Arc<dyn TableProvider>> {
        if !cmd.schema.fields().is_empty() {
            return plan_err!("Arrow IPC files have their schema: leave the columns out");
        }
        if cmd.unbounded || !cmd.order_exprs.is_empty() {
            return plan_err!("tables of Arrow IPC files are neither UNBOUNDED nor WITH ORDER");
        }
        let urls: Vec<&str> = cmd.locations.iter().map(String::as_str).collect();
        let table = FloeTable::open_all(state, &urls, FloeOptions::of_sql(&cmd.options)?).await?;
        let keys = &table.listing_options().table_partition_cols;
        if let Some(key) =
            cmd.table_partition_cols.iter().find(|key| !keys.iter().any(|(name, _)| name == *key))
        {
            return Err(failed(format!("PARTITIONED BY {key}: the folders have no key of that name")));
        }
        Ok(Arc::new(table))
    }
}
