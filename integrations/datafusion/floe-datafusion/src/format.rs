//! The file format: schemas and statistics of objects, and scans of them.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::{GetExt, Result, Statistics, not_impl_err, plan_err};
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::file_format::{FileFormat, FileFormatFactory};
use datafusion::datasource::physical_plan::{FileScanConfig, FileSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_plan::ExecutionPlan;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{ObjectMeta, ObjectStore};

use crate::fetch::Object;
use crate::open::{self, Indexes, Opened};
use crate::options::FloeOptions;
use crate::source::FloeSource;
use crate::statistics;

/// Schemas that are read at a time.
const SCHEMAS: usize = 16;

/// The [`FileFormat`] of Arrow IPC files and streams, of any writer. Files and streams may lie in one folder.
///
/// [`FloeTable`](crate::FloeTable) is a table of it; `ListingOptions` take it as well.
///
/// ```
/// use std::sync::Arc;
/// use datafusion::datasource::listing::ListingOptions;
/// use floe_datafusion::FloeFormat;
///
/// let options = ListingOptions::new(Arc::new(FloeFormat::default())).with_file_extension(".arrow");
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Default)]
pub struct FloeFormat {
    options: FloeOptions,
    /// Shared by all scans of this format, so that a footer is read once.
    indexes: Arc<Indexes>,
}

impl FloeFormat {
    /// A format that reads by these options.
    ///
    /// ```
    /// use floe_datafusion::{FloeFormat, FloeOptions};
    ///
    /// let format = FloeFormat::new(FloeOptions { tail_bytes: 64 << 10, ..FloeOptions::default() });
    /// # let _ = format;
    /// ```
    #[must_use]
    pub fn new(options: FloeOptions) -> Self {
        Self { options, indexes: Arc::default() }
    }

    /// The indexes of objects that have been opened.
    pub(crate) fn indexes(&self) -> &Indexes {
        &self.indexes
    }

    /// The options.
    #[must_use]
    pub fn options(&self) -> &FloeOptions {
        &self.options
    }
}

#[async_trait]
impl FileFormat for FloeFormat {
    fn get_ext(&self) -> String {
        EXTENSION.to_owned()
    }

    fn get_ext_with_compression(&self, compression: &FileCompressionType) -> Result<String> {
        if compression.is_compressed() {
            return not_impl_err!("Arrow IPC files are compressed inside, not as a whole");
        }
        Ok(self.get_ext())
    }

    fn compression_type(&self) -> Option<FileCompressionType> {
        None
    }

    async fn infer_schema(
        &self,
        _: &dyn Session,
        store: &Arc<dyn ObjectStore>,
        objects: &[ObjectMeta],
    ) -> Result<SchemaRef> {
        let read = |meta: &ObjectMeta| {
            let object = Object { store: Arc::clone(store), meta: meta.clone() };
            async move { open::schema(&object, &self.indexes, &self.options).await }
        };
        let reads: Vec<_> = objects.iter().map(read).collect();
        let schemas: Vec<SchemaRef> = stream::iter(reads).buffered(SCHEMAS).try_collect().await?;
        if schemas.is_empty() {
            return plan_err!("there is no Arrow IPC file or stream to take a schema from");
        }
        Ok(Arc::new(Schema::try_merge(schemas.into_iter().map(Arc::unwrap_or_clone))?))
    }

    async fn infer_stats(
        &self,
        _: &dyn Session,
        store: &Arc<dyn ObjectStore>,
        table_schema: SchemaRef,
        object: &ObjectMeta,
    ) -> Result<Statistics> {
        let object = Object { store: Arc::clone(store), meta: object.clone() };
        match self.indexes.open(&object, &self.options).await? {
            Opened::File(index, _) => statistics::of_file(&index, &table_schema),
            // A stream has no footer: its rows are known when it has been read.
            Opened::Stream => Ok(Statistics::new_unknown(&table_schema)),
        }
    }

    async fn create_physical_plan(
        &self,
        _: &dyn Session,
        conf: FileScanConfig,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(DataSourceExec::from_data_source(conf))
    }

    fn file_source(&self, table_schema: TableSchema) -> Arc<dyn FileSource> {
        Arc::new(FloeSource::new(table_schema, self.options.clone(), Arc::clone(&self.indexes)))
    }
}

/// The extension of the files.
const EXTENSION: &str = "arrow";

/// Makes the format for SQL, with the options that SQL has.
#[derive(Debug, Default)]
pub struct FloeFormatFactory;

impl FileFormatFactory for FloeFormatFactory {
    fn create(&self, _: &dyn Session, options: &HashMap<String, String>) -> Result<Arc<dyn FileFormat>> {
        Ok(Arc::new(FloeFormat::new(FloeOptions::of_sql(options)?)))
    }

    fn default(&self) -> Arc<dyn FileFormat> {
        Arc::new(FloeFormat::default())
    }
}

impl GetExt for FloeFormatFactory {
    fn get_ext(&self) -> String {
        "floe".to_owned()
    }
}
