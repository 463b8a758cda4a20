//! The tables of a server: files and folders, found anew for each request, LazyFrames, and uploads.
//!
//! ```text
//!   paths -> find.rs -> tables by name, each with its files    never a path made of what a client sent
//!   table -> facts.rs   rows, columns                          kept until the file changes
//!         -> frame.rs   LazyFrame                              kept until one of its files changes
//!   bytes -> upload.rs  a file in the folder of uploads        checked, or recovered
//! ```

mod builder;
mod facts;
mod find;
mod frame;
mod upload;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use polars_core::prelude::SchemaRef;
use polars_lazy::prelude::LazyFrame;

pub use builder::CatalogBuilder;
pub(crate) use facts::Facts;
pub(crate) use find::{FileEntry, Table};
pub(crate) use upload::{Uploaded, is_upload_name};

use crate::error::{ApiError, Result};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::query::{Cancel, Registry, Slots};
pub(crate) use find::Stamp;
use upload::Uploads;

/// The tables and limits of a server. Clones are the same catalog.
///
/// ```
/// use floe::lazy::IntoLazy;
/// use polars_core::prelude::*;
///
/// let df = DataFrame::new(2, vec![Column::new("a".into(), [1, 2])])?;
/// let catalog = floe_serve::Catalog::new(["data/*.arrow"])?.with_table("numbers", df.lazy());
/// let router = floe_serve::router(catalog);
/// # let _ = router;
/// # PolarsResult::Ok(())
/// ```
#[derive(Clone)]
pub struct Catalog(Arc<Inner>);

struct Inner {
    roots: Vec<PathBuf>,
    frames: Mutex<BTreeMap<String, LazyFrame>>,
    uploads: Uploads,
    token: Option<String>,
    origin: Option<String>,
    local_hosts_only: bool,
    page_folder: Option<PathBuf>,
    limits: Limits,
    metrics: Arc<Metrics>,
    slots: Arc<Slots>,
    registry: Arc<Registry>,
    /// Facts of files, and the frames of tables, for as long as they do not change.
    known_files: Mutex<HashMap<PathBuf, (Stamp, Arc<Facts>)>>,
    known_frames: Mutex<HashMap<String, Known>>,
}

struct Known {
    stamps: Vec<(PathBuf, Stamp)>,
    frame: Result<(LazyFrame, SchemaRef)>,
}

impl Catalog {
    /// A catalog of files, folders and patterns, with limits by default and uploads into a temporary folder.
    ///
    /// A file is a table by its name without the extension. Of a folder each file is one, and so is each folder in it,
    /// with all files below; names such as `year=2013` are columns. A folder with such names in it is one table. Of a
    /// pattern each path that it matches is as if it were named.
    ///
    /// # Errors
    /// When a path that is no pattern is not there.
    pub fn new<P: Into<PathBuf>>(
        paths: impl IntoIterator<Item = P>,
    ) -> polars_core::error::PolarsResult<Self> {
        paths.into_iter().fold(Self::builder(), |builder, path| builder.path(path)).build()
    }

    /// A catalog with options of one's own.
    ///
    /// ```
    /// let catalog = floe_serve::Catalog::builder().token("secret").build()?;
    /// # let _ = catalog;
    /// # polars_core::error::PolarsResult::Ok(())
    /// ```
    pub fn builder() -> CatalogBuilder {
        CatalogBuilder::default()
    }

    /// Adds a table that the program has itself, or replaces the one of this name. It is found before files of its name.
    ///
    /// ```
    /// use floe::lazy::IntoLazy;
    /// use polars_core::prelude::*;
    ///
    /// let df = DataFrame::new(2, vec![Column::new("a".into(), [1, 2])])?;
    /// let catalog = floe_serve::Catalog::builder().build()?.with_table("numbers", df.lazy());
    /// # let _ = catalog;
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn with_table(self, name: impl Into<String>, lf: LazyFrame) -> Self {
        self.own_frames().insert(name.into(), lf);
        self
    }

    /// Ends all queries, and waits a moment for them. Their clients see that their answers break off.
    ///
    /// ```
    /// floe_serve::Catalog::builder().build()?.close();
    /// # polars_core::error::PolarsResult::Ok(())
    /// ```
    pub fn close(&self) {
        self.0.registry.cancel_all(Cancel::Shutdown);
        self.0.registry.wait_until_empty(Duration::from_secs(2));
        self.0.uploads.remove_if_temporary();
    }

