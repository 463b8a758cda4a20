//! One query, many files.
//!
//! ```text
//!   frames -> rows sorted by key -> a builder for each key -> Part -> part-0.arrow
//!                                   (all within a budget)     (an IPC file under way: closed and
//!                                                              without buffers while it waits)
//! ```
//!
//! By keys ([`keyed`]), rows are collected for each key until they make a batch worth writing, or until all keys
//! together exceed a budget: then the largest are written. By size ([`rolling`]), one file follows another. Either way
//! all files are hidden until the query has ended well and all of them are on disk ([`folder`]). Then they appear
//! together ([`commit`]). If anything goes wrong until then, nothing of this call is left in the folder.

mod commit;
mod disk;
mod existing;
mod existing_files;
mod folder;
mod keyed;
mod keys;
mod names;
mod part;
mod rolling;
#[cfg(feature = "cloud")]
mod stored;
mod summary;

use std::path::Path;

use polars_core::prelude::*;
use polars_lazy::prelude::LazyFrame;

pub use self::existing_files::ExistingFiles;
use self::folder::Folder;
use self::keyed::Keyed;
use self::part::{Parts, ProgressTotal};
use self::rolling::{Limit, Rolling};
pub use self::summary::PartitionSummary;
use crate::batch_sizing::BatchSizing;
use crate::cloud;
use crate::options::{self, IpcSinkOptions};
use crate::query::consume;

/// The rule by which rows share a file.
///
/// ```
/// use floe_lazy::PartitionBy;
///
/// let by_month = PartitionBy::Keys(vec!["year", "month"]);
/// let by_rows = PartitionBy::MaxRows(1_000_000);
/// let by_bytes = PartitionBy::MaxBytes(256 << 20);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartitionBy<'a> {
    /// The same values in these columns. The file is `<key>=<value>/.../part-0.arrow`, as Hive names folders. The value
    /// is text as Polars prints it, and `__HIVE_DEFAULT_PARTITION__` for null. Name and value are percent-encoded where
    /// they have characters that mean something in a path. (That text itself begins with `%5F`: floe's scans tell it
    /// from null, others do not. Datetimes with a zone are in UTC.) The columns themselves are left out unless
    /// [`with_include_keys`](IpcSinkOptions::with_include_keys) was set; if every column is a key, the files have rows
    /// without columns. The types of the keys are in the metadata of each file's schema, under `floe.hive_schema`: an
    /// Arrow IPC stream without batches, in hexadecimal digits. So floe's scans read the values with their types. A
    /// result without rows has no files. Where batches begin within a file depends on the query's rows in their order.
    /// Rows of other keys count too, since all keys share a budget of memory; the number of threads does not.
    Keys(Vec<&'a str>),
    /// Exactly that many rows per file, but for the last: `part-0.arrow`, `part-1.arrow`, and so on. The numbers have
    /// as many digits as the last one (`part-00.arrow` if there are more than ten files). So the order of the names is
    /// the order of the rows. A result without rows is one file.
    MaxRows(usize),
    /// At most that many bytes per file, named as for `MaxRows`. A file has one row at least. The
    /// dictionaries of categorical columns, which are known only at a file's end, come on top.
    MaxBytes(u64),
}

/// Runs the query into files below `base`.
pub(crate) fn sink(
    mut lf: LazyFrame,
    base: &Path,
    by: PartitionBy<'_>,
    options: IpcSinkOptions,
) -> PolarsResult<Vec<PartitionSummary>> {
    if let Some(url) = cloud::url(base) {
        #[cfg(feature = "cloud")]
        return stored::sink(lf, &url, by, options);
        #[cfg(not(feature = "cloud"))]
        return Err(cloud::missing(&url));
    }
    let options::Parts {
        encoding,
        maintain_order,
        include_keys,
        existing,
        commit_marker,
        progress,
        cloud: _,
    } = options.into_parts();
    let schema = lf.collect_schema()?;
    let limit = match by {
        PartitionBy::Keys(keys) => {
            let keys = keys::check(&keys, &schema)?;
            let folder = Folder::open(base, existing, commit_marker)?;
            let keyed =
                Keyed::new(folder, encoding, &schema, keys, include_keys, ProgressTotal::new(progress))?;
            return consume(lf, maintain_order, keyed::sizing(&schema), keyed);
        },
        PartitionBy::MaxRows(0) | PartitionBy::MaxBytes(0) => {
            polars_bail!(InvalidOperation: "a file of a partitioned sink must be allowed a row, not 0 rows or bytes")
        },
        PartitionBy::MaxRows(rows) => Limit::Rows(rows),
        PartitionBy::MaxBytes(bytes) => Limit::Bytes(bytes),
    };
    let sizing = BatchSizing::for_batches(None, &schema);
    let parts = Parts::new(
        Folder::open(base, existing, commit_marker)?,
        encoding,
        schema,
        ProgressTotal::new(progress),
    );
    consume(lf, maintain_order, sizing, Rolling::new(parts, limit))
}
