//! The report of a partitioned sink about its files.

use std::path::PathBuf;

use floe_frame::WriteSummary;

/// A file that a partitioned sink has written.
///
/// ```
/// use floe_lazy::*;
/// use polars_core::prelude::*;
///
/// let df = DataFrame::new(2, vec![Column::new("year".into(), [2012, 2013]), Column::new("n".into(), [1, 2])])?;
/// let folder = std::env::temp_dir().join(format!("floe-summary-doc-{}", std::process::id()));
/// let by = PartitionBy::Keys(vec!["year"]);
/// for part in df.lazy().sink_ipc_partitioned(&folder, by, IpcSinkOptions::default())? {
///     let PartitionSummary { path, keys, summary, .. } = part;
///     println!("{} ({keys:?}): {} rows", path.display(), summary.rows);
/// }
/// # std::fs::remove_dir_all(&folder)?;
/// # PolarsResult::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionSummary {
    /// The file.
    pub path: PathBuf,
    /// The key columns' names and values, as in the path but not encoded; `None` is null. Empty if
    /// the sink has no keys.
    pub keys: Vec<(String, Option<String>)>,
    /// The counters of the writer.
    pub summary: WriteSummary,
}