    fn own_frames(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, LazyFrame>> {
        self.0.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.0.metrics
    }

    pub(crate) fn slots(&self) -> &Arc<Slots> {
        &self.0.slots
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.0.registry
    }

    pub(crate) fn token(&self) -> Option<&str> {
        self.0.token.as_deref()
    }

    pub(crate) fn origin(&self) -> Option<&str> {
        self.0.origin.as_deref()
    }

    pub(crate) fn local_hosts_only(&self) -> bool {
        self.0.local_hosts_only
    }

    pub(crate) fn page_folder(&self) -> Option<&Path> {
        self.0.page_folder.as_deref()
    }

    pub(crate) fn uploads(&self) -> &Uploads {
        &self.0.uploads
    }

    /// All tables, as they are now, in the order of their names. It reads folders: not for threads of tokio.
    pub(crate) fn tables(&self) -> Vec<Table> {
        let mut tables: BTreeMap<String, Table> = BTreeMap::new();
        for name in self.own_frames().keys() {
            tables.insert(name.clone(), Table::own(name.clone()));
        }
        for table in find::all(&self.0.roots) {
            find::add(&mut tables, table);
        }
        for table in self.0.uploads.tables() {
            find::add(&mut tables, table);
        }
        self.known_frames().retain(|name, _| tables.contains_key(name));
        tables.into_values().collect()
    }

    /// A table by its name. It reads folders: not for threads of tokio.
    pub(crate) fn table(&self, name: &str) -> Result<Table> {
        let tables = self.tables();
        tables.into_iter().find(|table| table.name == name).ok_or_else(|| ApiError::no_table(name))
    }

    /// The rows of a table, to be asked for.
    pub(crate) fn frame(&self, name: &str) -> Result<LazyFrame> {
        Ok(self.frame_of(&self.table(name)?)?.0)
    }

    /// As [`frame`](Self::frame), with the schema.
    pub(crate) fn frame_of(&self, table: &Table) -> Result<(LazyFrame, SchemaRef)> {
        if table.is_own {
            let lf = self.own_frames().get(&table.name).cloned();
            let mut lf = lf.ok_or_else(|| ApiError::no_table(&table.name))?;
            let schema = lf.collect_schema()?;
            return Ok((lf, schema));
        }
        if let Some(error) = &table.error {
            return Err(ApiError::new(axum::http::StatusCode::CONFLICT, "table_unreadable", error.clone()));
        }
        let stamps: Vec<(PathBuf, Stamp)> =
            table.files.iter().map(|file| (file.path.clone(), file.stamp)).collect();
        if let Some(known) = self.known_frames().get(&table.name).filter(|known| known.stamps == stamps) {
            return known.frame.clone();
        }
        let frame = frame::scan(table).and_then(|mut lf| {
            let schema = lf.collect_schema()?;
            Ok((lf, schema))
        });
        let frame = frame.map_err(|error| self.without_paths(error));
        // A file may have been incomplete: it is tried again when it changes.
        self.known_frames().insert(table.name.clone(), Known { stamps, frame: frame.clone() });
        frame
    }

    /// The error without the folders of this machine: clients know tables, not paths.
    pub(crate) fn without_paths(&self, mut error: ApiError) -> ApiError {
        if error.message.contains(std::path::MAIN_SEPARATOR) {
            for file in self.tables().iter().flat_map(|table| &table.files) {
                if let Some(folder) = file.path.parent().and_then(Path::to_str) {
                    error.message = error.message.replace(&format!("{folder}/"), "");
                }
            }
        }
        error
    }

    fn known_frames(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.0.known_frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Facts of a file, from its heads.
    pub(crate) fn facts(&self, file: &FileEntry) -> Arc<Facts> {
        let known = || self.0.known_files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((stamp, facts)) = known().get(&file.path)
            && *stamp == file.stamp
        {
            return Arc::clone(facts);
        }
        let facts = Arc::new(facts::of(file));
        let mut known = known();
        if known.len() > MOST_KNOWN {
            known.clear();
        }
        known.insert(file.path.clone(), (file.stamp, Arc::clone(&facts)));
        facts
    }
}

/// The stamp of an open file.
pub(crate) fn stamp(file: &std::fs::File) -> std::io::Result<Stamp> {
    Ok(Stamp::of(&file.metadata()?))
}

/// Files of which facts are kept.
const MOST_KNOWN: usize = 100_000;

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token is a secret.
        f.debug_struct("Catalog")
            .field("roots", &self.0.roots)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}
